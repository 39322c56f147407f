/* depthwise.c - one filter per channel: no product to pack, taps go over a line of outputs.
 *
 * Input lines wait in scratch, widened to int16, padded with x_zero_point on all sides and with zeros
 * to whole units of channels, so that loops over them see no edge of any kind:
 *
 *     line ih   | x_zero_point ... | pixel 0 ... 0 | pixel 1 ... 0 | ... | x_zero_point ... |
 *                 ^ output pixel 0 meets the window's line from here
 *
 * As many lines as a window is high take turns in a ring, so each is loaded once. With more than one
 * filter per channel, a loaded pixel holds each channel as often as it has filters. folded_bias takes
 * away what padding and x_zero_point contribute. */
#include <string.h>

#include "kdq_internal.h"

/* Bytes of sums between the taps and the requantization: a part of L1. */
#define SUMS_BYTES (8 * 1024)

/* Scratch, and the sizes of what is in it. */
struct parts {
    int64_t taps;     /* of the window */
    int64_t channels; /* of a loaded pixel: out_c, padded */
    int64_t line;     /* elements of a loaded line */
    int64_t lines;    /* of the ring */
    int64_t pixels;   /* whose sums are held at a time */
    int64_t weights_at, lines_at, sums_at, bytes;
};

static struct parts plan_parts(const kdq_window *w) {
    struct parts p;
    p.taps = (int64_t)w->kernel_h * w->kernel_w;
    p.channels = kdq_round_up(w->out_c, KDQ_TAP_UNIT);
    p.lines = (int64_t)(w->kernel_h - 1) * w->dilation_h + 1;
    p.line = ((int64_t)(w->out_w - 1) * w->stride_w + (int64_t)(w->kernel_w - 1) * w->dilation_w + 1) *
             p.channels;
    const int64_t fitting = SUMS_BYTES / (kdq_max(1, p.channels) * (int64_t)sizeof(int32_t));
    p.pixels = kdq_min(w->out_w, kdq_max(4, fitting / 4 * 4));
    p.weights_at = kdq_round_up((p.taps + 1) * (int64_t)sizeof(int16_t *), KDQ_ALIGN);
    p.lines_at = p.weights_at + kdq_round_up(kdq_round_up(p.taps, 2) * p.channels * 2, KDQ_ALIGN);
    p.sums_at = p.lines_at + kdq_round_up(p.lines * p.line * 2, KDQ_ALIGN);
    p.bytes = p.sums_at + p.pixels * p.channels * (int64_t)sizeof(int32_t);
    return p;
}

int64_t kdq_depthwise_scratch_bytes(const kdq_window *w) { return plan_parts(w).bytes; }

/* Pixels of an image into pixels of a line. */
static void load_pixels(const kdq_kernel *kernel, const kdq_window *w, const struct parts *parts,
                        int64_t pixels, const int8_t *x, int16_t *line) {
    const int64_t filters = w->out_c / kdq_max(1, w->in_c), padded = parts->channels;
    if (filters == 1 && padded == w->in_c) {
        kernel->vector->widen(pixels * padded, x, line);
        return;
    }
    for (int64_t i = 0; i < pixels; i++, x += w->in_c, line += padded) {
        if (filters == 1) {
            kernel->vector->widen(w->in_c, x, line);
        } else {
            for (int64_t c = 0; c < w->in_c; c++) {
                for (int64_t f = 0; f < filters; f++) {
                    line[c * filters + f] = x[c];
                }
            }
        }
        memset(line + w->out_c, 0, (size_t)(padded - w->out_c) * sizeof *line);
    }
}

static void fill(int64_t n, int32_t value, int16_t *to) {
    for (int64_t i = 0; i < n; i++) {
        to[i] = (int16_t)value;
    }
}

