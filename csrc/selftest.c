/* selftest.c - known answers that a kernel must give before it is used.
 *
 * A wrong CPU, compiler or emulator shows here instead of in a network's answers. Takes microseconds.
 *
 *  check 1         the kernel keeps to the limits of kdq_internal.h
 *  checks 2 .. 10  its rounding rules (2 + enum kdq_rule) on ties and ends, against literals
 *  checks 11 .. 13 those of 16x8 (11 + enum kdq_rule_s16)
 *  checks 14 ..    products at tile +-1 and every k up to MAX_K against kdq_gemm_s8s32_ref, first all
 *                  -128 (where pair sums in int16 saturate), then mixed; int32 and requantized, all
 *                  rules, both forms of weights; and on small weights by kernel->narrow
 */
#include "kdq_internal.h"

#define MAX_M (KDQ_MAX_MR + 1)
#define MAX_N (KDQ_MAX_NR + 1)
#define MAX_K (KDQ_MAX_K_UNIT + 1)

#define RULES (KDQ_ONNX_SPEC + 1)
#define RULES_S16 (KDQ_DOUBLE_ROUNDING_16X8 + 1)

/* M = 2^-3 and acc = 4t, so that the exact quotient is t / 2: a tie for odd t, under (2) at its
 * second rounding, which is the one that tells it from (1). */
#define TIES 8
static const int32_t tie_acc[TIES] = {4, -4, 12, -12, 20, -20, INT32_MAX, INT32_MIN};
static const int32_t eighth = 1 << 30, eighth_exponent = -2;
static const int16_t half_up[TIES] = {1, 0, 2, -1, 3, -2, INT16_MAX, INT16_MIN};
static const int16_t half_away[TIES] = {1, -1, 2, -2, 3, -3, INT16_MAX, INT16_MIN};
static const int16_t half_even[TIES] = {0, 0, 2, -2, 2, -2, INT16_MAX, INT16_MIN};

static int32_t check_rules(const kdq_kernel *kernel) {
    static const int16_t *const want[RULES] = {
        [KDQ_SINGLE_ROUNDING] = half_up,         [KDQ_DOUBLE_ROUNDING] = half_away,
        [KDQ_FLOAT32_RNE] = half_even,           [KDQ_DOUBLE_ROUNDING_TIES_UP] = half_up,
        [KDQ_FBGEMM] = half_even,                [KDQ_RNDNU] = half_up,
        [KDQ_QNNPACK] = half_away,               [KDQ_FLOAT64_HALF_AWAY] = half_away,
        [KDQ_ONNX_SPEC] = half_even};
    const float scale = 0.125f, no_bias = 0;
    const double real = 0.125;
    for (int32_t rule = 0; rule < RULES; rule++) {
        const kdq_requant requant = {.rule = rule,
                                     .qmin = -128,
                                     .qmax = 127,
                                     .multiplier = &eighth,
                                     .exponent = &eighth_exponent,
                                     .scale = &scale,
                                     .real = &real,
                                     .bias = &no_bias};
        int8_t got[TIES];
        kernel->vector->requantize(&requant, 1, TIES, tie_acc, TIES, NULL, got, TIES);
        for (int i = 0; i < TIES; i++) {
            if (got[i] != kdq_clamp(want[rule][i], -128, 127)) {
                return 2 + rule;
            }
        }
    }
    return 0;
}

static int32_t check_rules_s16(const kdq_kernel *kernel) {
    static const int16_t *const want[RULES_S16] = {[KDQ_REDUCED_16X8] = half_up,
                                                   [KDQ_SINGLE_ROUNDING_16X8] = half_up,
                                                   [KDQ_DOUBLE_ROUNDING_16X8] = half_away};
    int64_t acc[TIES];
    for (int i = 0; i < TIES; i++) {
        acc[i] = tie_acc[i];
    }
    for (int32_t rule = 0; rule < RULES_S16; rule++) {
        const kdq_requant_s16 requant = {.rule = rule,
                                         .qmin = INT16_MIN,
                                         .qmax = INT16_MAX,
                                         .multiplier = &eighth,
                                         .exponent = &eighth_exponent};
        int16_t got[TIES];
        kdq_requantize_s16_with(kernel, &requant, 1, TIES, acc, TIES, got, TIES);
        if (memcmp(got, want[rule], sizeof got) != 0) {
            return 2 + RULES + rule;
        }
    }
    return 0;
}

/* -128 everywhere, or a fixed mixture (Knuth's multiplicative hash) with extremes in it; divided by
 * 2^shift. */
static void fill(int8_t *values, int64_t n, int mixed, uint32_t seed, int32_t shift) {
    for (int64_t i = 0; i < n; i++) {
        const uint32_t hash = (seed + (uint32_t)i) * 2654435761u >> 24;
        values[i] = (int8_t)((mixed ? (int32_t)hash - 128 : -128) >> shift);
    }
}

