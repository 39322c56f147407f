/* vector_neon_rules.h - the rounding rules in NEON: 4 accumulators to 4 results of 32 bits.
 * Included by vector_neon*.c files only. With the instructions that were made for it:
 *
 *     sqdmulh(a, m)  = floor(a * m / 2^31)           sqrdmulh(a, m) = floor((a * m + 2^30) / 2^31)
 *     srshl(h, -r)   = floor((h + 2^(r-1)) / 2^r)    sqshl(a, l)    = saturate(a * 2^l)
 *
 * (the two products saturate only for a = m = -2^31, and m >= 0). With r = max(1, -e):
 *
 *   (1) single_rounding   floor((acc*m + 2^(30-e)) / 2^(31-e)) = srshl(sqdmulh(sqshl(acc, r + e), m), -r)
 *       since dividing by 2^31 first and flooring changes nothing: r >= 1, so the rounding term is a
 *       multiple of 2^31 in the same scale.
 *   (2) double_rounding   h = sqrdmulh(sqshl(acc, max(e,0)), m), then the shift by k = max(-e,0) with
 *       halves away from zero: srshl, which rounds them up, of h - 1 where h < 0 and k > 0. That takes
 *       a negative half to the next lower integer and no other value across one. h > -2^31, so h - 1
 *       does not overflow. (gemmlowp's RoundingDivideByPOT does the same.)
 *   (4) .._ties_up        the same h, then srshl of it
 *   (3) float32_rne       as the definition; fcvtns rounds half to even and saturates
 *   (5) fbgemm            as the definition; what saturates upwards must become INT32_MIN
 *   (8) float64_half_away as the definition; fcvtas rounds half away from zero and saturates
 *   (9) onnx_spec         as the definition; fcvtns
 *
 * (6) rndnu and (7) qnnpack are (1) and (2) of shorter mantissas.
 *
 * Where sqshl saturates in (1), |y| >= 2^28 either way, with the same sign: an end of int8 or int16 (or
 * m = 0, and y too). */
#ifndef KDQ_VECTOR_NEON_RULES_H
#define KDQ_VECTOR_NEON_RULES_H

#include "kdq_internal.h"

#if defined(KDQ_AARCH64)
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))
#define LANES 4
#define GROUP 8 /* channels whose results fill one store */

/* Of 4 channels; what a rule does not use is not computed. */
struct constants {
    int32x4_t bias, m;
    int32x4_t left, right; /* for sqshl and srshl: right is -r or -k */
    float32x4_t scale, float_bias;
    float64x2_t real[2];
};

/* GROUP numbers of `size` bytes, of which `count` exist; or GROUP times the same one. */
INLINE void gather(const void *from, size_t size, int64_t step, int64_t count, void *to) {
    if (step) {
        memset(to, 0, GROUP * size);
        memcpy(to, from, (size_t)count * size);
    } else {
        for (size_t i = 0; i < GROUP; i++) {
            memcpy((int8_t *)to + i * size, from, size);
        }
    }
}

INLINE void prepare_integers(int rule, const kdq_requant *q, int64_t c, int64_t count,
                             struct constants *k) {
    const int64_t step = q->channel_step;
    int32_t m[GROUP], e[GROUP];
    gather(q->multiplier + c * step, sizeof *m, step, count, m);
    gather(q->exponent + c * step, sizeof *e, step, count, e);
    for (int64_t i = 0; i < GROUP; i += LANES, k++) {
        const int32x4_t exponent = vld1q_s32(e + i), zero = vdupq_n_s32(0);
        k->m = vld1q_s32(m + i);
        if (rule == KDQ_SINGLE_ROUNDING) {
            k->right = vminq_s32(vdupq_n_s32(-1), exponent);
            k->left = vsubq_s32(exponent, k->right);
        } else {
            k->right = vminq_s32(zero, exponent);
            k->left = vmaxq_s32(zero, exponent);
        }
    }
}

