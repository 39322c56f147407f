/* vector_avx2_taps.c - depthwise sums with vpmaddwd, 16 channels at a time.
 *
 * Two taps at a time: their pixels, widened to int16, are interleaved, so that each channel's
 * two products end up in one vpmaddwd. vpunpck works within 128-bit lanes, so of the two sums
 *
 *     low    channels 0..3 and 8..11          high    channels 4..7 and 12..15
 *
 * and weights are stored in the same order, a pair of taps after the other for each 16 channels.
 *
 * A 3x3 window with stride 1 or 2 goes along its lines instead, and interleaves each column once for
 * all the outputs that see it: c = column of lines 0 and 1, r = column and its right neighbour of
 * line 2; weights (line, column):
 *
 *     stride 1   y[p]   = c[p] (00 10) + c[p+1] (01 11) + c[p+2] (02 12) + r[p] (20 21) + r[p+2] (22 0)
 *     stride 2   the same with 2p for p
 */
#include "vector_avx2.h"

#if defined(__x86_64__)

#define UNIT KDQ_TAP_UNIT

/* 16 channels, widened. */
INLINE __m256i load(const int8_t *from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* 16 channels of interleaved activations or weights, or of sums. */
struct pair {
    __m256i low, high;
};

INLINE struct pair interleave(__m256i a, __m256i b) {
    return (struct pair){_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)};
}

INLINE struct pair load_pair(const int16_t *from) {
    const __m256i *w = (const __m256i *)(const void *)from;
    return (struct pair){_mm256_loadu_si256(w), _mm256_loadu_si256(w + 1)};
}

INLINE struct pair multiply(struct pair x, struct pair w) {
    return (struct pair){_mm256_madd_epi16(x.low, w.low), _mm256_madd_epi16(x.high, w.high)};
}

