/* check_s16.c - products of int16 activations against plain loops, and their requantization. */
#include <stdio.h>
#include <string.h>

#include "check.h"

#define GAP 3 /* between rows: what is written there is written too far */
#define BIAS_LIMIT (((int64_t)1 << 47) - ((int64_t)1 << 39))

static void draw_int16(struct draws *draws, enum values values, int64_t n, int16_t *to) {
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = draw(draws);
        switch (values) {
        case VALUES_ENDS: to[i] = bits & 1 ? INT16_MAX : INT16_MIN; break;
        case VALUES_LOWEST: to[i] = INT16_MIN; break;
        case VALUES_HIGHEST: to[i] = INT16_MAX; break;
        default: to[i] = (int16_t)((int32_t)(bits & 65535) - 32768); break;
        }
    }
}

/* Up to `limit`: often its ends, else of any size. */
static int64_t draw_int48(struct draws *draws, int64_t limit) {
    const int64_t high = draw_between(draws, -(1 << 15), (1 << 15) - 1);
    const int64_t any = high * ((int64_t)1 << 32) + draw(draws);
    const uint32_t kind = draw(draws) % 8;
    const int64_t v = kind == 0 ? -limit : kind == 1 ? limit : any >> draw_between(draws, 0, 47);
    return kdq_max(-limit, kdq_min(limit, v));
}

/* Constants that bring accumulators up to `largest` to int16 or a little beyond, or any. */
static kdq_requant_s16 draw_requant_s16(struct draws *draws, int64_t channels, int64_t largest) {
    const int32_t rule = draw_between(draws, KDQ_REDUCED_16X8, KDQ_DOUBLE_ROUNDING_16X8);
    const int32_t last = rule == KDQ_REDUCED_16X8 ? 7 : 30;
    const int32_t step = (int32_t)(draw(draws) & 1);
    const int64_t count = step ? channels : 1;
    int32_t *multiplier = array(SLOT_MULTIPLIER, count * 4, 4);
    int32_t *exponent = array(SLOT_EXPONENT, count * 4, 4);
    int32_t natural = 15;
    while (natural > -31 && largest >> (15 - natural) > 1) {
        natural--;
    }
    for (int64_t c = 0; c < count; c++) {
        const int32_t kind = draw_between(draws, 0, 7);
        const int32_t e = natural + draw_between(draws, -1, 2);
        multiplier[c] = kind == 0   ? 0
                        : kind == 1 ? 1 << 30
                        : kind == 2 ? INT32_MAX
                                    : draw_between(draws, 1 << 30, INT32_MAX);
        exponent[c] = kind == 3 ? draw_between(draws, -31, last)
                                : (int32_t)kdq_max(-31, kdq_min(last, e));
    }
    const int32_t qmin = draw(draws) & 1 ? INT16_MIN : draw_between(draws, INT16_MIN, INT16_MAX);
    return (kdq_requant_s16){
        .rule = rule,
        .channel_step = step,
        .qmin = qmin,
        .qmax = draw(draws) & 1 ? INT16_MAX : draw_between(draws, qmin, INT16_MAX),
        .multiplier = multiplier,
        .exponent = exponent};
}

struct product {
    int64_t m, n, k;
    enum values a, b;
};

static int product_is_exact(const kdq_kernel *kernel, struct draws *draws,
                            const struct product *p) {
    const int64_t m = p->m, n = p->n, k = p->k;
    const int64_t ld_a = k + GAP, ld_b = n + GAP, ld_c = n + GAP, out = (m - 1) * ld_c + n;
    int16_t *a = array(SLOT_A, ((m - 1) * ld_a + k) * 2, 2);
    int8_t *b = array(SLOT_B, k > 0 ? (k - 1) * ld_b + n : 0, 1);
    int64_t *bias = draw(draws) & 1 ? array(SLOT_BIAS, n * 8, 8) : NULL;
    int64_t *got = array(SLOT_GOT, out * 8, 8), *want = array(SLOT_WANT, out * 8, 8);
    int16_t *got_y = array(SLOT_GOT_Y, out * 2, 2), *want_y = array(SLOT_WANT_Y, out * 2, 2);
    const kdq_requant_s16 requant = draw_requant_s16(draws, n, (k + 1) << 20);
    draw_int16(draws, p->a, (m - 1) * ld_a + k, a);
    draw_int8(draws, p->b, k > 0 ? (k - 1) * ld_b + n : 0, b);
    for (int64_t j = 0; bias != NULL && j < n; j++) {
        bias[j] = draw_int48(draws, BIAS_LIMIT);
    }
    kdq_gemm_s16s64_ref(m, n, k, a, ld_a, b, ld_b, bias, want, ld_c);
    kdq_requantize_s16(&requant, m, n, want, ld_c, want_y, ld_c);

    kdq_weights_s16 weights = {.kernel = kernel, .k = k, .n = n};
    weights.data = array(SLOT_WEIGHTS, kdq_weights_s16_bytes(&weights), 4);
    kdq_pack_weights_s16(&weights, b, ld_b);
    void *scratch = array(SLOT_SCRATCH, kdq_gemm_s16_scratch_bytes(&weights, m), 16);
    kdq_gemm_s16s64(&weights, bias, m, a, ld_a, got, ld_c, scratch);
    kdq_gemm_s16s16(&weights, bias, m, a, ld_a, &requant, got_y, ld_c, scratch);
    return memcmp(got, want, (size_t)out * 8) == 0 && memcmp(got_y, want_y, (size_t)out * 2) == 0;
}

