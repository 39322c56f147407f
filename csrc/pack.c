/* pack.c - weights into the panels a kernel dictates (drawn in csrc/README.md), activations into the
 * elements it reads.
 *
 *     data | start: int32, n rounded up to panels | depth of each panel, if the kernel needs proof: int32
 *          | to alignment | panel | panel | ...
 *
 * Columns past n and elements past k are zeros, so kernels may multiply whole panels. */
#include "kdq_internal.h"

int64_t kdq_panel_elements(const kdq_weights *w) {
    return w->form == KDQ_WINOGRAD ? kdq_winograd_panel_elements(w)
                                   : w->segments * kdq_padded_k(w->kernel, w->k) * w->kernel->nr;
}

int64_t kdq_panel_index(const kdq_kernel *kernel, int64_t k, int64_t s, int64_t p, int64_t i) {
    const int64_t padded_k = kdq_padded_k(kernel, k), q = s * padded_k + p;
    const int64_t u = kernel->layout == KDQ_FLAT ? kdq_max(1, padded_k) : kernel->k_unit;
    return q / u * kernel->nr * u + i * u + q % u;
}

int32_t kdq_is_compact(const kdq_weights *w) {
    return w->kernel->run_compact != NULL && w->form == KDQ_COMPACT;
}

int64_t kdq_panel_bytes(const kdq_weights *w) {
    return kdq_panel_elements(w) * w->kernel->width / (kdq_is_compact(w) ? 2 : 1);
}

static int64_t panel_count(const kdq_weights *w) {
    return kdq_round_up(w->n, w->kernel->nr) / w->kernel->nr;
}

int64_t kdq_depths_at(const kdq_weights *w) {
    return panel_count(w) * w->kernel->nr * (int64_t)sizeof(int32_t);
}

int64_t kdq_panels_at(const kdq_weights *w) {
    const int64_t depths = w->kernel->max_depth ? panel_count(w) * (int64_t)sizeof(int32_t) : 0;
    return kdq_round_up(kdq_depths_at(w) + depths, KDQ_ALIGN);
}

/* Of groups that lie side by side, each is aligned like the first. */
int64_t kdq_weights_bytes(const kdq_weights *w) {
    return kdq_round_up(kdq_panels_at(w) + panel_count(w) * kdq_panel_bytes(w), KDQ_ALIGN);
}

/* Largest sum of weights of one sign that meet in an int16 lane within `depth` steps, over column j:
 * of every k_unit elements, neighbours 0 and 1 meet in one lane, 2 and 3 in the next, and so on. */
static int32_t largest_lane_sum(const kdq_weights *w, const int8_t *b, int64_t ld_b, int64_t j,
                                int64_t depth) {
    const int64_t unit = w->kernel->k_unit, step = depth * unit;
    int32_t largest = 0;
    for (int64_t s = 0; s < w->segments; s++) {
        for (int64_t first = 0; first < w->k; first += step) {
            for (int64_t lane = 0; lane < unit; lane += 2) {
                int32_t positive = 0, negative = 0;
                for (int64_t p = first + lane; p < kdq_min(w->k, first + step); p += unit) {
                    for (int64_t q = p; q < kdq_min(w->k, p + 2); q++) {
                        const int32_t weight = b[(s * w->k + q) * ld_b + j];
                        positive += weight > 0 ? weight : 0;
                        negative -= weight < 0 ? weight : 0;
                    }
                }
                largest = positive > largest ? positive : largest;
                largest = negative > largest ? negative : largest;
            }
        }
    }
    return largest;
}

/* 255 * 128 = 32640 fits int16, in either direction. */
static int32_t panel_depth(const kdq_weights *w, const int8_t *b, int64_t ld_b, int64_t j) {
    const int64_t end = kdq_min(w->n, j + w->kernel->nr);
    int32_t depth = w->kernel->max_depth;
    for (; j < end; j++) {
        while (depth > 0 && largest_lane_sum(w, b, ld_b, j, depth) > 128) {
            depth /= 2;
        }
    }
    return depth;
}

