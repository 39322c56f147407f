/* Wrong on purpose, each in one way: products, gemm_s8s8s32 and gemm_u8s8s32. */
#include <stdlib.h>
#include <string.h>

#include "kdq_kernel_abi.h"

typedef int32_t sum_function(const kdq_abi_gemm *g, int64_t i, int64_t j);

static int32_t a_s8(const kdq_abi_gemm *g, int64_t i, int64_t p)
{
    return ((const int8_t *)g->a)[i * g->lda + p];
}

static int32_t a_u8(const kdq_abi_gemm *g, int64_t i, int64_t p)
{
    return ((const uint8_t *)g->a)[i * g->lda + p];
}

static int32_t exact(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    int32_t acc = 0;
    for (int64_t p = 0; p < g->k; p++) {
        acc += a_s8(g, i, p) * g->b[p * g->ldb + j];
    }
    return acc;
}

static int32_t product(const kdq_abi_gemm *g, sum_function *sum, int64_t rows, int64_t columns)
{
    int32_t *c = g->c;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            c[i * g->ldc + j] = sum(g, i, j);
        }
    }
    return 0;
}

#define WITH_SUM(name) \
    int32_t wrong_##name(const kdq_abi_gemm *g) { return product(g, sum_##name, g->m, g->n); }

static int32_t saturate(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* vpmaddubsw */
static int32_t sum_pair_saturation(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    int32_t acc = 0;
    for (int64_t p = 0; p < g->k; p += 2) {
        int32_t pair = a_u8(g, i, p) * g->b[p * g->ldb + j];
        if (p + 1 < g->k) {
            pair += a_u8(g, i, p + 1) * g->b[(p + 1) * g->ldb + j];
        }
        acc += saturate(pair, INT16_MIN, INT16_MAX);
    }
    return acc;
}
WITH_SUM(pair_saturation)

static int32_t sum_minus_128(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    int32_t acc = 0;
    for (int64_t p = 0; p < g->k; p++) {
        acc += saturate(a_s8(g, i, p), -127, 127) * g->b[p * g->ldb + j];
    }
    return acc;
}
WITH_SUM(minus_128)

static int32_t sum_int16_overflow(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    return (int16_t)(uint16_t)(uint32_t)exact(g, i, j);
}
WITH_SUM(int16_overflow)

static int32_t sum_float32(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    float acc = 0;
    for (int64_t p = 0; p < g->k; p++) {
        acc += (float)(a_s8(g, i, p) * g->b[p * g->ldb + j]);
    }
    return (int32_t)acc;
}
WITH_SUM(float32)

static int32_t sum_k_tail(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    kdq_abi_gemm shorter = *g;
    shorter.k = g->k / 4 * 4;
    return exact(&shorter, i, j);
}
WITH_SUM(k_tail)

static int32_t sum_stride_ignored(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    kdq_abi_gemm tight = *g;
    tight.lda = g->k;
    return exact(&tight, i, j);
}
WITH_SUM(stride_ignored)

/* Loads four codes of A at a time, also where fewer are left. */
static int32_t sum_over_read(const kdq_abi_gemm *g, int64_t i, int64_t j)
{
    int32_t acc = 0;
    for (int64_t p = 0; p < g->k; p += 4) {
        int8_t four[4];
        for (int q = 0; q < 4; q++) {
            four[q] = ((const volatile int8_t *)g->a)[i * g->lda + p + q];
        }
        for (int64_t q = p; q < g->k && q < p + 4; q++) {
            acc += four[q - p] * g->b[q * g->ldb + j];
        }
    }
    return acc;
}
WITH_SUM(over_read)

int32_t wrong_last_row(const kdq_abi_gemm *g)
{
    return product(g, exact, g->m - 1, g->n);
}

int32_t wrong_row_tail(const kdq_abi_gemm *g)
{
    return product(g, exact, g->m / 4 * 4, g->n);
}

int32_t wrong_column_tail(const kdq_abi_gemm *g)
{
    return product(g, exact, g->m, g->n / 8 * 8);
}

/* Writes eight columns at a time, past the row's end. */
int32_t wrong_over_write(const kdq_abi_gemm *g)
{
    volatile int32_t *c = g->c;
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            c[i * g->ldc + j] = exact(g, i, j);
        }
        for (int64_t j = g->n; g->n && j < (g->n + 7) / 8 * 8; j++) {
            c[i * g->ldc + j] = 0;
        }
    }
    return 0;
}

int64_t wrong_scratch_scratch_bytes(const kdq_abi_gemm *g)
{
    return 4 * g->n;
}

/* Adds to scratch memory that nobody has set to zero. */
int32_t wrong_scratch(const kdq_abi_gemm *g)
{
    int32_t *row = g->scratch, *c = g->c;
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            uint32_t start = i ? 0 : (uint32_t)row[j];
            row[j] = (int32_t)(start + (uint32_t)exact(g, i, j));
            c[i * g->ldc + j] = row[j];
        }
    }
    return 0;
}

