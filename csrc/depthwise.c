/* depthwise.c - one filter per channel: no product to pack, taps go over a line of outputs.
 *
 * Input lines wait in scratch, padded with x_zero_point on all sides, so that the loops over them see
 * no edge of the image:
 *
 *     line ih   | x_zero_point ... | pixel 0 | pixel 1 | ... | x_zero_point ... |
 *                 ^ output pixel 0 meets the window's line from here
 *
 * As many lines as a window is high take turns in a ring, so each is loaded once. With more than one
 * filter per channel, a loaded pixel holds each channel as often as it has filters. folded_bias takes
 * away what padding and x_zero_point contribute. */
#include "kdq_internal.h"

/* Bytes of sums between the taps and the requantization, which has something to prepare for each
 * channel: many pixels at a time, but not too many for L1. */
#define SUMS_BYTES (16 * 1024)

/* Scratch, and the sizes of what is in it. */
struct parts {
    int64_t taps;    /* of the window */
    int64_t columns; /* pixels of a loaded line */
    int64_t line;    /* bytes of a loaded line */
    int64_t ring;    /* lines of the ring */
    int64_t ld_sums;
    int64_t pixels; /* whose sums are held at a time: of a part of a line, or of several lines */
    int64_t weights_at, lines_at, sums_at, bytes;
};

static struct parts plan_parts(const kdq_window *w) {
    struct parts p;
    p.taps = (int64_t)w->kernel_h * w->kernel_w;
    p.columns = (int64_t)(w->out_w - 1) * w->stride_w +
                (int64_t)(w->kernel_w - 1) * w->dilation_w + 1;
    p.line = p.columns * w->out_c;
    p.ring = (int64_t)(w->kernel_h - 1) * w->dilation_h + 1;
    p.ld_sums = kdq_max(w->out_c, KDQ_TAP_UNIT);
    const int64_t fitting = kdq_max(4, SUMS_BYTES / (int64_t)sizeof(int32_t) / p.ld_sums / 4 * 4);
    const int64_t lines = kdq_min(w->out_h, fitting / kdq_max(1, w->out_w));
    p.pixels = lines > 1 ? lines * w->out_w : kdq_min(fitting, w->out_w);
    const int64_t weights = kdq_round_up(p.taps, 2) * kdq_round_up(w->out_c, KDQ_TAP_UNIT) * 2;
    const int64_t slack = (int64_t)w->dilation_w * w->out_c + KDQ_TAP_UNIT; /* struct kdq_taps */
    p.weights_at = kdq_round_up((p.taps + 1) * (int64_t)sizeof(int8_t *), KDQ_ALIGN);
    p.lines_at = p.weights_at + kdq_round_up(weights, KDQ_ALIGN);
    p.sums_at = p.lines_at + kdq_round_up(p.ring * p.line + slack, KDQ_ALIGN);
    p.bytes = p.sums_at + p.pixels * p.ld_sums * (int64_t)sizeof(int32_t);
    return p;
}

int64_t kdq_depthwise_scratch_bytes(const kdq_window *w) { return plan_parts(w).bytes; }

/* Input line ih, padded; a line outside the image is all padding. */
static void load_line(const kdq_window *w, const struct parts *parts, const int8_t *image,
                      int64_t ih, int32_t padding, int8_t *line) {
    const int64_t filters = w->out_c / w->in_c;
    int64_t before = parts->columns, real = 0;
    if (ih >= 0 && ih < w->in_h) {
        before = kdq_min(w->pad_left, parts->columns);
        real = kdq_min(w->in_w, parts->columns - before);
    }
    const int64_t behind = (parts->columns - before - real) * w->out_c;
    memset(line, padding, (size_t)(before * w->out_c));
    line += before * w->out_c;
    const int8_t *x = real > 0 ? image + ih * w->in_w * w->in_c : NULL;
    if (filters == 1) {
        if (real > 0) {
            memcpy(line, x, (size_t)(real * w->in_c));
        }
        line += real * w->out_c;
    } else {
        for (int64_t i = 0; i < real * w->in_c; i++) {
            for (int64_t f = 0; f < filters; f++) {
                *line++ = x[i];
            }
        }
    }
    memset(line, padding, (size_t)behind);
}

/* Where the taps of a window whose first line is `top` are, in the order of kdq_tap (which divides
 * too often for every line). */
static void place_taps(const kdq_window *w, const struct parts *parts, const int8_t *lines,
                       int64_t top, const int8_t **taps) {
    const int64_t column_step = (int64_t)w->dilation_w * w->out_c;
    for (int64_t i = 0; i < w->kernel_h; i += 2) {
        const int8_t *one = lines + (top + i * w->dilation_h) % parts->ring * parts->line;
        const int8_t *two = lines + (top + (i + 1) * w->dilation_h) % parts->ring * parts->line;
        for (int64_t j = 0; j < w->kernel_w; j++) {
            *taps++ = one + j * column_step;
            if (i + 1 < w->kernel_h) {
                *taps++ = two + j * column_step;
            }
        }
    }
    taps[0] = taps[-1];
}

void kdq_depthwise_conv2d(const kdq_kernel *kernel, const kdq_window *w, int64_t images,
                          const int8_t *x, int32_t x_zero_point, const int8_t *weight,
                          const int32_t *folded_bias, const kdq_requant *requant, int8_t *y,
                          void *scratch) {
    const struct parts parts = plan_parts(w);
    const int8_t **places = scratch;
    void *weights = (int8_t *)scratch + parts.weights_at;
    int8_t *lines = (int8_t *)scratch + parts.lines_at;
    int32_t *sums = (int32_t *)(void *)((int8_t *)scratch + parts.sums_at);
    struct kdq_taps taps = {.lines = w->kernel_h,
                            .columns = w->kernel_w,
                            .x = places,
                            .step = (int64_t)w->stride_w * w->out_c,
                            .column_step = (int64_t)w->dilation_w * w->out_c,
                            .w = weights};
    int64_t held = 0; /* pixels whose sums wait */
    if (w->out_c == 0) {
        return;
    }
    kernel->vector->pack_taps(w->kernel_h, w->kernel_w, w->out_c, weight, weights);
    for (int64_t b = 0; b < images; b++, x += (int64_t)w->in_h * w->in_w * w->in_c) {
        int64_t next = 0; /* line to load, counted from the topmost padding */
        for (int64_t oh = 0; oh < w->out_h; oh++) {
            const int64_t top = (int64_t)oh * w->stride_h;
            for (next = kdq_max(next, top); next < top + parts.ring; next++) {
                load_line(w, &parts, x, next - w->pad_top, x_zero_point,
                          lines + next % parts.ring * parts.line);
            }
            place_taps(w, &parts, lines, top, places);
            for (int64_t ow = 0; ow < w->out_w;) {
                const int64_t pixels = kdq_min(parts.pixels - held, w->out_w - ow);
                taps.first = ow * taps.step;
                kernel->vector->add_taps(&taps, pixels, w->out_c, sums + held * parts.ld_sums,
                                         parts.ld_sums);
                ow += pixels, held += pixels;
                const int last = b + 1 == images && oh + 1 == w->out_h && ow == w->out_w;
                if (held == parts.pixels || last) {
                    kernel->vector->requantize(requant, held, w->out_c, sums, parts.ld_sums,
                                               folded_bias, y, w->out_c);
                    y += held * w->out_c;
                    held = 0;
                }
            }
        }
    }
}
