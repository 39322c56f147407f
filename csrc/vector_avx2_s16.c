/* vector_avx2_s16.c - requantization of int64 to int16 for AVX2: 8 channels at a time, down the rows.
 *
 * AVX2 has neither a product of 64 bits nor their arithmetic shift. A factor of 15 bits takes two
 * products of 32 bits, acc * m = (acc >> 32) * m * 2^32 + (acc mod 2^32) * m; and a sum made positive
 * shifts like an unsigned one: with s = 15 - e, |acc * m| < 2^62 and s <= 46,
 *
 *     (acc * m + 2^(s-1)) >> s  =  ((acc * m + 2^(s-1) + 2^62) >>> s) - 2^(62-s) */
#include "vector_avx2.h"

#if defined(__x86_64__)

#define LANES 4
#define GROUP 8 /* channels whose results fill one store */

struct constants { /* of 4 channels */
    __m256i m, up, shift, down;
};

INLINE struct constants prepare(const kdq_requant_s16 *q, int64_t c) {
    int64_t m[LANES], up[LANES], shift[LANES], down[LANES];
    for (int64_t i = 0; i < LANES; i++) {
        const int64_t at = (c + i) * q->channel_step;
        m[i] = kdq_reduced_multiplier(q->multiplier[at]);
        shift[i] = 15 - q->exponent[at];
        up[i] = ((int64_t)1 << 62) + ((int64_t)1 << (shift[i] - 1));
        down[i] = (int64_t)1 << (62 - shift[i]);
    }
    return (struct constants){_mm256_loadu_si256((const __m256i *)(const void *)m),
                              _mm256_loadu_si256((const __m256i *)(const void *)up),
                              _mm256_loadu_si256((const __m256i *)(const void *)shift),
                              _mm256_loadu_si256((const __m256i *)(const void *)down)};
}

INLINE __m256i multiply(const struct constants *k, const int64_t *from) {
    const __m256i acc = _mm256_loadu_si256((const __m256i *)(const void *)from);
    const __m256i low = _mm256_mul_epu32(acc, k->m);
    const __m256i high = _mm256_mul_epi32(_mm256_srli_epi64(acc, 32), k->m);
    const __m256i product = _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
    const __m256i sum = _mm256_add_epi64(product, k->up);
    return _mm256_sub_epi64(_mm256_srlv_epi64(sum, k->shift), k->down);
}

INLINE __m256i clamp(__m256i v, __m256i low, __m256i high) {
    v = _mm256_blendv_epi8(v, low, _mm256_cmpgt_epi64(low, v));
    return _mm256_blendv_epi8(v, high, _mm256_cmpgt_epi64(v, high));
}

/* The low halves of 4 + 4 int64 that fit int16. */
INLINE __m128i to_int16(__m256i a, __m256i b) {
    const __m256 mixed =
        _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), _MM_SHUFFLE(2, 0, 2, 0));
    const __m256i words =
        _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), _MM_SHUFFLE(3, 1, 2, 0));
    return _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

__attribute__((target("avx2"))) void
kdq_avx2_requantize_s16(const kdq_requant_s16 *q, int64_t rows, int64_t channels,
                        const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y) {
    const __m256i low = _mm256_set1_epi64x(q->qmin), high = _mm256_set1_epi64x(q->qmax);
    int64_t c = 0;
    for (; c + GROUP <= channels; c += GROUP) {
        const struct constants k0 = prepare(q, c), k1 = prepare(q, c + LANES);
        for (int64_t r = 0; r < rows; r++) {
            const int64_t *from = acc + r * ld_acc + c;
            const __m256i a = clamp(multiply(&k0, from), low, high);
            const __m256i b = clamp(multiply(&k1, from + LANES), low, high);
            _mm_storeu_si128((__m128i *)(void *)(y + r * ld_y + c), to_int16(a, b));
        }
    }
    const kdq_requant_s16 rest = kdq_requant_s16_from(q, c);
    kdq_requantize_s16(&rest, rows, channels - c, acc + c, ld_acc, y + c, ld_y);
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
