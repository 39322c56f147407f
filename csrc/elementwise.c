/* elementwise.c - add with rescale, table look-up, quantize, dequantize, argmax: the loops are a
 * kernel's own (struct kdq_vector). */
#include "kdq_internal.h"

#define BLOCK 1024 /* sums held at a time, on the stack and in L1 */

void kdq_add(const kdq_kernel *kernel, int64_t n, const int8_t *a, const int8_t *b,
             const kdq_addends *addends, const kdq_requant *requant, int8_t *y) {
    int32_t sums[BLOCK];
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = kdq_min(BLOCK, n - first);
        kernel->vector->scaled_sum(count, a + first, b + first, addends, sums);
        kernel->vector->requantize(requant, 1, count, sums, count, NULL, y + first, count);
    }
}

void kdq_lookup(const kdq_kernel *kernel, int64_t n, const int8_t *x, const int8_t *table,
                int8_t *y) {
    kernel->vector->lookup(n, x, table, y);
}

void kdq_quantize(const kdq_kernel *kernel, int64_t n, const float *x, float scale,
                  int32_t zero_point, int8_t *y) {
    kernel->vector->quantize(n, x, scale, zero_point, y);
}

int32_t kdq_all_finite(const kdq_kernel *kernel, int64_t n, const float *x) {
    return kernel->vector->all_finite(n, x);
}

void kdq_dequantize(const kdq_kernel *kernel, int64_t n, const int8_t *q, float scale,
                    int32_t zero_point, float *x) {
    kernel->vector->dequantize(n, q, scale, zero_point, x);
}

void kdq_argmax(const kdq_kernel *kernel, int64_t rows, int64_t columns, const int8_t *q,
                int64_t *index) {
    kernel->vector->argmax(rows, columns, q, index);
}
