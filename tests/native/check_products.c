/* check_products.c - products and convolutions of a kernel against plain loops.
 *
 * Biases reach the ends of int32: sums that wrap and come back tell a saturating instruction from an
 * exact one. */
#include <stdio.h>
#include <string.h>

#include "check.h"

#define GAP 3 /* between rows: what is written there is written too far */

struct product {
    int64_t m, n, k;
    int32_t form, rule;
    enum values a, b;
    int32_t shift; /* of the weights, to the right: 1 for [-64, 63], 4 for [-8, 7] */
};

static const char *const forms[] = {"compact", "wide", "winograd"};

static int product_is_exact(const kdq_kernel *kernel, struct draws *draws,
                            const struct product *p) {
    const int64_t m = p->m, n = p->n, k = p->k;
    const int64_t ld_a = k + GAP, ld_b = n + GAP, ld_c = n + GAP;
    const int64_t out = m > 0 && n > 0 ? (m - 1) * ld_c + n : 0;
    int8_t *a = array(SLOT_A, (m - 1) * ld_a + k, 1);
    int8_t *b = array(SLOT_B, k > 0 ? (k - 1) * ld_b + n : 0, 1);
    int32_t *bias = array(SLOT_BIAS, n * 4, 4);
    int32_t *got = array(SLOT_GOT, out * 4, 4), *want = array(SLOT_WANT, out * 4, 4);
    int8_t *got_y = array(SLOT_GOT_Y, out, 1), *want_y = array(SLOT_WANT_Y, out, 1);
    const int32_t x_zero_point = draw_between(draws, -128, 127);
    const kdq_requant requant =
        draw_requant(draws, p->rule, n, (double)k * (draw(draws) & 1 ? 16384 : 4096));
    draw_int8(draws, p->a, (m - 1) * ld_a + k, a);
    draw_int8(draws, p->b, k > 0 ? (k - 1) * ld_b + n : 0, b);
    for (int64_t i = 0; k > 0 && i < (k - 1) * ld_b + n; i++) {
        b[i] = (int8_t)(b[i] >> p->shift);
    }

    kdq_gemm_s8s32_ref(m, n, k, a, ld_a, b, ld_b, want, ld_c);
    for (int64_t j = 0; j < n; j++) {
        bias[j] = draw_int32(draws);
        uint32_t start = (uint32_t)bias[j];
        for (int64_t i = 0; i < k; i++) {
            start -= (uint32_t)(x_zero_point * b[i * ld_b + j]);
        }
        for (int64_t i = 0; i < m; i++) {
            want[i * ld_c + j] = kdq_wrapping_add(want[i * ld_c + j], (int32_t)start);
        }
    }
    kdq_requantize(&requant, m, n, want, ld_c, NULL, want_y, ld_c);

    kdq_weights weights = {.kernel = kernel, .segments = 1, .k = k, .n = n, .form = p->form};
    weights.data = array(SLOT_WEIGHTS, kdq_weights_bytes(&weights), 4);
    kdq_pack_weights(&weights, b, ld_b, bias, x_zero_point);
    void *scratch = array(SLOT_SCRATCH, kdq_gemm_scratch_bytes(&weights, m), 16);
    kdq_gemm_s8s32(&weights, m, a, ld_a, got, ld_c, scratch);
    kdq_gemm_s8s8(&weights, m, a, ld_a, &requant, got_y, ld_c, scratch);
    return memcmp(got, want, (size_t)out * 4) == 0 && memcmp(got_y, want_y, (size_t)out) == 0;
}