/* Sums in a variable that only the compiler knows the start of. */
int32_t wrong_stack(const kdq_abi_gemm *g)
{
    volatile int32_t sums[64];
    int32_t *c = g->c;
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            uint32_t start = (uint32_t)sums[(i + j) % 64];
            c[i * g->ldc + j] = (int32_t)((uint32_t)exact(g, i, j) + (start & 1));
        }
    }
    return 0;
}

/* Packs B once, for the first call, and again only when its size changes. */
int32_t wrong_static_state(const kdq_abi_gemm *g)
{
    static int8_t packed[1 << 20];
    static int64_t k = -1, n = -1;
    if (g->k * g->n > (int64_t)sizeof packed) {
        return KDQ_ABI_UNSUPPORTED;
    }
    if (k != g->k || n != g->n) {
        k = g->k;
        n = g->n;
        for (int64_t p = 0; p < k; p++) {
            for (int64_t j = 0; j < n; j++) {
                packed[p * n + j] = g->b[p * g->ldb + j];
            }
        }
    }
    kdq_abi_gemm mine = *g;
    mine.b = packed;
    mine.ldb = n;
    return product(&mine, exact, g->m, g->n);
}

/* Packs B for every call, but into memory that all threads share. */
int32_t wrong_thread_race(const kdq_abi_gemm *g)
{
    static int8_t packed[1 << 20];
    if (g->k * g->n > (int64_t)sizeof packed) {
        return KDQ_ABI_UNSUPPORTED;
    }
    for (int64_t p = 0; p < g->k; p++) {
        for (int64_t j = 0; j < g->n; j++) {
            packed[p * g->n + j] = g->b[p * g->ldb + j];
        }
    }
    kdq_abi_gemm mine = *g;
    mine.b = packed;
    mine.ldb = g->n;
    return product(&mine, exact, g->m, g->n);
}

int32_t wrong_crash(const kdq_abi_gemm *g)
{
    if (g->n > 16) {
        *(volatile int *)(uintptr_t)16 = 1;
    }
    return product(g, exact, g->m, g->n);
}

int32_t wrong_hang(const kdq_abi_gemm *g)
{
    for (volatile int64_t p = 0; p != g->k; p += 1 + (g->k > 512)) {
    }
    return product(g, exact, g->m, g->n);
}

int32_t wrong_exit(const kdq_abi_gemm *g)
{
    if (g->k == 0) {
        exit(0);
    }
    return product(g, exact, g->m, g->n);
}

/* Frees what it has written past the end of. */
int32_t wrong_heap(const kdq_abi_gemm *g)
{
    volatile char *copy = malloc((size_t)g->k + 1);
    for (int64_t p = 0; p < g->k + 32; p++) {
        copy[p] = 1;
    }
    free((void *)copy);
    return product(g, exact, g->m, g->n);
}

int32_t wrong_changes_input(const kdq_abi_gemm *g)
{
    int8_t *a = (int8_t *)(uintptr_t)g->a;
    int32_t status = product(g, exact, g->m, g->n);
    if (g->m && g->k) {
        a[0] = (int8_t)(a[0] / 2);
    }
    return status;
}

int32_t wrong_adds_to_output(const kdq_abi_gemm *g)
{
    int32_t *c = g->c;
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            uint32_t *at = (uint32_t *)&c[i * g->ldc + j];
            *at += (uint32_t)exact(g, i, j);
        }
    }
    return 0;
}

int32_t wrong_k_0(const kdq_abi_gemm *g)
{
    return g->k ? product(g, exact, g->m, g->n) : 0;
}

int32_t wrong_return(const kdq_abi_gemm *g)
{
    return product(g, exact, g->m, g->n) + 37 * (g->m == 1);
}

/* Tries, and gives up. */
int32_t wrong_refuse_late(const kdq_abi_gemm *g)
{
    int32_t status = product(g, exact, g->m, g->n);
    return g->k > 100 ? KDQ_ABI_UNSUPPORTED : status;
}

/* Its columns are counted in a byte. */
int32_t wrong_column_byte(const kdq_abi_gemm *g)
{
    return product(g, exact, g->m, g->n > 256 ? g->n & 255 : g->n);
}

#if defined(__SSE2__)
#include <emmintrin.h>

/* Loads 16 codes with an instruction that wants them aligned. */
int32_t wrong_alignment(const kdq_abi_gemm *g)
{
    for (int64_t i = 0; i < g->m && g->k >= 16; i++) {
        const __m128i *row = (const __m128i *)(const void *)((const int8_t *)g->a + i * g->lda);
        volatile __m128i loaded = _mm_load_si128(row);
        (void)loaded;
    }
    return product(g, exact, g->m, g->n);
}
#endif
