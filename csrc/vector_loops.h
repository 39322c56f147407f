/* vector_loops.h - loops in portable C, compiled once for every instruction set that has no better
 * form of them: vector.c and vector_avx2.c include this and fill a struct kdq_vector. */

static void widen(int64_t n, const int8_t *restrict x, int16_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = x[i];
    }
}

static void flip(int64_t n, const int8_t *restrict x, uint8_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = (uint8_t)(x[i] + 128);
    }
}

static void keep_larger(int64_t pixels, int64_t channels, const int8_t *restrict x, int64_t step,
                        int8_t *restrict y) {
    for (int64_t p = 0; p < pixels; p++, x += step, y += channels) {
        for (int64_t c = 0; c < channels; c++) {
            y[c] = x[c] > y[c] ? x[c] : y[c];
        }
    }
}

static void sum(int64_t n, const int8_t *restrict x, int32_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

static void weigh(int64_t n, const int8_t *restrict a, const int8_t *restrict b,
                  const kdq_addends *addends, int32_t *restrict y) {
    const int32_t za = addends->a_zero_point, zb = addends->b_zero_point;
    const int32_t ma = addends->a_multiplier, mb = addends->b_multiplier;
    for (int64_t i = 0; i < n; i++) {
        y[i] = (a[i] - za) * ma + (b[i] - zb) * mb;
    }
}

static void quantize(int64_t n, const float *restrict x, float scale, int32_t zero_point,
                     int8_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = kdq_clamp(kdq_rne_near_int8(x[i] / scale) + zero_point, -128, 127);
    }
}

static void dequantize(int64_t n, const int8_t *restrict q, float scale, int32_t zero_point,
                       float *restrict x) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = scale * (float)(q[i] - zero_point);
    }
}

static void lookup(int64_t n, const int8_t *restrict x, const int8_t *restrict table,
                   int8_t *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = table[x[i] + 128];
    }
}