int32_t kdq_pair_depth(const kdq_weights *w, const int8_t *b, int64_t ld_b) {
    int32_t depth = w->kernel->max_depth;
    for (int64_t j = 0; j < w->n; j += w->kernel->nr) {
        depth = (int32_t)kdq_min(depth, panel_depth(w, b, ld_b, j));
    }
    return depth;
}

/* Of every nr * k_unit elements, the first half are low nibbles, in order, the second half the high
 * nibbles of the same bytes: a vector of nibbles expands into two without a shuffle. */
static void pack_nibble(const kdq_kernel *kernel, int64_t at, int8_t weight, uint8_t *panel) {
    const int64_t half = (int64_t)kernel->nr * kernel->k_unit / 2;
    panel[at / (2 * half) * half + at % half] |= (uint8_t)((weight & 15) << at / half % 2 * 4);
}

void kdq_pack_panel(const kdq_weights *w, int64_t j, int64_t columns, const int8_t *b,
                    int64_t ld_b, void *panel) {
    const int64_t next = kdq_panel_index(w->kernel, w->k, 0, 0, 1);
    const int64_t bits = 8 * w->kernel->width / (kdq_is_compact(w) ? 2 : 1);
    for (int64_t s = 0; s < w->segments; s++) {
        for (int64_t p = 0; p < w->k; p++) {
            const int8_t *row = b + (s * w->k + p) * ld_b + j;
            const int64_t at = kdq_panel_index(w->kernel, w->k, s, p, 0);
            for (int64_t i = 0; i < columns; i++) {
                if (bits == 4) {
                    pack_nibble(w->kernel, at + i * next, row[i], panel);
                } else if (bits == 8) {
                    ((int8_t *)panel)[at + i * next] = row[i];
                } else {
                    ((int16_t *)panel)[at + i * next] = row[i];
                }
            }
        }
    }
}

void kdq_pack_weights(const kdq_weights *w, const int8_t *b, int64_t ld_b, const int32_t *bias,
                      int32_t x_zero_point) {
    const int64_t nr = w->kernel->nr, panel_bytes = kdq_panel_bytes(w);
    int8_t *panel = (int8_t *)w->data + kdq_panels_at(w);
    memset(w->data, 0, (size_t)kdq_weights_bytes(w));
    if (w->form == KDQ_WINOGRAD) {
        kdq_winograd_pack(w, b, ld_b, (int16_t *)(void *)panel);
    } else {
        int32_t *depth = (int32_t *)(void *)((int8_t *)w->data + kdq_depths_at(w));
        for (int64_t j = 0; j < w->n; j += nr, panel += panel_bytes) {
            kdq_pack_panel(w, j, kdq_min(nr, w->n - j), b, ld_b, panel);
            if (w->kernel->max_depth) {
                *depth++ = panel_depth(w, b, ld_b, j);
            }
        }
    }
    kdq_fold_bias(w->segments * w->k, w->n, b, ld_b, bias,
                  x_zero_point + (w->kernel->unsigned_a ? 128 : 0), w->data);
}

void kdq_fold_bias(int64_t k, int64_t n, const int8_t *b, int64_t ld_b, const int32_t *bias,
                   int32_t x_zero_point, int32_t *folded) {
    for (int64_t j = 0; j < n; j++) {
        folded[j] = bias != NULL ? bias[j] : 0;
    }
    for (int64_t p = 0; p < k; p++) {
        for (int64_t j = 0; j < n; j++) {
            folded[j] = kdq_wrapping_add(folded[j], -x_zero_point * b[p * ld_b + j]);
        }
    }
}

void kdq_load(const kdq_kernel *kernel, int64_t n, const int8_t *x, void *to) {
    if (kernel->width == 2) {
        kernel->vector->widen(n, x, to);
    } else if (kernel->unsigned_a) {
        kernel->vector->to_u8(n, x, to);
    } else {
        memcpy(to, x, (size_t)n);
    }
}

void kdq_load_constant(const kdq_kernel *kernel, int64_t n, int32_t x, void *to) {
    if (kernel->width == 2) {
        for (int64_t i = 0; i < n; i++) {
            ((int16_t *)to)[i] = (int16_t)x;
        }
    } else {
        memset(to, kernel->unsigned_a ? x + 128 : x, (size_t)n);
    }
}
