/* vector_avx2_windows.c - pooling: the largest and the sum of a patch of pixels, 32 channels at a time.
 *
 * The last channels are done by a vector that overlaps the one before it: the same once more. With
 * fewer channels than the smallest vector, one by one. */
#include "vector_avx2.h"

#if defined(__x86_64__)

/* For each pixel of a patch of `lines` lines of `columns` pixels: DO(where its channels are). */
#define EACH_PIXEL(DO)                                                                            \
    for (int64_t i = 0; i < lines; i++) {                                                         \
        const int8_t *pixel = x + i * patch->line;                                                \
        for (int64_t j = 0; j < columns; j++, pixel += patch->column) {                           \
            DO(pixel);                                                                            \
        }                                                                                         \
    }

/* 32, 16, 8 or one of the channels of a pixel. */
INLINE void largest32(const struct kdq_patch *patch, int64_t lines, int64_t columns,
                      const int8_t *x, int8_t *y) {
    __m256i most = load32(x);
#define TAKE(pixel) most = _mm256_max_epi8(most, load32(pixel))
    EACH_PIXEL(TAKE)
#undef TAKE
    _mm256_storeu_si256((__m256i *)(void *)y, most);
}

INLINE void largest16(const struct kdq_patch *patch, int64_t lines, int64_t columns,
                      const int8_t *x, int8_t *y) {
    __m128i most = load16(x);
#define TAKE(pixel) most = _mm_max_epi8(most, load16(pixel))
    EACH_PIXEL(TAKE)
#undef TAKE
    _mm_storeu_si128((__m128i *)(void *)y, most);
}

INLINE void largest8(const struct kdq_patch *patch, int64_t lines, int64_t columns,
                     const int8_t *x, int8_t *y) {
    __m128i most = load8(x);
#define TAKE(pixel) most = _mm_max_epi8(most, load8(pixel))
    EACH_PIXEL(TAKE)
#undef TAKE
    _mm_storel_epi64((__m128i *)(void *)y, most);
}

INLINE void largest1(const struct kdq_patch *patch, int64_t lines, int64_t columns,
                     const int8_t *x, int8_t *y) {
    int8_t most = *x;
#define TAKE(pixel) most = *pixel > most ? *pixel : most
    EACH_PIXEL(TAKE)
#undef TAKE
    *y = most;
}

#define BY(WIDTH)                                                                                 \
    for (int64_t p = 0; p < pixels; p++, x += step, y += channels) {                              \
        for (int64_t c = 0; c < channels - WIDTH; c += WIDTH) {                                   \
            largest##WIDTH(patch, lines, columns, x + c, y + c);                                  \
        }                                                                                         \
        const int64_t last = channels - WIDTH;                                                    \
        largest##WIDTH(patch, lines, columns, x + last, y + last);                                \
    }

INLINE void by_width(const struct kdq_patch *patch, int64_t lines, int64_t columns, int64_t pixels,
                     int64_t step, int64_t channels, const int8_t *x, int8_t *y) {
    if (channels >= 32) {
        BY(32)
    } else if (channels >= 16) {
        BY(16)
    } else if (channels >= 8) {
        BY(8)
    } else if (channels > 0) {
        BY(1)
    }
}

AVX2 void kdq_avx2_largest(const struct kdq_patch *patch, int64_t pixels, int64_t step,
                           int64_t channels, const int8_t *x, int8_t *y) {
    if (patch->lines == 2 && patch->columns == 2) { /* without loops */
        by_width(patch, 2, 2, pixels, step, channels, x, y);
    } else {
        by_width(patch, patch->lines, patch->columns, pixels, step, channels, x, y);
    }
}

/* int16 holds the sum of that many int8. */
#define SHORT_SUM 256

/* Sums of 32, 16 or 8 channels: of few pixels in int16, those in int32. */
struct sums {
    __m256i s0, s1, s2, s3;
    __m256i first, second;
    int64_t pixels;
};

INLINE __m256i lower(__m256i v) { return _mm256_cvtepi16_epi32(_mm256_castsi256_si128(v)); }

INLINE __m256i upper(__m256i v) { return _mm256_cvtepi16_epi32(_mm256_extracti128_si256(v, 1)); }

INLINE void flush(struct sums *t) {
    t->s0 = _mm256_add_epi32(t->s0, lower(t->first));
    t->s1 = _mm256_add_epi32(t->s1, upper(t->first));
    t->s2 = _mm256_add_epi32(t->s2, lower(t->second));
    t->s3 = _mm256_add_epi32(t->s3, upper(t->second));
    t->first = t->second = _mm256_setzero_si256();
    t->pixels = 0;
}

INLINE void take(struct sums *t, const int channels, const int8_t *x) {
    const __m128i codes = channels == 8 ? load8(x) : load16(x);
    t->first = _mm256_add_epi16(t->first, _mm256_cvtepi8_epi16(codes));
    if (channels == 32) {
        t->second = _mm256_add_epi16(t->second, _mm256_cvtepi8_epi16(load16(x + 16)));
    }
    if (++t->pixels == SHORT_SUM) {
        flush(t);
    }
}

INLINE void store(int32_t *sums, __m256i v) {
    _mm256_storeu_si256((__m256i *)(void *)sums, v);
}

INLINE void sum_channels(const struct kdq_patch *patch, int64_t lines, int64_t columns,
                         const int channels, const int8_t *x, int32_t start, int32_t *sums) {
    const __m256i zero = _mm256_setzero_si256(), from = _mm256_set1_epi32(start);
    struct sums t = {from, from, from, from, zero, zero, 0};
#define TAKE(pixel) take(&t, channels, pixel)
    EACH_PIXEL(TAKE)
#undef TAKE
    flush(&t);
    store(sums, t.s0);
    if (channels >= 16) {
        store(sums + 8, t.s1);
    }
    if (channels == 32) {
        store(sums + 16, t.s2);
        store(sums + 24, t.s3);
    }
}

INLINE void sum_pixel(const struct kdq_patch *patch, int64_t lines, int64_t columns,
                      int64_t channels, const int8_t *x, int32_t start, int32_t *sums) {
    int64_t c = 0;
    for (; c + 32 <= channels; c += 32) {
        sum_channels(patch, lines, columns, 32, x + c, start, sums + c);
    }
    for (; c + 16 <= channels; c += 16) {
        sum_channels(patch, lines, columns, 16, x + c, start, sums + c);
    }
    for (; c + 8 <= channels; c += 8) {
        sum_channels(patch, lines, columns, 8, x + c, start, sums + c);
    }
    if (c < channels && channels >= 8) {
        c = channels - 8;
        sum_channels(patch, lines, columns, 8, x + c, start, sums + c);
        return;
    }
    for (; c < channels; c++) {
        int32_t total = start;
#define TAKE(pixel) total += (pixel)[c]
        EACH_PIXEL(TAKE)
#undef TAKE
        sums[c] = total;
    }
}

AVX2 void kdq_avx2_sum(const struct kdq_patch *patch, int64_t pixels, int64_t step,
                       int64_t channels, const int8_t *x, int32_t start, int32_t *sums) {
    const int is_2x2 = patch->lines == 2 && patch->columns == 2;
    for (int64_t p = 0; p < pixels; p++, x += step, sums += channels) {
        if (is_2x2) { /* without loops */
            sum_pixel(patch, 2, 2, channels, x, start, sums);
        } else {
            sum_pixel(patch, patch->lines, patch->columns, channels, x, start, sums);
        }
    }
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
