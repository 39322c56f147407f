/* ukr_neondot.c - kernel "neondot": SDOT, four int8 products and their sum a lane (Armv8.2 DotProd).
 *
 * A tile is 6 x 16: 24 sums of 4 int32. Per eight elements of k, one plain 8-byte load of each row and
 * twice 4 vectors of weights (interleaved by 4), each of which meets the 6 rows by element: 24 sums
 * and 6 rows leave 2 registers for weights on their way. A broadcast of four elements would cost some
 * cores an arithmetic slot. An odd last four go alone. SDOT widens before it multiplies, and its sums
 * wrap: exact. */
#include "kdq_internal.h"

#if defined(KDQ_COMPILES_DOTPROD)
#include <arm_neon.h>

#define MR 6
#define NR 16
#define UNIT 4
#ifdef __clang__
#define DOTPROD __attribute__((target("dotprod")))
#else
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

/* Into the low half; the other one is not used. */
DOTPROD static inline int8x8_t load_four(const int8_t *x) {
    return vreinterpret_s8_s32(vdup_n_s32(kdq_load_32(x)));
}

/* As in ukr_avx2.c: every sum has a name, rows that a tile lacks vanish at compile time. j is the
 * number of four columns, h the half of x that meets them. */
#define SUMS(i) int32x4_t c##i##0 = start0, c##i##1 = start1, c##i##2 = start2, c##i##3 = start3
#define ROW(i, LOAD) rows > i ? LOAD(row + i * row_bytes + p) : vdup_n_s8(0)
#define ROWS(LOAD)                                                                                \
    const int8x8_t x0 = ROW(0, LOAD), x1 = ROW(1, LOAD), x2 = ROW(2, LOAD);                       \
    const int8x8_t x3 = ROW(3, LOAD), x4 = ROW(4, LOAD), x5 = ROW(5, LOAD)
#define MULTIPLY(i, j, h)                                                                         \
    if (rows > i) {                                                                               \
        c##i##j = vdotq_lane_s32(c##i##j, w, x##i, h);                                            \
    }
#define COLUMNS(j, h)                                                                             \
    {                                                                                             \
        const int8x16_t w = vld1q_s8(b + h * UNIT * NR + 16 * j);                                 \
        MULTIPLY(0, j, h)                                                                         \
        MULTIPLY(1, j, h)                                                                         \
        MULTIPLY(2, j, h)                                                                         \
        MULTIPLY(3, j, h)                                                                         \
        MULTIPLY(4, j, h)                                                                         \
        MULTIPLY(5, j, h)                                                                         \
    }
#define FOUR(h) COLUMNS(0, h) COLUMNS(1, h) COLUMNS(2, h) COLUMNS(3, h)
#define STORE(i)                                                                                  \
    if (rows > i) {                                                                               \
        vst1q_s32(c + i * NR, c##i##0);                                                           \
        vst1q_s32(c + i * NR + 4, c##i##1);                                                       \
        vst1q_s32(c + i * NR + 8, c##i##2);                                                       \
        vst1q_s32(c + i * NR + 12, c##i##3);                                                      \
    }
#define ALL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

DOTPROD static inline __attribute__((always_inline)) void tile(const struct kdq_panel *panel,
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
    SUMS(4);
    SUMS(5);
    for (int64_t s = 0; s < panel->segments; s++) {
        const int8_t *row = (const int8_t *)a + panel->offsets[s];
        int64_t p = 0;
        for (; p + 2 * UNIT <= k; p += 2 * UNIT, b += 2 * UNIT * NR) {
            ROWS(vld1_s8);
            FOUR(0)
            FOUR(1)
        }
        if (p < k) {
            ROWS(load_four);
            FOUR(0)
            b += UNIT * NR;
        }
    }
    ALL(STORE)
}

DOTPROD static void some_rows(const struct kdq_panel *panel, int64_t rows, const void *a,
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

const kdq_kernel kdq_neondot = {
    .name = "neondot",
    .needs = UINT64_C(1) << KDQ_DOTPROD,
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
