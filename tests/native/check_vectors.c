/* check_vectors.c - a kernel's rounding rules and vector loops against their definitions, written out
 * once more here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define GAP 3 /* between rows: what is written there is written too far */
#define LENGTHS 69
#define PROBLEMS 300

static int64_t floor_shift(int64_t value, int32_t shift) {
    const int64_t unit = INT64_C(1) << shift;
    return value / unit - (value % unit < 0);
}

/* Round half to even of what is clamped to +-1000. */
static int32_t nearest(float v) { return (int32_t)rintf(fmaxf(-1000, fminf(1000, v))); }

/* The formulas of requant.c, without right shifts of negative numbers; of constants i. */
static int64_t plain_rule(const kdq_requant *q, int64_t i, int32_t acc) {
    const int32_t rule = q->rule, m = q->multiplier[i], e = q->exponent[i];
    const double real = fmax(-1000, fmin(1000, acc * q->real[i]));
    switch (rule) {
    case KDQ_FLOAT32_RNE: return nearest((float)acc * q->scale[i]);
    case KDQ_FBGEMM: {
        const float product = ((float)acc + q->bias[i]) * q->scale[i];
        return product < 2147483648.0f ? nearest(product) : INT32_MIN;
    }
    case KDQ_FLOAT64_HALF_AWAY: return (int64_t)round(real);
    case KDQ_ONNX_SPEC: return (int64_t)rint(real);
    case KDQ_SINGLE_ROUNDING:
    case KDQ_RNDNU: return floor_shift((int64_t)acc * m + (INT64_C(1) << (30 - e)), 31 - e);
    default: break;
    }
    int64_t a = acc;
    for (int32_t shifted = 0; shifted < e; shifted++) {
        a = kdq_max(INT32_MIN, kdq_min(INT32_MAX, 2 * a));
    }
    const int64_t h = floor_shift(a * m + (INT64_C(1) << 30), 31);
    const int64_t unit = INT64_C(1) << (e < 0 ? -e : 0);
    if (rule == KDQ_DOUBLE_ROUNDING_TIES_UP) {
        return floor_shift(h + unit / 2, e < 0 ? -e : 0);
    }
    /* half away from zero: */
    const int64_t size = ((h < 0 ? -h : h) + unit / 2) / unit;
    return h < 0 ? -size : size;
}

static void plain_requantize(const kdq_requant *q, int64_t rows, int64_t channels,
                             const int32_t *acc, int64_t ld_acc, const int32_t *bias, int8_t *y,
                             int64_t ld_y) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < channels; c++) {
            const int64_t i = c * q->channel_step;
            const int32_t sum = kdq_wrapping_add(acc[r * ld_acc + c], bias != NULL ? bias[c] : 0);
            const int64_t v = plain_rule(q, i, sum);
            y[r * ld_y + c] = (int8_t)kdq_max(q->qmin, kdq_min(q->qmax, v + q->zero_point));
        }
    }
}

static int requantization_is_exact(const kdq_kernel *kernel, struct draws *draws, int32_t rule) {
    const int64_t rows = draw_between(draws, 1, 4), channels = draw_between(draws, 1, 40);
    const int64_t ld = channels + GAP, elements = (rows - 1) * ld + channels;
    int32_t *acc = array(SLOT_ACC, elements * 4, 4), *bias = array(SLOT_BIAS, channels * 4, 4);
    int8_t *got = array(SLOT_GOT_Y, elements, 1), *want = array(SLOT_WANT_Y, elements, 1);
    const kdq_requant requant =
        draw_requant(draws, rule, channels, ldexp(1, draw_between(draws, 0, 31)));
    for (int64_t i = 0; i < elements; i++) {
        acc[i] = draw_int32(draws);
    }
    for (int64_t c = 0; c < channels; c++) {
        bias[c] = draw_int32(draws);
    }
    const int32_t *added = draw(draws) & 1 ? bias : NULL;
    plain_requantize(&requant, rows, channels, acc, ld, added, want, ld);
    kdq_requantize(&requant, rows, channels, acc, ld, added, got, ld);
    if (memcmp(got, want, (size_t)elements) != 0) {
        return 0;
    }
    memset(got, 0x5a, (size_t)elements);
    kdq_requantize_with(kernel, &requant, rows, channels, acc, ld, added, got, ld);
    return memcmp(got, want, (size_t)elements) == 0;
}

