/* ukr_i8mm.c - kernel "i8mm": SMMLA, a 2 x 8 by 8 x 2 product of int8 an instruction (Armv8.6 I8MM).
 *
 * A tile is 6 x 16: 3 x 8 blocks, each a register with 2 x 2 int32. Per eight elements of k: 8 vectors
 * of weights (interleaved by 8: columns j and j+1 are 16 bytes in a row), and for each pair of rows
 * one vector x[i][p .. p+7], x[i+1][p .. p+7] and 8 SMMLA. 24 sums and 3 pairs of rows leave 5
 * registers for weights on their way. Exact like SDOT.
 *
 *     block of rows i, i+1 and columns j, j+1:   c[i][j] c[i][j+1] c[i+1][j] c[i+1][j+1] */
#include "kdq_internal.h"

#if defined(KDQ_COMPILES_I8MM)
#include <arm_neon.h>

#define MR 6
#define NR 16
#define UNIT 8
#ifdef __clang__
#define I8MM __attribute__((target("i8mm")))
#else
#define I8MM __attribute__((target("arch=armv8.2-a+i8mm")))
#endif

/* As in ukr_avx2.c: every sum has a name, rows that a tile lacks vanish at compile time. r is the
 * number of a pair of rows, j of a pair of columns. */
#define SUM(r, j) const int32x2_t start##r##j = vld1_s32(panel->start + 2 * j);                   \
    int32x4_t c##r##j = vcombine_s32(start##r##j, start##r##j);
#define MULTIPLY(r, j)                                                                            \
    if (rows > 2 * r) {                                                                           \
        c##r##j = vmmlaq_s32(c##r##j, x##r, w);                                                   \
    }
#define COLUMNS(j)                                                                                \
    {                                                                                             \
        const int8x16_t w = vld1q_s8(b + 16 * j);                                                 \
        MULTIPLY(0, j)                                                                            \
        MULTIPLY(1, j)                                                                            \
        MULTIPLY(2, j)                                                                            \
    }
#define STORE(r, j)                                                                               \
    if (rows > 2 * r) {                                                                           \
        vst1_s32(c + 2 * r * NR + 2 * j, vget_low_s32(c##r##j));                                  \
    }                                                                                             \
    if (rows > 2 * r + 1) {                                                                       \
        vst1_s32(c + (2 * r + 1) * NR + 2 * j, vget_high_s32(c##r##j));                           \
    }
#define ALL(DO, r) DO(r, 0) DO(r, 1) DO(r, 2) DO(r, 3) DO(r, 4) DO(r, 5) DO(r, 6) DO(r, 7)

/* Rows 2r and 2r + 1 of the tile; a lone last row stands for both. */
#define PAIR(r)                                                                                   \
    vcombine_s8(vld1_s8(row + kdq_min(2 * r, rows - 1) * row_bytes + p),                          \
                vld1_s8(row + kdq_min(2 * r + 1, rows - 1) * row_bytes + p))

I8MM static inline __attribute__((always_inline)) void tile(const struct kdq_panel *panel,
                                                           const int64_t rows, const void *a,
                                                           int32_t *c) {
    const int64_t k = panel->k, row_bytes = panel->row_bytes;
    const int8_t *b = panel->b;
    ALL(SUM, 0)
    ALL(SUM, 1)
    ALL(SUM, 2)
    for (int64_t s = 0; s < panel->segments; s++) {
        const int8_t *row = (const int8_t *)a + panel->offsets[s];
        for (int64_t p = 0; p < k; p += UNIT, b += UNIT * NR) {
            const int8x16_t x0 = PAIR(0), x1 = PAIR(1), x2 = PAIR(2);
            COLUMNS(0)
            COLUMNS(1)
            COLUMNS(2)
            COLUMNS(3)
            COLUMNS(4)
            COLUMNS(5)
            COLUMNS(6)
            COLUMNS(7)
        }
    }
    ALL(STORE, 0)
    ALL(STORE, 1)
    ALL(STORE, 2)
}

I8MM static void some_rows(const struct kdq_panel *panel, int64_t rows, const void *a,
                           int32_t *c) {
    switch (rows) {
    case 1: tile(panel, 1, a, c); break;
    case 2: tile(panel, 2, a, c); break;
    case 3: tile(panel, 3, a, c); break;
    case 4: tile(panel, 4, a, c); break;
    case 5: tile(panel, 5, a, c); break;
    default: tile(panel, MR, a, c); break;
    }
}

static void run(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    kdq_by_tiles(some_rows, MR, NR, panel, rows, a, c);
}

const kdq_kernel kdq_i8mm = {
    .name = "i8mm",
    .needs = UINT64_C(1) << KDQ_I8MM,
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
