/* gemm.c - the driver of every product: pack rows, run the kernel over tiles, requantize.
 *
 * Generic in the tile shape. Rows of a are packed kdq_tile_rows at a time, so that the packed block
 * stays in L1 while all weight panels pass over it:
 *
 *     for each block of rows:            pack it                      (scratch: a)
 *         for each weight panel j:                                    (nr columns)
 *             for each row panel i:      sums[i] = a[i] * w[j]        (scratch: sums, a strip)
 *             requantize, or copy, the strip: exactly the real rows and columns
 */
#include <string.h>

#include "kdq_internal.h"

/* Half of a small L1: the other half is for a weight panel and the strip of sums. */
#define BLOCK_BYTES (16 * 1024)
#define MAX_BLOCK_ROWS 128

int64_t kdq_tile_rows(const kdq_kernel *kernel, int64_t m, int64_t k) {
    const int64_t row_bytes = kdq_max(1, kdq_padded_k(kernel, k) * kernel->width);
    const int64_t fitting = kdq_min(BLOCK_BYTES / row_bytes, kdq_min(MAX_BLOCK_ROWS, m));
    return kdq_round_up(kdq_max(1, fitting), kernel->mr);
}

static int64_t block_bytes(const kdq_kernel *kernel, int64_t tile_rows, int64_t k) {
    return kdq_round_up(tile_rows * kdq_padded_k(kernel, k) * kernel->width, KDQ_ALIGN);
}

int64_t kdq_drive_scratch_bytes(const kdq_kernel *kernel, int64_t m, int64_t k) {
    const int64_t tile_rows = kdq_tile_rows(kernel, m, k);
    const int64_t strip = tile_rows * kernel->nr * (int64_t)sizeof(int32_t);
    return block_bytes(kernel, tile_rows, k) + kdq_round_up(strip, KDQ_ALIGN);
}

/* Rows i.. and columns j.. of the result, from a strip of sums with row stride nr. */
static void write_strip(const struct kdq_product *product, const int32_t *sums, int64_t i,
                        int64_t rows, int64_t j, int64_t columns) {
    const int64_t nr = product->kernel->nr;
    if (product->y != NULL) {
        const kdq_requant requant = kdq_requant_from(&product->requant, j);
        kdq_requantize(&requant, rows, columns, sums, nr, product->bias + j,
                       product->y + i * product->ld + j, product->ld);
    } else {
        for (int64_t r = 0; r < rows; r++) {
            memcpy(product->c + (i + r) * product->ld + j, sums + r * nr,
                   (size_t)columns * sizeof(int32_t));
        }
    }
}

void kdq_drive(const struct kdq_product *product, int64_t m, const int8_t *a, int64_t ld_a,
               void *scratch) {
    const kdq_kernel *kernel = product->kernel;
    const int64_t mr = kernel->mr, nr = kernel->nr;
    const int64_t tile_rows = kdq_tile_rows(kernel, m, product->k);
    const int64_t padded_k = kdq_padded_k(kernel, product->k);
    const int64_t row_bytes = padded_k * kernel->width;
    int8_t *block = scratch;
    int32_t *sums = (int32_t *)(void *)(block + block_bytes(kernel, tile_rows, product->k));
    for (int64_t i0 = 0; i0 < m; i0 += tile_rows) {
        const int64_t rows = kdq_min(tile_rows, m - i0);
        kdq_pack_rows(kernel, rows, product->k, a + i0 * ld_a, ld_a, block);
        for (int64_t j = 0; j < product->n; j += nr) {
            const int8_t *panel = (const int8_t *)product->packed + j * row_bytes;
            for (int64_t i = 0; i < rows; i += mr) {
                kernel->run(padded_k, block + i * row_bytes, panel, sums + i * nr);
            }
            write_strip(product, sums, i0, rows, j, kdq_min(nr, product->n - j));
        }
    }
}

int64_t kdq_gemm_scratch_bytes(const kdq_kernel *kernel, int64_t m, int64_t k) {
    return kdq_drive_scratch_bytes(kernel, m, k);
}

void kdq_gemm_s8s32(const kdq_kernel *kernel, int64_t m, int64_t n, int64_t k, const int8_t *a,
                    int64_t ld_a, const void *packed, int32_t *c, int64_t ld_c, void *scratch) {
    const struct kdq_product product = {
        .kernel = kernel, .n = n, .k = k, .packed = packed, .c = c, .ld = ld_c};
    kdq_drive(&product, m, a, ld_a, scratch);
}

void kdq_gemm_s8s8(const kdq_kernel *kernel, int64_t m, int64_t n, int64_t k, const int8_t *a,
                   int64_t ld_a, const void *packed, const int32_t *folded_bias,
                   const kdq_requant *requant, int8_t *y, int64_t ld_y, void *scratch) {
    const struct kdq_product product = {.kernel = kernel,
                                        .n = n,
                                        .k = k,
                                        .packed = packed,
                                        .bias = folded_bias,
                                        .requant = *requant,
                                        .y = y,
                                        .ld = ld_y};
    kdq_drive(&product, m, a, ld_a, scratch);
}