/* Input line ih, padded; a line outside the image is all padding. */
static void load_line(const kdq_kernel *kernel, const kdq_window *w, const struct parts *parts,
                      const int8_t *image, int64_t ih, int32_t padding, int16_t *line) {
    const int64_t columns = parts->line / parts->channels;
    int64_t before = columns, real = 0;
    if (ih >= 0 && ih < w->in_h) {
        before = kdq_min(w->pad_left, columns);
        real = kdq_min(w->in_w, columns - before);
    }
    fill(before * parts->channels, padding, line);
    line += before * parts->channels;
    load_pixels(kernel, w, parts, real, image + ih * w->in_w * w->in_c, line);
    line += real * parts->channels;
    fill((columns - before - real) * parts->channels, padding, line);
}

/* Where the taps of a window whose first line is `top` are, in the order of kdq_tap (which divides
 * too often for every line). */
static void place_taps(const kdq_window *w, const struct parts *parts, const int16_t *lines,
                       int64_t top, const int16_t **taps) {
    const int64_t apart = w->dilation_w * parts->channels;
    for (int64_t i = 0; i < w->kernel_h; i += 2) {
        const int16_t *one = lines + (top + i * w->dilation_h) % parts->lines * parts->line;
        const int16_t *two = lines + (top + (i + 1) * w->dilation_h) % parts->lines * parts->line;
        for (int64_t j = 0; j < w->kernel_w; j++) {
            *taps++ = one + j * apart;
            if (i + 1 < w->kernel_h) {
                *taps++ = two + j * apart;
            }
        }
    }
    taps[0] = taps[-1];
}

/* One line of outputs, its input loaded. */
static void output_line(const kdq_kernel *kernel, const kdq_window *w, const struct parts *parts,
                        const int16_t **x, const void *weights, const int32_t *folded_bias,
                        const kdq_requant *requant, int32_t *sums, int8_t *y) {
    const int64_t step = w->stride_w * parts->channels;
    for (int64_t first = 0; first < w->out_w; first += parts->pixels) {
        const int64_t pixels = kdq_min(parts->pixels, w->out_w - first);
        const struct kdq_taps taps = {.lines = w->kernel_h,
                                      .columns = w->kernel_w,
                                      .x = x,
                                      .first = first * step,
                                      .step = step,
                                      .apart = w->dilation_w * parts->channels,
                                      .w = weights};
        kernel->vector->add_taps(&taps, pixels, parts->channels, sums);
        kernel->vector->requantize(requant, pixels, w->out_c, sums, parts->channels, folded_bias,
                                   y + first * w->out_c, w->out_c);
    }
}

void kdq_depthwise_conv2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images,
                          const int8_t *x, int32_t x_zero_point, const int8_t *weight,
                          const int32_t *folded_bias, const kdq_requant *requant, int8_t *y,
                          void *scratch) {
    const struct parts parts = plan_parts(w);
    if (parts.channels == 0) {
        return;
    }
    const int16_t **taps = scratch;
    void *weights = (int8_t *)scratch + parts.weights_at;
    int16_t *lines = (int16_t *)(void *)((int8_t *)scratch + parts.lines_at);
    int32_t *sums = (int32_t *)(void *)((int8_t *)scratch + parts.sums_at);
    kernel->vector->pack_taps(w->kernel_h, w->kernel_w, w->out_c, weight, weights);
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * w->in_c) {
        int64_t next = 0; /* line to load, counted from the topmost padding */
        for (int64_t oh = 0; oh < w->out_h; oh++, y += (int64_t)w->out_w * w->out_c) {
            const int64_t top = oh * w->stride_h;
            for (next = kdq_max(next, top); next < top + parts.lines; next++) {
                load_line(kernel, w, &parts, x, next - w->pad_top, x_zero_point,
                          lines + next % parts.lines * parts.line);
            }
            place_taps(w, &parts, lines, top, taps);
            output_line(kernel, w, &parts, taps, weights, folded_bias, requant, sums, y);
        }
    }
}
