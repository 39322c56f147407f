/* ukr_avx2.c - kernel "avx2": exact products with vpmaddwd on int8 widened to int16.
 *
 * A tile is 6 x 16: 12 sums of 8 int32. Per two elements of k: 2 vectors of weights (interleaved by
 * 2: w[p][j] and w[p+1][j] side by side), and for each row one broadcast of the pair x[p], x[p+1] and
 * 2 vpmaddwd + 2 vpaddd. A pair sum is at most 2 * 128 * 128: nothing saturates. 12 sums, 2 vectors
 * of weights, a broadcast and a product are exactly the 16 registers. csrc/README.md reads the
 * assembly.
 *
 * The compact form holds the weights as int8 in the same order and widens them in the loop. */
#include "kdq_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define MR 6
#define NR 16
#define UNIT 2
#define AVX2 __attribute__((target("avx2")))
#if defined(__clang__)
#define UNROLL _Pragma("unroll 4")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

AVX2 static inline __m256i broadcast_pair(const int16_t *x) {
    return _mm256_set1_epi32(kdq_load_32(x));
}

AVX2 static inline __m256i multiply_add(__m256i sum, __m256i x, __m256i w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}

AVX2 static inline __m256i widen(const int8_t *w) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
}

/* gcc keeps arrays of vectors in memory: every sum has a name, and rows that a tile lacks vanish at
 * compile time. */
