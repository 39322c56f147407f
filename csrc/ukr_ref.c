/* ukr_ref.c - kernel "ref": plain loops over a deliberately awkward tile.
 *
 * No size that matters in practice is a multiple of 3 x 5 x 3, so running the real control code with
 * this kernel exercises every edge of it. Asked for by name (isa="ref"), never chosen. */
#include "kdq_internal.h"

#define MR 3
#define NR 5
#define UNIT 3

static void run(int64_t k, const void *packed_a, const void *packed_b, int32_t *c) {
    const int8_t *a = packed_a;
    const int8_t *b = packed_b;
    for (int64_t i = 0; i < MR; i++) {
        for (int64_t j = 0; j < NR; j++) {
            int32_t sum = 0;
            for (int64_t p = 0; p < k; p++) {
                int64_t block = p / UNIT, within = p % UNIT;
                sum += a[(block * MR + i) * UNIT + within] * b[(block * NR + j) * UNIT + within];
            }
            c[i * NR + j] = sum;
        }
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
};

const kdq_kernel *kdq_kernel_ref(void) { return &ref; }
