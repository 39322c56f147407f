/* depthwise.c - one filter per channel, no product to pack: taps accumulate into a block of channels.
 *
 * The block's sums live on the stack, small enough to stay in L1 while the taps pass over them. A tap
 * outside the image contributes x_zero_point * w, which folded_bias takes away again. */
#include "kdq_internal.h"

#define BLOCK 64

/* sums[o] += x[(first + o) / multiplier] * w[o]; x NULL stands for a pixel of padding. */
static inline void add_tap(const int8_t *restrict x, int32_t padding, int64_t first,
                           int64_t multiplier, const int8_t *restrict w, int64_t channels,
                           int32_t *restrict sums) {
    if (x == NULL) {
        for (int64_t o = 0; o < channels; o++) {
            sums[o] += padding * w[o];
        }
    } else if (multiplier == 1) {
        x += first;
        for (int64_t o = 0; o < channels; o++) {
            sums[o] += (int16_t)(x[o] * w[o]); /* 16 bits are exact, and vectorize better */
        }
    } else {
        for (int64_t o = 0; o < channels; o++) {
            sums[o] += x[(first + o) / multiplier] * w[o];
        }
    }
}

/* Output channels first .. first + channels - 1 of one output pixel. */
static void accumulate(const kdq_window *w, const int8_t *image, int64_t ih0, int64_t iw0,
                       int32_t padding, const int8_t *weight, int64_t first, int64_t channels,
                       int32_t *sums) {
    const int64_t multiplier = w->out_c / w->in_c;
    for (int64_t o = 0; o < channels; o++) {
        sums[o] = 0;
    }
    for (int64_t i = 0; i < w->kernel_h; i++) {
        const int64_t ih = ih0 + i * w->dilation_h;
        for (int64_t j = 0; j < w->kernel_w; j++, weight += w->out_c) {
            const int64_t iw = iw0 + j * w->dilation_w;
            const int inside = ih >= 0 && ih < w->in_h && iw >= 0 && iw < w->in_w;
            const int8_t *pixel = inside ? image + (ih * w->in_w + iw) * w->in_c : NULL;
            add_tap(pixel, padding, first, multiplier, weight + first, channels, sums);
        }
    }
}

void kdq_depthwise_conv2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images,
                          const int8_t *x, int32_t x_zero_point, const int8_t *weight,
                          const int32_t *folded_bias, const kdq_requant *requant, int8_t *y) {
    int32_t sums[BLOCK];
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * w->in_c) {
        for (int64_t oh = 0; oh < w->out_h; oh++) {
            const int64_t ih0 = oh * w->stride_h - w->pad_top;
            for (int64_t ow = 0; ow < w->out_w; ow++, y += w->out_c) {
                const int64_t iw0 = ow * w->stride_w - w->pad_left;
                for (int64_t first = 0; first < w->out_c; first += BLOCK) {
                    const int64_t channels = kdq_min(BLOCK, w->out_c - first);
                    const kdq_requant from = kdq_requant_from(requant, first);
                    accumulate(w, x, ih0, iw0, x_zero_point, weight, first, channels, sums);
                    kernel->vector->requantize(&from, 1, channels, sums, channels,
                                               folded_bias + first, y + first, channels);
                }
            }
        }
    }
}
