/* check_softmax.c - kdq_softmax against its definition, with a division for each element. */
#include <stdio.h>
#include <string.h>

#include "check.h"

#define LENGTHS 300
#define ROWS 3

/* Anything that falls from ONE: by a constant factor, which a scale gives, or by anything. */
static void draw_table(struct draws *draws, int32_t *table) {
    const int32_t factor = draw_between(draws, 1, 1023), steady = draw(draws) & 1;
    table[0] = KDQ_SOFTMAX_ONE;
    for (int32_t d = 1; d < 256; d++) {
        const int64_t share = steady ? factor : draw_between(draws, 700, 1024);
        table[d] = (int32_t)(table[d - 1] * share / 1024);
    }
}

/* n codes and a table whose last quotient is m / 2 exactly: the sum is (n - 1) * ONE. */
static void tie(struct draws *draws, int64_t n, int8_t *q, int32_t *table) {
    const int32_t m = draw_between(draws, 1, 255 / (int32_t)(n - 1));
    memset(q, 90, (size_t)n);
    q[n - 2] = 89;
    q[n - 1] = 88;
    memset(table, 0, 256 * sizeof *table);
    table[2] = (int32_t)(m * (n - 1)) << 21;
    table[1] = KDQ_SOFTMAX_ONE - table[2];
    table[0] = KDQ_SOFTMAX_ONE;
}

static void plain_softmax(int64_t columns, const int8_t *q, const int32_t *table, int8_t *y) {
    int32_t largest = -128;
    int64_t sum = 0;
    for (int64_t c = 0; c < columns; c++) {
        largest = q[c] > largest ? q[c] : largest;
    }
    for (int64_t c = 0; c < columns; c++) {
        sum += table[largest - q[c]];
    }
    for (int64_t c = 0; c < columns; c++) {
        const int64_t quotient = (INT64_C(256) * table[largest - q[c]] + sum / 2) / sum;
        y[c] = (int8_t)(kdq_min(quotient, 255) - 128);
    }
}

static int softmax_is_exact(const kdq_kernel *kernel, struct draws *draws, int64_t columns) {
    const int64_t n = ROWS * columns;
    int8_t *q = array(SLOT_A, n, 1), *y = array(SLOT_GOT, n, 1), *want = array(SLOT_WANT, n, 1);
    int32_t *table = array(SLOT_B, 256 * 4, 4);
    draw_int8(draws, (enum values)(draw(draws) % VALUES_KINDS), n, q);
    draw_table(draws, table);
    if (draw(draws) & 1 && columns >= 3 && columns <= 256) {
        tie(draws, columns, q + n - columns, table);
    }
    for (int64_t r = 0; r < ROWS; r++) {
        plain_softmax(columns, q + r * columns, table, want + r * columns);
    }
    kdq_softmax(kernel, ROWS, columns, q, table, y);
    return memcmp(y, want, (size_t)n) == 0;
}

struct tally check_softmax(const kdq_kernel *kernel, struct draws *draws) {
    struct tally tally = {0, 0};
    for (int64_t columns = 1; columns <= LENGTHS + 1; columns++) {
        const int64_t length = columns <= LENGTHS ? columns : KDQ_MAX_CLASSES;
        if (differs(&tally, softmax_is_exact(kernel, draws, length))) {
            printf("%s: wrong softmax of %lld classes\n", kernel->name, (long long)length);
        }
    }
    return tally;
}
