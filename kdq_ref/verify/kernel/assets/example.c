/* A dense layer for `kdq verify`, plain and right: start from here.
 *
 *     kdq verify --print-header > kdq_kernel_abi.h
 *     kdq verify --print-example > example.c
 *     cc -O2 -shared -fPIC -o example.so example.c
 *     kdq verify --lib ./example.so --symbol example_gemm --abi gemm_s8s8s8 --rule double_rounding
 */
#include "kdq_kernel_abi.h"

/* The rule double_rounding: half up to 32 bits, then half away from zero at the shift. */
static int32_t scale(int32_t acc, int32_t multiplier, int32_t exponent)
{
    int left = exponent > 0 ? exponent : 0;
    int right = exponent > 0 ? 0 : -exponent;
    int64_t shifted = (int64_t)acc * ((int64_t)1 << left); /* fits int32: the header says so */
    int32_t high = (int32_t)((shifted * multiplier + ((int64_t)1 << 30)) >> 31);
    int64_t mask = ((int64_t)1 << right) - 1;
    int64_t remainder = high & mask;
    return (int32_t)(((int64_t)high >> right) + (remainder > (mask >> 1) + (high < 0)));
}

int32_t example_gemm(const kdq_abi_gemm *args)
{
    const kdq_abi_requant *requant = args->requant;
    const int8_t *a = args->a;
    int8_t *c = args->c;
    for (int64_t i = 0; i < args->m; i++) {
        for (int64_t j = 0; j < args->n; j++) {
            int64_t channel = requant->channels == 1 ? 0 : j;
            int32_t acc = args->bias ? args->bias[j] : 0;
            for (int64_t p = 0; p < args->k; p++) {
                acc += (a[i * args->lda + p] - args->a_zero_point) * args->b[p * args->ldb + j];
            }
            int64_t y = scale(acc, requant->multiplier[channel], requant->exponent[channel]);
            y += requant->zero_point;
            y = y < requant->qmin ? requant->qmin : y > requant->qmax ? requant->qmax : y;
            c[i * args->ldc + j] = (int8_t)y;
        }
    }
    return 0;
}
