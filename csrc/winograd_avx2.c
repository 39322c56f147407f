/* winograd_avx2.c - the transforms of winograd.c in vectors of channels.
 *
 * Compilers keep the 4x4 values of a tile in memory; named registers are three times as fast. */
#include "kdq_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define SHORTS 16
#define INTS 8

AVX2 static inline __m256i load16(const int16_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

AVX2 static inline void store16(int16_t *to, __m256i value) {
    _mm256_storeu_si256((__m256i *)(void *)to, value);
}

/* One column of a tile, transformed downwards. */
struct column {
    __m256i d0, d1, d2, d3;
};

AVX2 static inline struct column load_column(const int16_t *const lines[4], int64_t at) {
    const __m256i x0 = load16(lines[0] + at), x1 = load16(lines[1] + at);
    const __m256i x2 = load16(lines[2] + at), x3 = load16(lines[3] + at);
    const struct column column = {_mm256_sub_epi16(x0, x2), _mm256_add_epi16(x1, x2),
                                  _mm256_sub_epi16(x2, x1), _mm256_sub_epi16(x1, x3)};
    return column;
}

AVX2 static inline void store_row(int16_t *to, int64_t plane, __m256i a, __m256i b, __m256i c,
                                  __m256i d) {
    store16(to, _mm256_sub_epi16(a, c));
    store16(to + plane, _mm256_add_epi16(b, c));
    store16(to + 2 * plane, _mm256_sub_epi16(c, b));
    store16(to + 3 * plane, _mm256_sub_epi16(b, d));
}

/* Neighbouring tiles share two columns: they stay in registers. Reads and writes up to 15 channels
 * past the last; lines have the room, and so have the rows of v (winograd.c: VECTOR). */
AVX2 void kdq_winograd_input_avx2(int64_t tiles, int64_t channels, const int16_t *const lines[4],
                                  int16_t *v, int64_t ld_v, int64_t plane) {
    for (int64_t c = 0; c < channels; c += SHORTS) {
        int16_t *to = v + c;
        struct column left = load_column(lines, c), next = load_column(lines, c + channels);
        for (int64_t t = 0; t < tiles; t++, to += ld_v) {
            const int64_t at = (2 * t + 2) * channels + c;
            const struct column third = load_column(lines, at);
            const struct column last = load_column(lines, at + channels);
            store_row(to, plane, left.d0, next.d0, third.d0, last.d0);
            store_row(to + 4 * plane, plane, left.d1, next.d1, third.d1, last.d1);
            store_row(to + 8 * plane, plane, left.d2, next.d2, third.d2, last.d2);
            store_row(to + 12 * plane, plane, left.d3, next.d3, third.d3, last.d3);
            left = third, next = last;
        }
    }
}

struct pair {
    __m256i a, b;
};

AVX2 static inline struct pair combine(__m256i x0, __m256i x1, __m256i x2, __m256i x3) {
    const struct pair pair = {
        _mm256_add_epi32(_mm256_add_epi32(x0, x1), x2),
        _mm256_sub_epi32(_mm256_sub_epi32(x1, x2), x3),
    };
    return pair;
}

AVX2 static inline __m256i load8(const int32_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

AVX2 static inline struct pair load_products(const int32_t *m, int64_t plane) {
    return combine(load8(m), load8(m + 4 * plane), load8(m + 8 * plane), load8(m + 12 * plane));
}

AVX2 static inline void finish(int32_t *to, __m256i four_times, __m256i start) {
    const __m256i acc = _mm256_add_epi32(_mm256_srai_epi32(four_times, 2), start);
    _mm256_storeu_si256((__m256i *)(void *)to, acc);
}

/* channels is a kernel's nr, a multiple of 8. */
AVX2 void kdq_winograd_output_avx2(int64_t columns, int64_t channels, const int32_t *m,
                                   int64_t plane, const int32_t *start, int32_t *upper,
                                   int32_t *lower) {
    for (int64_t column = 0; column < columns; column += 2, m += channels) {
        const int right = column + 1 < columns;
        for (int64_t c = 0; c < channels; c += INTS) {
            const __m256i first = load8(start + c);
            const struct pair p0 = load_products(m + c, plane);
            const struct pair p1 = load_products(m + c + plane, plane);
            const struct pair p2 = load_products(m + c + 2 * plane, plane);
            const struct pair p3 = load_products(m + c + 3 * plane, plane);
            const struct pair top = combine(p0.a, p1.a, p2.a, p3.a);
            const int64_t at = column * channels + c;
            finish(upper + at, top.a, first);
            if (right) {
                finish(upper + at + channels, top.b, first);
            }
            if (lower != NULL) {
                const struct pair bottom = combine(p0.b, p1.b, p2.b, p3.b);
                finish(lower + at, bottom.a, first);
                if (right) {
                    finish(lower + at + channels, bottom.b, first);
                }
            }
        }
    }
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
