/* gemm_ref.c - the middle rung of the ladder intref == gemm_ref == every kernel through the driver:
 * three plain loops, no packing, no dispatch. */
#include "kdq_internal.h"

void kdq_gemm_s8s32_ref(int64_t m, int64_t n, int64_t k, const int8_t *a, int64_t ld_a,
                        const int8_t *b, int64_t ld_b, int32_t *c, int64_t ld_c) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            int32_t sum = 0;
            for (int64_t p = 0; p < k; p++) {
                sum += a[i * ld_a + p] * b[p * ld_b + j];
            }
            c[i * ld_c + j] = sum;
        }
    }
}
