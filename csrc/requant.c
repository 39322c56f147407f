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
 *
 *      result = clamp(y + zero_point, qmin, qmax)
 *
 *  (4) 16x8, to int16    y = (acc * m' + 2^(14-e)) >> (15-e)                       in int64
 *                        m' = min((m + 2^15) >> 16, 2^15 - 1)
 *      result = clamp(y, qmin, qmax)
 *
 * Ranges: |acc * m| < 2^62 and the rounding term is at most 2^61, so int64 holds every sum. In (2),
 * m >= 0, so the one saturating case of gemmlowp's doubling high multiply cannot occur.
 * Compiled with -ffp-contract=off; (3) has nothing to contract, and stays so. */
#include "kdq_internal.h"

static inline int64_t single_rounding(int32_t acc, int32_t m, int32_t e) {
    return ((int64_t)acc * m + ((int64_t)1 << (30 - e))) >> (31 - e);
}

static inline int64_t double_rounding(int32_t acc, int32_t m, int32_t e) {
    const int32_t left = e > 0 ? e : 0, k = e < 0 ? -e : 0;
    int64_t a = (int64_t)acc * ((int64_t)1 << left);
    a = kdq_max(INT32_MIN, kdq_min(INT32_MAX, a));
    const int64_t h = (a * m + ((int64_t)1 << 30)) >> 31;
    const int64_t mask = ((int64_t)1 << k) - 1;
    return (h >> k) + ((h & mask) > (mask >> 1) + (h < 0));
}

kdq_requant kdq_requant_from(const kdq_requant *requant, int64_t c) {
    kdq_requant from = *requant;
    c *= requant->channel_step;
    from.multiplier += c;
    from.exponent += c;
    from.scale += c;
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
            const int32_t m = multiplier[c * step], e = exponent[c * step];
            int64_t v = rule == KDQ_SINGLE_ROUNDING ? single_rounding(sum, m, e)
                                                    : double_rounding(sum, m, e);
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

void kdq_requantize_with(const kdq_kernel *kernel, const kdq_requant *requant, int64_t rows,
                         int64_t channels, const int32_t *acc, int64_t ld_acc, const int32_t *bias,
                         int8_t *y, int64_t ld_y) {
    kernel->vector->requantize(requant, rows, channels, acc, ld_acc, bias, y, ld_y);
}

void kdq_requantize(const kdq_requant *requant, int64_t rows, int64_t channels, const int32_t *acc,
                    int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    switch (requant->rule * 2 + requant->channel_step) {
    case KDQ_SINGLE_ROUNDING * 2: ROWS(KDQ_SINGLE_ROUNDING, 0) break;
    case KDQ_SINGLE_ROUNDING * 2 + 1: ROWS(KDQ_SINGLE_ROUNDING, 1) break;
    case KDQ_DOUBLE_ROUNDING * 2: ROWS(KDQ_DOUBLE_ROUNDING, 0) break;
    case KDQ_DOUBLE_ROUNDING * 2 + 1: ROWS(KDQ_DOUBLE_ROUNDING, 1) break;
    case KDQ_FLOAT32_RNE * 2: ROWS(KDQ_FLOAT32_RNE, 0) break;
    case KDQ_FLOAT32_RNE * 2 + 1: ROWS(KDQ_FLOAT32_RNE, 1) break;
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
    kernel->vector->requantize_s16(requant, rows, channels, acc, ld_acc, y, ld_y);
}

/* |acc * m'| < 2^62 and the rounding term is at most 2^45, so int64 holds every sum. */
void kdq_requantize_s16(const kdq_requant_s16 *q, int64_t rows, int64_t channels,
                        const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y) {
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
        for (int64_t c = 0; c < channels; c++) {
            const int64_t at = c * q->channel_step, shift = 15 - q->exponent[at];
            const int64_t product = acc[c] * kdq_reduced_multiplier(q->multiplier[at]);
            const int64_t v = (product + ((int64_t)1 << (shift - 1))) >> shift;
            y[c] = (int16_t)kdq_max(q->qmin, kdq_min(q->qmax, v));
        }
    }
}