struct tally check_requantization(const kdq_kernel *kernel, struct draws *draws) {
    struct tally tally = {0, 0};
    for (int32_t i = 0; i < RULES * PROBLEMS; i++) {
        const uint64_t before = draws->state;
        if (differs(&tally, requantization_is_exact(kernel, draws, i % RULES))) {
            printf("%s: wrong requantization: rule %d, generator at %llu\n", kernel->name, i % RULES,
                   (unsigned long long)before);
        }
    }
    return tally;
}

/* Each check below fills arrays of n elements, computes `want` element by element, and runs a loop. */
struct loop {
    const char *name;
    int (*is_exact)(const struct kdq_vector *vector, struct draws *draws, int64_t n);
};

static int8_t *draw_array(struct draws *draws, enum slot slot, int64_t n) {
    int8_t *x = array(slot, n, 1);
    draw_int8(draws, (enum values)(draw(draws) % 2), n, x);
    return x;
}

static int widen_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int8_t *x = draw_array(draws, SLOT_A, n);
    int16_t *y = array(SLOT_GOT, n * 2, 2);
    vector->widen(n, x, y);
    for (int64_t i = 0; i < n; i++) {
        if (y[i] != x[i]) {
            return 0;
        }
    }
    return 1;
}

static int flip_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int8_t *x = draw_array(draws, SLOT_A, n);
    uint8_t *y = array(SLOT_GOT, n, 1);
    vector->flip(n, x, y);
    for (int64_t i = 0; i < n; i++) {
        if (y[i] != x[i] + 128) {
            return 0;
        }
    }
    return 1;
}

/* At most 3 x 3 pixels of n channels, with gaps between lines and columns. */
static struct kdq_patch draw_patch(struct draws *draws, int64_t n) {
    struct kdq_patch patch = {.lines = draw_between(draws, 1, 3),
                              .columns = draw_between(draws, 1, 3),
                              .column = n + draw_between(draws, 0, GAP)};
    patch.line = patch.columns * patch.column + draw_between(draws, 0, GAP);
    return patch;
}

static int64_t patch_elements(const struct kdq_patch *patch, int64_t n) {
    return (patch->lines - 1) * patch->line + (patch->columns - 1) * patch->column + n;
}

static int largest_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int64_t pixels = draw_between(draws, 1, 3), step = n + draw_between(draws, 0, GAP);
    const struct kdq_patch patch = draw_patch(draws, n);
    const int8_t *x = draw_array(draws, SLOT_A, (pixels - 1) * step + patch_elements(&patch, n));
    int8_t *y = array(SLOT_GOT, pixels * n, 1), *want = array(SLOT_WANT, pixels * n, 1);
    for (int64_t i = 0; i < pixels * n; i++) {
        want[i] = -128;
        for (int64_t j = 0; j < patch.lines * patch.columns; j++) {
            const int8_t other = x[i / n * step + i % n + j / patch.columns * patch.line +
                                   j % patch.columns * patch.column];
            want[i] = want[i] > other ? want[i] : other;
        }
    }
    vector->largest(&patch, pixels, step, n, x, y);
    return memcmp(y, want, (size_t)(pixels * n)) == 0;
}

