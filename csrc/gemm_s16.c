/* gemm_s16.c - int16 activations by int8 weights, summed in int64.
 *
 * The micro-kernels of width 2 multiply int16 by int16 and sum in int32: they serve here as they are,
 * on a run of k at a time that cannot leave int32. |x * w| <= 2^15 * 2^7 = 2^22, and reaches it (both
 * lowest), so a sum of DEPTH products, or of any of them, in any order, is exact if
 *
 *     DEPTH * 2^22 <= 2^31 - 1,    DEPTH <= 511
 *
 * and their number is rounded down to whole units. (vpmaddwd itself overflows only where all four
 * factors are -2^15, and no weight is.) Each run is then added into int64:
 *
 *     for each block of rows:                 load it                    (scratch: block)
 *         for each panel j of weights:        acc = bias                 (scratch: acc, a strip)
 *             for each run of k:
 *                 for each tile of rows:      sums = a * w[j]            (scratch: sums, a strip)
 *                 acc += sums
 *             requantize, or copy, the strip: exactly the real rows and columns
 *
 * Weights are held as the kernel multiplies them, as int16: data holds panel after panel, and a panel
 * its runs of k, each laid out as a panel of kdq_weights with that k. */
#include "kdq_internal.h"

#define DEPTH 511

void kdq_gemm_s16s64_ref(int64_t m, int64_t n, int64_t k, const int16_t *a, int64_t ld_a,
                         const int8_t *b, int64_t ld_b, const int64_t *bias, int64_t *c,
                         int64_t ld_c) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            int64_t sum = bias != NULL ? bias[j] : 0;
            for (int64_t p = 0; p < k; p++) {
                sum += a[i * ld_a + p] * b[p * ld_b + j];
            }
            c[i * ld_c + j] = sum;
        }
    }
}

/* The kernel itself, or one that runs wherever it does. */
static const kdq_kernel *int16_kernel(const kdq_kernel *kernel) {
#if defined(__x86_64__)
    if (kernel->needs >> KDQ_AVX2 & 1) {
        return &kdq_avx2;
    }
#endif
    return kernel->width == 2 ? kernel : &kdq_scalar;
}

static int64_t run_depth(const kdq_kernel *kernel) { return DEPTH / kernel->k_unit * kernel->k_unit; }

int64_t kdq_weights_s16_bytes(const kdq_weights_s16 *w) {
    const kdq_kernel *kernel = int16_kernel(w->kernel);
    return kdq_padded_k(kernel, w->k) * kdq_round_up(w->n, kernel->nr) * (int64_t)sizeof(int16_t);
}

void kdq_pack_weights_s16(const kdq_weights_s16 *w, const int8_t *b, int64_t ld_b) {
    const kdq_kernel *kernel = int16_kernel(w->kernel);
    const int64_t nr = kernel->nr, depth = run_depth(kernel);
    int16_t *to = w->data;
    memset(to, 0, (size_t)kdq_weights_s16_bytes(w));
    for (int64_t j = 0; j < w->n; j += nr) {
        for (int64_t first = 0; first < w->k; first += depth) {
            const kdq_weights run = {.kernel = kernel,
                                     .segments = 1,
                                     .k = kdq_min(depth, w->k - first),
                                     .n = w->n,
                                     .form = KDQ_WIDE};
            kdq_pack_panel(&run, j, kdq_min(nr, w->n - j), b + first * ld_b, ld_b, to);
            to += kdq_panel_elements(&run);
        }
    }
}

/* Sizes of the pieces of scratch memory. */
struct pieces {
    int64_t row_bytes, rows; /* of a block */
    int64_t block, acc, sums;
};

static struct pieces pieces_of(const kdq_weights_s16 *b, int64_t m) {
    const kdq_kernel *kernel = int16_kernel(b->kernel);
    struct pieces size = {.row_bytes = kdq_loaded_row_bytes(kernel, b->k)};
    size.rows = kdq_block_rows(kernel, m, size.row_bytes);
    size.block = kdq_round_up(size.rows * size.row_bytes, KDQ_ALIGN);
    size.acc = kdq_round_up(size.rows * kernel->nr * (int64_t)sizeof(int64_t), KDQ_ALIGN);
    size.sums = kdq_round_up(size.rows * kernel->nr * (int64_t)sizeof(int32_t), KDQ_ALIGN);
    return size;
}

int64_t kdq_gemm_s16_scratch_bytes(const kdq_weights_s16 *b, int64_t m) {
    const struct pieces size = pieces_of(b, m);
    return size.block + size.acc + size.sums;
}

