/* vector_avx2.c - requantization in AVX2; simple loops of vector_loops.h, compiled for it.
 *
 * Requantization, 8 accumulators at a time. Products of 32 bits come from vpmuldq, which multiplies the
 * even lanes to 64 bits; the odd lanes are moved down first. With r = max(1, -1-e), l = r + 1 + e:
 *
 *   (1) single_rounding   floor((acc*m + 2^(30-e)) / 2^(31-e))
 *                         = (hi32((acc << l) * m) + 2^(r-1)) >> r
 *       since dividing by 2^32 first and flooring changes nothing (r >= 1: the rounding term is a
 *       multiple of 2^32 in the same scale). hi32 is at most 2^30, so 32 bits hold the sum.
 *       One shuffle takes the high halves of even and odd products; it leaves channels in the order
 *       0 2 1 3, in which the constants are held too, and one shuffle of bytes at the end undoes it.
 *   (2) double_rounding   h = hi32(2 * ((acc << max(e,0)) * m + 2^30)), then the definition, in 32 bits
 *   (3) float32_rne       as the definition; vcvtps2dq rounds half to even
 *
 * Left shifts, rare, saturate by a clamp beforehand. They are cut at 24: whenever that matters, or the
 * clamp does, |y| is above 2^20 with the same sign, and the result is an end of int8 either way.
 *
 * Packing saturates twice on the way (int32 to int16, add zero_point, to int8): values that leave
 * int16 leave int8 on the same side. */
#include "vector_avx2.h"

#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#include "vector_loops.h"

#define LANES 8
#define GROUP 16 /* channels whose results fill one store */
#define MAX_LEFT 24

/* Of 8 channels; what a rule does not use is not computed. */
struct constants {
    __m256i bias;
    __m256i m, m_odd;           /* multiplier; of the odd channels, in the even lanes */
    __m256i left, lowest, highest; /* shift, and the accumulators that survive it */
    __m256i right, round, mask; /* (1) 2^(r-1); (2) the mask of the shift and half of it */
    __m256 scale;
};

static inline __m256i load(const int32_t *from, __m256i mask, int whole) {
    return whole ? _mm256_loadu_si256((const __m256i *)(const void *)from)
                 : _mm256_maskload_epi32(from, mask);
}

static inline __m256i or_same(const int32_t *from, int64_t step, __m256i mask, int whole) {
    if (step) {
        return load(from, mask, whole);
    }
    return _mm256_set1_epi32(kdq_load_32(from)); /* it may be a float */
}

/* Channels 0 2 1 3, 4 6 5 7: as the high halves of products come out of high_product, and back. */
static inline __m256i even_first(__m256i x) { return _mm256_shuffle_epi32(x, 0xd8); }

static inline struct constants prepare(const kdq_requant *q, int64_t step, const int32_t *bias,
                                       int64_t c, __m256i mask, int whole) {
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi32(1);
    struct constants k;
    k.bias = bias != NULL ? load(bias + c, mask, whole) : zero;
    if (q->rule == KDQ_FLOAT32_RNE) {
        const int32_t *bits = (const int32_t *)(const void *)q->scale;
        k.scale = _mm256_castsi256_ps(or_same(bits + c * step, step, mask, whole));
        k.m = k.m_odd = k.left = k.lowest = k.highest = k.right = k.round = k.mask = zero;
        return k;
    }
    const __m256i e = or_same(q->exponent + c * step, step, mask, whole);
    k.scale = _mm256_setzero_ps();
    k.m = or_same(q->multiplier + c * step, step, mask, whole);
    k.m_odd = _mm256_srli_epi64(k.m, 32);
    if (q->rule == KDQ_SINGLE_ROUNDING) {
        k.right = _mm256_max_epi32(one, _mm256_sub_epi32(_mm256_set1_epi32(-1), e));
        k.left = _mm256_add_epi32(_mm256_add_epi32(k.right, one), e);
        k.round = _mm256_sllv_epi32(one, _mm256_sub_epi32(k.right, one));
        k.mask = zero;
    } else {
        k.right = _mm256_max_epi32(zero, _mm256_sub_epi32(zero, e));
        k.left = _mm256_max_epi32(zero, e);
        k.mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, k.right), one);
        k.round = _mm256_srli_epi32(k.mask, 1);
    }
    k.right = even_first(k.right), k.round = even_first(k.round), k.mask = even_first(k.mask);
    k.left = _mm256_min_epi32(k.left, _mm256_set1_epi32(MAX_LEFT));
    k.lowest = _mm256_srav_epi32(_mm256_set1_epi32(INT32_MIN), k.left);
    k.highest = _mm256_srav_epi32(_mm256_set1_epi32(INT32_MAX), k.left);
    return k;
}

