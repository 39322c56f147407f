/* pack.c - activations and weights into the panels a kernel dictates (drawn in csrc/README.md).
 *
 * Element p of row i of a panel of `tile` rows lies at (p / u) * tile * u + i * u + p % u, where u is
 * k_unit, or the whole padded k in a flat layout. Rows past the end and k past the end are zeros, so
 * kernels never see an edge, and nothing is read that is not there. */
#include <string.h>

#include "kdq_internal.h"

/* One panel; source element p of row i is at i * row_stride + p * k_stride. */
#define DEFINE_PACK_PANEL(NAME, ELEMENT)                                                          \
    static inline void NAME(int64_t tile, int64_t u, int64_t rows, int64_t k, int64_t padded_k,   \
                            const int8_t *source, int64_t row_stride, int64_t k_stride,           \
                            ELEMENT *panel) {                                                     \
        for (int64_t p0 = 0; p0 < padded_k; p0 += u) {                                            \
            const int64_t real = kdq_max(0, kdq_min(u, k - p0));                                  \
            for (int64_t i = 0; i < tile; i++) {                                                  \
                ELEMENT *to = panel + p0 * tile + i * u;                                          \
                int64_t p = 0;                                                                    \
                if (i < rows) {                                                                   \
                    const int8_t *from = source + i * row_stride + p0 * k_stride;                 \
                    for (; p < real; p++) {                                                       \
                        to[p] = from[p * k_stride];                                               \
                    }                                                                             \
                }                                                                                 \
                for (; p < u; p++) {                                                              \
                    to[p] = 0;                                                                    \
                }                                                                                 \
            }                                                                                     \
        }                                                                                         \
    }

DEFINE_PACK_PANEL(pack_panel_s8, int8_t)
DEFINE_PACK_PANEL(pack_panel_s16, int16_t)

static int64_t run_length(const kdq_kernel *kernel, int64_t padded_k) {
    return kernel->layout == KDQ_FLAT ? kdq_max(1, padded_k) : kernel->k_unit;
}

void kdq_pack_rows(const kdq_kernel *kernel, int64_t rows, int64_t k, const int8_t *a, int64_t ld_a,
                   void *packed) {
    const int64_t padded_k = kdq_padded_k(kernel, k), u = run_length(kernel, padded_k);
    const int64_t mr = kernel->mr;
    for (int64_t i = 0; i < rows; i += mr) {
        const int64_t real = kdq_min(mr, rows - i);
        if (kernel->width == 1) {
            pack_panel_s8(mr, u, real, k, padded_k, a + i * ld_a, ld_a, 1,
                          (int8_t *)packed + i * padded_k);
        } else {
            pack_panel_s16(mr, u, real, k, padded_k, a + i * ld_a, ld_a, 1,
                           (int16_t *)packed + i * padded_k);
        }
    }
}

int64_t kdq_packed_bytes(const kdq_kernel *kernel, int64_t k, int64_t n) {
    return kdq_round_up(n, kernel->nr) * kdq_padded_k(kernel, k) * kernel->width;
}

void kdq_pack_weights(const kdq_kernel *kernel, int64_t k, int64_t n, const int8_t *b, int64_t ld_b,
                      void *packed) {
    const int64_t padded_k = kdq_padded_k(kernel, k), u = run_length(kernel, padded_k);
    const int64_t nr = kernel->nr;
    for (int64_t j = 0; j < n; j += nr) {
        const int64_t real = kdq_min(nr, n - j);
        if (kernel->width == 1) {
            pack_panel_s8(nr, u, real, k, padded_k, b + j, 1, ld_b,
                          (int8_t *)packed + j * padded_k);
        } else {
            pack_panel_s16(nr, u, real, k, padded_k, b + j, 1, ld_b,
                           (int16_t *)packed + j * padded_k);
        }
    }
}

void kdq_fold_bias(int64_t k, int64_t n, const int8_t *b, int64_t ld_b, const int32_t *bias,
                   int32_t x_zero_point, int32_t *folded) {
    for (int64_t j = 0; j < n; j++) {
        folded[j] = bias[j];
    }
    for (int64_t p = 0; p < k; p++) {
        for (int64_t j = 0; j < n; j++) {
            folded[j] = kdq_wrapping_add(folded[j], -x_zero_point * b[p * ld_b + j]);
        }
    }
}
