/* vector_avx2_rules.h - the rounding rules in AVX2: 8 accumulators to 8 results of 32 bits.
 * Included by vector_avx2*.c files only.
 *
 * Products of 32 bits come from vpmuldq, which multiplies the even lanes to 64 bits; the odd lanes are
 * moved down first. With r = max(1, -1-e), l = r + 1 + e:
 *
 *   (1) single_rounding   floor((acc*m + 2^(30-e)) / 2^(31-e))
 *                         = (hi32((acc << l) * m) + 2^(r-1)) >> r
 *       since dividing by 2^32 first and flooring changes nothing (r >= 1: the rounding term is a
 *       multiple of 2^32 in the same scale). hi32 is at most 2^30, so 32 bits hold the sum.
 *       One shuffle takes the high halves of even and odd products; it leaves channels in the order
 *       0 2 1 3 (even_first), in which the constants that follow the product are held too.
 *   (2) double_rounding   h = hi32(2 * ((acc << max(e,0)) * m + 2^30)), then the definition, in 32 bits
 *   (4) .._ties_up        the same, without the unit that negative h add to the threshold
 *   (3) float32_rne       as the definition; vcvtps2dq rounds half to even
 *   (5) fbgemm            as the definition; what does not fit int32, vcvtps2dq makes INT32_MIN
 *   (8) float64_half_away trunc(v + copysign(p, v)) where p = 1/2 - 2^-54 is the number below 1/2. For
 *       v = k + 1/2 the sum is 2^-54 below k + 1, at most half a step, and rounds to it (half a step
 *       for k = 0 alone, where 1 is the even neighbour); for the number below v it stays at or below
 *       the one below k + 1. Rounding is monotone, so nothing else needs a proof
 *   (9) onnx_spec         as the definition; vcvtpd2dq rounds half to even
 *
 * (6) rndnu and (7) qnnpack are (1) and (2) of shorter mantissas. Clamping to +-512 first changes no
 * int8: whatever zero point follows, larger values end at the same side. int16 results come from (1)
 * and (2) alone.
 *
 * Left shifts saturate by a clamp beforehand. They are cut at 24: whenever that matters, or the
 * clamp does, |y| is above 2^20 with the same sign, and the result is an end of int16 either way (or m = 0,
 * and y too). */
#ifndef KDQ_VECTOR_AVX2_RULES_H
#define KDQ_VECTOR_AVX2_RULES_H

#include "vector_avx2.h"

#if defined(__x86_64__)

#define LANES 8
#define MAX_LEFT 24

/* Of 8 channels; what a rule does not use is not computed. */
struct constants {
    __m256i bias;
    __m256i m, m_odd;           /* multiplier; of the odd channels, in the even lanes */
    __m256i left, lowest, highest; /* shift, and the accumulators that survive it */
    __m256i right, round, mask; /* (1) 2^(r-1); (2) the mask of the shift and half of it */
    __m256 scale, float_bias;
    __m256d real[2];
};

INLINE int in_integers(int rule) { return !kdq_in_float32(rule) && !kdq_in_float64(rule); }

INLINE __m256i load(const int32_t *from, __m256i mask, int whole) {
    return whole ? _mm256_loadu_si256((const __m256i *)(const void *)from)
                 : _mm256_maskload_epi32(from, mask);
}

INLINE __m256i or_same(const int32_t *from, int64_t step, __m256i mask, int whole) {
    return step ? load(from, mask, whole) : _mm256_set1_epi32(*from);
}

INLINE __m256 or_same_float(const float *from, int64_t step, __m256i mask) {
    return step ? _mm256_maskload_ps(from, mask) : _mm256_set1_ps(*from);
}

INLINE __m256d or_same_double(const double *from, int64_t step, __m128i mask) {
    return step ? _mm256_maskload_pd(from, _mm256_cvtepi32_epi64(mask)) : _mm256_set1_pd(*from);
}

/* Channels 0 2 1 3, 4 6 5 7: as the high halves of products come out of high_product, and back. */
INLINE __m256i even_first(__m256i x) { return _mm256_shuffle_epi32(x, 0xd8); }

/* The multipliers and shifts of (1), (2) and (4). */
INLINE void prepare_integers(int rule, __m256i m, __m256i e, struct constants *k) {
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi32(1);
    k->m = m;
    k->m_odd = _mm256_srli_epi64(m, 32);
    if (rule == KDQ_SINGLE_ROUNDING) {
        k->right = _mm256_max_epi32(one, _mm256_sub_epi32(_mm256_set1_epi32(-1), e));
        k->left = _mm256_add_epi32(_mm256_add_epi32(k->right, one), e);
        k->round = _mm256_sllv_epi32(one, _mm256_sub_epi32(k->right, one));
        k->mask = zero;
    } else {
        k->right = _mm256_max_epi32(zero, _mm256_sub_epi32(zero, e));
        k->left = _mm256_max_epi32(zero, e);
        k->mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, k->right), one);
        k->round = _mm256_srli_epi32(k->mask, 1);
    }
    k->right = even_first(k->right), k->round = even_first(k->round);
    k->mask = even_first(k->mask);
    k->left = _mm256_min_epi32(k->left, _mm256_set1_epi32(MAX_LEFT));
    k->lowest = _mm256_srav_epi32(_mm256_set1_epi32(INT32_MIN), k->left);
    k->highest = _mm256_srav_epi32(_mm256_set1_epi32(INT32_MAX), k->left);
}

