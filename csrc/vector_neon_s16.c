/* vector_neon_s16.c - requantization of int64 to int16 in NEON: 8 channels at a time, down the rows.
 *
 * reduced_16x8: a factor of 15 bits takes two products of 32 bits, acc * m = (acc >> 32) * m * 2^32 +
 * (acc mod 2^32) * m; srshl of 64 bits then rounds as the rule does. The others are rules of
 * vector_neon_rules.h for the low halves. Narrowing saturates, on the side to which the clamp goes. */
#include "vector_neon_rules.h"

#if defined(KDQ_AARCH64)

#define PAIRS (GROUP / 2)
_Static_assert(KDQ_GROUP_S16 == GROUP, "the channels of a call");

struct reduced { /* of 2 channels */
    int32x2_t m;
    int64x2_t right; /* for srshl */
};

INLINE void prepare_reduced(const kdq_requant_s16 *q, int64_t c, struct reduced *k) {
    for (int64_t pair = 0; pair < PAIRS; pair++, c += 2) {
        int32_t m[2];
        int64_t right[2];
        for (int64_t i = 0; i < 2; i++) {
            const int64_t at = (c + i) * q->channel_step;
            m[i] = kdq_reduced_multiplier(q->multiplier[at]);
            right[i] = q->exponent[at] - 15;
        }
        k[pair] = (struct reduced){vld1_s32(m), vld1q_s64(right)};
    }
}

INLINE int32x2_t reduced(const struct reduced *k, const int64_t *from) {
    const int64x2_t acc = vld1q_s64(from);
    const uint32x2_t low = vreinterpret_u32_s32(vmovn_s64(acc));
    const uint64x2_t low_product = vmull_u32(low, vreinterpret_u32_s32(k->m));
    const int64x2_t high_product = vmull_s32(vshrn_n_s64(acc, 32), k->m);
    const int64x2_t product =
        vaddq_s64(vreinterpretq_s64_u64(low_product), vshlq_n_s64(high_product, 32));
    return vqmovn_s64(vrshlq_s64(product, k->right));
}

INLINE void store_s16(const kdq_requant_s16 *q, int32x4_t a, int32x4_t b, int16_t *y) {
    const int16x8_t low = vdupq_n_s16((int16_t)q->qmin), high = vdupq_n_s16((int16_t)q->qmax);
    const int16x8_t v = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
    vst1q_s16(y, vminq_s16(vmaxq_s16(v, low), high));
}

static void by_reduced(const kdq_requant_s16 *q, int64_t c, int64_t rows, const int64_t *acc,
                       int64_t ld_acc, int16_t *y, int64_t ld_y) {
    struct reduced k[PAIRS];
    prepare_reduced(q, c, k);
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
        const int32x4_t a = vcombine_s32(reduced(k, acc), reduced(k + 1, acc + 2));
        const int32x4_t b = vcombine_s32(reduced(k + 2, acc + 4), reduced(k + 3, acc + 6));
        store_s16(q, a, b, y);
    }
}

INLINE int32x4_t low_halves(const int64_t *acc) {
    return vcombine_s32(vmovn_s64(vld1q_s64(acc)), vmovn_s64(vld1q_s64(acc + 2)));
}

INLINE void by_rule(int rule, const kdq_requant_s16 *q, int64_t c, int64_t rows,
                    const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y) {
    const kdq_requant as_int8 = {.channel_step = q->channel_step,
                                 .multiplier = q->multiplier,
                                 .exponent = q->exponent};
    struct constants k[GROUP / LANES];
    prepare(rule, &as_int8, NULL, c, GROUP, k);
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
        store_s16(q, apply(rule, k, low_halves(acc)), apply(rule, k + 1, low_halves(acc + LANES)), y);
    }
}

void kdq_neon_requantize_s16(const kdq_requant_s16 *q, int64_t c, int64_t rows,
                             const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y) {
    switch (q->rule) {
    case KDQ_REDUCED_16X8: by_reduced(q, c, rows, acc, ld_acc, y, ld_y); break;
    case KDQ_SINGLE_ROUNDING_16X8:
        by_rule(KDQ_SINGLE_ROUNDING, q, c, rows, acc, ld_acc, y, ld_y);
        break;
    default: by_rule(KDQ_DOUBLE_ROUNDING, q, c, rows, acc, ld_acc, y, ld_y);
    }
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
