/* Right kernels: a plain dense layer under every rule; products in tiles with scratch memory, and with
 * vectors. */
#include <math.h>

#include "kdq_kernel_abi.h"

static int64_t high_half(int64_t acc, int32_t multiplier, int32_t exponent)
{
    int64_t shifted = acc * ((int64_t)1 << (exponent > 0 ? exponent : 0));
    return (shifted * multiplier + ((int64_t)1 << 30)) >> 31;
}

static int64_t away(int64_t high, int32_t exponent)
{
    int shift = exponent > 0 ? 0 : -exponent;
    int64_t mask = ((int64_t)1 << shift) - 1;
    return (high >> shift) + ((high & mask) > (mask >> 1) + (high < 0));
}

static int64_t up(int64_t high, int32_t exponent)
{
    int shift = exponent > 0 ? 0 : -exponent;
    return shift ? (high + ((int64_t)1 << (shift - 1))) >> shift : high;
}

static int64_t once(int64_t acc, int32_t multiplier, int32_t exponent)
{
    return (acc * multiplier + ((int64_t)1 << (30 - exponent))) >> (31 - exponent);
}

static int64_t fbgemm(int64_t acc, int32_t bias, float scale)
{
    float y = ((float)acc + (float)bias) * scale;
    return y >= -2147483648.0f && y < 2147483648.0f ? (int64_t)rintf(y) : INT32_MIN;
}

/* m, e, f, d: the constants of the channel; acc: without its bias. */
#define DENSE(rule, SCALED)                                                                     \
    int32_t dense_##rule(const kdq_abi_gemm *g)                                                 \
    {                                                                                           \
        const kdq_abi_requant *r = g->requant;                                                  \
        const int8_t *a = g->a;                                                                 \
        int8_t *y = g->c;                                                                       \
        for (int64_t i = 0; i < g->m; i++) {                                                    \
            for (int64_t j = 0; j < g->n; j++) {                                                \
                int64_t channel = r->channels == 1 ? 0 : j, acc = 0;                            \
                int32_t m = r->multiplier[channel], e = r->exponent[channel];                   \
                float f = r->scale[channel];                                                    \
                double d = r->real[channel];                                                    \
                int32_t bias = g->bias ? g->bias[j] : 0;                                        \
                for (int64_t p = 0; p < g->k; p++) {                                            \
                    acc += (a[i * g->lda + p] - g->a_zero_point) * g->b[p * g->ldb + j];        \
                }                                                                               \
                (void)m, (void)e, (void)f, (void)d;                                             \
                int64_t code = (SCALED) + r->zero_point;                                        \
                y[i * g->ldc + j] =                                                             \
                    (int8_t)(code < r->qmin ? r->qmin : code > r->qmax ? r->qmax : code);       \
            }                                                                                   \
        }                                                                                       \
        return 0;                                                                               \
    }

DENSE(single_rounding, once(acc + bias, m, e))
DENSE(double_rounding, away(high_half(acc + bias, m, e), e))
DENSE(double_rounding_ties_up, up(high_half(acc + bias, m, e), e))
DENSE(float32_rne, (int64_t)rintf((float)(acc + bias) * f))
DENSE(float64_half_away, (int64_t)round((double)(acc + bias) * d))
DENSE(onnx_spec, (int64_t)rint((double)(acc + bias) * d))
DENSE(rndnu, once(acc + bias, m, e))
DENSE(qnnpack, away(high_half(acc + bias, m, e), e))
DENSE(fbgemm, fbgemm(acc, bias, f))

/* Four rows and columns at a time, from panels packed into scratch memory. */
int64_t tiled_scratch_bytes(const kdq_abi_gemm *g)
{
    return 8 * g->k;
}

int32_t tiled(const kdq_abi_gemm *g)
{
    int8_t *rows = g->scratch, *columns = rows + 4 * g->k;
    const int8_t *a = g->a;
    int32_t *c = g->c;
    for (int64_t i = 0; i < g->m; i += 4) {
        for (int64_t p = 0; p < g->k; p++) {
            for (int64_t q = 0; q < 4; q++) {
                rows[4 * p + q] = i + q < g->m ? a[(i + q) * g->lda + p] : 0;
            }
        }
        for (int64_t j = 0; j < g->n; j += 4) {
            int32_t acc[4][4] = {{0}};
            for (int64_t p = 0; p < g->k; p++) {
                for (int64_t q = 0; q < 4; q++) {
                    columns[4 * p + q] = j + q < g->n ? g->b[p * g->ldb + j + q] : 0;
                }
            }
            for (int64_t p = 0; p < g->k; p++) {
                for (int64_t q = 0; q < 16; q++) {
                    acc[q / 4][q % 4] += rows[4 * p + q / 4] * columns[4 * p + q % 4];
                }
            }
            for (int64_t q = 0; q < 16; q++) {
                if (i + q / 4 < g->m && j + q % 4 < g->n) {
                    c[(i + q / 4) * g->ldc + j + q % 4] = acc[q / 4][q % 4];
                }
            }
        }
    }
    return 0;
}

typedef int32_t vector __attribute__((vector_size(32)));

/* Eight columns at a time; the last ones by themselves. Refuses what it was not made for. */
int32_t vectorised(const kdq_abi_gemm *g)
{
    const int8_t *a = g->a;
    int32_t *c = g->c;
    if (g->k > 1024) {
        return KDQ_ABI_UNSUPPORTED;
    }
    for (int64_t i = 0; i < g->m; i++) {
        int64_t j = 0;
        for (; j + 8 <= g->n; j += 8) {
            vector acc = {0};
            for (int64_t p = 0; p < g->k; p++) {
                vector b;
                for (int q = 0; q < 8; q++) {
                    b[q] = g->b[p * g->ldb + j + q];
                }
                acc += b * a[i * g->lda + p];
            }
            for (int q = 0; q < 8; q++) {
                c[i * g->ldc + j + q] = acc[q];
            }
        }
        for (; j < g->n; j++) {
            int32_t acc = 0;
            for (int64_t p = 0; p < g->k; p++) {
                acc += a[i * g->lda + p] * g->b[p * g->ldb + j];
            }
            c[i * g->ldc + j] = acc;
        }
    }
    return 0;
}