/* The high halves of 8 products, even_first, after adding half to and doubling them if `doubled`. */
static inline __m256i high_product(__m256i acc, const struct constants *k, int doubled) {
    __m256i even = _mm256_mul_epi32(acc, k->m);
    __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(acc, 32), k->m_odd);
    if (doubled) {
        const __m256i half = _mm256_set1_epi64x(INT64_C(1) << 30);
        even = _mm256_slli_epi64(_mm256_add_epi64(even, half), 1);
        odd = _mm256_slli_epi64(_mm256_add_epi64(odd, half), 1);
    }
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(even), _mm256_castsi256_ps(odd), 0xdd));
}

/* rule(acc + bias) of 8 channels, even_first but for float32_rne; shifts: whether any of them shifts
 * left; biased: whether there is a bias. */
static inline __m256i apply(int rule, int shifts, int biased, const struct constants *k,
                            __m256i acc) {
    if (biased) {
        acc = _mm256_add_epi32(acc, k->bias);
    }
    if (rule == KDQ_FLOAT32_RNE) {
        const __m256 limit = _mm256_set1_ps(512.0f);
        __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), k->scale);
        v = _mm256_max_ps(_mm256_min_ps(v, limit), _mm256_sub_ps(_mm256_setzero_ps(), limit));
        return _mm256_cvtps_epi32(v);
    }
    if (shifts) {
        acc = _mm256_max_epi32(_mm256_min_epi32(acc, k->highest), k->lowest);
        acc = _mm256_sllv_epi32(acc, k->left);
    }
    if (rule == KDQ_SINGLE_ROUNDING) {
        return _mm256_srav_epi32(_mm256_add_epi32(high_product(acc, k, 0), k->round), k->right);
    }
    const __m256i h = high_product(acc, k, 1);
    /* -1 for negative h: subtracting it raises the threshold by one. */
    const __m256i threshold = _mm256_sub_epi32(k->round, _mm256_srai_epi32(h, 31));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(h, k->mask), threshold);
    return _mm256_sub_epi32(_mm256_srav_epi32(h, k->right), up);
}

struct clamp {
    __m256i zero_point, low, high;
};

/* 16 channels of two rows, as int32, to 32 bytes: those of the first row, then of the second. */
static inline __m256i to_int8(const struct clamp *clamp, int rule, __m256i a0, __m256i a1,
                              __m256i b0, __m256i b1) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m128i four = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const __m256i a = _mm256_adds_epi16(_mm256_packs_epi32(a0, a1), clamp->zero_point);
    const __m256i b = _mm256_adds_epi16(_mm256_packs_epi32(b0, b1), clamp->zero_point);
    __m256i y = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
    if (rule != KDQ_FLOAT32_RNE) {
        y = _mm256_shuffle_epi8(y, _mm256_broadcastsi128_si256(four));
    }
    return _mm256_min_epi8(_mm256_max_epi8(y, clamp->low), clamp->high);
}

static inline void store(int8_t *y, __m128i bytes, int64_t channels, int whole) {
    if (whole) {
        _mm_storeu_si128((__m128i *)(void *)y, bytes);
    } else {
        int8_t all[GROUP];
        _mm_storeu_si128((__m128i *)(void *)all, bytes);
        memcpy(y, all, (size_t)channels);
    }
}

/* All rows of at most 16 channels. */
static inline __attribute__((always_inline)) void group(
    int rule, int shifts, int biased, int whole, const struct constants *k0,
    const struct constants *k1, const __m256i *mask, const struct clamp *clamp, int64_t rows,
    int64_t channels, const int32_t *acc, int64_t ld_acc, int8_t *y, int64_t ld_y) {
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2, acc += 2 * ld_acc, y += 2 * ld_y) {
        const int32_t *next = acc + ld_acc;
        const __m256i a0 = apply(rule, shifts, biased, k0, load(acc, mask[0], whole));
        const __m256i a1 = apply(rule, shifts, biased, k1, load(acc + LANES, mask[1], whole));
        const __m256i b0 = apply(rule, shifts, biased, k0, load(next, mask[0], whole));
        const __m256i b1 = apply(rule, shifts, biased, k1, load(next + LANES, mask[1], whole));
        const __m256i bytes = to_int8(clamp, rule, a0, a1, b0, b1);
        store(y, _mm256_castsi256_si128(bytes), channels, whole);
        store(y + ld_y, _mm256_extracti128_si256(bytes, 1), channels, whole);
    }
    if (r < rows) {
        const __m256i a0 = apply(rule, shifts, biased, k0, load(acc, mask[0], whole));
        const __m256i a1 = apply(rule, shifts, biased, k1, load(acc + LANES, mask[1], whole));
        const __m256i bytes = to_int8(clamp, rule, a0, a1, a0, a1);
        store(y, _mm256_castsi256_si128(bytes), channels, whole);
    }
}