static void check_product(const kdq_kernel *kernel, struct draws *draws, struct product p,
                          struct tally *tally) {
    /* A narrow kernel's compact form is for the smallest weights only. */
    for (p.form = p.shift == 1 ? KDQ_WIDE : KDQ_COMPACT; p.form <= KDQ_WIDE; p.form++) {
        p.rule = (int32_t)(tally->compared % RULES);
        if (differs(tally, product_is_exact(kernel, draws, &p))) {
            printf("%s: wrong product: m %lld, n %lld, k %lld, %s, rule %d, values %d * %d >> %d\n",
                   kernel->name, (long long)p.m, (long long)p.n, (long long)p.k, forms[p.form],
                   p.rule, p.a, p.b, p.shift);
        }
    }
}

static void check_shifted(const kdq_kernel *kernel, struct draws *draws, int32_t shift,
                          struct tally *tally) {
    const int64_t mr = kernel->mr, nr = kernel->nr, unit = kernel->k_unit;
    const int64_t rows[] = {1, 2, mr - 1, mr, mr + 1, 2 * mr + 1};
    const int64_t columns[] = {1, nr / 2, nr / 2 + 1, nr, nr + 1};
    const int64_t depths[] = {0, 1, unit - 1, unit, unit + 1, 2 * unit + 1, 37, 64};
    const int64_t row_counts = sizeof rows / sizeof *rows;
    const int64_t column_counts = sizeof columns / sizeof *columns;
    const int64_t depth_counts = sizeof depths / sizeof *depths;
    for (int64_t i = 0; i < row_counts * column_counts * depth_counts; i++) {
        const struct product p = {.m = kdq_max(1, rows[i % row_counts]),
                                  .n = kdq_max(1, columns[i / row_counts % column_counts]),
                                  .k = depths[i / row_counts / column_counts],
                                  .a = (enum values)(i % VALUES_KINDS),
                                  .b = (enum values)(i / VALUES_KINDS % VALUES_KINDS),
                                  .shift = shift};
        check_product(kernel, draws, p, tally);
    }
    /* More rows than a block has; a row that is moved out of the way of cache sets; the longest. */
    const struct product blocks = {.m = 251, .n = nr + 1, .k = 19, .shift = shift};
    check_product(kernel, draws, blocks, tally);
    const struct product moved = {.m = mr, .n = nr, .k = 1024, .shift = shift};
    check_product(kernel, draws, moved, tally);
    for (int ends = VALUES_LOWEST; ends <= VALUES_HIGHEST; ends++) {
        const struct product longest = {.m = 2,
                                        .n = 1,
                                        .k = KDQ_MAX_K,
                                        .a = (enum values)ends,
                                        .b = VALUES_LOWEST,
                                        .shift = shift};
        check_product(kernel, draws, longest, tally);
    }
}

struct tally check_products(const kdq_kernel *kernel, struct draws *draws) {
    struct tally tally = {0, 0};
    check_shifted(kernel, draws, 0, &tally);
    if (kernel->narrow != NULL) {
        check_shifted(kernel->narrow, draws, 1, &tally);
        check_shifted(kernel->narrow, draws, 4, &tally);
    }
    return tally;
}

/* kdq_window, but for what follows from it; pads are top, left, bottom, right. */
struct shape {
    int32_t in_h, in_w, in_c, out_c, kernel_h, kernel_w;
    int32_t stride_h, stride_w, pads[4], dilation_h, dilation_w, groups;
};

