/* vector_avx2_codes.c - element by element between reals, codes and accumulators.
 *
 * Where results are codes, what is left at the end is done by a whole vector that overlaps the one
 * before it: the same elements again, with the same results. */
#include "vector_avx2.h"

#if defined(__x86_64__)

#define WIDTH 32 /* codes in a vector */

INLINE void store32(void *to, __m256i v) { _mm256_storeu_si256((__m256i *)to, v); }

/* Accumulators of kdq_add, a * ma + b * mb + what the zero points contribute to all of them. */
struct weights {
    __m256i a, b, rest;
};

INLINE void weigh8(const struct weights *k, const int8_t *a, const int8_t *b, int32_t *y) {
    const __m256i x = _mm256_mullo_epi32(_mm256_cvtepi8_epi32(load8(a)), k->a);
    const __m256i z = _mm256_mullo_epi32(_mm256_cvtepi8_epi32(load8(b)), k->b);
    store32(y, _mm256_add_epi32(_mm256_add_epi32(x, k->rest), z));
}

AVX2 void kdq_avx2_scaled_sum(int64_t n, const int8_t *a, const int8_t *b,
                              const kdq_addends *addends, int32_t *y) {
    const int32_t ma = addends->a_multiplier, mb = addends->b_multiplier;
    const int32_t rest = -addends->a_zero_point * ma - addends->b_zero_point * mb;
    const struct weights k = {_mm256_set1_epi32(ma), _mm256_set1_epi32(mb),
                              _mm256_set1_epi32(rest)};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) { /* gcc does not unroll by itself */
        weigh8(&k, a + i, b + i, y + i);
        weigh8(&k, a + i + 8, b + i + 8, y + i + 8);
    }
    for (; i < n; i++) {
        y[i] = a[i] * ma + b[i] * mb + rest;
    }
}

/* vcvtps2dq rounds half to even; what is too negative for it becomes INT32_MIN, so only the other end
 * needs a bound. The rest saturates: to int16, with the zero point added, to int8. */
INLINE __m256i quantize8(const float *x, __m256 scale) {
    const __m256 v = _mm256_div_ps(_mm256_loadu_ps(x), scale);
    return _mm256_cvtps_epi32(_mm256_min_ps(v, _mm256_set1_ps(512.0f)));
}

INLINE void quantize32(const float *x, __m256 scale, __m256i zero_point, int8_t *y) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i low = _mm256_packs_epi32(quantize8(x, scale), quantize8(x + 8, scale));
    const __m256i high = _mm256_packs_epi32(quantize8(x + 16, scale), quantize8(x + 24, scale));
    const __m256i codes = _mm256_packs_epi16(_mm256_adds_epi16(low, zero_point),
                                             _mm256_adds_epi16(high, zero_point));
    store32(y, _mm256_permutevar8x32_epi32(codes, order));
}

AVX2 void kdq_avx2_quantize(int64_t n, const float *x, float scale, int32_t zero_point,
                            int8_t *y) {
    const __m256 divisor = _mm256_set1_ps(scale);
    const __m256i zero = _mm256_set1_epi16((int16_t)zero_point);
    if (n < WIDTH) {
        float all[WIDTH] = {0};
        int8_t codes[WIDTH];
        memcpy(all, x, (size_t)n * sizeof *x);
        quantize32(all, divisor, zero, codes);
        memcpy(y, codes, (size_t)n);
        return;
    }
    for (int64_t i = 0; i + WIDTH <= n; i += WIDTH) {
        quantize32(x + i, divisor, zero, y + i);
    }
    quantize32(x + n - WIDTH, divisor, zero, y + n - WIDTH);
}

AVX2 void kdq_avx2_dequantize(int64_t n, const int8_t *q, float scale, int32_t zero_point,
                              float *x) {
    const __m256i zero = _mm256_set1_epi32(zero_point);
    const __m256 factor = _mm256_set1_ps(scale);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i centred = _mm256_sub_epi32(_mm256_cvtepi8_epi32(load8(q + i)), zero);
        _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_cvtepi32_ps(centred), factor));
    }
    for (; i < n; i++) {
        x[i] = scale * (float)(q[i] - zero_point);
    }
}

