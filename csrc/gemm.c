/* gemm.c - the driver of every product: load rows, run the kernel over tiles, requantize.
 *
 * Generic in the tile shape. Rows of a are loaded a block at a time, so that the block stays in cache
 * while all panels of weights pass over it:
 *
 *     for each block of rows:            load it                      (scratch: block)
 *         for each panel j of weights:   widen it, if need be         (scratch: wide; nr columns)
 *             for each tile of rows:     sums = start + a * w[j]      (scratch: sums, a strip)
 *             requantize, or copy, the strip: exactly the real rows and columns
 */
#include "kdq_internal.h"

/* A block shares L2 with the weights, a strip of sums L1 with a panel: csrc/README.md. */
#define BLOCK_BYTES (192 * 1024)
#define MAX_BLOCK_ROWS 240

int64_t kdq_block_rows(const kdq_kernel *kernel, int64_t m, int64_t row_bytes) {
    const int64_t fitting = kdq_min(BLOCK_BYTES / row_bytes, kdq_min(MAX_BLOCK_ROWS, m));
    return kdq_round_up(kdq_max(1, fitting), kernel->mr);
}

int64_t kdq_loaded_row_bytes(const kdq_kernel *kernel, int64_t k) {
    const int64_t bytes = kdq_max(1, kdq_padded_k(kernel, k)) * kernel->width;
    return bytes % 1024 == 0 ? bytes + KDQ_ALIGN : bytes;
}

static int must_widen(const kdq_weights *weights, int64_t rows) {
    return kdq_is_compact(weights) && rows > weights->kernel->compact_rows;
}

static void widen(const kdq_weights *weights, const int8_t *b, int8_t *wide) {
    const int64_t elements = kdq_panel_elements(weights);
    if (weights->kernel->width == 2) {
        weights->kernel->vector->widen(elements, b, (int16_t *)(void *)wide);
    } else {
        weights->kernel->expand(elements, b, wide);
    }
}

static int64_t wide_bytes(const kdq_weights *weights, int64_t rows) {
    return must_widen(weights, rows) ? kdq_panel_elements(weights) * weights->kernel->width : 0;
}

int64_t kdq_block_scratch_bytes(const kdq_weights *weights, int64_t rows) {
    const int64_t strip = rows * weights->kernel->nr * (int64_t)sizeof(int32_t);
    return kdq_round_up(strip, KDQ_ALIGN) + kdq_round_up(wide_bytes(weights, rows), KDQ_ALIGN);
}

void kdq_write_strip(const kdq_weights *weights, const struct kdq_target *target,
                     const int32_t *sums, int64_t rows, int64_t j) {
    const int64_t nr = weights->kernel->nr, columns = kdq_min(nr, weights->n - j);
    if (target->y != NULL) {
        const kdq_requant requant = kdq_requant_from(target->requant, j);
        weights->kernel->vector->requantize(&requant, rows, columns, sums, nr, NULL,
                                            target->y + j, target->ld);
    } else {
        for (int64_t r = 0; r < rows; r++) {
            memcpy(target->c + r * target->ld + j, sums + r * nr,
                   (size_t)columns * sizeof(int32_t));
        }
    }
}

static int stays_in_registers(const kdq_weights *weights) {
    const kdq_kernel *kernel = weights->kernel;
    const int64_t steps = weights->segments * kdq_padded_k(kernel, weights->k);
    return kernel->run_short != NULL && steps <= kernel->short_k && !kdq_is_compact(weights);
}

