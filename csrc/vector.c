/* vector.c - the loops of vector_loops.h for any CPU; what all other forms must equal. */
#include "kdq_internal.h"
#include "vector_loops.h"

/* Winograd's transforms: winograd.c has the matrices. */
static void winograd_input(int64_t tiles, int64_t channels, const int16_t *const lines[4],
                           int16_t *restrict v, int64_t ld_v, int64_t plane) {
    for (int64_t t = 0; t < tiles; t++, v += ld_v) {
        const int64_t at = 2 * t * channels;
        for (int64_t c = 0; c < channels; c++) {
            int16_t d[4][4]; /* d[j]: column j of the tile, transformed downwards */
            for (int64_t j = 0; j < 4; j++) {
                const int64_t i = at + j * channels + c;
                const int16_t x0 = lines[0][i], x1 = lines[1][i], x2 = lines[2][i],
                              x3 = lines[3][i];
                d[j][0] = (int16_t)(x0 - x2);
                d[j][1] = (int16_t)(x1 + x2);
                d[j][2] = (int16_t)(x2 - x1);
                d[j][3] = (int16_t)(x1 - x3);
            }
            for (int64_t i = 0; i < 4; i++) {
                int16_t *to = v + 4 * i * plane + c;
                to[0] = (int16_t)(d[0][i] - d[2][i]);
                to[plane] = (int16_t)(d[1][i] + d[2][i]);
                to[2 * plane] = (int16_t)(d[2][i] - d[1][i]);
                to[3 * plane] = (int16_t)(d[1][i] - d[3][i]);
            }
        }
    }
}

/* Sums wrap, in uint32; four times the accumulator does not (kdq_winograd_fits). */
static inline void winograd_pair(const uint32_t *a, uint32_t *y) {
    y[0] = a[0] + a[1] + a[2];
    y[1] = a[1] - a[2] - a[3];
}

static void winograd_output(int64_t columns, int64_t channels, const int32_t *restrict m,
                            int64_t plane, const int32_t *restrict start, int32_t *restrict upper,
                            int32_t *restrict lower) {
    int32_t discarded[2 * KDQ_MAX_NR];
    for (int64_t column = 0; column < columns; column += 2, m += channels) {
        const int right = column + 1 < columns;
        const int64_t left_at = column * channels, right_at = left_at + channels;
        int32_t *to[4] = {upper + left_at, right ? upper + right_at : discarded,
                          lower != NULL ? lower + left_at : discarded,
                          lower != NULL && right ? lower + right_at : discarded + KDQ_MAX_NR};
        for (int64_t c = 0; c < channels; c++) {
            uint32_t top[4], bottom[4], y[4];
            for (int64_t j = 0; j < 4; j++) {
                uint32_t a[4], pair[2];
                for (int64_t i = 0; i < 4; i++) {
                    a[i] = (uint32_t)m[(4 * i + j) * plane + c];
                }
                winograd_pair(a, pair);
                top[j] = pair[0], bottom[j] = pair[1];
            }
            winograd_pair(top, y);
            winograd_pair(bottom, y + 2);
            for (int64_t i = 0; i < 4; i++) {
                to[i][c] = kdq_wrapping_add((int32_t)y[i] >> 2, start[c]);
            }
        }
    }
}

const struct kdq_vector kdq_vector_portable = {
    .requantize = kdq_requantize,
    PORTABLE_LOOPS,
    .winograd_input = winograd_input,
    .winograd_output = winograd_output,
};