#define PADDED_K (2 * KDQ_MAX_K_UNIT)
#define STRIP (2 * KDQ_MAX_MR * KDQ_MAX_NR * 4)
#define WIDE_PANEL (KDQ_MAX_NR * PADDED_K * 2)

static int product_is_exact(const kdq_kernel *kernel, int64_t m, int64_t n, int64_t k, int mixed,
                            int32_t form, int32_t rule, int32_t shift) {
    int8_t a[MAX_M * MAX_K], b[MAX_K * MAX_N], want_y[MAX_M * MAX_N], got_y[MAX_M * MAX_N];
    int32_t want[MAX_M * MAX_N], got[MAX_M * MAX_N], bias[MAX_N], start[MAX_N];
    _Alignas(KDQ_ALIGN) int8_t packed[2 * (KDQ_MAX_NR * 4 + WIDE_PANEL)];
    _Alignas(KDQ_ALIGN) int8_t scratch[2 * KDQ_MAX_MR * PADDED_K * 2 + STRIP + WIDE_PANEL];
    const kdq_weights weights = {
        .kernel = kernel, .segments = 1, .k = k, .n = n, .form = form, .data = packed};
    const int32_t multiplier = 1518500224, exponent = -9, x_zero_point = 77; /* about 2^-9.5 */
    const float scale = 0.00138f, no_bias = 0;
    const double real = 0.00138;
    const kdq_requant requant = {.rule = rule,
                                 .zero_point = -3,
                                 .qmin = -100,
                                 .qmax = 127,
                                 .multiplier = &multiplier,
                                 .exponent = &exponent,
                                 .scale = &scale,
                                 .real = &real,
                                 .bias = &no_bias};
    fill(a, m * k, mixed, 1, 0);
    fill(b, k * n, mixed, 1000, shift);
    for (int64_t j = 0; j < n; j++) {
        bias[j] = (int32_t)(j * 1000 - 20000);
    }
    kdq_gemm_s8s32_ref(m, n, k, a, k, b, n, want, n);
    kdq_fold_bias(k, n, b, n, bias, x_zero_point, start);
    kdq_requantize(&requant, m, n, want, n, start, want_y, n);
    kdq_pack_weights(&weights, b, n, bias, x_zero_point);
    kdq_gemm_s8s8(&weights, m, a, k, &requant, got_y, n, scratch);
    kdq_pack_weights(&weights, b, n, NULL, 0);
    kdq_gemm_s8s32(&weights, m, a, k, got, n, scratch);
    return memcmp(got, want, (size_t)(m * n) * sizeof *got) == 0 &&
           memcmp(got_y, want_y, (size_t)(m * n)) == 0;
}

int32_t kdq_kernel_self_test(const kdq_kernel *kernel) {
    if (kernel->mr > KDQ_MAX_MR || kernel->nr > KDQ_MAX_NR || kernel->k_unit > KDQ_MAX_K_UNIT) {
        return 1;
    }
    const int32_t of_int8 = check_rules(kernel);
    int32_t failed = of_int8 ? of_int8 : check_rules_s16(kernel);
    int32_t check = 2 + RULES + RULES_S16;
    for (int mixed = 0; mixed < 2; mixed++) {
        for (int64_t k = 0; k <= MAX_K; k++, check++) {
            const int64_t m = kernel->mr + 1 - k % 3 % kernel->mr;
            const int64_t n = kernel->nr + 1 - k % 3 % kernel->nr;
            const int32_t form = k / 3 % 2 ? KDQ_WIDE : KDQ_COMPACT, rule = (int32_t)((k + mixed) % RULES);
            if (failed == 0 && !product_is_exact(kernel, m, n, k, mixed, form, rule, 0)) {
                failed = check;
            }
            /* Weights in [-64, 64], or in [-8, 7], of which two fit a byte. */
            const int32_t shift = k % 2 ? 1 : 4, narrow_form = k % 2 ? KDQ_WIDE : form;
            if (failed == 0 && kernel->narrow != NULL &&
                !product_is_exact(kernel->narrow, m, n, k, mixed, narrow_form, rule, shift)) {
                failed = check;
            }
        }
    }
    return failed;
}

/* Kernel "saturating": the mistake that the self-test is there for. */
static void run_saturating(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    const int8_t *x = (const int8_t *)a + panel->offsets[0], *w = panel->b;
    int32_t sum = panel->start[0];
    for (int64_t p = 0; p < panel->k; p += 2) {
        const int32_t pair = x[p] * w[p] + x[p + 1] * w[p + 1];
        sum += pair > INT16_MAX ? INT16_MAX : pair;
    }
    c[rows - 1] = sum;
}

static const kdq_kernel saturating = {
    .name = "saturating",
    .needs = 0,
    .mr = 1,
    .nr = 1,
    .k_unit = 2,
    .layout = KDQ_INTERLEAVED,
    .width = 1,
    .run = run_saturating,
    .vector = &kdq_vector_portable,
};

const kdq_kernel *kdq_kernel_saturating(void) { return &saturating; }
