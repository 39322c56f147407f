/* vector_neon.c - requantization in NEON, by the rules of vector_neon_rules.h; the other loops of
 * vector_loops.h, which compilers turn into NEON by themselves: it is part of aarch64.
 *
 * Packing saturates twice on the way (int32 to int16, add zero_point, to int8): values that leave int16
 * leave int8 on the same side. */
#include "vector_neon_rules.h"

#if defined(KDQ_AARCH64)

#include "vector_loops.h"

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
INLINE void group(int rule, const struct constants *k, const struct clamp *clamp, int64_t rows,
                  int64_t channels, const int32_t *acc, int64_t ld_acc, int8_t *y, int64_t ld_y) {
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

/* Inlined once per rule. */
INLINE void by_rule(int rule, const kdq_requant *q, int64_t rows, int64_t channels,
                    const int32_t *acc, int64_t ld_acc, const int32_t *bias, int8_t *y,
                    int64_t ld_y) {
    const struct clamp clamp = {vdupq_n_s16((int16_t)q->zero_point), vdup_n_s8((int8_t)q->qmin),
                                vdup_n_s8((int8_t)q->qmax)};
    for (int64_t c = 0; c < channels; c += GROUP) {
        const int64_t count = kdq_min(GROUP, channels - c);
        struct constants constants[GROUP / LANES];
        prepare(rule, q, bias, c, count, constants);
        group(rule, constants, &clamp, rows, count, acc + c, ld_acc, y + c, ld_y);
    }
}

#define RULE(RULE)                                                                                \
    case RULE: by_rule(RULE, q, rows, channels, acc, ld_acc, bias, y, ld_y); break;

static void by_channels(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                        int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    switch (kdq_computed_as(q->rule)) {
        KDQ_FORMULAS(RULE)
    default: break;
    }
}

static void requantize(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                       int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    if (rows == 1 && q->channel_step == 0 && bias == NULL) { /* a long row is many short ones */
        const int64_t whole = channels / GROUP;
        by_channels(q, whole, whole ? GROUP : 0, acc, GROUP, NULL, y, GROUP);
        acc += whole * GROUP, y += whole * GROUP, channels -= whole * GROUP;
    }
    by_channels(q, rows, channels, acc, ld_acc, bias, y, ld_y);
}

const struct kdq_vector kdq_vector_neon = {
    .requantize = requantize,
    .requantize_s16 = kdq_neon_requantize_s16,
    PORTABLE_LOOPS,
    /* Winograd's need a kernel of width 2: aarch64 has none but "scalar", with its own. */
};
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