#define SUMS(i) __m256i c##i##0 = start0, c##i##1 = start1
#define ROW(i)                                                                                    \
    if (rows > i) {                                                                               \
        const __m256i x = broadcast_pair(a##i + p);                                               \
        c##i##0 = multiply_add(c##i##0, x, w0);                                                   \
        if (halves > 1) {                                                                         \
            c##i##1 = multiply_add(c##i##1, x, w1);                                               \
        }                                                                                         \
    }
#define STORE(i)                                                                                  \
    if (rows > i) {                                                                               \
        _mm256_storeu_si256((__m256i *)(void *)(c + i * NR), c##i##0);                            \
        if (halves > 1) {                                                                         \
            _mm256_storeu_si256((__m256i *)(void *)(c + i * NR + 8), c##i##1);                    \
        }                                                                                         \
    }

/* `tiles` tiles of `rows` rows: a, c, and the rest in registers, from one to the next. */
AVX2 static inline __attribute__((always_inline)) void some_tiles(
    const struct kdq_panel *panel, int64_t tiles, const int64_t rows, const int halves,
    const int compact, const int prefetch, const int8_t *a, int32_t *c) {
    const __m256i start0 = _mm256_loadu_si256((const __m256i *)(const void *)panel->start);
    const __m256i start1 = _mm256_loadu_si256((const __m256i *)(const void *)(panel->start + 8));
    const int64_t k = panel->k, row_bytes = panel->row_bytes;
    for (; tiles > 0; tiles--, a += rows * row_bytes, c += rows * NR) {
        const int16_t *wide = panel->b;
        const int8_t *narrow = panel->b;
        const char *later = (const char *)panel->b + panel->ahead;
        SUMS(0);
        SUMS(1);
        SUMS(2);
        SUMS(3);
        SUMS(4);
        SUMS(5);
        for (int64_t s = 0; s < panel->segments; s++) {
            const int8_t *row = a + panel->offsets[s];
            const int16_t *a0 = (const int16_t *)(const void *)row;
            const int16_t *a1 = (const int16_t *)(const void *)(row + row_bytes);
            const int16_t *a2 = (const int16_t *)(const void *)(row + 2 * row_bytes);
            const int16_t *a3 = (const int16_t *)(const void *)(row + 3 * row_bytes);
            const int16_t *a4 = (const int16_t *)(const void *)(row + 4 * row_bytes);
            const int16_t *a5 = (const int16_t *)(const void *)(row + 5 * row_bytes);
            UNROLL for (int64_t p = 0; p < k; p += UNIT) {
                __m256i w0, w1;
                if (compact) {
                    w0 = widen(narrow);
                    w1 = widen(narrow + 16);
                    narrow += UNIT * NR;
                } else {
                    w0 = _mm256_loadu_si256((const __m256i *)(const void *)wide);
                    w1 = _mm256_loadu_si256((const __m256i *)(const void *)(wide + 16));
                    wide += UNIT * NR;
                }
                if (prefetch) {
                    _mm_prefetch(later, _MM_HINT_T0);
                    later += 64;
                }
                ROW(0)
                ROW(1)
                ROW(2)
                ROW(3)
                ROW(4)
                ROW(5)
            }
        }
        STORE(0)
        STORE(1)
        STORE(2)
        STORE(3)
        STORE(4)
        STORE(5)
    }
}

/* The first layer of a network: a window of a few pixels of one channel. All weights stay in
 * registers while lines of rows go by: 12 vectors, 2 sums, a broadcast and a product. */
#define SHORT_K 12
#define WEIGHTS(q)                                                                                \
    const int64_t at##q = at[q];                                                                  \
    const __m256i w##q##0 = pairs > q ? load_weights(panel, q, 0) : start0;                       \
    const __m256i w##q##1 = pairs > q ? load_weights(panel, q, 1) : start0;
#define PAIR(q)                                                                                   \
    if (pairs > q) {                                                                              \
        const __m256i x = broadcast_pair((const int16_t *)(const void *)(row + at##q));           \
        sum0 = multiply_add(sum0, x, w##q##0);                                                    \
        sum1 = multiply_add(sum1, x, w##q##1);                                                    \
        __asm__ volatile("" : "+x"(sum0), "+x"(sum1)); /* else gcc mixes the pairs, and spills */ \
    }

AVX2 static inline __m256i load_weights(const struct kdq_panel *panel, int64_t q, int64_t half) {
    const int16_t *w = (const int16_t *)panel->b + q * UNIT * NR + half * NR;
    return _mm256_loadu_si256((const __m256i *)(const void *)w);
}

AVX2 static inline __attribute__((always_inline)) void some_pairs(
    const struct kdq_panel *panel, const int64_t pairs, int64_t lines, int64_t line_bytes,
    const int64_t rows, const int8_t *a, int32_t *c) {
    const __m256i start0 = _mm256_loadu_si256((const __m256i *)(const void *)panel->start);
    const __m256i start1 = _mm256_loadu_si256((const __m256i *)(const void *)(panel->start + 8));
    int64_t at[SHORT_K / UNIT] = {0}, pair = 0; /* bytes from a row's start to its pairs */
    for (int64_t s = 0; s < panel->segments; s++) {
        for (int64_t p = 0; p < panel->k; p += UNIT) {
            at[pair++] = panel->offsets[s] + p * (int64_t)sizeof(int16_t);
        }
    }
    WEIGHTS(0)
    WEIGHTS(1)
    WEIGHTS(2)
    WEIGHTS(3)
    WEIGHTS(4)
    WEIGHTS(5)
    for (; lines > 0; lines--, a += line_bytes) {
        const int8_t *row = a;
        for (int64_t left = rows; left > 0; left--, row += panel->row_bytes, c += NR) {
            __m256i sum0 = start0, sum1 = start1;
            PAIR(0)
            PAIR(1)
            PAIR(2)
            PAIR(3)
            PAIR(4)
            PAIR(5)
            _mm256_storeu_si256((__m256i *)(void *)c, sum0);
            _mm256_storeu_si256((__m256i *)(void *)(c + 8), sum1);
        }
    }
}

AVX2 static void run_short(const struct kdq_panel *panel, int64_t lines, int64_t line_bytes,
                           int64_t rows, const void *a, int32_t *c) {
    switch (panel->segments * panel->k / UNIT) {
    case 0: some_pairs(panel, 0, lines, line_bytes, rows, a, c); break;
    case 1: some_pairs(panel, 1, lines, line_bytes, rows, a, c); break;
    case 2: some_pairs(panel, 2, lines, line_bytes, rows, a, c); break;
    case 3: some_pairs(panel, 3, lines, line_bytes, rows, a, c); break;
    case 4: some_pairs(panel, 4, lines, line_bytes, rows, a, c); break;
    case 5: some_pairs(panel, 5, lines, line_bytes, rows, a, c); break;
    default: some_pairs(panel, 6, lines, line_bytes, rows, a, c); break;
    }
}

#define TILES(ROWS)                                                                               \
    case ROWS: some_tiles(panel, tiles, ROWS, halves, compact, prefetch, a, c); break;

/* Tiles of nearly equal height, higher ones first: 7 rows are 4 and 3 rather than 6 and 1. */
AVX2 static inline __attribute__((always_inline)) void all_rows(const struct kdq_panel *panel,
                                                               int64_t rows, const int halves,
                                                               const int compact,
                                                               const int prefetch,
                                                               const int8_t *a, int32_t *c) {
    while (rows > 0) {
        const int64_t left = (rows + MR - 1) / MR, height = (rows + left - 1) / left;
        const int64_t tiles = left - (left * height - rows);
        switch (height) {
            TILES(1)
            TILES(2)
            TILES(3)
            TILES(4)
            TILES(5)
            TILES(6)
        default: break;
        }
        rows -= tiles * height, a += tiles * height * panel->row_bytes, c += tiles * height * NR;
    }
}

AVX2 static void run(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    if (panel->columns <= NR / 2) {
        all_rows(panel, rows, 1, 0, 0, a, c);
    } else if (panel->ahead) {
        all_rows(panel, rows, 2, 0, 1, a, c);
    } else {
        all_rows(panel, rows, 2, 0, 0, a, c);
    }
}

AVX2 static void run_compact(const struct kdq_panel *panel, int64_t rows, const void *a,
                             int32_t *c) {
    if (panel->columns <= NR / 2) {
        all_rows(panel, rows, 1, 1, 0, a, c);
    } else {
        all_rows(panel, rows, 2, 1, 0, a, c);
    }
}

const kdq_kernel kdq_avx2 = {
    .name = "avx2",
    .needs = UINT64_C(1) << KDQ_AVX2,
    .mr = MR,
    .nr = NR,
    .k_unit = UNIT,
    .layout = KDQ_INTERLEAVED,
    .width = 2,
    .run = run,
    .short_k = SHORT_K,
    .run_short = run_short,
    .run_compact = run_compact,
    .compact_rows = 64,
    .winograd_from = 16,
    .vector = &kdq_vector_avx2,
    .narrow = &kdq_avx2_pairs,
};
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
