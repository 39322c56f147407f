/* conv.c - conv2d as a product whose rows are gathered a block at a time (implicit im2col).
 *
 * A row is one output pixel: its kernel_h * kernel_w * (in_c / groups) inputs in the order of the
 * weights, padding replaced by x_zero_point. Only kdq_tile_rows of them exist at any time. */
#include <string.h>

#include "kdq_internal.h"

static int64_t group_k(const kdq_window *w) {
    return (int64_t)w->kernel_h * w->kernel_w * (w->in_c / w->groups);
}

static int64_t output_pixels(const kdq_window *w, int64_t images) {
    return images * w->out_h * w->out_w;
}

/* Rows of such a convolution are the input's own pixels. */
static int is_pointwise(const kdq_window *w) {
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->out_h == w->in_h && w->out_w == w->in_w;
}

int64_t kdq_conv2d_scratch_bytes(const kdq_kernel *kernel, const kdq_window *w, int64_t images) {
    const int64_t pixels = output_pixels(w, images), k = group_k(w);
    const int64_t rows = is_pointwise(w) ? 0 : kdq_tile_rows(kernel, pixels, k);
    return kdq_drive_scratch_bytes(kernel, pixels, k) + kdq_round_up(rows * k, KDQ_ALIGN);
}

/* memcpy for the short runs of small kernels, where the call would cost more than the copy. */
static inline void copy_run(int8_t *restrict to, const int8_t *restrict from, int64_t n) {
    if (n >= 64) {
        memcpy(to, from, (size_t)n);
        return;
    }
    for (; n >= 16; n -= 16, to += 16, from += 16) {
        memcpy(to, from, 16);
    }
    if (n & 8) {
        memcpy(to, from, 8);
        to += 8, from += 8;
    }
    if (n & 4) {
        memcpy(to, from, 4);
        to += 4, from += 4;
    }
    if (n & 2) {
        memcpy(to, from, 2);
        to += 2, from += 2;
    }
    if (n & 1) {
        *to = *from;
    }
}

/* The kernel_w taps of one input line from column iw0 on, count channels each. */
static inline void gather_line(const kdq_window *w, const int8_t *line, int64_t iw0, int64_t count,
                               int32_t padding, int8_t *row) {
    const int64_t taps = w->kernel_w, step = w->dilation_w, in_c = w->in_c;
    if (step == 1 && count == in_c) { /* neighbouring pixels are neighbouring bytes */
        const int64_t first = kdq_min(taps, kdq_max(0, -iw0));
        const int64_t last = kdq_max(first, kdq_min(taps, w->in_w - iw0));
        if (first > 0) {
            memset(row, padding, (size_t)(first * in_c));
        }
        copy_run(row + first * in_c, line + (iw0 + first) * in_c, (last - first) * in_c);
        if (last < taps) {
            memset(row + last * in_c, padding, (size_t)((taps - last) * in_c));
        }
        return;
    }
    for (int64_t j = 0; j < taps; j++, row += count) {
        const int64_t iw = iw0 + j * step;
        if (iw >= 0 && iw < w->in_w) {
            copy_run(row, line + iw * in_c, count);
        } else {
            memset(row, padding, (size_t)count);
        }
    }
}

/* The row of output pixel (oh, ow); image points at the group's first channel. */
static void gather_row(const kdq_window *w, const int8_t *image, int64_t oh, int64_t ow,
                       int32_t padding, int8_t *row) {
    const int64_t count = w->in_c / w->groups, line_bytes = (int64_t)w->in_w * w->in_c;
    const int64_t ih0 = oh * w->stride_h - w->pad_top, iw0 = ow * w->stride_w - w->pad_left;
    const int64_t run = w->kernel_w * count;
    for (int64_t i = 0; i < w->kernel_h; i++, row += run) {
        const int64_t ih = ih0 + i * w->dilation_h;
        if (ih >= 0 && ih < w->in_h) {
            gather_line(w, image + ih * line_bytes, iw0, count, padding, row);
        } else {
            memset(row, padding, (size_t)run);
        }
    }
}

/* Rows first .. first + rows - 1 of all output pixels of all images. */
static void gather(const kdq_window *w, const int8_t *x, int64_t first, int64_t rows,
                   int32_t padding, int8_t *gathered) {
    const int64_t per_image = (int64_t)w->out_h * w->out_w, k = group_k(w);
    const int64_t image_bytes = (int64_t)w->in_h * w->in_w * w->in_c;
    int64_t image = first / per_image;
    int64_t oh = first % per_image / w->out_w, ow = first % w->out_w;
    for (int64_t r = 0; r < rows; r++) {
        gather_row(w, x + image * image_bytes, oh, ow, padding, gathered + r * k);
        if (++ow == w->out_w) {
            ow = 0;
            if (++oh == w->out_h) {
                oh = 0;
                image++;
            }
        }
    }
}

void kdq_conv2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images, const int8_t *x,
                int32_t x_zero_point, const void *packed, const int32_t *folded_bias,
                const kdq_requant *requant, int8_t *y, void *scratch) {
    const int64_t pixels = output_pixels(w, images), k = group_k(w);
    const int64_t group_in = w->in_c / w->groups, group_out = w->out_c / w->groups;
    const int64_t panel_bytes = kdq_packed_bytes(kernel, k, group_out);
    const int64_t tile_rows = kdq_tile_rows(kernel, pixels, k);
    int8_t *gathered = (int8_t *)scratch + kdq_drive_scratch_bytes(kernel, pixels, k);
    for (int64_t g = 0; g < w->groups; g++) {
        const int64_t channel = g * group_out;
        struct kdq_product product = {.kernel = kernel,
                                      .n = group_out,
                                      .k = k,
                                      .packed = (const int8_t *)packed + g * panel_bytes,
                                      .bias = folded_bias + channel,
                                      .requant = kdq_requant_from(requant, channel),
                                      .y = y + channel,
                                      .ld = w->out_c};
        if (is_pointwise(w)) {
            kdq_drive(&product, pixels, x + g * group_in, w->in_c, scratch);
            continue;
        }
        for (int64_t first = 0; first < pixels; first += tile_rows) {
            const int64_t rows = kdq_min(tile_rows, pixels - first);
            gather(w, x + g * group_in, first, rows, x_zero_point, gathered);
            kdq_drive(&product, rows, gathered, k, scratch);
            product.y += rows * w->out_c;
        }
    }
}