static void load_rows(int64_t rows, int64_t k, const int16_t *a, int64_t ld_a, int8_t *to,
                      int64_t row_bytes) {
    const int64_t real = k * (int64_t)sizeof *a;
    for (int64_t r = 0; r < rows; r++, a += ld_a, to += row_bytes) {
        memcpy(to, a, (size_t)real);
        memset(to + real, 0, (size_t)(row_bytes - real));
    }
}

/* acc (rows, nr) = bias of the columns that exist, 0 in the others. */
static void start(int64_t rows, int64_t nr, int64_t columns, const int64_t *bias, int64_t *acc) {
    memset(acc, 0, (size_t)(rows * nr) * sizeof *acc);
    for (int64_t r = 0; bias != NULL && r < rows; r++) {
        memcpy(acc + r * nr, bias, (size_t)columns * sizeof *acc);
    }
}

static void add(int64_t n, const int32_t *restrict sums, int64_t *restrict acc) {
    for (int64_t i = 0; i < n; i++) {
        acc[i] += sums[i];
    }
}

/* Exactly one of y and c is set. */
struct target_s16 {
    const kdq_requant_s16 *requant; /* of y */
    int16_t *y;
    int64_t *c;
    int64_t ld;
};

static void write_strip(const kdq_kernel *kernel, const struct target_s16 *to, int64_t first_row,
                        int64_t rows, int64_t j, int64_t columns, const int64_t *acc) {
    const int64_t nr = kernel->nr, at = first_row * to->ld + j;
    if (to->y != NULL) {
        const kdq_requant_s16 requant = kdq_requant_s16_from(to->requant, j);
        kdq_requantize_s16_with(kernel, &requant, rows, columns, acc, nr, to->y + at, to->ld);
    } else {
        for (int64_t r = 0; r < rows; r++) {
            memcpy(to->c + at + r * to->ld, acc + r * nr, (size_t)columns * sizeof *acc);
        }
    }
}

static void multiply(const kdq_weights_s16 *b, const int64_t *bias, int64_t m, const int16_t *a,
                     int64_t ld_a, const struct target_s16 *to, void *scratch) {
    static const int32_t zeros[KDQ_MAX_NR];
    static const int64_t no_offset;
    const kdq_kernel *kernel = int16_kernel(b->kernel);
    const int64_t nr = kernel->nr, depth = run_depth(kernel);
    const struct pieces size = pieces_of(b, m);
    int8_t *block = scratch;
    int64_t *acc = (int64_t *)(void *)(block + size.block);
    int32_t *sums = (int32_t *)(void *)(block + size.block + size.acc);
    for (int64_t first = 0; first < m; first += size.rows) {
        const int64_t rows = kdq_min(size.rows, m - first);
        const int16_t *w = b->data;
        load_rows(rows, b->k, a + first * ld_a, ld_a, block, size.row_bytes);
        for (int64_t j = 0; j < b->n; j += nr) {
            const int64_t columns = kdq_min(nr, b->n - j);
            start(rows, nr, columns, bias != NULL ? bias + j : NULL, acc);
            for (int64_t p = 0; p < b->k; p += depth) {
                const struct kdq_panel panel = {.segments = 1,
                                                .k = kdq_padded_k(kernel, kdq_min(depth, b->k - p)),
                                                .columns = nr,
                                                .row_bytes = size.row_bytes,
                                                .offsets = &no_offset,
                                                .b = w,
                                                .start = zeros};
                kernel->run(&panel, rows, block + p * (int64_t)sizeof *a, sums);
                add(rows * nr, sums, acc);
                w += panel.k * nr;
            }
            write_strip(kernel, to, first, rows, j, columns, acc);
        }
    }
}

void kdq_gemm_s16s64(const kdq_weights_s16 *b, const int64_t *bias, int64_t m, const int16_t *a,
                     int64_t ld_a, int64_t *c, int64_t ld_c, void *scratch) {
    const struct target_s16 to = {.c = c, .ld = ld_c};
    multiply(b, bias, m, a, ld_a, &to, scratch);
}

void kdq_gemm_s16s16(const kdq_weights_s16 *b, const int64_t *bias, int64_t m, const int16_t *a,
                     int64_t ld_a, const kdq_requant_s16 *requant, int16_t *y, int64_t ld_y,
                     void *scratch) {
    const struct target_s16 to = {.requant = requant, .y = y, .ld = ld_y};
    multiply(b, bias, m, a, ld_a, &to, scratch);
}
