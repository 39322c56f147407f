/* ukr_scalar.c - kernel "scalar": portable C that compilers vectorize on any baseline.
 *
 * C[2][4] = A[2][k] * B[4][k]^T; int8 widened to int16, int32 out, exact. A tile of one row computes
 * it twice.
 *
 * Each of the 8 sums is a dot product over contiguous int16, the one reduction that both gcc and
 * clang turn into the pairwise multiply-add of the machine (pmaddwd on SSE2, smlal on NEON): per 8
 * elements of k, 6 loads, 8 pmaddwd, 8 paddd, all sums in registers. csrc/README.md has the
 * measurements, and the shapes that lost. */
#include "kdq_internal.h"

#define MR 2
#define NR 4
#define UNIT 8

static void some_rows(const struct kdq_panel *panel, int64_t rows, const void *a,
                      int32_t *c) {
    const int64_t k = panel->k / UNIT * UNIT; /* == panel->k, and now the compiler knows: no tail */
    const int16_t *b0 = panel->b;
    int32_t c00 = 0, c01 = 0, c02 = 0, c03 = 0;
    int32_t c10 = 0, c11 = 0, c12 = 0, c13 = 0;
    for (int64_t s = 0; s < panel->segments; s++, b0 += NR * k) {
        const int8_t *row = (const int8_t *)a + panel->offsets[s];
        const int16_t *a0 = (const int16_t *)(const void *)row;
        const int16_t *a1 = (const int16_t *)(const void *)(row + (rows - 1) * panel->row_bytes);
        const int16_t *b1 = b0 + k, *b2 = b1 + k, *b3 = b2 + k;
#ifdef __clang__ /* left alone, it takes 4 lanes a step and misses pmaddwd: a seventh of the speed */
#pragma clang loop vectorize_width(8) interleave_count(1)
#endif
        for (int64_t p = 0; p < k; p++) {
            c00 += a0[p] * b0[p];
            c01 += a0[p] * b1[p];
            c02 += a0[p] * b2[p];
            c03 += a0[p] * b3[p];
            c10 += a1[p] * b0[p];
            c11 += a1[p] * b1[p];
            c12 += a1[p] * b2[p];
            c13 += a1[p] * b3[p];
        }
    }
    const int32_t sums[MR][NR] = {{c00, c01, c02, c03}, {c10, c11, c12, c13}};
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < NR; j++) {
            c[i * NR + j] = kdq_wrapping_add(panel->start[j], sums[i][j]);
        }
    }
}

static void run(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    kdq_by_tiles(some_rows, MR, NR, panel, rows, a, c);
}

const kdq_kernel kdq_scalar = {
    .name = "scalar",
    .needs = 0,
    .mr = MR,
    .nr = NR,
    .k_unit = UNIT,
    .layout = KDQ_FLAT,
    .width = 2,
    .run = run,
    .winograd_from = 64,
    .vector = &kdq_vector_portable,
};
