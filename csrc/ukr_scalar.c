/* ukr_scalar.c - kernel "scalar": portable C that compilers vectorize on any baseline.
 *
 * C[2][4] = A[2][k] * B[4][k]^T; int8 widened to int16 in the panels, int32 out, exact.
 *
 * Each of the 8 sums is a dot product over contiguous int16, the one reduction that both gcc and
 * clang turn into the pairwise multiply-add of the machine (pmaddwd on SSE2, smlal on NEON): per 8
 * elements of k, 6 loads, 8 pmaddwd, 8 paddd, all sums in registers. csrc/README.md has the
 * measurements, and the shapes that lost. */
#include "kdq_internal.h"

#define MR 2
#define NR 4
#define UNIT 8

static void run(int64_t k, const void *packed_a, const void *packed_b, int32_t *c) {
    const int16_t *a0 = packed_a, *a1 = a0 + k;
    const int16_t *b0 = packed_b, *b1 = b0 + k, *b2 = b1 + k, *b3 = b2 + k;
    int32_t c00 = 0, c01 = 0, c02 = 0, c03 = 0;
    int32_t c10 = 0, c11 = 0, c12 = 0, c13 = 0;
    const int64_t whole = k / UNIT * UNIT; /* == k, and now the compiler knows: no tail loop */
#ifdef __clang__ /* left alone, it takes 4 lanes a step and misses pmaddwd: a seventh of the speed */
#pragma clang loop vectorize_width(8) interleave_count(1)
#endif
    for (int64_t p = 0; p < whole; p++) {
        c00 += a0[p] * b0[p];
        c01 += a0[p] * b1[p];
        c02 += a0[p] * b2[p];
        c03 += a0[p] * b3[p];
        c10 += a1[p] * b0[p];
        c11 += a1[p] * b1[p];
        c12 += a1[p] * b2[p];
        c13 += a1[p] * b3[p];
    }
    c[0] = c00;
    c[1] = c01;
    c[2] = c02;
    c[3] = c03;
    c[4] = c10;
    c[5] = c11;
    c[6] = c12;
    c[7] = c13;
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
};