/* Of the channels from c on that the mask has; `rule` is kdq_computed_as(q->rule). */
INLINE struct constants prepare(int rule, const kdq_requant *q, const int32_t *bias, int64_t c,
                                __m256i mask, int whole) {
    const int64_t step = q->channel_step, at = c * step;
    struct constants k;
    k.bias = k.left = _mm256_setzero_si256();
    if (bias != NULL) {
        k.bias = load(bias + c, mask, whole);
    }
    if (kdq_in_float32(rule)) {
        k.scale = or_same_float(q->scale + at, step, mask);
        if (rule == KDQ_FBGEMM) {
            k.float_bias = or_same_float(q->bias + at, step, mask);
        }
    } else if (kdq_in_float64(rule)) {
        const double *real = q->real + at;
        k.real[0] = or_same_double(real, step, _mm256_castsi256_si128(mask));
        k.real[1] = or_same_double(real + 4 * step, step, _mm256_extracti128_si256(mask, 1));
    } else {
        prepare_integers(rule, or_same(q->multiplier + at, step, mask, whole),
                         or_same(q->exponent + at, step, mask, whole), &k);
    }
    return k;
}

/* Of 8 channels: all, and the odd ones in the even lanes. */
struct sums {
    __m256i all, odd;
};

INLINE struct sums with_odd(__m256i all) {
    return (struct sums){all, _mm256_srli_epi64(all, 32)};
}

/* The high halves of 8 products, even_first, after adding half to and doubling them if `doubled`. */
INLINE __m256i high_product(struct sums acc, const struct constants *k, int doubled) {
    __m256i even = _mm256_mul_epi32(acc.all, k->m);
    __m256i odd = _mm256_mul_epi32(acc.odd, k->m_odd);
    if (doubled) {
        const __m256i half = _mm256_set1_epi64x(INT64_C(1) << 30);
        even = _mm256_slli_epi64(_mm256_add_epi64(even, half), 1);
        odd = _mm256_slli_epi64(_mm256_add_epi64(odd, half), 1);
    }
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(even), _mm256_castsi256_ps(odd), 0xdd));
}

/* (1), (2), (4): even_first. */
INLINE __m256i by_integers(int rule, int shifts, const struct constants *k, struct sums acc) {
    if (shifts) {
        const __m256i a = _mm256_max_epi32(_mm256_min_epi32(acc.all, k->highest), k->lowest);
        acc = with_odd(_mm256_sllv_epi32(a, k->left));
    }
    if (rule == KDQ_SINGLE_ROUNDING) {
        return _mm256_srav_epi32(_mm256_add_epi32(high_product(acc, k, 0), k->round), k->right);
    }
    const __m256i h = high_product(acc, k, 1);
    __m256i threshold = k->round;
    if (rule == KDQ_DOUBLE_ROUNDING) { /* -1 for negative h: subtracting it raises the threshold */
        threshold = _mm256_sub_epi32(threshold, _mm256_srai_epi32(h, 31));
    }
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(h, k->mask), threshold);
    return _mm256_sub_epi32(_mm256_srav_epi32(h, k->right), up);
}

/* (3), (5). */
INLINE __m256i by_float32(int rule, const struct constants *k, __m256i acc) {
    const __m256 x = _mm256_cvtepi32_ps(acc), limit = _mm256_set1_ps(512.0f);
    if (rule == KDQ_FBGEMM) {
        return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_add_ps(x, k->float_bias), k->scale));
    }
    __m256 v = _mm256_mul_ps(x, k->scale);
    v = _mm256_max_ps(_mm256_min_ps(v, limit), _mm256_sub_ps(_mm256_setzero_ps(), limit));
    return _mm256_cvtps_epi32(v);
}

/* (8), (9) of 4 channels. */
INLINE __m128i by_float64(int rule, __m256d real, __m128i acc) {
    const __m256d limit = _mm256_set1_pd(512.0), sign = _mm256_set1_pd(-0.0);
    __m256d v = _mm256_mul_pd(_mm256_cvtepi32_pd(acc), real);
    v = _mm256_max_pd(_mm256_min_pd(v, limit), _mm256_sub_pd(_mm256_setzero_pd(), limit));
    if (rule == KDQ_ONNX_SPEC) {
        return _mm256_cvtpd_epi32(v);
    }
    const __m256d below_half = _mm256_set1_pd(0x1.fffffffffffffp-2);
    return _mm256_cvttpd_epi32(
        _mm256_add_pd(v, _mm256_or_pd(_mm256_and_pd(v, sign), below_half)));
}

/* rule(acc + bias) of 8 channels, even_first if in_integers; shifts: whether any of them shifts
 * left; biased: whether there is a bias. */
INLINE __m256i apply(int rule, int shifts, int biased, const struct constants *k,
                     struct sums acc) {
    if (biased) {
        acc = with_odd(_mm256_add_epi32(acc.all, k->bias));
    }
    if (kdq_in_float32(rule)) {
        return by_float32(rule, k, acc.all);
    }
    if (kdq_in_float64(rule)) {
        const __m128i low = by_float64(rule, k->real[0], _mm256_castsi256_si128(acc.all));
        const __m128i high = by_float64(rule, k->real[1], _mm256_extracti128_si256(acc.all, 1));
        return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    }
    return by_integers(rule, shifts, k, acc);
}

#endif
#endif