static const struct shape shapes[] = {
    {7, 6, 1, 16, 3, 3, 1, 1, {1, 1, 1, 1}, 1, 1, 1},   /* a first layer */
    {9, 8, 3, 5, 3, 3, 2, 2, {0, 0, 1, 1}, 1, 1, 1},    /* TensorFlow's SAME with a stride */
    {5, 4, 9, 33, 1, 1, 1, 1, {0, 0, 0, 0}, 1, 1, 1},   /* pointwise: no line is loaded */
    {5, 7, 6, 4, 1, 1, 2, 3, {0, 0, 0, 0}, 1, 1, 1},    /* pointwise with strides */
    {4, 4, 4, 6, 1, 1, 1, 1, {1, 1, 1, 1}, 1, 1, 1},    /* pointwise with padding */
    {8, 9, 2, 17, 2, 5, 1, 2, {1, 2, 0, 3}, 1, 1, 1},   /* nothing symmetric */
    {9, 9, 5, 7, 3, 3, 1, 1, {2, 2, 2, 2}, 2, 2, 1},    /* dilated */
    {6, 9, 2, 3, 3, 2, 2, 1, {3, 1, 0, 1}, 1, 3, 1},    /* dilated sideways */
    {6, 5, 8, 12, 3, 3, 1, 1, {1, 1, 1, 1}, 1, 1, 4},   /* groups */
    {5, 6, 6, 4, 3, 3, 2, 1, {1, 2, 1, 1}, 1, 2, 2},    /* groups, dilated */
    {5, 5, 4, 6, 1, 1, 1, 1, {0, 0, 0, 0}, 1, 1, 2},    /* groups, pointwise */
    {2, 2, 3, 4, 5, 5, 1, 1, {2, 2, 2, 2}, 1, 1, 1},    /* a window larger than the image */
    {2, 1, 2, 2, 1, 2, 1, 1, {3, 4, 3, 4}, 1, 1, 1},    /* whole windows of padding */
    {1, 1, 50, 10, 1, 1, 1, 1, {0, 0, 0, 0}, 1, 1, 1},  /* dense */
    {2, 141, 1, 3, 2, 3, 1, 1, {0, 1, 0, 1}, 1, 1, 1},  /* a line longer than a block */
    {40, 4, 2, 3, 3, 3, 1, 1, {1, 1, 1, 1}, 1, 1, 1},   /* more lines than a block has */
    {9, 11, 16, 18, 3, 3, 1, 1, {1, 1, 1, 1}, 1, 1, 1}, /* Winograd, where the kernel can */
};

