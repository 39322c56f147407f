/* vector_avx2.c - requantization in AVX2, by the rules of vector_avx2_rules.h; simple loops of
 * vector_loops.h, compiled for it.
 *
 * Packing saturates twice on the way (int32 to int16, add zero_point, to int8): values that leave
 * int16 leave int8 on the same side. */
#include "vector_avx2_rules.h"

#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#include "vector_loops.h"

#define GROUP 16 /* channels whose results fill one store */

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
    if (in_integers(rule)) {
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

/* 8 channels. Where a ninth can be read, as everywhere but behind the last row, a load moves the odd
 * ones down: shifts share two of the four vector pipes with the shuffles, and these bind. */
static inline struct sums load_sums(const int32_t *from, __m256i mask, int whole, int ninth) {
    const struct sums sums = with_odd(load(from, mask, whole));
    return whole && ninth ? (struct sums){sums.all, load(from + 1, mask, 1)} : sums;
}

/* All rows of at most 16 channels. */
static inline __attribute__((always_inline)) void group(
    int rule, int shifts, int biased, int whole, const struct constants *k0,
    const struct constants *k1, const __m256i *mask, const struct clamp *clamp, int64_t rows,
    int64_t channels, const int32_t *acc, int64_t ld_acc, int8_t *y, int64_t ld_y) {
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2, acc += 2 * ld_acc, y += 2 * ld_y) {
        const int32_t *next = acc + ld_acc;
        const struct sums a0 = load_sums(acc, mask[0], whole, 1);
        const struct sums a1 = load_sums(acc + LANES, mask[1], whole, 1);
        const struct sums b0 = load_sums(next, mask[0], whole, 1);
        const struct sums b1 = load_sums(next + LANES, mask[1], whole, 0);
        const __m256i bytes = to_int8(clamp, rule, apply(rule, shifts, biased, k0, a0),
                                      apply(rule, shifts, biased, k1, a1),
                                      apply(rule, shifts, biased, k0, b0),
                                      apply(rule, shifts, biased, k1, b1));
        store(y, _mm256_castsi256_si128(bytes), channels, whole);
        store(y + ld_y, _mm256_extracti128_si256(bytes, 1), channels, whole);
    }
    if (r < rows) {
        const struct sums s0 = load_sums(acc, mask[0], whole, 1);
        const struct sums s1 = load_sums(acc + LANES, mask[1], whole, 0);
        const __m256i a0 = apply(rule, shifts, biased, k0, s0);
        const __m256i a1 = apply(rule, shifts, biased, k1, s1);
        const __m256i bytes = to_int8(clamp, rule, a0, a1, a0, a1);
        store(y, _mm256_castsi256_si128(bytes), channels, whole);
    }
}

#define ROWS(SHIFTS, BIASED, WHOLE)                                                               \
    group(rule, SHIFTS, BIASED, WHOLE, &k0, &k1, mask, &clamp, rows, count, acc + c, ld_acc,      \
          y + c, ld_y)

/* Inlined once per rule. */
static inline __attribute__((always_inline)) void by_rule(
    int rule, const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
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
        const struct constants k0 = prepare(rule, q, bias, c, mask[0], whole);
        const struct constants k1 = prepare(rule, q, bias, c + LANES, mask[1], whole);
        const __m256i left = _mm256_or_si256(k0.left, k1.left);
        const int shifts = in_integers(rule) && !_mm256_testz_si256(left, left);
        if (shifts && whole) {
            ROWS(1, 1, 1);
        } else if (shifts) {
            ROWS(1, 1, 0);
        } else if (!whole) {
            ROWS(0, 1, 0);
        } else if (bias != NULL) {
            ROWS(0, 1, 1);
        } else {
            ROWS(0, 0, 1);
        }
    }
}

#define RULE(RULE)                                                                                \
    case RULE: by_rule(RULE, q, rows, channels, acc, ld_acc, bias, y, ld_y); break;

static void by_channels(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                        int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
    switch (kdq_computed_as(q->rule)) {
        KDQ_FORMULAS(RULE)
    default: break;
    }
}

static void requantize(const kdq_requant *q, int64_t rows, int64_t channels, const int32_t *acc,
                       int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y) {
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
