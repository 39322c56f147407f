/* vector_avx2.h - the parts of kdq_vector_avx2 that have a file of their own; kdq_internal.h says
 * what each does. Included by the vector_avx2*.c files only. */
#ifndef KDQ_VECTOR_AVX2_H
#define KDQ_VECTOR_AVX2_H

#include "kdq_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define INLINE AVX2 static inline __attribute__((always_inline))

INLINE __m128i load8(const int8_t *from) {
    return _mm_loadl_epi64((const __m128i *)(const void *)from);
}

INLINE __m128i load16(const int8_t *from) {
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

INLINE __m256i load32(const int8_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}
#endif

/* vector_avx2_taps.c */
void kdq_avx2_pack_taps(int64_t lines, int64_t columns, int64_t channels, const int8_t *w,
                        void *packed);
void kdq_avx2_add_taps(const struct kdq_taps *taps, int64_t pixels, int64_t channels,
                       int32_t *sums, int64_t ld_sums);

/* vector_avx2_windows.c */
void kdq_avx2_largest(const struct kdq_patch *patch, int64_t pixels, int64_t step, int64_t channels,
                      const int8_t *x, int8_t *y);
void kdq_avx2_sum(const struct kdq_patch *patch, int64_t pixels, int64_t step, int64_t channels,
                  const int8_t *x, int32_t start, int32_t *sums);

/* vector_avx2_codes.c */
void kdq_avx2_scaled_sum(int64_t n, const int8_t *a, const int8_t *b, const kdq_addends *addends,
                    int32_t *y);
void kdq_avx2_quantize(int64_t n, const float *x, float scale, int32_t zero_point, int8_t *y);
void kdq_avx2_dequantize(int64_t n, const int8_t *q, float scale, int32_t zero_point, float *x);
void kdq_avx2_lookup(int64_t n, const int8_t *x, const int8_t *table, int8_t *y);
void kdq_avx2_argmax(int64_t rows, int64_t columns, const int8_t *q, int64_t *index);

/* vector_avx2_s16.c */
void kdq_avx2_requantize_s16(const kdq_requant_s16 *requant, int64_t c, int64_t rows,
                             const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y);

#endif
