/* ukr_neon.c - kernel "neon": smull and sadalp on int8, for any aarch64.
 *
 * A tile is 4 x 16: 16 sums of 4 int32. Per two elements of k: 2 vectors of weights (interleaved by 2:
 * w[p][j] and w[p+1][j] side by side), and for each row one broadcast of the pair x[p], x[p+1] and 4
 * smull + sadalp: 16 products in int16 and their pair sums added into int32. A product is at most
 * 128 * 128 and fits; a second one on top of it (smlal on int8) would not: -128 * -128 * 2 is 2^15.
 * Multiplying and adding go to different pipes of most cores, which smlal on widened operands does
 * not, and nothing needs widening. 16 sums, 2 vectors of weights, broadcasts and products in flight
 * fill the 32 registers; with 6 rows, compilers spill. */
#include "kdq_internal.h"

#if defined(KDQ_AARCH64)
#include <arm_neon.h>

#define MR 4
#define NR 16
#define UNIT 2

static inline int8x16_t broadcast_pair(const int8_t *x) {
    int16_t pair;
    memcpy(&pair, x, sizeof pair);
    return vreinterpretq_s8_s16(vdupq_n_s16(pair));
}

static inline int32x4_t add_low(int32x4_t sum, int8x16_t x, int8x16_t w) {
    return vpadalq_s16(sum, vmull_s8(vget_low_s8(x), vget_low_s8(w)));
}

static inline int32x4_t add_high(int32x4_t sum, int8x16_t x, int8x16_t w) {
    return vpadalq_s16(sum, vmull_high_s8(x, w));
}

/* As in ukr_avx2.c: every sum has a name, rows that a tile lacks vanish at compile time. */
#define SUMS(i) int32x4_t c##i##0 = start0, c##i##1 = start1, c##i##2 = start2, c##i##3 = start3
#define ROW(i)                                                                                    \
    if (rows > i) {                                                                               \
        const int8x16_t x = broadcast_pair(row + i * row_bytes + p);                              \
        c##i##0 = add_low(c##i##0, x, w0);                                                        \
        c##i##1 = add_high(c##i##1, x, w0);                                                       \
        c##i##2 = add_low(c##i##2, x, w1);                                                        \
        c##i##3 = add_high(c##i##3, x, w1);                                                       \
    }
#define STORE(i)                                                                                  \
    if (rows > i) {                                                                               \
        vst1q_s32(c + i * NR, c##i##0);                                                           \
        vst1q_s32(c + i * NR + 4, c##i##1);                                                       \
        vst1q_s32(c + i * NR + 8, c##i##2);                                                       \
        vst1q_s32(c + i * NR + 12, c##i##3);                                                      \
    }
#define ALL(DO) DO(0) DO(1) DO(2) DO(3)

static inline __attribute__((always_inline)) void tile(const struct kdq_panel *panel,
                                                      const int64_t rows, const void *a,
                                                      int32_t *c) {
    const int32_t *start = panel->start;
    const int32x4_t start0 = vld1q_s32(start), start1 = vld1q_s32(start + 4);
    const int32x4_t start2 = vld1q_s32(start + 8), start3 = vld1q_s32(start + 12);
    const int64_t k = panel->k, row_bytes = panel->row_bytes;
    const int8_t *b = panel->b;
    SUMS(0);
    SUMS(1);
    SUMS(2);
    SUMS(3);
    for (int64_t s = 0; s < panel->segments; s++) {
        const int8_t *row = (const int8_t *)a + panel->offsets[s];
        for (int64_t p = 0; p < k; p += UNIT, b += UNIT * NR) {
            const int8x16_t w0 = vld1q_s8(b), w1 = vld1q_s8(b + 16);
            ALL(ROW)
        }
    }
    ALL(STORE)
}

static void some_rows(const struct kdq_panel *panel, int64_t rows, const void *a,
                      int32_t *c) {
    switch (rows) {
    case 1: tile(panel, 1, a, c); break;
    case 2: tile(panel, 2, a, c); break;
    case 3: tile(panel, 3, a, c); break;
    default: tile(panel, MR, a, c); break;
    }
}

static void run(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    kdq_by_tiles(some_rows, MR, NR, panel, rows, a, c);
}

const kdq_kernel kdq_neon = {
    .name = "neon",
    .needs = 0, /* part of aarch64 */
    .mr = MR,
    .nr = NR,
    .k_unit = UNIT,
    .layout = KDQ_INTERLEAVED,
    .width = 1,
    .run = run,
    .vector = &kdq_vector_neon,
};
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
