/* ukr_avx512vnni.c - kernel "avx512vnni": vpdpbusd on 512 bits, four products and their sum a lane.
 *
 * A tile is 12 x 32: 24 sums of 16 int32. Per four elements of k: 2 vectors of weights (interleaved by
 * 4), and for each row one broadcast of x[p .. p+3] and 2 vpdpbusd. 24 sums, 2 vectors of weights and
 * a broadcast are 27 of the 32 registers, and 24 independent sums hide a latency of 5 at two a cycle.
 *
 * vpdpbusd multiplies unsigned by signed, so activations are read as x + 128; what that adds is
 * taken off by `start`. Four products are at most 4 * 255 * 128, and the sum wraps: everything is
 * exact. Its sibling vpdpbusds saturates the sum, which is wrong while sums pass through int32's ends
 * on their way back. */
#include "kdq_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define MR 12
#define NR 32
#define UNIT 4
#define AVX512 __attribute__((target("avx512f,avx512vnni")))

AVX512 static inline __m512i broadcast_four(const uint8_t *x) {
    return _mm512_set1_epi32(kdq_load_32(x));
}

/* As in ukr_avx2.c: every sum has a name, rows that a tile lacks vanish at compile time. */
#define SUMS(i) __m512i c##i##0 = start0, c##i##1 = start1
#define ROW(i)                                                                                    \
    if (rows > i) {                                                                               \
        const __m512i x = broadcast_four(row + i * row_bytes + p);                                \
        c##i##0 = _mm512_dpbusd_epi32(c##i##0, x, w0);                                            \
        c##i##1 = _mm512_dpbusd_epi32(c##i##1, x, w1);                                            \
    }
#define STORE(i)                                                                                  \
    if (rows > i) {                                                                               \
        _mm512_storeu_si512(c + i * NR, c##i##0);                                                 \
        _mm512_storeu_si512(c + i * NR + 16, c##i##1);                                            \
    }
#define ALL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

AVX512 static inline __attribute__((always_inline)) void tile(const struct kdq_panel *panel,
                                                             const int64_t rows, const void *a,
                                                             int32_t *c) {
    const __m512i start0 = _mm512_loadu_si512(panel->start);
    const __m512i start1 = _mm512_loadu_si512(panel->start + 16);
    const int64_t k = panel->k, row_bytes = panel->row_bytes;
    const int8_t *b = panel->b;
    SUMS(0);
    SUMS(1);
    SUMS(2);
    SUMS(3);
    SUMS(4);
    SUMS(5);
    SUMS(6);
    SUMS(7);
    SUMS(8);
    SUMS(9);
    SUMS(10);
    SUMS(11);
    for (int64_t s = 0; s < panel->segments; s++) {
        const uint8_t *row = (const uint8_t *)a + panel->offsets[s];
        for (int64_t p = 0; p < k; p += UNIT, b += UNIT * NR) {
            const __m512i w0 = _mm512_loadu_si512(b);
            const __m512i w1 = _mm512_loadu_si512(b + 64);
            ALL(ROW)
        }
    }
    ALL(STORE)
}

#define CASE(ROWS)                                                                                \
    case ROWS: tile(panel, ROWS, a, c); break;

AVX512 static void some_rows(const struct kdq_panel *panel, int64_t rows, const void *a,
                             int32_t *c) {
    switch (rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
    default: tile(panel, MR, a, c); break;
    }
}

static void run(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    kdq_by_tiles(some_rows, MR, NR, panel, rows, a, c);
}

const kdq_kernel kdq_avx512vnni = {
    .name = "avx512vnni",
    .needs = UINT64_C(1) << KDQ_AVX512 | UINT64_C(1) << KDQ_AVX512_VNNI | UINT64_C(1) << KDQ_AVX2,
    .mr = MR,
    .nr = NR,
    .k_unit = UNIT,
    .layout = KDQ_INTERLEAVED,
    .width = 1,
    .unsigned_a = 1,
    .run = run,
    .vector = &kdq_vector_avx2,
};
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
