/* winograd.c - 3x3 convolution with stride 1 by Winograd's F(2x2, 3x3), exact in integers.
 *
 * A tile of 2x2 outputs needs 4x4 inputs d. With the filter g (Lavin, Gray 2015, arXiv:1509.09308):
 *
 *     Y = A' [ (G g G') . (B' d B) ] A        16 products instead of 36, summed over input channels
 *
 *     B' = | 1  0 -1  0 |    2G = | 2  0  0 |    A' = | 1  1  1  0 |
 *          | 0  1  1  0 |         | 1  1  1 |         | 0  1 -1 -1 |
 *          | 0 -1  1  0 |         | 1 -1  1 |
 *          | 0  1  0 -1 |         | 0  0  2 |
 *
 * With 2G in place of G everything is an integer and Y is four times the accumulator: the division is
 * exact. |B' d B| <= 4 * 128, |2G g 2G'| <= 9 * 128: both fit int16, their products are what a kernel of
 * width 2 multiplies. kdq_winograd_fits proves from the weights that each of the 16 sums over channels
 * and four times the accumulator fit int32; the few sums in between may wrap.
 *
 *     lines (4 of the image) -> v: 16 planes of (tiles, in_c) int16
 *     for each panel of weights:   m[i] = v[i] * u[i]: 16 planes of (tiles, nr) int32
 *                                  m -> accumulators of the output lines -> requantized
 *
 * Tile rows of several images pass over the weights together. */
#include "kdq_internal.h"

#define PLANES 16
#define BLOCK_BYTES (256 * 1024) /* of v: stays in L2 while the weights pass */
#define MAX_TILES 96
#define VECTOR 16 /* rows of v begin at multiples of so many elements */

static int64_t input_channels(const kdq_weights *w) { return w->segments * w->k / 9; }

int64_t kdq_winograd_panel_elements(const kdq_weights *w) {
    return PLANES * kdq_padded_k(w->kernel, input_channels(w)) * w->kernel->nr;
}

/* 2G g 2G' of one pair of channels; taps are `step` elements apart. */
static void transform(const int8_t *g, int64_t step, int32_t u[PLANES]) {
    int32_t rows[4][3];
    for (int64_t j = 0; j < 3; j++) {
        const int32_t a = g[j * step], b = g[(3 + j) * step], c = g[(6 + j) * step];
        rows[0][j] = 2 * a, rows[1][j] = a + b + c, rows[2][j] = a - b + c, rows[3][j] = 2 * c;
    }
    for (int64_t i = 0; i < 4; i++) {
        const int32_t a = rows[i][0], b = rows[i][1], c = rows[i][2];
        u[4 * i] = 2 * a, u[4 * i + 1] = a + b + c, u[4 * i + 2] = a - b + c, u[4 * i + 3] = 2 * c;
    }
}

int32_t kdq_winograd_fits(const kdq_kernel *kernel, const kdq_window *w, const int8_t *b,
                          int64_t ld_b) {
    if (kernel->width != 2 || w->kernel_h != 3 || w->kernel_w != 3 || w->stride_h != 1 ||
        w->stride_w != 1 || w->dilation_h != 1 || w->dilation_w != 1 || w->groups != 1) {
        return 0;
    }
    for (int64_t j = 0; j < w->out_c; j++) {
        int64_t sums[PLANES] = {0}, weights = 0;
        for (int64_t c = 0; c < w->in_c; c++) {
            int32_t u[PLANES];
            transform(b + c * ld_b + j, w->in_c * ld_b, u);
            for (int64_t i = 0; i < PLANES; i++) {
                sums[i] += u[i] < 0 ? -u[i] : u[i];
            }
            for (int64_t i = 0; i < 9; i++) {
                const int32_t g = b[(i * w->in_c + c) * ld_b + j];
                weights += g < 0 ? -g : g;
            }
        }
        for (int64_t i = 0; i < PLANES; i++) {
            if (sums[i] * (4 * 128) > INT32_MAX) {
                return 0;
            }
        }
        if (weights * 128 * 4 > INT32_MAX) {
            return 0;
        }
    }
    return 1;
}

