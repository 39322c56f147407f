/* ukr_avxvnni.c - kernel "avxvnni": vpdpbusd on 256 bits in its VEX form, for CPUs without AVX-512.
 *
 * A tile is 6 x 16: 12 sums of 8 int32. Per four elements of k: 2 vectors of weights (interleaved by
 * 4), and for each row one broadcast of x[p .. p+3] and 2 vpdpbusd: 15 of the 16 registers. Why it is
 * exact, and why not vpdpbusds: ukr_avx512vnni.c. */
#include "kdq_internal.h"

#if defined(KDQ_COMPILES_AVX_VNNI)
#include <immintrin.h>

#define MR 6
#define NR 16
#define UNIT 4
#define AVXVNNI __attribute__((target("avx2,avxvnni")))

AVXVNNI static inline __m256i load(const void *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}

AVXVNNI static inline __m256i broadcast_four(const uint8_t *x) {
    return _mm256_set1_epi32(kdq_load_32(x));
}

/* As in ukr_avx2.c: every sum has a name, rows that a tile lacks vanish at compile time. */
#define SUMS(i) __m256i c##i##0 = start0, c##i##1 = start1
#define ROW(i)                                                                                    \
    if (rows > i) {                                                                               \
        const __m256i x = broadcast_four(row + i * row_bytes + p);                                \
        c##i##0 = _mm256_dpbusd_avx_epi32(c##i##0, x, w0);                                        \
        c##i##1 = _mm256_dpbusd_avx_epi32(c##i##1, x, w1);                                        \
    }
#define STORE(i)                                                                                  \
    if (rows > i) {                                                                               \
        _mm256_storeu_si256((__m256i *)(void *)(c + i * NR), c##i##0);                            \
        _mm256_storeu_si256((__m256i *)(void *)(c + i * NR + 8), c##i##1);                        \
    }
#define ALL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

AVXVNNI static inline __attribute__((always_inline)) void tile(const struct kdq_panel *panel,
                                                              const int64_t rows, const void *a,
                                                              int32_t *c) {
    const __m256i start0 = load(panel->start), start1 = load(panel->start + 8);
    const int64_t k = panel->k, row_bytes = panel->row_bytes;
    const int8_t *b = panel->b;
    SUMS(0);
    SUMS(1);
    SUMS(2);
    SUMS(3);
    SUMS(4);
    SUMS(5);
    for (int64_t s = 0; s < panel->segments; s++) {
        const uint8_t *row = (const uint8_t *)a + panel->offsets[s];
        for (int64_t p = 0; p < k; p += UNIT, b += UNIT * NR) {
            const __m256i w0 = load(b), w1 = load(b + 32);
            ALL(ROW)
        }
    }
    ALL(STORE)
}

AVXVNNI static void some_rows(const struct kdq_panel *panel, int64_t rows, const void *a,
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

const kdq_kernel kdq_avxvnni = {
    .name = "avxvnni",
    .needs = UINT64_C(1) << KDQ_AVX_VNNI | UINT64_C(1) << KDQ_AVX2,
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
