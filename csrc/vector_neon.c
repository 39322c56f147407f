/* vector_neon.c - requantization in NEON; the other loops of vector_loops.h, which compilers turn into
 * NEON by themselves: it is part of aarch64.
 *
 * Requantization, 4 accumulators at a time, with the instructions that were made for it:
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
 *   (3) float32_rne       as the definition; fcvtns rounds half to even and saturates
 *
 * Where sqshl saturates in (1), |y| >= 2^28 either way, with the same sign: an end of int8 (or m = 0,
 * and y too). Packing saturates twice on the way (int32 to int16, add zero_point, to int8): values that
 * leave int16 leave int8 on the same side. */
#include "kdq_internal.h"

#if defined(KDQ_AARCH64)
#include <arm_neon.h>

#include "vector_loops.h"

#define LANES 4
#define GROUP 8 /* channels whose results fill one store */

/* Of 4 channels; what a rule does not use is not computed. */
struct constants {
    int32x4_t bias, m;
    int32x4_t left, right; /* for sqshl and srshl: right is -r or -k */
    float32x4_t scale;
};

/* GROUP numbers of 32 bits, of which `count` exist; or GROUP times the same one. */
static inline void gather(const void *from, int64_t step, int64_t count, int32_t *to) {
    if (step) {
        memset(to, 0, GROUP * sizeof *to);
        memcpy(to, from, (size_t)count * sizeof *to);
    } else {
        for (int64_t i = 0; i < GROUP; i++) {
            memcpy(to + i, from, sizeof *to);
        }
    }
}

static inline void prepare(const kdq_requant *q, const int32_t *bias, int64_t c, int64_t count,
                           struct constants *constants) {
    const int64_t step = q->channel_step;
    int32_t biases[GROUP] = {0}, first[GROUP], second[GROUP] = {0};
    if (bias != NULL) {
        gather(bias + c, 1, count, biases);
    }
    if (q->rule == KDQ_FLOAT32_RNE) {
        gather(q->scale + c * step, step, count, first);
    } else {
        gather(q->multiplier + c * step, step, count, first);
        gather(q->exponent + c * step, step, count, second);
    }
    for (int64_t i = 0; i < GROUP / LANES; i++) {
        struct constants *k = constants + i;
        const int32x4_t zero = vdupq_n_s32(0), e = vld1q_s32(second + i * LANES);
        k->bias = vld1q_s32(biases + i * LANES);
        k->m = vld1q_s32(first + i * LANES);
        k->scale = vreinterpretq_f32_s32(k->m);
        if (q->rule == KDQ_SINGLE_ROUNDING) {
            k->right = vminq_s32(vdupq_n_s32(-1), e);
            k->left = vsubq_s32(e, k->right);
        } else {
            k->right = vminq_s32(zero, e);
            k->left = vmaxq_s32(zero, e);
        }
    }
}

/* rule(acc + bias) of 4 channels. */
static inline int32x4_t apply(int rule, const struct constants *k, int32x4_t acc) {
    acc = vaddq_s32(acc, k->bias);
    if (rule == KDQ_FLOAT32_RNE) {
        return vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(acc), k->scale));
    }
    acc = vqshlq_s32(acc, k->left);
    if (rule == KDQ_SINGLE_ROUNDING) {
        return vrshlq_s32(vqdmulhq_s32(acc, k->m), k->right);
    }
    const int32x4_t h = vqrdmulhq_s32(acc, k->m);
    /* -1 where h and right are negative. */
    const int32x4_t down = vshrq_n_s32(vandq_s32(h, k->right), 31);
    return vrshlq_s32(vaddq_s32(h, down), k->right);
}

struct clamp {
    int16x8_t zero_point;
    int8x8_t low, high;
};

static inline int8x8_t to_int8(const struct clamp *clamp, int32x4_t a, int32x4_t b) {
    const int16x8_t both = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
    const int8x8_t y = vqmovn_s16(vqaddq_s16(both, clamp->zero_point));
    return vmin_s8(vmax_s8(y, clamp->low), clamp->high);
}

/* All rows of at most GROUP channels. */
static inline __attribute__((always_inline)) void group(int rule, const struct constants *k,
                                                       const struct clamp *clamp, int64_t rows,
                                                       int64_t channels, const int32_t *acc,
                                                       int64_t ld_acc, int8_t *y, int64_t ld_y) {
    const struct constants k0 = k[0], k1 = k[1];
    if (channels == GROUP) {
        for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
            const int32x4_t a = apply(rule, &k0, vld1q_s32(acc));
            const int32x4_t b = apply(rule, &k1, vld1q_s32(acc + LANES));
            vst1_s8(y, to_int8(clamp, a, b));
        }
        return;
    }
    int32_t sums[GROUP] = {0};
    int8_t bytes[GROUP];
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
        memcpy(sums, acc, (size_t)channels * sizeof *sums);
        const int32x4_t a = apply(rule, &k0, vld1q_s32(sums));
        const int32x4_t b = apply(rule, &k1, vld1q_s32(sums + LANES));
        vst1_s8(bytes, to_int8(clamp, a, b));
        memcpy(y, bytes, (size_t)channels);
    }
}

#define RULE(RULE)                                                                                \
    case RULE:                                                                                    \
        group(RULE, constants, &clamp, rows, count, acc + c, ld_acc, y + c, ld_y);                \
        break;

static void by_channels(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                        int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    const struct clamp clamp = {vdupq_n_s16((int16_t)q->zero_point), vdup_n_s8((int8_t)q->qmin),
                                vdup_n_s8((int8_t)q->qmax)};
    for (int64_t c = 0; c < channels; c += GROUP) {
        const int64_t count = kdq_min(GROUP, channels - c);
        struct constants constants[GROUP / LANES];
        prepare(q, bias, c, count, constants);
        switch (q->rule) {
            RULE(KDQ_SINGLE_ROUNDING)
            RULE(KDQ_DOUBLE_ROUNDING)
            RULE(KDQ_FLOAT32_RNE)
        default: break;
        }
    }
}

static void requantize(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                       int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    if (q->rule > KDQ_FLOAT32_RNE) { /* no vectors for these */
        kdq_requantize(q, rows, channels, acc, ld_acc, bias, y, ld_y);
        return;
    }
    if (rows == 1 && q->channel_step == 0 && bias == NULL) { /* a long row is many short ones */
        const int64_t whole = channels / GROUP;
        by_channels(q, whole, whole ? GROUP : 0, acc, GROUP, NULL, y, GROUP);
        acc += whole * GROUP, y += whole * GROUP, channels -= whole * GROUP;
    }
    by_channels(q, rows, channels, acc, ld_acc, bias, y, ld_y);
}

const struct kdq_vector kdq_vector_neon = {
    .requantize = requantize,
    .requantize_s16 = kdq_requantize_s16,
    PORTABLE_LOOPS,
    /* Winograd's need a kernel of width 2: aarch64 has none but "scalar", with its own. */
};
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