static int sum_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    struct kdq_patch patch = draw_patch(draws, n);
    const int64_t pixels = draw_between(draws, 1, 3), step = draw_between(draws, 1, 3) * n;
    const int32_t start = (int32_t)draw(draws) % 1000;
    if (draw(draws) % 4 == 0) { /* more pixels than int16 has room for */
        patch.columns = draw_between(draws, 255, 300);
        patch.line = patch.columns * patch.column;
    }
    const int64_t read = (pixels - 1) * step + patch_elements(&patch, n);
    const int8_t *x = draw_array(draws, SLOT_A, read);
    int32_t *y = array(SLOT_GOT, pixels * n * 4, 4), *want = array(SLOT_WANT, pixels * n * 4, 4);
    for (int64_t i = 0; i < pixels * n; i++) {
        const int8_t *first = x + i / n * step + i % n;
        want[i] = start;
        for (int64_t j = 0; j < patch.lines * patch.columns; j++) {
            want[i] += first[j / patch.columns * patch.line + j % patch.columns * patch.column];
        }
    }
    vector->sum(&patch, pixels, step, n, x, start, y);
    return memcmp(y, want, (size_t)(pixels * n) * 4) == 0;
}

/* n pixels under a window of at most 3 x 4 taps, whose lines and columns are anywhere. */
static int taps_are_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int64_t lines = draw(draws) % 3 ? 3 : draw_between(draws, 1, 3);
    const int64_t columns = draw(draws) % 3 ? 3 : draw_between(draws, 1, 4);
    const int64_t count = lines * columns, channels = draw_between(draws, 1, 3 * KDQ_TAP_UNIT);
    const int64_t ld = kdq_max(channels, KDQ_TAP_UNIT) + draw_between(draws, 0, GAP);
    const int64_t apart = draw_between(draws, 1, 2) * channels;
    const int64_t step = draw_between(draws, 1, 3) * channels;
    const int64_t line = n * step + (columns + 1) * apart;
    const int8_t *x = draw_array(draws, SLOT_A, lines * line + KDQ_TAP_UNIT);
    const int8_t *w = draw_array(draws, SLOT_B, count * channels), *taps[3 * 4 + 1];
    void *packed = array(SLOT_WEIGHTS,
                         (count + 1) / 2 * 2 * kdq_round_up(channels, KDQ_TAP_UNIT) * 2, 4);
    int32_t *sums = array(SLOT_GOT, n * ld * 4, 4);
    for (int64_t t = 0; t < count; t++) {
        const int64_t tap = kdq_tap(lines, columns, t);
        taps[t] = x + tap / columns * line + tap % columns * apart;
    }
    taps[count] = taps[count - 1];
    vector->pack_taps(lines, columns, channels, w, packed);
    const struct kdq_taps window = {.lines = lines,
                                    .columns = columns,
                                    .x = taps,
                                    .step = step,
                                    .apart = apart,
                                    .w = packed};
    vector->add_taps(&window, n, channels, sums, ld);
    for (int64_t i = 0; i < n * channels; i++) {
        const int64_t p = i / channels, c = i % channels;
        int32_t want = 0;
        for (int64_t t = 0; t < count; t++) {
            want += x[t / columns * line + t % columns * apart + p * step + c] *
                    w[t * channels + c];
        }
        if (sums[p * ld + c] != want) {
            return 0;
        }
    }
    return 1;
}

static int weigh_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int8_t *a = draw_array(draws, SLOT_A, n), *b = draw_array(draws, SLOT_B, n);
    int32_t *y = array(SLOT_GOT, n * 4, 4), *want = array(SLOT_WANT, n * 4, 4);
    const kdq_addends addends = {.a_zero_point = draw_between(draws, -128, 127),
                                 .b_zero_point = draw_between(draws, -128, 127),
                                 .a_multiplier = draw_between(draws, 0, 1 << 20),
                                 .b_multiplier = draw_between(draws, 0, 1 << 20)};
    for (int64_t i = 0; i < n; i++) {
        want[i] = (a[i] - addends.a_zero_point) * addends.a_multiplier +
                  (b[i] - addends.b_zero_point) * addends.b_multiplier;
    }
    vector->weigh(n, a, b, &addends, y);
    return memcmp(y, want, (size_t)n * 4) == 0;
}

/* Scales are powers of two half of the time: ties happen. */
static float draw_scale(struct draws *draws) {
    const float power = ldexpf(1, draw_between(draws, -20, 20));
    return draw(draws) & 1 ? power : power * (float)draw_between(draws, 1000, 2000);
}

