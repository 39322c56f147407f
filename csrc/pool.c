/* pool.c - max and average over windows; channels are the inner loop, so that they vectorize. */
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

static inline void keep_larger(int64_t n, const int8_t *restrict x, int8_t *restrict y) {
    for (int64_t c = 0; c < n; c++) {
        y[c] = x[c] > y[c] ? x[c] : y[c];
    }
}

void kdq_max_pool2d(const kdq_window *w, int64_t images, const int8_t *x, int8_t *y) {
    const int64_t channels = w->in_c;
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * channels) {
        for (int64_t oh = 0; oh < w->out_h; oh++) {
            for (int64_t ow = 0; ow < w->out_w; ow++, y += channels) {
                const struct span s = real_part(w, oh, ow);
                memset(y, -128, (size_t)channels);
                for (int64_t ih = s.h0; ih < s.h1; ih++) {
                    for (int64_t iw = s.w0; iw < s.w1; iw++) {
                        keep_larger(channels, x + (ih * w->in_w + iw) * channels, y);
                    }
                }
            }
        }
    }
}

/* sums[c] = sum over the span of (x[c] - zero_point), for the channels x points at. */
static void sum_span(const kdq_window *w, const struct span *s, const int8_t *x, int32_t zero_point,
                     int64_t channels, int32_t *restrict sums) {
    const int32_t zeros = (int32_t)((s->h1 - s->h0) * (s->w1 - s->w0)) * zero_point;
    for (int64_t c = 0; c < channels; c++) {
        sums[c] = -zeros;
    }
    for (int64_t ih = s->h0; ih < s->h1; ih++) {
        for (int64_t iw = s->w0; iw < s->w1; iw++) {
            const int8_t *restrict pixel = x + (ih * w->in_w + iw) * w->in_c;
            for (int64_t c = 0; c < channels; c++) {
                sums[c] += pixel[c];
            }
        }
    }
}

void kdq_avg_pool2d(const kdq_window *w, int64_t images, const int8_t *x, int32_t x_zero_point,
                    const kdq_requant *requant, int8_t *y) {
    int32_t sums[BLOCK];
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * w->in_c) {
        for (int64_t oh = 0; oh < w->out_h; oh++) {
            for (int64_t ow = 0; ow < w->out_w; ow++, y += w->out_c) {
                const struct span s = real_part(w, oh, ow);
                for (int64_t first = 0; first < w->in_c; first += BLOCK) {
                    const int64_t channels = kdq_min(BLOCK, w->in_c - first);
                    const kdq_requant from = kdq_requant_from(requant, first);
                    sum_span(w, &s, x + first, x_zero_point, channels, sums);
                    kdq_requantize(&from, 1, channels, sums, channels, NULL, y + first, channels);
                }
            }
        }
    }
}
