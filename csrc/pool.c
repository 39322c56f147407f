/* pool.c - windows cut to the part that lies on the image; whole ones along a line in one go. */
#include "kdq_internal.h"

/* Sums between adding and requantization, on the stack and in L1: of several pixels, or of a part of
 * the channels of one. */
#define SUMS 1024

/* The real part of a window in one direction, first .. last - 1. */
struct span {
    int64_t first, last;
};

static struct span real_part(int64_t out, int64_t stride, int64_t padding, int64_t kernel,
                             int64_t in) {
    const int64_t start = out * stride - padding;
    return (struct span){kdq_max(0, start), kdq_min(in, start + kernel)};
}

static struct span lines_of(const kdq_window *w, int64_t oh) {
    return real_part(oh, w->stride_h, w->pad_top, w->kernel_h, w->in_h);
}

static struct span columns_of(const kdq_window *w, int64_t ow) {
    return real_part(ow, w->stride_w, w->pad_left, w->kernel_w, w->in_w);
}

/* Output columns whose windows lie on the image from left to right. */
static struct span whole_columns(const kdq_window *w) {
    const int64_t most = w->in_w + w->pad_left - w->kernel_w; /* where the last of them may start */
    const int64_t first = kdq_min(w->out_w, (w->pad_left + w->stride_w - 1) / w->stride_w);
    const int64_t last = most < 0 ? 0 : kdq_min(w->out_w, most / w->stride_w + 1);
    return (struct span){first, kdq_max(first, last)};
}

static struct kdq_patch patch_of(const kdq_window *w, struct span lines, struct span columns) {
    return (struct kdq_patch){.lines = lines.last - lines.first,
                              .columns = columns.last - columns.first,
                              .line = (int64_t)w->in_w * w->in_c,
                              .column = w->in_c};
}

void kdq_max_pool2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images, const int8_t *x,
                    int8_t *y) {
    const int64_t channels = w->in_c, line = (int64_t)w->in_w * channels;
    const struct span whole = whole_columns(w);
    for (int64_t b = 0; b < images; b++, x += w->in_h * line) {
        for (int64_t oh = 0; oh < w->out_h; oh++, y += w->out_w * channels) {
            const struct span lines = lines_of(w, oh);
            for (int64_t ow = 0; ow < w->out_w;) {
                const struct span columns = columns_of(w, ow);
                const struct kdq_patch patch = patch_of(w, lines, columns);
                const int64_t pixels = ow == whole.first ? kdq_max(1, whole.last - ow) : 1;
                if (patch.lines == 0 || patch.columns == 0) { /* an empty image: padding alone */
                    memset(y + ow * channels, -128, (size_t)(pixels * channels));
                    ow += pixels;
                    continue;
                }
                kernel->vector->largest(&patch, pixels, w->stride_w * channels, channels,
                                        x + lines.first * line + columns.first * channels,
                                        y + ow * channels);
                ow += pixels;
            }
        }
    }
}

/* Some channels of outputs ow .. ow + pixels - 1 of a line: sums over the real part of their windows,
 * less the zero points. */
static void sum_windows(const kdq_kernel *kernel, const kdq_window *w, struct span lines,
                        int64_t ow, int64_t pixels, int64_t channels, const int8_t *x,
                        int32_t zero_point, int32_t *sums) {
    const struct span whole = whole_columns(w);
    const int64_t end = ow + pixels;
    while (ow < end) {
        const struct span columns = columns_of(w, ow);
        const struct kdq_patch patch = patch_of(w, lines, columns);
        const int64_t alike =
            ow >= whole.first && ow < whole.last ? kdq_min(end, whole.last) - ow : 1;
        const int32_t zeros = (int32_t)(patch.lines * patch.columns) * zero_point;
        kernel->vector->sum(&patch, alike, w->stride_w * w->in_c, channels,
                            x + lines.first * patch.line + columns.first * w->in_c, -zeros, sums);
        ow += alike, sums += alike * channels;
    }
}

void kdq_avg_pool2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images,
                    const int8_t *x, int32_t x_zero_point, const kdq_requant *requant, int8_t *y) {
    int32_t sums[SUMS];
    const int64_t together = kdq_max(1, SUMS / kdq_max(1, w->in_c));
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * w->in_c) {
        for (int64_t oh = 0; oh < w->out_h; oh++) {
            const struct span lines = lines_of(w, oh);
            for (int64_t ow = 0; ow < w->out_w; ow += together) {
                const int64_t pixels = kdq_min(together, w->out_w - ow);
                for (int64_t first = 0; first < w->in_c; first += SUMS) {
                    const int64_t channels = kdq_min(SUMS, w->in_c - first);
                    const kdq_requant from = kdq_requant_from(requant, first);
                    sum_windows(kernel, w, lines, ow, pixels, channels, x + first, x_zero_point,
                                sums);
                    kernel->vector->requantize(&from, pixels, channels, sums, channels, NULL,
                                               y + first, w->in_c);
                }
                y += pixels * w->in_c;
            }
        }
    }
}