INLINE struct pair add(struct pair a, struct pair b) {
    return (struct pair){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

INLINE void store(int32_t *sums, struct pair s) {
    __m256i *to = (__m256i *)(void *)sums;
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(s.low, s.high, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(s.low, s.high, 0x31));
}

/* 16 weights, zeros behind the first `count`. */
INLINE __m256i load_weights(const int8_t *w, int64_t count) {
    int8_t all[UNIT] = {0};
    if (count < UNIT) {
        memcpy(all, w, (size_t)count);
        w = all;
    }
    return load(w);
}

/* Where the unit of channels that begins at c is read: the last one overlaps the one before. */
static inline int64_t unit_at(int64_t c, int64_t channels) {
    return kdq_max(0, kdq_min(c, channels - UNIT));
}

AVX2 void kdq_avx2_pack_taps(int64_t lines, int64_t columns, int64_t channels, const int8_t *w,
                             void *packed) {
    const int64_t taps = lines * columns, unit = kdq_round_up(taps, 2) * UNIT;
    for (int64_t t = 0; t < taps; t += 2) {
        const int8_t *one = w + kdq_tap(lines, columns, t) * channels;
        const int8_t *two = t + 1 < taps ? w + kdq_tap(lines, columns, t + 1) * channels : NULL;
        int16_t *to = (int16_t *)packed + t * UNIT;
        for (int64_t c = 0; c < channels; c += UNIT, to += unit) {
            const int64_t from = unit_at(c, channels), count = channels - from;
            const __m256i a = load_weights(one + from, count);
            const __m256i b = two == NULL ? _mm256_setzero_si256() : load_weights(two + from, count);
            const struct pair pair = interleave(a, b);
            _mm256_storeu_si256((__m256i *)(void *)to, pair.low);
            _mm256_storeu_si256((__m256i *)(void *)(to + UNIT), pair.high);
        }
    }
}

/* 16 channels of a 3x3 window with stride 1; step is also the distance of its columns. */
AVX2 static void along_lines(const struct kdq_taps *taps, int64_t at, int64_t pixels,
                             const int16_t *w, int32_t *sums, int64_t ld_sums) {
    const int64_t step = taps->step;
    const int8_t *x0 = taps->x[0] + at, *x1 = taps->x[1] + at, *x2 = taps->x[6] + at;
    const struct pair w0 = load_pair(w), w1 = load_pair(w + 2 * UNIT),
                      w2 = load_pair(w + 4 * UNIT), w3 = load_pair(w + 6 * UNIT),
                      w4 = load_pair(w + 8 * UNIT);
    /* Outputs p - 1 and p - 2, as far as columns before p go. */
    struct pair c = interleave(load(x0), load(x1)), r = interleave(load(x2), load(x2 + step));
    struct pair one = add(multiply(c, w0), multiply(r, w3)), two;
    x0 += step, x1 += step, x2 += step;
    c = interleave(load(x0), load(x1)), r = interleave(load(x2), load(x2 + step));
    two = add(one, multiply(c, w1));
    one = add(multiply(c, w0), multiply(r, w3));
    for (int64_t p = 0; p < pixels; p++, sums += ld_sums) {
        x0 += step, x1 += step, x2 += step;
        c = interleave(load(x0), load(x1)), r = interleave(load(x2), load(x2 + step));
        store(sums, add(add(two, multiply(c, w2)), multiply(r, w4)));
        two = add(one, multiply(c, w1));
        one = add(multiply(c, w0), multiply(r, w3));
    }
}

/* The same with stride 2. */
AVX2 static void along_lines_by_two(const struct kdq_taps *taps, int64_t at, int64_t pixels,
                                    const int16_t *w, int32_t *sums, int64_t ld_sums) {
    const int64_t column = taps->column_step;
    const int8_t *x0 = taps->x[0] + at, *x1 = taps->x[1] + at, *x2 = taps->x[6] + at;
    const struct pair w0 = load_pair(w), w1 = load_pair(w + 2 * UNIT),
                      w2 = load_pair(w + 4 * UNIT), w3 = load_pair(w + 6 * UNIT),
                      w4 = load_pair(w + 8 * UNIT);
    struct pair c = interleave(load(x0), load(x1)), r = interleave(load(x2), load(x2 + column));
    for (int64_t p = 0; p < pixels; p++, sums += ld_sums) {
        const struct pair odd = interleave(load(x0 + column), load(x1 + column));
        const struct pair begun = add(multiply(c, w0), add(multiply(odd, w1), multiply(r, w3)));
        x0 += 2 * column, x1 += 2 * column, x2 += 2 * column;
        c = interleave(load(x0), load(x1)), r = interleave(load(x2), load(x2 + column));
        store(sums, add(begun, add(multiply(c, w2), multiply(r, w4))));
    }
}

/* gcc keeps arrays of vectors in memory: every sum has a name. */
#define PAIR(i)                                                                                   \
    if (pixels > i) {                                                                             \
        s##i = add(s##i, multiply(interleave(load(a + i * step), load(b + i * step)), weights));  \
    }
#define STORE(i)                                                                                  \
    if (pixels > i) {                                                                             \
        store(sums + i * ld_sums, s##i);                                                          \
    }

/* 16 channels of any window, at most 4 pixels. */
INLINE void block(const struct kdq_taps *taps, int64_t at, const int pixels, const int16_t *w,
                  int32_t *sums, int64_t ld_sums) {
    const int64_t step = taps->step, count = taps->lines * taps->columns;
    struct pair s0 = {_mm256_setzero_si256(), _mm256_setzero_si256()}, s1 = s0, s2 = s0, s3 = s0;
    for (int64_t t = 0; t < count; t += 2, w += 2 * UNIT) {
        const struct pair weights = load_pair(w);
        const int8_t *a = taps->x[t] + at, *b = taps->x[t + 1] + at;
        PAIR(0) PAIR(1) PAIR(2) PAIR(3)
    }
    STORE(0) STORE(1) STORE(2) STORE(3)
}

AVX2 static void by_taps(const struct kdq_taps *taps, int64_t at, int64_t pixels, const int16_t *w,
                         int32_t *sums, int64_t ld_sums) {
    for (; pixels >= 4; pixels -= 4, at += 4 * taps->step, sums += 4 * ld_sums) {
        block(taps, at, 4, w, sums, ld_sums);
    }
    switch (pixels) {
    case 3: block(taps, at, 3, w, sums, ld_sums); break;
    case 2: block(taps, at, 2, w, sums, ld_sums); break;
    case 1: block(taps, at, 1, w, sums, ld_sums); break;
    default: break;
    }
}

AVX2 void kdq_avx2_add_taps(const struct kdq_taps *taps, int64_t pixels, int64_t channels,
                            int32_t *sums, int64_t ld_sums) {
    const int is_3x3 = taps->lines == 3 && taps->columns == 3;
    const int16_t *w = taps->w;
    for (int64_t c = 0; c < channels; c += UNIT) {
        const int64_t from = unit_at(c, channels), at = taps->first + from;
        if (is_3x3 && taps->step == taps->column_step) {
            along_lines(taps, at, pixels, w, sums + from, ld_sums);
        } else if (is_3x3 && taps->step == 2 * taps->column_step) {
            along_lines_by_two(taps, at, pixels, w, sums + from, ld_sums);
        } else {
            by_taps(taps, at, pixels, w, sums + from, ld_sums);
        }
        w += kdq_round_up(taps->lines * taps->columns, 2) * UNIT;
    }
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
