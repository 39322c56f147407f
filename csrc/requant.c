/* requant.c - the rounding rules, scalar, normative for C. Judge: kdq_ref.rounding.
 *
 * With M = s_x * s_w / s_y of the channel, m = multiplier and e = exponent (M ~ m * 2^(e - 31)):
 *
 *  (1) single_rounding   y = (acc * m + 2^(30-e)) >> (31-e)                        in int64
 *  (2) double_rounding   a = saturate_int32(acc * 2^max(e,0))
 *                        h = (a * m + 2^30) >> 31
 *                        y = (h >> k) + [(h & mask) > (mask >> 1) + (h < 0)],
 *                        k = max(-e,0), mask = 2^k - 1                             half away from 0
 *  (3) float32_rne       y = rne(float32(acc) * scale)                             half to even
 *  (4) double_rounding_ties_up
 *                        h as in (2), y = (h + 2^(k-1)) >> k, or h where k = 0     half up
 *  (5) fbgemm            y = rne((float32(acc) + bias) * scale)                    half to even
 *                        and INT32_MIN where that does not fit int32
 *  (6) rndnu             (1) with a mantissa of 24 bits: m is a multiple of 128
 *  (7) qnnpack           (2) with a mantissa of 24 bits, e <= 0
 *  (8) float64_half_away y = round(float64(acc) * real)                            half away from 0
 *  (9) onnx_spec         y = rne(float64(acc) * real)                              half to even
 *
 *      result = clamp(y + zero_point, qmin, qmax)
 *
 * and of 16x8, to int16:
 *
 * (10) reduced_16x8      y = (acc * m' + 2^(14-e)) >> (15-e)                       in int64
 *                        m' = min((m + 2^15) >> 16, 2^15 - 1)
 * (11) single_rounding_16x8, double_rounding_16x8: (1), (2) of acc modulo 2^32
 *
 *      result = clamp(y, qmin, qmax)
 *
 * Ranges: |acc * m| < 2^62 and the rounding term is at most 2^61, so int64 holds every sum. In (2),
 * m >= 0, so the one saturating case of gemmlowp's doubling high multiply cannot occur.
 * Compiled with -ffp-contract=off: (5) rounds its sum and its product. */
#include "kdq_internal.h"

static inline int64_t single_rounding(int32_t acc, int32_t m, int32_t e) {
    return ((int64_t)acc * m + ((int64_t)1 << (30 - e))) >> (31 - e);
}

/* The h of (2). */
static inline int64_t high_half(int32_t acc, int32_t m, int32_t e) {
    int64_t a = (int64_t)acc * ((int64_t)1 << (e > 0 ? e : 0));
    a = kdq_max(INT32_MIN, kdq_min(INT32_MAX, a));
    return (a * m + ((int64_t)1 << 30)) >> 31;
}

static inline int64_t double_rounding(int32_t acc, int32_t m, int32_t e) {
    const int32_t k = e < 0 ? -e : 0;
    const int64_t h = high_half(acc, m, e), mask = ((int64_t)1 << k) - 1;
    return (h >> k) + ((h & mask) > (mask >> 1) + (h < 0));
}

static inline int64_t double_rounding_ties_up(int32_t acc, int32_t m, int32_t e) {
    const int32_t k = e < 0 ? -e : 0;
    return (high_half(acc, m, e) + (((int64_t)1 << k) >> 1)) >> k;
}

static inline int64_t fbgemm(int32_t acc, float bias, float scale) {
    const float sum = (float)acc + bias, v = sum * scale;
    return v >= -0x1p31f && v < 0x1p31f ? kdq_rne_near_int8(v) : INT32_MIN;
}

/* float64(acc) * real, clamped so that its conversion is defined. */
static inline double real_product(int32_t acc, double real) {
    double v = acc * real;
    v = v < 0x1p31 ? v : 0x1p31;
    return v > -0x1p31 ? v : -0x1p31;
}

static inline int64_t half_away(double v) {
    const int64_t whole = (int64_t)v;
    const double rest = v - (double)whole; /* exact; v + 0.5 would not be */
    return whole + (rest >= 0.5) - (rest <= -0.5);
}

/* As kdq_rne_near_int8: adding 1.5 * 2^52 leaves no bit for a fraction. */
static inline int64_t half_even(double v) { return (int64_t)((v + 0x1.8p52) - 0x1.8p52); }

kdq_requant kdq_requant_from(const kdq_requant *requant, int64_t c) {
    kdq_requant from = *requant;
    c *= requant->channel_step;
    from.multiplier += c;
    from.exponent += c;
    from.scale += c;
    from.real += c;
    from.bias += c;
    return from;
}