static void check_product(const kdq_kernel *kernel, struct draws *draws, struct product p,
                          struct tally *tally) {
    if (differs(tally, product_is_exact(kernel, draws, &p))) {
        printf("%s: wrong product of int16: m %lld, n %lld, k %lld, values %d * %d\n",
               kernel->name, (long long)p.m, (long long)p.n, (long long)p.k, p.a, p.b);
    }
}

/* The definition itself, on literals: M = 1/2, and constants whose 15 bits round up, or may not. */
static int definition_is_right(void) {
    static const int64_t acc[8] = {1, -1, 3, -3, 65534, -65536, (int64_t)1 << 46, 254};
    static const int32_t multipliers[3] = {1 << 30, (1 << 30) + (1 << 15), INT32_MAX};
    static const int32_t exponents[3] = {0, -31, 7};
    static const int16_t want[3][8] = {
        {1, 0, 2, -1, 32767, -32768, 32767, 127},
        {0, 0, 0, 0, 0, 0, 16385, 0},
        {128, -128, 384, -384, 32767, -32768, 32767, 32511},
    };
    for (int i = 0; i < 3; i++) {
        const kdq_requant_s16 requant = {.qmin = INT16_MIN,
                                         .qmax = INT16_MAX,
                                         .multiplier = multipliers + i,
                                         .exponent = exponents + i};
        int16_t got[8];
        kdq_requantize_s16(&requant, 1, 8, acc, 8, got, 8);
        if (memcmp(got, want[i], sizeof got) != 0) {
            return 0;
        }
    }
    return 1;
}

static int requantization_is_exact(const kdq_kernel *kernel, struct draws *draws, int64_t rows,
                                   int64_t channels) {
    const int64_t ld_acc = channels + 1, ld_y = channels + GAP;
    const int64_t count = (rows - 1) * ld_acc + channels, out = (rows - 1) * ld_y + channels;
    int64_t *acc = array(SLOT_ACC, count * 8, 8);
    int16_t *got = array(SLOT_GOT_Y, out * 2, 2), *want = array(SLOT_WANT_Y, out * 2, 2);
    const int64_t largest = (int64_t)1 << draw_between(draws, 15, 47);
    const kdq_requant_s16 requant = draw_requant_s16(draws, channels, largest);
    for (int64_t i = 0; i < count; i++) {
        acc[i] = kdq_min(draw_int48(draws, largest), ((int64_t)1 << 47) - 1);
    }
    kdq_requantize_s16(&requant, rows, channels, acc, ld_acc, want, ld_y);
    kdq_requantize_s16_with(kernel, &requant, rows, channels, acc, ld_acc, got, ld_y);
    return memcmp(got, want, (size_t)out * 2) == 0;
}

struct tally check_int16(const kdq_kernel *kernel, struct draws *draws) {
    static const int64_t rows[] = {1, 2, 5, 6, 7, 13}, columns[] = {1, 4, 15, 16, 17};
    /* Around the runs of k that are summed in int32: 504 and 510, at most 511. */
    static const int64_t depths[] = {0,   1,   2,   7,   8,   9,   37,  503, 504,
                                     505, 509, 510, 511, 512, 513, 1009, 1021};
    const int64_t row_counts = sizeof rows / sizeof *rows;
    const int64_t column_counts = sizeof columns / sizeof *columns;
    const int64_t depth_counts = sizeof depths / sizeof *depths;
    struct tally tally = {0, 0};
    if (differs(&tally, definition_is_right())) {
        printf("kdq_requantize_s16: wrong\n");
    }
    for (int64_t i = 0; i < row_counts * column_counts * depth_counts; i++) {
        const struct product p = {.m = rows[i % row_counts],
                                  .n = columns[i / row_counts % column_counts],
                                  .k = depths[i / row_counts / column_counts],
                                  .a = (enum values)(i % VALUES_KINDS),
                                  .b = (enum values)(i / VALUES_KINDS % VALUES_KINDS)};
        check_product(kernel, draws, p, &tally);
    }
    check_product(kernel, draws, (struct product){.m = 131, .n = 17, .k = 19}, &tally);
    for (int ends = VALUES_LOWEST; ends <= VALUES_HIGHEST; ends++) {
        const struct product longest = {
            .m = 2, .n = 1, .k = KDQ_MAX_K, .a = (enum values)ends, .b = VALUES_LOWEST};
        check_product(kernel, draws, longest, &tally);
    }
    for (int64_t i = 0; i < 600; i++) {
        const int64_t channels = 1 + i % 34;
        if (differs(&tally, requantization_is_exact(kernel, draws, 1 + i % 3, channels))) {
            printf("%s: wrong requantization to int16: %lld channels\n", kernel->name,
                   (long long)channels);
        }
    }
    return tally;
}