void kdq_multiply_block(const kdq_weights *weights, const struct kdq_block *block,
                        const struct kdq_target *target, void *scratch) {
    const kdq_kernel *kernel = weights->kernel;
    const int64_t nr = kernel->nr, rows = block->lines * block->rows;
    const int64_t panel_bytes = kdq_panel_bytes(weights);
    const int widens = must_widen(weights, rows);
    const int stays = stays_in_registers(weights);
    kdq_micro_kernel *run =
        kdq_is_compact(weights) && !widens ? kernel->run_compact : kernel->run;
    const int32_t none = 0, *depths = &none;
    if (kernel->max_depth) {
        depths = (const int32_t *)(const void *)((int8_t *)weights->data + kdq_depths_at(weights));
    }
    int32_t *sums = scratch;
    int8_t *wide = (int8_t *)scratch + kdq_round_up(rows * nr * (int64_t)sizeof *sums, KDQ_ALIGN);
    const int8_t *b = (const int8_t *)weights->data + kdq_panels_at(weights);
    for (int64_t j = 0; j < weights->n; j += nr, b += panel_bytes) {
        const struct kdq_panel panel = {.segments = weights->segments,
                                        .k = kdq_padded_k(kernel, weights->k),
                                        .columns = kdq_min(nr, weights->n - j),
                                        .row_bytes = block->row_bytes,
                                        .offsets = block->offsets,
                                        .b = widens ? wide : b,
                                        .depth = depths[kernel->max_depth ? j / nr : 0],
                                        .start = (const int32_t *)weights->data + j};
        if (widens) {
            widen(weights, b, wide);
        }
        if (stays) {
            kernel->run_short(&panel, block->lines, block->line_bytes, block->rows, block->a, sums);
        } else {
            for (int64_t line = 0; line < block->lines; line++) {
                run(&panel, block->rows, block->a + line * block->line_bytes,
                    sums + line * block->rows * nr);
            }
        }
        kdq_write_strip(weights, target, sums, rows, j);
    }
}

int64_t kdq_gemm_scratch_bytes(const kdq_weights *b, int64_t m) {
    const int64_t row_bytes = kdq_loaded_row_bytes(b->kernel, b->k);
    const int64_t rows = kdq_block_rows(b->kernel, m, row_bytes);
    return kdq_round_up(rows * row_bytes, KDQ_ALIGN) + kdq_block_scratch_bytes(b, rows);
}

static void load_rows(const kdq_kernel *kernel, int64_t rows, int64_t k, const int8_t *a,
                      int64_t ld_a, int8_t *to, int64_t row_bytes) {
    const int64_t real = k * kernel->width;
    if (real == row_bytes && k == ld_a) { /* one long row */
        kdq_load(kernel, rows * k, a, to);
        return;
    }
    for (int64_t r = 0; r < rows; r++, a += ld_a, to += row_bytes) {
        kdq_load(kernel, k, a, to);
        memset(to + real, 0, (size_t)(row_bytes - real));
    }
}

void kdq_multiply(const kdq_weights *b, int64_t m, const int8_t *a, int64_t ld_a,
                  const struct kdq_target *target, void *scratch) {
    const kdq_kernel *kernel = b->kernel;
    const int64_t row_bytes = kdq_loaded_row_bytes(kernel, b->k);
    const int64_t most = kdq_block_rows(kernel, m, row_bytes), offset = 0;
    int8_t *rows = scratch;
    struct kdq_target to = *target;
    for (int64_t first = 0; first < m; first += most) {
        const int64_t count = kdq_min(most, m - first);
        load_rows(kernel, count, b->k, a + first * ld_a, ld_a, rows, row_bytes);
        const struct kdq_block block = {
            .a = rows, .lines = 1, .rows = count, .row_bytes = row_bytes, .offsets = &offset};
        kdq_multiply_block(b, &block, &to, rows + kdq_round_up(most * row_bytes, KDQ_ALIGN));
        if (to.y != NULL) {
            to.y += count * to.ld;
        } else {
            to.c += count * to.ld;
        }
    }
}

void kdq_gemm_s8s32(const kdq_weights *b, int64_t m, const int8_t *a, int64_t ld_a, int32_t *c,
                    int64_t ld_c, void *scratch) {
    const struct kdq_target target = {.c = c, .ld = ld_c};
    kdq_multiply(b, m, a, ld_a, &target, scratch);
}

void kdq_gemm_s8s8(const kdq_weights *b, int64_t m, const int8_t *a, int64_t ld_a,
                   const kdq_requant *requant, int8_t *y, int64_t ld_y, void *scratch) {
    const struct kdq_target target = {.requant = requant, .y = y, .ld = ld_y};
    kdq_multiply(b, m, a, ld_a, &target, scratch);
}