/* Inlined once per rule, kind of constants and with or without bias: the loop holds no choice. */
static inline void requantize_row(int32_t rule, int64_t step, const kdq_requant *q, int64_t channels,
                                  const int32_t *restrict acc, const int32_t *restrict bias,
                                  int8_t *restrict y) {
    const int32_t low = q->qmin, high = q->qmax, zero_point = q->zero_point;
    const int32_t *restrict multiplier = q->multiplier, *restrict exponent = q->exponent;
    const float *restrict scale = q->scale;
    for (int64_t c = 0; c < channels; c++) {
        const int32_t sum = bias != NULL ? kdq_wrapping_add(acc[c], bias[c]) : acc[c];
        if (rule == KDQ_FLOAT32_RNE) {
            const int32_t v = kdq_rne_near_int8((float)sum * scale[c * step]);
            y[c] = kdq_clamp(v + zero_point, low, high);
        } else {
            int64_t v;
            if (rule == KDQ_FBGEMM) {
                v = fbgemm(sum, q->bias[c * step], scale[c * step]);
            } else if (rule == KDQ_FLOAT64_HALF_AWAY) {
                v = half_away(real_product(sum, q->real[c * step]));
            } else if (rule == KDQ_ONNX_SPEC) {
                v = half_even(real_product(sum, q->real[c * step]));
            } else {
                const int32_t m = multiplier[c * step], e = exponent[c * step];
                v = rule == KDQ_SINGLE_ROUNDING   ? single_rounding(sum, m, e)
                    : rule == KDQ_DOUBLE_ROUNDING ? double_rounding(sum, m, e)
                                                  : double_rounding_ties_up(sum, m, e);
            }
            v += zero_point;
            y[c] = (int8_t)kdq_max(low, kdq_min(high, v));
        }
    }
}

#define ROWS(RULE, STEP)                                                                          \
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {                                \
        if (bias != NULL) {                                                                       \
            requantize_row(RULE, STEP, requant, channels, acc, bias, y);                          \
        } else {                                                                                  \
            requantize_row(RULE, STEP, requant, channels, acc, NULL, y);                          \
        }                                                                                         \
    }

#define RULE(RULE)                                                                                \
    case RULE * 2: ROWS(RULE, 0) break;                                                           \
    case RULE * 2 + 1: ROWS(RULE, 1) break;

void kdq_requantize_with(const kdq_kernel *kernel, const kdq_requant *requant, int64_t rows,
                         int64_t channels, const int32_t *acc, int64_t ld_acc, const int32_t *bias,
                         int8_t *y, int64_t ld_y) {
    kernel->vector->requantize(requant, rows, channels, acc, ld_acc, bias, y, ld_y);
}

void kdq_requantize(const kdq_requant *requant, int64_t rows, int64_t channels, const int32_t *acc,
                    int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    switch (kdq_computed_as(requant->rule) * 2 + requant->channel_step) {
        KDQ_FORMULAS(RULE)
    default: break;
    }
}

kdq_requant_s16 kdq_requant_s16_from(const kdq_requant_s16 *requant, int64_t c) {
    kdq_requant_s16 from = *requant;
    from.multiplier += c * requant->channel_step;
    from.exponent += c * requant->channel_step;
    return from;
}

void kdq_requantize_s16_with(const kdq_kernel *kernel, const kdq_requant_s16 *requant,
                             int64_t rows, int64_t channels, const int64_t *acc, int64_t ld_acc,
                             int16_t *y, int64_t ld_y) {
    int64_t c = 0;
    if (kernel->vector->requantize_s16 != NULL) {
        for (; c + KDQ_GROUP_S16 <= channels; c += KDQ_GROUP_S16) {
            kernel->vector->requantize_s16(requant, c, rows, acc + c, ld_acc, y + c, ld_y);
        }
    }
    const kdq_requant_s16 rest = kdq_requant_s16_from(requant, c);
    kdq_requantize_s16(&rest, rows, channels - c, acc + c, ld_acc, y + c, ld_y);
}

/* |acc * m'| < 2^62 and the rounding term is at most 2^45, so int64 holds every sum. */
static int64_t reduced(int64_t acc, int32_t m, int32_t e) {
    const int64_t shift = 15 - e;
    return (acc * kdq_reduced_multiplier(m) + ((int64_t)1 << (shift - 1))) >> shift;
}

void kdq_requantize_s16(const kdq_requant_s16 *q, int64_t rows, int64_t channels,
                        const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y) {
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
        for (int64_t c = 0; c < channels; c++) {
            const int32_t m = q->multiplier[c * q->channel_step];
            const int32_t e = q->exponent[c * q->channel_step], sum = (int32_t)acc[c]; /* wraps */
            const int64_t v = q->rule == KDQ_REDUCED_16X8           ? reduced(acc[c], m, e)
                              : q->rule == KDQ_SINGLE_ROUNDING_16X8 ? single_rounding(sum, m, e)
                                                                    : double_rounding(sum, m, e);
            y[c] = (int16_t)kdq_max(q->qmin, kdq_min(q->qmax, v));
        }
    }
}
