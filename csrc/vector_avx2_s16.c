/* vector_avx2_s16.c - requantization of int64 to int16 for AVX2: 8 channels at a time, down the rows.
 *
 * reduced_16x8: AVX2 has neither a product of 64 bits nor their arithmetic shift. A factor of 15 bits
 * takes two products of 32 bits, acc * m = (acc >> 32) * m * 2^32 + (acc mod 2^32) * m; and a sum made
 * positive shifts like an unsigned one: with s = 15 - e, |acc * m| < 2^62 and s <= 46,
 *
 *     (acc * m + 2^(s-1)) >> s  =  ((acc * m + 2^(s-1) + 2^62) >>> s) - 2^(62-s)
 *
 * The others are rules of vector_avx2_rules.h for the low halves. */
#include "vector_avx2_rules.h"

#if defined(__x86_64__)

#define HALF 4 /* of the channels: one register holds their accumulators */
_Static_assert(KDQ_GROUP_S16 == 2 * HALF, "two registers");

struct reduced { /* of 4 channels */
    __m256i m, up, shift, down;
};

INLINE __m256i load_64(const int64_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

INLINE void store_s16(int16_t *to, __m128i y) { _mm_storeu_si128((__m128i *)(void *)to, y); }

INLINE struct reduced prepare_reduced(const kdq_requant_s16 *q, int64_t c) {
    int64_t m[HALF], up[HALF], shift[HALF], down[HALF];
    for (int64_t i = 0; i < HALF; i++) {
        const int64_t at = (c + i) * q->channel_step;
        m[i] = kdq_reduced_multiplier(q->multiplier[at]);
        shift[i] = 15 - q->exponent[at];
        up[i] = ((int64_t)1 << 62) + ((int64_t)1 << (shift[i] - 1));
        down[i] = (int64_t)1 << (62 - shift[i]);
    }
    return (struct reduced){load_64(m), load_64(up), load_64(shift), load_64(down)};
}

INLINE __m256i reduced(const struct reduced *k, const int64_t *from) {
    const __m256i acc = load_64(from);
    const __m256i low = _mm256_mul_epu32(acc, k->m);
    const __m256i high = _mm256_mul_epi32(_mm256_srli_epi64(acc, 32), k->m);
    const __m256i product = _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
    const __m256i sum = _mm256_add_epi64(product, k->up);
    return _mm256_sub_epi64(_mm256_srlv_epi64(sum, k->shift), k->down);
}

INLINE __m256i clamp_64(__m256i v, __m256i low, __m256i high) {
    v = _mm256_blendv_epi8(v, low, _mm256_cmpgt_epi64(low, v));
    return _mm256_blendv_epi8(v, high, _mm256_cmpgt_epi64(v, high));
}

INLINE __m256i low_halves(__m256i a, __m256i b) {
    const __m256 mixed =
        _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), _MM_SHUFFLE(2, 0, 2, 0));
    return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), _MM_SHUFFLE(3, 1, 2, 0));
}

INLINE __m128i to_int16(__m256i v) {
    return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

AVX2 static void by_reduced(const kdq_requant_s16 *q, int64_t c, int64_t rows, const int64_t *acc,
                            int64_t ld_acc, int16_t *y, int64_t ld_y) {
    const __m256i low = _mm256_set1_epi64x(q->qmin), high = _mm256_set1_epi64x(q->qmax);
    const struct reduced k0 = prepare_reduced(q, c), k1 = prepare_reduced(q, c + HALF);
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
        const __m256i a = clamp_64(reduced(&k0, acc), low, high);
        const __m256i b = clamp_64(reduced(&k1, acc + HALF), low, high);
        store_s16(y, to_int16(low_halves(a, b)));
    }
}

INLINE void by_rule(int rule, const kdq_requant_s16 *q, int64_t c, int64_t rows, const int64_t *acc,
                    int64_t ld_acc, int16_t *y, int64_t ld_y) {
    const __m128i low = _mm_set1_epi16((int16_t)q->qmin), high = _mm_set1_epi16((int16_t)q->qmax);
    const kdq_requant as_int8 = {.channel_step = q->channel_step,
                                 .multiplier = q->multiplier,
                                 .exponent = q->exponent};
    const __m256i all = _mm256_set1_epi32(-1);
    const struct constants k = prepare(rule, &as_int8, NULL, c, all, 1);
    for (int64_t r = 0; r < rows; r++, acc += ld_acc, y += ld_y) {
        const struct sums sums = with_odd(low_halves(load_64(acc), load_64(acc + HALF)));
        const __m128i v = to_int16(even_first(apply(rule, 1, 0, &k, sums)));
        store_s16(y, _mm_min_epi16(_mm_max_epi16(v, low), high));
    }
}

AVX2 void kdq_avx2_requantize_s16(const kdq_requant_s16 *q, int64_t c, int64_t rows,
                                  const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y) {
    switch (q->rule) {
    case KDQ_REDUCED_16X8: by_reduced(q, c, rows, acc, ld_acc, y, ld_y); break;
    case KDQ_SINGLE_ROUNDING_16X8:
        by_rule(KDQ_SINGLE_ROUNDING, q, c, rows, acc, ld_acc, y, ld_y);
        break;
    default: by_rule(KDQ_DOUBLE_ROUNDING, q, c, rows, acc, ld_acc, y, ld_y);
    }
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
