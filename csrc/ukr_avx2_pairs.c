/* ukr_avx2_pairs.c - kernel "avx2-pairs": products of bytes with vpmaddubsw, for weights that are
 * proven small enough.
 *
 * vpmaddubsw multiplies uint8 by int8 and adds neighbours in int16, saturating: twice the elements an
 * instruction, and silently wrong for weights of the full range. Activations are uint8 = int8 + 128.
 * If in one column the positive weights that meet in an int16 sum add up to at most 128, and the
 * negative ones too, the sum lies within 255 * 128 = 32640 of zero whatever the activations are:
 * exact. pack.c proves it panel by panel from the actual weights (kdq_pair_depth): for single pairs
 * (depth 1), or for sums of `depth` pairs, which then are widened to int32 once instead of each time.
 *
 *   depth < 4    per 4 elements of k and row:   2 vpmaddubsw, 2 vpmaddwd by ones, 2 vpaddd
 *   depth 4, 8   2 vpmaddubsw, 2 vpaddw; every `depth` steps 2 vpmaddwd and 2 vpaddd
 *
 * A tile is 5 x 16: 10 sums, 2 vectors of weights, a broadcast, a product and the ones leave a register
 * to spare.
 *
 * The compact form is for weights in [-8, 7], held two to a byte; for them depth 8 is always proven:
 * 16 weights of -8 are 128. Five more instructions expand 64 weights in the loop. */
#include "kdq_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define MR 5
#define NR 16
#define UNIT 4
#define DEEP 4
#define DEEPEST 8
#define FEW 2
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i broadcast_four(const uint8_t *x) {
    return _mm256_set1_epi32(kdq_load_32(x));
}

AVX2 static inline __m256i load(const void *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 static inline __m256i widen(__m256i pairs) {
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

AVX2 static inline __m256i low_nibbles(__m256i w) {
    const __m128i values = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values),
                               _mm256_and_si256(w, _mm256_set1_epi8(15)));
}

AVX2 static inline __m256i high_nibbles(__m256i w) { return low_nibbles(_mm256_srli_epi16(w, 4)); }

AVX2 static inline void add_to(int32_t *c, __m256i sums) {
    _mm256_storeu_si256((__m256i *)(void *)c, _mm256_add_epi32(load(c), sums));
}

/* gcc would start with the products of all rows, and spill; and load twice what it needs twice. */
#define KEEP_ORDER(a, b) __asm__ volatile("" : "+x"(a), "+x"(b))
#define KEEP(a) __asm__ volatile("" : "+x"(a))

