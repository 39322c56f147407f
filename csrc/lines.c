/* lines.c - input lines of a convolution, in the elements that a kernel reads, padded left and right.
 *
 *     | x_zero_point ... | pixel 0 | pixel 1 | ... | x_zero_point ... | */
#include "kdq_internal.h"

/* The widest vector of channels that is read at a pixel. */
#define SLACK 32

struct kdq_lines kdq_lines_for(const kdq_kernel *kernel, const kdq_window *w, int64_t columns) {
    struct kdq_lines lines = {.columns = columns, .elements = columns * w->in_c + SLACK};
    lines.bytes = kdq_round_up(lines.elements * kernel->width, KDQ_ALIGN);
    return lines;
}

void kdq_load_line(const kdq_kernel *kernel, const kdq_window *w, const struct kdq_lines *lines,
                   const int8_t *image, int64_t ih, int32_t padding, void *to) {
    const int64_t c = w->in_c, width = kernel->width;
    int8_t *line = to;
    int64_t before = lines->elements, real = 0;
    if (ih >= 0 && ih < w->in_h) {
        const int64_t left = kdq_min(w->pad_left, lines->columns);
        before = left * c;
        real = kdq_min(w->in_w, lines->columns - left) * c;
    }
    kdq_load_constant(kernel, before, padding, line);
    if (real > 0) {
        kdq_load(kernel, real, image + ih * w->in_w * c, line + before * width);
    }
    kdq_load_constant(kernel, lines->elements - before - real, padding,
                      line + (before + real) * width);
}