INLINE void prepare_float32(int rule, const kdq_requant *q, int64_t c, int64_t count,
                            struct constants *k) {
    const int64_t step = q->channel_step;
    float scale[GROUP], bias[GROUP] = {0};
    gather(q->scale + c * step, sizeof *scale, step, count, scale);
    if (rule == KDQ_FBGEMM) {
        gather(q->bias + c * step, sizeof *bias, step, count, bias);
    }
    for (int64_t i = 0; i < GROUP; i += LANES, k++) {
        k->scale = vld1q_f32(scale + i);
        k->float_bias = vld1q_f32(bias + i);
    }
}

INLINE void prepare_float64(const kdq_requant *q, int64_t c, int64_t count, struct constants *k) {
    const int64_t step = q->channel_step;
    double real[GROUP];
    gather(q->real + c * step, sizeof *real, step, count, real);
    for (int64_t i = 0; i < GROUP; i += LANES, k++) {
        k->real[0] = vld1q_f64(real + i);
        k->real[1] = vld1q_f64(real + i + 2);
    }
}

/* Of `count` channels from c on, into GROUP / LANES constants; `rule` is kdq_computed_as(q->rule). */
INLINE void prepare(int rule, const kdq_requant *q, const int32_t *bias, int64_t c, int64_t count,
                    struct constants *k) {
    int32_t biases[GROUP] = {0};
    if (bias != NULL) {
        gather(bias + c, sizeof *bias, 1, count, biases);
    }
    for (int64_t i = 0; i < GROUP / LANES; i++) {
        k[i].bias = vld1q_s32(biases + i * LANES);
    }
    if (kdq_in_float32(rule)) {
        prepare_float32(rule, q, c, count, k);
    } else if (kdq_in_float64(rule)) {
        prepare_float64(q, c, count, k);
    } else {
        prepare_integers(rule, q, c, count, k);
    }
}

/* (1), (2), (4). */
INLINE int32x4_t by_integers(int rule, const struct constants *k, int32x4_t acc) {
    acc = vqshlq_s32(acc, k->left);
    if (rule == KDQ_SINGLE_ROUNDING) {
        return vrshlq_s32(vqdmulhq_s32(acc, k->m), k->right);
    }
    int32x4_t h = vqrdmulhq_s32(acc, k->m);
    if (rule == KDQ_DOUBLE_ROUNDING) { /* -1 where h and right are negative */
        h = vaddq_s32(h, vshrq_n_s32(vandq_s32(h, k->right), 31));
    }
    return vrshlq_s32(h, k->right);
}

/* (3), (5). */
INLINE int32x4_t by_float32(int rule, const struct constants *k, int32x4_t acc) {
    const float32x4_t x = vcvtq_f32_s32(acc);
    if (rule == KDQ_FLOAT32_RNE) {
        return vcvtnq_s32_f32(vmulq_f32(x, k->scale));
    }
    const float32x4_t v = vmulq_f32(vaddq_f32(x, k->float_bias), k->scale);
    const uint32x4_t fits = vcltq_f32(v, vdupq_n_f32(0x1p31f));
    return vbslq_s32(fits, vcvtnq_s32_f32(v), vdupq_n_s32(INT32_MIN));
}

/* (8), (9) of 2 channels. */
INLINE int32x2_t by_float64(int rule, float64x2_t real, int32x2_t acc) {
    const float64x2_t v = vmulq_f64(vcvtq_f64_s64(vmovl_s32(acc)), real);
    return vqmovn_s64(rule == KDQ_ONNX_SPEC ? vcvtnq_s64_f64(v) : vcvtaq_s64_f64(v));
}

/* rule(acc + bias) of 4 channels. */
INLINE int32x4_t apply(int rule, const struct constants *k, int32x4_t acc) {
    acc = vaddq_s32(acc, k->bias);
    if (kdq_in_float32(rule)) {
        return by_float32(rule, k, acc);
    }
    if (kdq_in_float64(rule)) {
        return vcombine_s32(by_float64(rule, k->real[0], vget_low_s32(acc)),
                            by_float64(rule, k->real[1], vget_high_s32(acc)));
    }
    return by_integers(rule, k, acc);
}

/* vector_neon_s16.c */
void kdq_neon_requantize_s16(const kdq_requant_s16 *requant, int64_t c, int64_t rows,
                             const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y);

#endif
#endif