static int32_t positions(int32_t in, int32_t kernel, int32_t stride, int32_t pads,
                         int32_t dilation) {
    return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

static kdq_window window_of(const struct shape *s) {
    return (kdq_window){
        .in_h = s->in_h,
        .in_w = s->in_w,
        .in_c = s->in_c,
        .out_h = positions(s->in_h, s->kernel_h, s->stride_h, s->pads[0] + s->pads[2],
                           s->dilation_h),
        .out_w = positions(s->in_w, s->kernel_w, s->stride_w, s->pads[1] + s->pads[3],
                           s->dilation_w),
        .out_c = s->out_c,
        .kernel_h = s->kernel_h,
        .kernel_w = s->kernel_w,
        .stride_h = s->stride_h,
        .stride_w = s->stride_w,
        .pad_top = s->pads[0],
        .pad_left = s->pads[1],
        .dilation_h = s->dilation_h,
        .dilation_w = s->dilation_w,
        .groups = s->groups};
}

/* One accumulator, from the definition of a convolution: padding contributes nothing. */
static int32_t plain_accumulator(const kdq_window *w, const int8_t *image, int32_t x_zero_point,
                                 const int8_t *b, const int32_t *bias, int32_t oh, int32_t ow,
                                 int32_t o) {
    const int32_t channels = w->in_c / w->groups, first = o / (w->out_c / w->groups) * channels;
    uint32_t sum = (uint32_t)bias[o];
    for (int32_t i = 0; i < w->kernel_h; i++) {
        for (int32_t j = 0; j < w->kernel_w; j++) {
            const int32_t ih = oh * w->stride_h - w->pad_top + i * w->dilation_h;
            const int32_t iw = ow * w->stride_w - w->pad_left + j * w->dilation_w;
            if (ih < 0 || ih >= w->in_h || iw < 0 || iw >= w->in_w) {
                continue;
            }
            for (int32_t c = 0; c < channels; c++) {
                const int32_t x = image[(ih * w->in_w + iw) * w->in_c + first + c] - x_zero_point;
                sum += (uint32_t)(x * b[((i * w->kernel_w + j) * channels + c) * w->out_c + o]);
            }
        }
    }
    return (int32_t)sum;
}

static int convolution_is_exact(const kdq_kernel *kernel, struct draws *draws, const kdq_window *w,
                                int64_t images, int32_t form, int32_t rule, enum values values) {
    const int64_t k = (int64_t)w->kernel_h * w->kernel_w * (w->in_c / w->groups), n = w->out_c;
    const int64_t in = (int64_t)w->in_h * w->in_w * w->in_c;
    const int64_t pixels = images * w->out_h * w->out_w, group_out = n / w->groups;
    int8_t *x = array(SLOT_A, images * in, 1), *b = array(SLOT_B, k * n, 1);
    int32_t *bias = array(SLOT_BIAS, n * 4, 4), *want = array(SLOT_WANT, pixels * n * 4, 4);
    int8_t *got_y = array(SLOT_GOT_Y, pixels * n, 1), *want_y = array(SLOT_WANT_Y, pixels * n, 1);
    const int32_t x_zero_point = draw_between(draws, -128, 127);
    const kdq_requant requant = draw_requant(draws, rule, n, (double)k * 8192);
    draw_int8(draws, values, images * in, x);
    draw_int8(draws, values, k * n, b);
    if (form == KDQ_WINOGRAD && !kdq_winograd_fits(kernel, w, b, n)) {
        return -1;
    }
    for (int64_t o = 0; o < n; o++) { /* Winograd's accumulators must fit int32, with the bias */
        bias[o] = form == KDQ_WINOGRAD ? draw_between(draws, -100000, 100000) : draw_int32(draws);
    }
    for (int64_t i = 0; i < pixels * n; i++) {
        const int64_t pixel = i / n;
        want[i] = plain_accumulator(w, x + pixel / (w->out_h * w->out_w) * in, x_zero_point, b, bias,
                                    (int32_t)(pixel / w->out_w % w->out_h),
                                    (int32_t)(pixel % w->out_w), (int32_t)(i % n));
    }
    kdq_requantize(&requant, pixels, n, want, n, NULL, want_y, n);

    kdq_weights weights[4];
    const int64_t segments = kdq_conv2d_segments(w);
    for (int32_t g = 0; g < w->groups; g++) {
        weights[g] = (kdq_weights){.kernel = kernel,
                                   .segments = segments,
                                   .k = k / segments,
                                   .n = group_out,
                                   .form = form};
    }
    const int64_t bytes = kdq_round_up(kdq_weights_bytes(weights), 4);
    int8_t *data = array(SLOT_WEIGHTS, w->groups * bytes, 4);
    for (int32_t g = 0; g < w->groups; g++) {
        weights[g].data = data + g * bytes;
        kdq_pack_weights(weights + g, b + g * group_out, n, bias + g * group_out, x_zero_point);
    }
    void *scratch = array(SLOT_SCRATCH, kdq_conv2d_scratch_bytes(w, images, weights), 16);
    kdq_conv2d(w, images, x, x_zero_point, weights, &requant, got_y, scratch);
    return memcmp(got_y, want_y, (size_t)(pixels * n)) == 0;
}

struct tally check_convolutions(const kdq_kernel *kernel, struct draws *draws) {
    struct tally tally = {0, 0};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const kdq_window w = window_of(shapes + s);
        for (int32_t form = KDQ_COMPACT; form <= KDQ_WINOGRAD; form++) {
            for (int32_t rule = 0; rule < 3; rule++) {
                const enum values values = (enum values)((s + (size_t)rule) % 2);
                const int exact =
                    convolution_is_exact(kernel, draws, &w, 1 + rule % 2, form, rule, values);
                if (exact >= 0 && differs(&tally, exact)) {
                    printf("%s: wrong convolution: shape %d of check_products.c, %s, rule %d\n",
                           kernel->name, (int)s, forms[form], rule);
                }
            }
        }
    }
    return tally;
}
