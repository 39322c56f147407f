/* ukr_ref.c - kernel "ref": plain loops over a deliberately awkward tile.
 *
 * No size that matters in practice is a multiple of 3 x 5 x 3, so running the real control code with
 * this kernel exercises every edge of it. Asked for by name (isa="ref"), never chosen. */
#include "kdq_internal.h"

#define MR 3
#define NR 5
#define UNIT 3

static void run(const struct kdq_panel *panel, int64_t rows, const void *a, int32_t *c) {
    const int8_t *b = panel->b;
    for (int64_t i = 0; i < rows; i++) {
        const int8_t *row = (const int8_t *)a + i * panel->row_bytes;
        for (int64_t j = 0; j < NR; j++) {
            int32_t sum = panel->start[j];
            for (int64_t s = 0; s < panel->segments; s++) {
                for (int64_t p = 0; p < panel->k; p++) {
                    const int64_t q = s * panel->k + p;
                    const int32_t w = b[q / UNIT * NR * UNIT + j * UNIT + q % UNIT];
                    sum = kdq_wrapping_add(sum, row[panel->offsets[s] + p] * w);
                }
            }
            c[i * NR + j] = sum;
        }
    }
}

static void run_short(const struct kdq_panel *panel, int64_t lines, int64_t line_bytes,
                      int64_t rows, const void *a, int32_t *c) {
    for (int64_t line = 0; line < lines; line++) {
        run(panel, rows, (const int8_t *)a + line * line_bytes, c + line * rows * NR);
    }
}

static const kdq_kernel ref = {
    .name = "ref",
    .needs = 0,
    .mr = MR,
    .nr = NR,
    .k_unit = UNIT,
    .layout = KDQ_INTERLEAVED,
    .width = 1,
    .run = run,
    .run_short = run_short,
    .short_k = 4 * UNIT,
    .vector = &kdq_vector_portable,
};

const kdq_kernel *kdq_kernel_ref(void) { return &ref; }
