/* pool.c - max over lines of outputs, a tap at a time; average over the channels of one output. */
#include <string.h>

#include "kdq_internal.h"

#define BLOCK 64

/* The part of one output's window that lies on the image: lines h0 .. h1 - 1, columns w0 .. w1 - 1
 * (pooling has no dilation). */
struct span {
    int64_t h0, h1, w0, w1;
};

static struct span real_part(const kdq_window *w, int64_t oh, int64_t ow) {
    const int64_t ih = oh * w->stride_h - w->pad_top, iw = ow * w->stride_w - w->pad_left;
    return (struct span){kdq_max(0, ih), kdq_min(w->in_h, ih + w->kernel_h), kdq_max(0, iw),
                         kdq_min(w->in_w, iw + w->kernel_w)};
}

/* Output columns whose tap at column j of the window lies on the image. */
static struct span columns_of_tap(const kdq_window *w, int64_t j) {
    const int64_t from = w->pad_left - j, to = w->in_w + w->pad_left - j;
    const int64_t first = from > 0 ? (from + w->stride_w - 1) / w->stride_w : 0;
    const int64_t last = to > 0 ? (to - 1) / w->stride_w + 1 : 0;
    return (struct span){.w0 = first, .w1 = kdq_min(w->out_w, last)};
}

void kdq_max_pool2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images, const int8_t *x,
                    int8_t *y) {
    const int64_t channels = w->in_c, line = (int64_t)w->in_w * channels;
    for (int64_t b = 0; b < images; b++, x += w->in_h * line) {
        for (int64_t oh = 0; oh < w->out_h; oh++, y += w->out_w * channels) {
            const struct span lines = real_part(w, oh, 0);
            memset(y, -128, (size_t)(w->out_w * channels));
            for (int64_t j = 0; j < w->kernel_w; j++) {
                const struct span s = columns_of_tap(w, j);
                const int64_t iw = s.w0 * w->stride_w - w->pad_left + j;
                for (int64_t ih = lines.h0; ih < lines.h1 && s.w0 < s.w1; ih++) {
                    kernel->vector->keep_larger(s.w1 - s.w0, channels,
                                                x + ih * line + iw * channels,
                                                w->stride_w * channels, y + s.w0 * channels);
                }
            }
        }
    }
}

/* sums[c] = sum over the span of (x[c] - zero_point), for the channels x points at. */
static void sum_span(const kdq_kernel *kernel, const kdq_window *w, const struct span *s,
                     const int8_t *x, int32_t zero_point, int64_t channels, int32_t *sums) {
    const int32_t zeros = (int32_t)((s->h1 - s->h0) * (s->w1 - s->w0)) * zero_point;
    for (int64_t c = 0; c < channels; c++) {
        sums[c] = -zeros;
    }
    for (int64_t ih = s->h0; ih < s->h1; ih++) {
        for (int64_t iw = s->w0; iw < s->w1; iw++) {
            kernel->vector->sum(channels, x + (ih * w->in_w + iw) * w->in_c, sums);
        }
    }
}

void kdq_avg_pool2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images,
                    const int8_t *x, int32_t x_zero_point, const kdq_requant *requant, int8_t *y) {
    int32_t sums[BLOCK];
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * w->in_c) {
        for (int64_t oh = 0; oh < w->out_h; oh++) {
            for (int64_t ow = 0; ow < w->out_w; ow++, y += w->out_c) {
                const struct span s = real_part(w, oh, ow);
                for (int64_t first = 0; first < w->in_c; first += BLOCK) {
                    const int64_t channels = kdq_min(BLOCK, w->in_c - first);
                    const kdq_requant from = kdq_requant_from(requant, first);
                    sum_span(kernel, w, &s, x + first, x_zero_point, channels, sums);
                    kernel->vector->requantize(&from, 1, channels, sums, channels, NULL,
                                               y + first, channels);
                }
            }
        }
    }
}