/* Sixteen tables of 16 entries, all asked by the lower half of the index (x + 128 without a sign); its
 * upper bits, moved to where vpblendvb looks, choose among the answers, two by two. */
INLINE __m256i lookup32(const __m256i *tables, __m256i x) {
    const __m256i index = _mm256_xor_si256(x, _mm256_set1_epi8(-128));
    const __m256i low = _mm256_and_si256(index, _mm256_set1_epi8(15));
    const __m256i bit4 = _mm256_slli_epi16(index, 3), bit5 = _mm256_slli_epi16(index, 2);
    const __m256i bit6 = _mm256_slli_epi16(index, 1);
#define ANSWER(i) _mm256_shuffle_epi8(tables[i], low)
#define TWO(i) _mm256_blendv_epi8(ANSWER(i), ANSWER(i + 1), bit4)
#define FOUR(i) _mm256_blendv_epi8(TWO(i), TWO(i + 2), bit5)
#define EIGHT(i) _mm256_blendv_epi8(FOUR(i), FOUR(i + 4), bit6)
    return _mm256_blendv_epi8(EIGHT(0), EIGHT(8), index);
}

AVX2 void kdq_avx2_lookup(int64_t n, const int8_t *x, const int8_t *table, int8_t *y) {
    if (n < WIDTH) {
        for (int64_t i = 0; i < n; i++) {
            y[i] = table[x[i] + 128];
        }
        return;
    }
    __m256i tables[16];
    for (int64_t i = 0; i < 16; i++) {
        tables[i] = _mm256_broadcastsi128_si256(load16(table + 16 * i));
    }
    for (int64_t i = 0; i + WIDTH <= n; i += WIDTH) {
        store32(y + i, lookup32(tables, load32(x + i)));
    }
    store32(y + n - WIDTH, lookup32(tables, load32(x + n - WIDTH)));
}

/* vphminposuw finds the smallest of eight uint16. Here they are 127 - q above and the column below, so
 * among equals the first column is the smallest. `count` of the 16 codes exist, from column `first` on
 * (modulo 256). */
INLINE __m128i smaller16(__m128i smallest, __m128i x, int64_t first, int64_t count) {
    const __m128i lane = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i column = _mm_add_epi8(lane, _mm_set1_epi8((int8_t)first));
    const __m128i absent = _mm_cmpgt_epi8(lane, _mm_set1_epi8((int8_t)(count - 1)));
    const __m128i key = _mm_or_si128(_mm_xor_si128(x, _mm_set1_epi8(127)), absent);
    smallest = _mm_min_epu16(smallest, _mm_unpacklo_epi8(column, key));
    return _mm_min_epu16(smallest, _mm_unpackhi_epi8(column, key));
}

#define SEARCHED 256 /* columns that have different lower bytes */

AVX2 void kdq_avx2_argmax(int64_t rows, int64_t columns, const int8_t *q, int64_t *index) {
    const int8_t *end = q + rows * columns;
    for (int64_t r = 0; r < rows; r++, q += columns) {
        int32_t best = INT32_MAX;
        for (int64_t first = 0; first < columns; first += SEARCHED) {
            const int64_t last = kdq_min(columns, first + SEARCHED);
            __m128i smallest = _mm_set1_epi8(-1);
            for (int64_t c = first; c < last; c += 16) {
                const int64_t count = kdq_min(16, last - c);
                int8_t copy[16] = {0};
                if (end - (q + c) < 16) {
                    memcpy(copy, q + c, (size_t)count);
                }
                const __m128i x = load16(end - (q + c) < 16 ? copy : q + c);
                smallest = smaller16(smallest, x, c, count);
            }
            const int32_t found = _mm_extract_epi16(_mm_minpos_epu16(smallest), 0);
            if (found >> 8 < best) {
                best = found >> 8;
                index[r] = first + (found & 255);
            }
        }
    }
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