static int quantize_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    float *x = array(SLOT_A, n * 4, 4);
    int8_t *y = array(SLOT_GOT, n, 1), *want = array(SLOT_WANT, n, 1);
    const float scale = draw_scale(draws);
    const int32_t zero_point = draw_between(draws, -128, 127);
    for (int64_t i = 0; i < n; i++) {
        x[i] = scale * (float)draw_between(draws, -600, 600) / (draw(draws) & 1 ? 2 : 3);
        x[i] = draw(draws) % 16 ? x[i] : ldexpf(x[i] < 0 ? -1 : 1, 127);
        want[i] = (int8_t)kdq_max(-128, kdq_min(127, nearest(x[i] / scale) + zero_point));
    }
    vector->quantize(n, x, scale, zero_point, y);
    return memcmp(y, want, (size_t)n) == 0;
}

static int dequantize_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int8_t *q = draw_array(draws, SLOT_A, n);
    float *x = array(SLOT_GOT, n * 4, 4), *want = array(SLOT_WANT, n * 4, 4);
    const float scale = draw_scale(draws);
    const int32_t zero_point = draw_between(draws, -128, 127);
    for (int64_t i = 0; i < n; i++) {
        want[i] = scale * (float)(q[i] - zero_point);
    }
    vector->dequantize(n, q, scale, zero_point, x);
    return memcmp(x, want, (size_t)n * 4) == 0;
}

static int lookup_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int8_t *x = draw_array(draws, SLOT_A, n), *table = draw_array(draws, SLOT_B, 256);
    int8_t *y = array(SLOT_GOT, n, 1);
    vector->lookup(n, x, table, y);
    for (int64_t i = 0; i < n; i++) {
        if (y[i] != table[x[i] + 128]) {
            return 0;
        }
    }
    return 1;
}

static int all_finite_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    float *x = array(SLOT_A, n * 4, 4);
    for (int64_t i = 0; i < n; i++) {
        x[i] = ldexpf((float)draw_between(draws, -1000, 1000), draw_between(draws, -149, 100));
    }
    int right = vector->all_finite(n, x) != 0;
    if (n > 0) {
        const float bad[] = {INFINITY, -INFINITY, NAN};
        x[draw(draws) % n] = bad[draw(draws) % 3];
        right &= vector->all_finite(n, x) == 0;
    }
    return right;
}

/* n columns, and the same with 250 more. */
static int argmax_is_exact(const struct kdq_vector *vector, struct draws *draws, int64_t n) {
    const int64_t rows = draw_between(draws, 1, 3), columns = draw(draws) % 2 ? n + 1 : n + 250;
    const int8_t *q = draw_array(draws, SLOT_A, rows * columns);
    int64_t *index = array(SLOT_GOT, rows * 8, 8);
    vector->argmax(rows, columns, q, index);
    for (int64_t r = 0; r < rows; r++) {
        int64_t want = 0;
        for (int64_t c = 0; c < columns; c++) {
            want = q[r * columns + c] > q[r * columns + want] ? c : want;
        }
        if (index[r] != want) {
            return 0;
        }
    }
    return 1;
}

static const struct loop loops[] = {
    {"widen", widen_is_exact},           {"flip", flip_is_exact},
    {"largest", largest_is_exact},       {"sum", sum_is_exact},
    {"taps", taps_are_exact},            {"weigh", weigh_is_exact},
    {"quantize", quantize_is_exact},     {"dequantize", dequantize_is_exact},
    {"lookup", lookup_is_exact},         {"all_finite", all_finite_is_exact},
    {"argmax", argmax_is_exact},
};

struct tally check_vector_loops(const kdq_kernel *kernel, struct draws *draws) {
    struct tally tally = {0, 0};
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        for (int64_t n = 0; n <= LENGTHS; n++) {
            if (differs(&tally, loops[i].is_exact(kernel->vector, draws, n))) {
                printf("%s: wrong %s of %lld elements\n", kernel->name, loops[i].name,
                       (long long)n);
            }
        }
    }
    return tally;
}