int32_t kdq_winograd_pays(const kdq_kernel *kernel, const kdq_window *w) {
    return w->in_c >= kernel->winograd_from;
}

void kdq_winograd_pack(const kdq_weights *w, const int8_t *b, int64_t ld_b, int16_t *panels) {
    const int64_t nr = w->kernel->nr, in_c = input_channels(w);
    const int64_t plane = kdq_winograd_panel_elements(w) / PLANES;
    for (int64_t j = 0; j < w->n; j++) {
        int16_t *panel = panels + j / nr * PLANES * plane;
        for (int64_t c = 0; c < in_c; c++) {
            int32_t u[PLANES];
            transform(b + c * ld_b + j, in_c * ld_b, u);
            const int64_t at = kdq_panel_index(w->kernel, in_c, 0, c, j % nr);
            for (int64_t i = 0; i < PLANES; i++) {
                panel[i * plane + at] = (int16_t)u[i];
            }
        }
    }
}

/* Sizes, and where the parts of scratch are. */
struct layout {
    struct kdq_lines lines;
    int64_t tile_rows, tiles; /* of an image; tiles of a row */
    int64_t block;            /* tile rows that pass over the weights together */
    int64_t ld_v, plane_v, plane_m; /* elements */
    int64_t v, m, sums, bytes;      /* where they begin, after four lines */
};

static struct layout lay_out(const kdq_window *w, int64_t images, const kdq_weights *weights) {
    const int64_t nr = weights->kernel->nr;
    struct layout at = {.tile_rows = (w->out_h + 1) / 2, .tiles = (w->out_w + 1) / 2};
    at.lines = kdq_lines_for(weights->kernel, w, 2 * at.tiles + 2);
    at.ld_v = kdq_round_up(w->in_c, VECTOR);
    const int64_t row_bytes = kdq_max(1, PLANES * at.ld_v * at.tiles * (int64_t)sizeof(int16_t));
    const int64_t fitting = kdq_min(BLOCK_BYTES / row_bytes, MAX_TILES / kdq_max(1, at.tiles));
    at.block = kdq_max(1, kdq_min(images * at.tile_rows, fitting));
    at.plane_v = at.block * at.tiles * at.ld_v;
    at.plane_m = at.block * at.tiles * nr;
    at.v = kdq_round_up(4 * at.lines.bytes, KDQ_ALIGN);
    at.m = at.v + kdq_round_up(PLANES * at.plane_v * (int64_t)sizeof(int16_t), KDQ_ALIGN);
    at.sums = at.m + kdq_round_up(PLANES * at.plane_m * (int64_t)sizeof(int32_t), KDQ_ALIGN);
    at.bytes = at.sums + 2 * at.block * w->out_w * nr * (int64_t)sizeof(int32_t);
    return at;
}

int64_t kdq_winograd_scratch_bytes(const kdq_window *w, int64_t images,
                                   const kdq_weights *weights) {
    return kdq_round_up(lay_out(w, images, weights).bytes, KDQ_ALIGN);
}

/* Tile rows first .. first + rows - 1, counted over all images, into v. */
static void transform_input(const kdq_window *w, const kdq_kernel *kernel, const struct layout *at,
                            const int8_t *x, int32_t padding, int64_t first, int64_t rows,
                            int8_t *scratch) {
    int16_t *v = (int16_t *)(void *)(scratch + at->v);
    for (int64_t r = 0; r < rows; r++, v += at->tiles * at->ld_v) {
        const int64_t b = (first + r) / at->tile_rows, ty = (first + r) % at->tile_rows;
        const int8_t *image = x + b * w->in_h * w->in_w * w->in_c;
        const int16_t *lines[4];
        for (int64_t i = 0; i < 4; i++) {
            /* Line n of an image is always in place n % 4; two are there from the row before. */
            int8_t *line = scratch + (2 * ty + i) % 4 * at->lines.bytes;
            if (i >= 2 || r == 0 || ty == 0) {
                kdq_load_line(kernel, w, &at->lines, image, 2 * ty + i - w->pad_top, padding, line);
            }
            lines[i] = (const int16_t *)(const void *)line;
        }
        kernel->vector->winograd_input(at->tiles, w->in_c, lines, v, at->ld_v, at->plane_v);
    }
}

