/* conv.c - conv2d without im2col: the rows of the product overlap in the image itself.
 *
 * Input lines are loaded once, padded on the left and right, into the elements that the kernel reads:
 *
 *     line ih   | x_zero_point ... | pixel 0 | pixel 1 | ... | x_zero_point ... |
 *                 ^ output pixel 0 sees the window's line from here
 *                           ^ output pixel 1 from here, stride_w * in_c elements further
 *
 * So line i of the window of any output pixel is one contiguous run of kernel_w * in_c elements, and
 * output pixels are rows of a matrix with that row stride: a segment of the product per line of the
 * window. With dilation or groups, a tap is what is contiguous: a segment per tap. */
#include "kdq_internal.h"

/* Output pixels that pass over the weights together, and bytes of their input: they share L2. Lines
 * where two blocks meet are loaded twice: for a first layer, whose input is small, that counts. */
#define BLOCK_ROWS 800
#define BLOCK_BYTES (96 * 1024)

static int taps_are_apart(const kdq_window *w) { return w->dilation_w != 1 || w->groups != 1; }

int64_t kdq_conv2d_segments(const kdq_window *w) {
    return taps_are_apart(w) ? (int64_t)w->kernel_h * w->kernel_w : w->kernel_h;
}

/* Rows of such a convolution are the input's own pixels: nothing is padded, nothing overlaps. */
static int is_pointwise(const kdq_window *w) {
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->out_h == w->in_h && w->out_w == w->in_w;
}

/* The lines in scratch, and how many output lines use them at a time. */
struct block_lines {
    struct kdq_lines line;
    int64_t out, in; /* lines of output and of input */
};

static int64_t lines_for(const kdq_window *w, int64_t out) {
    return (out - 1) * w->stride_h + (int64_t)(w->kernel_h - 1) * w->dilation_h + 1;
}

static struct block_lines plan_lines(const kdq_window *w, const kdq_kernel *kernel) {
    const int64_t columns = (int64_t)(w->out_w - 1) * w->stride_w +
                            (int64_t)(w->kernel_w - 1) * w->dilation_w + 1;
    struct block_lines lines = {.line = kdq_lines_for(kernel, w, columns)};
    lines.out = kdq_max(1, kdq_min(w->out_h, BLOCK_ROWS / kdq_max(1, w->out_w)));
    while (lines.out > 1 && lines_for(w, lines.out) * lines.line.bytes > BLOCK_BYTES) {
        lines.out--;
    }
    lines.in = lines_for(w, lines.out);
    return lines;
}

int64_t kdq_conv2d_scratch_bytes(const kdq_window *w, int64_t images, const kdq_weights *weights) {
    if (weights->form == KDQ_WINOGRAD) {
        return kdq_winograd_scratch_bytes(w, images, weights);
    }
    if (is_pointwise(w)) {
        return kdq_gemm_scratch_bytes(weights, images * w->out_h * w->out_w);
    }
    const struct block_lines lines = plan_lines(w, weights->kernel);
    const int64_t offsets = kdq_conv2d_segments(w) * (int64_t)sizeof(int64_t);
    return kdq_round_up(offsets, KDQ_ALIGN) + lines.in * lines.line.bytes +
           kdq_block_scratch_bytes(weights, lines.out * w->out_w);
}

/* Where the segments of a window begin, seen from its first tap. */
static void find_segments(const kdq_window *w, const struct kdq_lines *lines, int64_t pixel_bytes,
                          int64_t *offsets) {
    const int64_t taps = taps_are_apart(w) ? w->kernel_w : 1;
    for (int64_t i = 0; i < w->kernel_h; i++) {
        for (int64_t j = 0; j < taps; j++) {
            *offsets++ = i * w->dilation_h * lines->bytes + j * w->dilation_w * pixel_bytes;
        }
    }
}

static void pointwise(const kdq_window *w, int64_t images, const int8_t *x,
                      const kdq_weights *weights, const kdq_requant *requant, int8_t *y,
                      void *scratch) {
    const int64_t group_in = w->in_c / w->groups, group_out = w->out_c / w->groups;
    for (int64_t g = 0; g < w->groups; g++) {
        const kdq_requant from = kdq_requant_from(requant, g * group_out);
        const struct kdq_target target = {
            .requant = &from, .y = y + g * group_out, .ld = w->out_c};
        kdq_multiply(weights + g, images * w->out_h * w->out_w, x + g * group_in, w->in_c, &target,
                     scratch);
    }
}

void kdq_conv2d(const kdq_window *w, int64_t images, const int8_t *x, int32_t x_zero_point,
                const kdq_weights *weights, const kdq_requant *requant, int8_t *y, void *scratch) {
    const int64_t group_in = w->in_c / w->groups, group_out = w->out_c / w->groups;
    const kdq_kernel *kernel = weights->kernel;
    if (weights->form == KDQ_WINOGRAD) {
        kdq_winograd(w, images, x, x_zero_point, weights, requant, y, scratch);
        return;
    }
    if (is_pointwise(w)) {
        pointwise(w, images, x, weights, requant, y, scratch);
        return;
    }
    const struct block_lines lines = plan_lines(w, kernel);
    const int64_t pixel_bytes = (int64_t)w->in_c * kernel->width;
    int64_t *offsets = scratch;
    int8_t *loaded = (int8_t *)scratch +
                     kdq_round_up(kdq_conv2d_segments(w) * (int64_t)sizeof *offsets, KDQ_ALIGN);
    find_segments(w, &lines.line, pixel_bytes, offsets);
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * w->in_c) {
        for (int64_t oh = 0; oh < w->out_h; oh += lines.out) {
            const int64_t out = kdq_min(lines.out, w->out_h - oh), in = lines_for(w, out);
            for (int64_t i = 0; i < in; i++) {
                kdq_load_line(kernel, w, &lines.line, x, oh * w->stride_h - w->pad_top + i,
                              x_zero_point, loaded + i * lines.line.bytes);
            }
            for (int64_t g = 0; g < w->groups; g++) {
                const kdq_requant from = kdq_requant_from(requant, g * group_out);
                const struct kdq_target target = {
                    .requant = &from, .y = y + g * group_out, .ld = w->out_c};
                const struct kdq_block block = {.a = loaded + g * group_in * kernel->width,
                                                .lines = out,
                                                .rows = w->out_w,
                                                .line_bytes = w->stride_h * lines.line.bytes,
                                                .row_bytes = w->stride_w * pixel_bytes,
                                                .offsets = offsets};
                kdq_multiply_block(weights + g, &block, &target, loaded + lines.in * lines.line.bytes);
            }
            y += out * w->out_w * w->out_c;
        }
    }
}
