/* elementwise.c - add with rescale, table look-up, quantize, dequantize, argmax. */
#include <string.h>

#include "kdq_internal.h"

#define BLOCK 256

void kdq_add(int64_t n, const int8_t *a, const int8_t *b, const kdq_addends *addends,
             const kdq_requant *requant, int8_t *y) {
    int32_t sums[BLOCK];
    const int32_t za = addends->a_zero_point, zb = addends->b_zero_point;
    const int32_t ma = addends->a_multiplier, mb = addends->b_multiplier;
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = kdq_min(BLOCK, n - first);
        for (int64_t i = 0; i < count; i++) {
            sums[i] = (a[first + i] - za) * ma + (b[first + i] - zb) * mb;
        }
        kdq_requantize(requant, 1, count, sums, count, NULL, y + first, count);
    }
}

void kdq_lookup(int64_t n, const int8_t *x, const int8_t *table, int8_t *y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = table[x[i] + 128];
    }
}

void kdq_quantize(int64_t n, const float *restrict x, float scale, int32_t zero_point,
                  int8_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = kdq_clamp(kdq_rne_near_int8(x[i] / scale) + zero_point, -128, 127);
    }
}

int32_t kdq_all_finite(int64_t n, const float *x) {
    const uint32_t exponent = 0x7f800000u; /* all ones: NaN or infinity */
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    return bad == 0;
}

void kdq_dequantize(int64_t n, const int8_t *restrict q, float scale, int32_t zero_point,
                    float *restrict x) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = scale * (float)(q[i] - zero_point);
    }
}

void kdq_argmax(int64_t rows, int64_t columns, const int8_t *q, int64_t *index) {
    for (int64_t r = 0; r < rows; r++, q += columns) {
        int64_t best = 0;
        for (int64_t c = 1; c < columns; c++) {
            best = q[c] > q[best] ? c : best;
        }
        index[r] = best;
    }
}