/* m[i] = v[i] * u[i] for all planes of one panel of weights, whose first `columns` are real. */
static void multiply(const kdq_weights *weights, const struct layout *at, const int16_t *u,
                     int64_t columns, int64_t tiles, int8_t *scratch) {
    static const int32_t zeros[KDQ_MAX_NR];
    const kdq_kernel *kernel = weights->kernel;
    const int64_t k = kdq_padded_k(kernel, input_channels(weights)), offset = 0;
    const int64_t row_bytes = at->ld_v * (int64_t)sizeof(int16_t);
    for (int64_t i = 0; i < PLANES; i++) {
        const struct kdq_panel panel = {.segments = 1,
                                        .k = k,
                                        .columns = columns,
                                        .row_bytes = row_bytes,
                                        .offsets = &offset,
                                        .b = u + i * k * kernel->nr,
                                        .prefetch = k * kernel->nr * (int64_t)sizeof(int16_t),
                                        .start = zeros};
        const int16_t *v = (const int16_t *)(const void *)(scratch + at->v) + i * at->plane_v;
        kernel->run(&panel, tiles, v, (int32_t *)(void *)(scratch + at->m) + i * at->plane_m);
    }
}

/* Accumulators of one panel, all lines of the block; returns how many lines. */
static int64_t transform_output(const kdq_window *w, const kdq_weights *weights,
                                const struct layout *at, const int32_t *start, int64_t first,
                                int64_t rows, int8_t *scratch) {
    const int64_t nr = weights->kernel->nr, line = w->out_w * nr;
    const int32_t *m = (const int32_t *)(const void *)(scratch + at->m);
    int32_t *sums = (int32_t *)(void *)(scratch + at->sums);
    int64_t count = 0;
    for (int64_t r = 0; r < rows; r++, m += at->tiles * nr) {
        const int64_t ty = (first + r) % at->tile_rows;
        const int both = 2 * ty + 1 < w->out_h;
        weights->kernel->vector->winograd_output(w->out_w, nr, m, at->plane_m, start,
                                                 sums + count * line,
                                                 both ? sums + (count + 1) * line : NULL);
        count += 1 + both;
    }
    return count;
}

void kdq_winograd(const kdq_window *w, int64_t images, const int8_t *x, int32_t x_zero_point,
                  const kdq_weights *weights, const kdq_requant *requant, int8_t *y,
                  void *scratch) {
    const struct layout at = lay_out(w, images, weights);
    const int64_t nr = weights->kernel->nr, panel = kdq_winograd_panel_elements(weights);
    const int64_t total = images * at.tile_rows;
    for (int64_t first = 0; first < total; first += at.block) {
        const int64_t rows = kdq_min(at.block, total - first);
        const struct kdq_target target = {.requant = requant, .y = y, .ld = w->out_c};
        const int16_t *u =
            (const int16_t *)(const void *)((const int8_t *)weights->data + kdq_panels_at(weights));
        int64_t pixels = 0;
        transform_input(w, weights->kernel, &at, x, x_zero_point, first, rows, scratch);
        for (int64_t j = 0; j < weights->n; j += nr, u += panel) {
            multiply(weights, &at, u, kdq_min(nr, weights->n - j), rows * at.tiles, scratch);
            pixels = w->out_w * transform_output(w, weights, &at,
                                                 (const int32_t *)weights->data + j, first, rows,
                                                 scratch);
            kdq_write_strip(weights, &target,
                            (const int32_t *)(const void *)((int8_t *)scratch + at.sums), pixels,
                            j);
        }
        y += pixels * w->out_c;
    }
}
