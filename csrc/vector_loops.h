/* vector_loops.h - loops in portable C, compiled once for every instruction set that has no better
 * form of them: vector.c, vector_avx2.c and vector_neon.c include this and fill a struct kdq_vector. */

static inline void widen(int64_t n, const int8_t *restrict x, int16_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = x[i];
    }
}

static inline void to_u8(int64_t n, const int8_t *restrict x, uint8_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = (uint8_t)(x[i] + 128);
    }
}

static inline void largest(const struct kdq_patch *patch, int64_t pixels, int64_t step,
                           int64_t channels, const int8_t *restrict x, int8_t *restrict y) {
    for (int64_t p = 0; p < pixels; p++, x += step, y += channels) {
        memcpy(y, x, (size_t)channels);
        for (int64_t i = 0; i < patch->lines; i++) {
            const int8_t *restrict pixel = x + i * patch->line;
            for (int64_t j = 0; j < patch->columns; j++, pixel += patch->column) {
                for (int64_t c = 0; c < channels; c++) {
                    y[c] = pixel[c] > y[c] ? pixel[c] : y[c];
                }
            }
        }
    }
}

static inline void sum(const struct kdq_patch *patch, int64_t pixels, int64_t step,
                       int64_t channels, const int8_t *restrict x, int32_t start,
                       int32_t *restrict sums) {
    for (int64_t p = 0; p < pixels; p++, x += step, sums += channels) {
        for (int64_t c = 0; c < channels; c++) {
            sums[c] = start;
        }
        for (int64_t i = 0; i < patch->lines; i++) {
            const int8_t *restrict pixel = x + i * patch->line;
            for (int64_t j = 0; j < patch->columns; j++, pixel += patch->column) {
                for (int64_t c = 0; c < channels; c++) {
                    sums[c] += pixel[c];
                }
            }
        }
    }
}

static inline void scaled_sum(int64_t n, const int8_t *restrict a, const int8_t *restrict b,
                  const kdq_addends *addends, int32_t *restrict y) {
    const int32_t za = addends->a_zero_point, zb = addends->b_zero_point;
    const int32_t ma = addends->a_multiplier, mb = addends->b_multiplier;
    for (int64_t i = 0; i < n; i++) {
        y[i] = (a[i] - za) * ma + (b[i] - zb) * mb;
    }
}

static inline void quantize(int64_t n, const float *restrict x, float scale, int32_t zero_point,
                     int8_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = kdq_clamp(kdq_rne_near_int8(x[i] / scale) + zero_point, -128, 127);
    }
}

static inline void dequantize(int64_t n, const int8_t *restrict q, float scale, int32_t zero_point,
                       float *restrict x) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = scale * (float)(q[i] - zero_point);
    }
}

static inline void lookup(int64_t n, const int8_t *restrict x, const int8_t *restrict table,
                   int8_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = table[x[i] + 128];
    }
}

static inline void pack_taps(int64_t lines, int64_t columns, int64_t channels,
                             const int8_t *restrict w, void *packed) {
    int8_t *to = packed;
    for (int64_t t = 0; t < lines * columns; t++, to += channels) {
        memcpy(to, w + kdq_tap(lines, columns, t) * channels, (size_t)channels);
    }
}

static inline void add_taps(const struct kdq_taps *taps, int64_t pixels, int64_t channels,
                            int32_t *restrict sums, int64_t ld_sums) {
    for (int64_t p = 0; p < pixels; p++, sums += ld_sums) {
        const int8_t *restrict w = taps->w;
        memset(sums, 0, (size_t)channels * sizeof *sums);
        for (int64_t t = 0; t < taps->lines * taps->columns; t++, w += channels) {
            const int8_t *restrict x = taps->x[t] + taps->first + p * taps->step;
            for (int64_t c = 0; c < channels; c++) {
                sums[c] += (int16_t)(x[c] * w[c]); /* 16 bits are exact, and vectorize better */
            }
        }
    }
}

static inline int32_t all_finite(int64_t n, const float *x) {
    const uint32_t exponent = 0x7f800000u; /* all ones: NaN or infinity */
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    return bad == 0;
}

static inline void argmax(int64_t rows, int64_t columns, const int8_t *q, int64_t *index) {
    for (int64_t r = 0; r < rows; r++, q += columns) {
        int64_t best = 0;
        for (int64_t c = 1; c < columns; c++) {
            best = q[c] > q[best] ? c : best;
        }
        index[r] = best;
    }
}

/* All of the above, for a struct kdq_vector that has no better form of any. */
#define PORTABLE_LOOPS                                                                            \
    .widen = widen, .to_u8 = to_u8, .largest = largest, .sum = sum, .scaled_sum = scaled_sum,     \
    .quantize = quantize, .dequantize = dequantize, .lookup = lookup,                             \
    .all_finite = all_finite, .argmax = argmax, .pack_taps = pack_taps, .add_taps = add_taps