/* Every sum has a name: see ukr_avx2.c. */
#define ROWS(DO) DO(0) DO(1) DO(2) DO(3) DO(4)
#define POINTER(i) const uint8_t *a##i = row + i * panel->row_bytes;
#define START(i) __m256i c##i##0 = start0, c##i##1 = start1;
#define ZERO(i) __m256i s##i##0 = zero, s##i##1 = zero;
#define STORE(i)                                                                                  \
    if (rows > i) {                                                                               \
        _mm256_storeu_si256((__m256i *)(void *)(c + i * NR), c##i##0);                            \
        if (halves > 1) {                                                                         \
            _mm256_storeu_si256((__m256i *)(void *)(c + i * NR + 8), c##i##1);                    \
        }                                                                                         \
    }
#define WIDEN_EACH(i)                                                                             \
    if (rows > i) {                                                                               \
        const __m256i x = broadcast_four(a##i + p);                                               \
        c##i##0 = _mm256_add_epi32(c##i##0, widen(_mm256_maddubs_epi16(x, w0)));                  \
        if (halves > 1) {                                                                         \
            c##i##1 = _mm256_add_epi32(c##i##1, widen(_mm256_maddubs_epi16(x, w1)));              \
        }                                                                                         \
    }
#define SUM_PAIRS(i)                                                                              \
    if (rows > i) {                                                                               \
        const __m256i x = broadcast_four(a##i + p);                                               \
        s##i##0 = _mm256_add_epi16(s##i##0, _mm256_maddubs_epi16(x, w0));                         \
        if (halves > 1) {                                                                         \
            s##i##1 = _mm256_add_epi16(s##i##1, _mm256_maddubs_epi16(x, w1));                     \
        }                                                                                         \
        KEEP_ORDER(s##i##0, s##i##1);                                                             \
    }
#define WIDEN_SUM(i)                                                                              \
    if (rows > i && rows <= FEW) {                                                                \
        c##i##0 = _mm256_add_epi32(c##i##0, widen(s##i##0));                                      \
        if (halves > 1) {                                                                         \
            c##i##1 = _mm256_add_epi32(c##i##1, widen(s##i##1));                                  \
        }                                                                                         \
    } else if (rows > i) {                                                                        \
        add_to(c + i * NR, widen(s##i##0));                                                       \
        if (halves > 1) {                                                                         \
            add_to(c + i * NR + 8, widen(s##i##1));                                               \
        }                                                                                         \
    }

AVX2 static inline __attribute__((always_inline)) void shallow(const struct kdq_panel *panel,
                                                              const int64_t rows, const int halves,
                                                              const void *a, int32_t *c) {
    const __m256i start0 = load(panel->start), start1 = load(panel->start + 8);
    const int8_t *w = panel->b;
    ROWS(START)
    for (int64_t s = 0; s < panel->segments; s++) {
        const uint8_t *row = (const uint8_t *)a + panel->offsets[s];
        ROWS(POINTER)
        for (int64_t p = 0; p < panel->k; p += UNIT, w += UNIT * NR) {
            const __m256i w0 = load(w), w1 = load(w + 32);
            ROWS(WIDEN_EACH)
        }
    }
    ROWS(STORE)
}

#define STEP()                                                                                    \
    {                                                                                             \
        __m256i loaded = load(w);                                                                 \
        KEEP(loaded);                                                                             \
        const __m256i w0 = nibbles ? low_nibbles(loaded) : loaded;                                \
        const __m256i w1 = nibbles ? high_nibbles(loaded) : load(w + 32);                         \
        ROWS(SUM_PAIRS)                                                                           \
    }

/* The int32 sums of FEW rows stay in registers, those of more rows in c. That `depth` is a constant,
 * and its loop unrolled, is worth a fifth. */
AVX2 static inline __attribute__((always_inline)) void deep(const struct kdq_panel *panel,
                                                           const int64_t rows, const int halves,
                                                           const int64_t depth, const int nibbles,
                                                           const void *a, int32_t *c) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i start0 = load(panel->start), start1 = load(panel->start + 8);
    const int64_t whole = panel->k - panel->k % (depth * UNIT);
    const int64_t w_bytes = nibbles ? UNIT * NR / 2 : UNIT * NR;
    const int8_t *w = panel->b;
    ROWS(START)
    for (int64_t i = 0; i < rows && rows > FEW; i++) {
        memcpy(c + i * NR, panel->start, NR * sizeof *c);
    }
    for (int64_t s = 0; s < panel->segments; s++) {
        const uint8_t *row = (const uint8_t *)a + panel->offsets[s];
        ROWS(POINTER)
        int64_t p = 0;
        while (p < whole) {
            ROWS(ZERO)
#pragma GCC unroll 8
            for (int64_t step = 0; step < depth; step++, p += UNIT, w += w_bytes) {
                STEP()
            }
            ROWS(WIDEN_SUM)
        }
        ROWS(ZERO)
        for (; p < panel->k; p += UNIT, w += w_bytes) {
            STEP()
        }
        ROWS(WIDEN_SUM)
    }
    if (rows <= FEW) {
        ROWS(STORE)
    }
}

#define DEEP_TILE(panel, rows, halves, a, c) deep(panel, rows, halves, DEEP, 0, a, c)
#define DEEPEST_TILE(panel, rows, halves, a, c) deep(panel, rows, halves, DEEPEST, 0, a, c)
#define NIBBLES_TILE(panel, rows, halves, a, c) deep(panel, rows, halves, DEEPEST, 1, a, c)
#define BY_ROWS(TILE, HALVES)                                                                     \
    switch (rows) {                                                                               \
    case 1: TILE(panel, 1, HALVES, a, c); break;                                                  \
    case 2: TILE(panel, 2, HALVES, a, c); break;                                                  \
    case 3: TILE(panel, 3, HALVES, a, c); break;                                                  \
    case 4: TILE(panel, 4, HALVES, a, c); break;                                                  \
    default: TILE(panel, 5, HALVES, a, c); break;                                                 \
    }
#define BY_COLUMNS(TILE)                                                                          \
    if (panel->columns > NR / 2) {                                                                \
        BY_ROWS(TILE, 2)                                                                          \
    } else {                                                                                      \
        BY_ROWS(TILE, 1)                                                                          \
    }

AVX2 static void some_rows(const struct kdq_panel *panel, int64_t rows, const void *a,
                           int32_t *c) {
    if (panel->depth < DEEP) {
        BY_COLUMNS(shallow)
    } else if (panel->depth < DEEPEST) {
        BY_COLUMNS(DEEP_TILE)
    } else {
        BY_COLUMNS(DEEPEST_TILE)
    }
}

AVX2 static void some_rows_of_nibbles(const struct kdq_panel *panel, int64_t rows, const void *a,
                                      int32_t *c) {
    BY_ROWS(NIBBLES_TILE, 2)
}

AVX2 static void expand(int64_t n, const void *nibbles, int8_t *w) {
    for (const int8_t *from = nibbles; n > 0; n -= UNIT * NR, from += UNIT * NR / 2) {
        const __m256i both = load(from);
        _mm256_storeu_si256((__m256i *)(void *)w, low_nibbles(both));
        _mm256_storeu_si256((__m256i *)(void *)(w + 32), high_nibbles(both));
        w += UNIT * NR;
    }
}

AVX2 static void run(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    kdq_by_tiles(some_rows, MR, NR, panel, rows, a, c);
}

AVX2 static void run_nibbles(const struct kdq_panel *panel, int64_t rows, const void *a,
                             int32_t *c) {
    kdq_by_tiles(some_rows_of_nibbles, MR, NR, panel, rows, a, c);
}

const kdq_kernel kdq_avx2_pairs = {
    .name = "avx2-pairs",
    .needs = UINT64_C(1) << KDQ_AVX2,
    .mr = MR,
    .nr = NR,
    .k_unit = UNIT,
    .layout = KDQ_INTERLEAVED,
    .width = 1,
    .unsigned_a = 1,
    .max_depth = DEEPEST,
    .run = run,
    .run_compact = run_nibbles,
    .compact_rows = 2 * MR,
    .expand = expand,
    .vector = &kdq_vector_avx2,
};
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