#define ROWS(RULE, SHIFTS, BIASED, WHOLE)                                                         \
    group(RULE, SHIFTS, BIASED, WHOLE, &k0, &k1, mask, &clamp, rows, count, acc + c, ld_acc,      \
          y + c, ld_y)
#define RULE(RULE)                                                                                \
    if (shifts) {                                                                                 \
        ROWS(RULE, 1, 1, 0);                                                                      \
    } else if (count < GROUP) {                                                                   \
        ROWS(RULE, 0, 1, 0);                                                                      \
    } else if (bias != NULL) {                                                                    \
        ROWS(RULE, 0, 1, 1);                                                                      \
    } else {                                                                                      \
        ROWS(RULE, 0, 0, 1);                                                                      \
    }

static void by_channels(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                        int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    const struct clamp clamp = {_mm256_set1_epi16((int16_t)q->zero_point),
                                _mm256_set1_epi8((int8_t)q->qmin),
                                _mm256_set1_epi8((int8_t)q->qmax)};
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (int64_t c = 0; c < channels; c += GROUP) {
        const int64_t count = kdq_min(GROUP, channels - c);
        const __m256i end = _mm256_set1_epi32((int32_t)count);
        const __m256i mask[2] = {
            _mm256_cmpgt_epi32(end, lane),
            _mm256_cmpgt_epi32(_mm256_sub_epi32(end, _mm256_set1_epi32(LANES)), lane)};
        const int whole = count == GROUP;
        const struct constants k0 = prepare(q, q->channel_step, bias, c, mask[0], whole);
        const struct constants k1 = prepare(q, q->channel_step, bias, c + LANES, mask[1], whole);
        const __m256i left = _mm256_or_si256(k0.left, k1.left);
        const int shifts = !_mm256_testz_si256(left, left);
        switch (q->rule) {
        case KDQ_SINGLE_ROUNDING: RULE(KDQ_SINGLE_ROUNDING) break;
        case KDQ_DOUBLE_ROUNDING: RULE(KDQ_DOUBLE_ROUNDING) break;
        case KDQ_FLOAT32_RNE: RULE(KDQ_FLOAT32_RNE) break;
        default: break;
        }
    }
}

static void requantize(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                       int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    if (q->rule > KDQ_FLOAT32_RNE) { /* no vectors for these */
        kdq_requantize(q, rows, channels, acc, ld_acc, bias, y, ld_y);
        return;
    }
    const int contiguous = ld_acc == channels && ld_y == channels;
    if (q->channel_step == 0 && bias == NULL && (rows == 1 || contiguous)) {
        channels *= rows, rows = 1; /* one long row, and that is many of a group each */
        const int64_t whole = channels / GROUP;
        by_channels(q, whole, whole ? GROUP : 0, acc, GROUP, NULL, y, GROUP);
        acc += whole * GROUP, y += whole * GROUP, channels -= whole * GROUP;
    }
    by_channels(q, rows, channels, acc, ld_acc, bias, y, ld_y);
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const struct kdq_vector kdq_vector_avx2 = {
    .requantize = requantize,
    .requantize_s16 = kdq_avx2_requantize_s16,
    .widen = widen,
    .to_u8 = to_u8,
    .largest = kdq_avx2_largest,
    .sum = kdq_avx2_sum,
    .scaled_sum = kdq_avx2_scaled_sum,
    .quantize = kdq_avx2_quantize,
    .dequantize = kdq_avx2_dequantize,
    .lookup = kdq_avx2_lookup,
    .all_finite = all_finite,
    .argmax = kdq_avx2_argmax,
    .pack_taps = kdq_avx2_pack_taps,
    .add_taps = kdq_avx2_add_taps,
    .winograd_input = kdq_winograd_input_avx2,
    .winograd_output = kdq_winograd_output_avx2,
};
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
