/* softmax.c - probabilities of a row of codes: the largest code, the sum of the table's entries, and
 * an exact quotient for each element.
 *
 * One division per row. With ONE = 2^30, r = floor(2^62 / S) and t <= ONE <= S:
 *
 *   (1) t * r <= 2^62, and 256 * t / S - t * r / 2^54 is in [0, 2^-24)
 *   (2) so k = floor((t * r + 2^53) / 2^54) is the quotient wanted or one less (not one more where S is
 *       odd and floor(S/2) less than half: 512 * t + S is odd then, never 1/(2S) above a whole number)
 *   (3) it is one less exactly if 256 * t + floor(S/2) - k * S >= S; all of that is below 2^56
 *
 * A long row has fewer different codes than elements, and those far below the largest have probability
 * 0: it becomes a table look-up. */
#include "kdq_internal.h"

#define LONG 128 /* columns from which a table of results pays */

struct divisor {
    int64_t sum, half, reciprocal;
};

static inline int8_t probability(const struct divisor *divisor, int64_t t) {
    int64_t k = (t * divisor->reciprocal + (INT64_C(1) << 53)) >> 54;
    k += 256 * t + divisor->half - k * divisor->sum >= divisor->sum;
    return (int8_t)(kdq_min(k, 255) - 128);
}

static int32_t largest_code(int64_t n, const int8_t *q) {
    int8_t largest = -128;
    for (int64_t i = 0; i < n; i++) {
        largest = q[i] > largest ? q[i] : largest;
    }
    return largest;
}

static int64_t sum_of_entries(int64_t n, const int8_t *q, int32_t largest, const int32_t *table) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += table[largest - q[i]];
    }
    return sum;
}

/* The same, eight codes at a load; upwards[i] = table[255 - i]. */
static int64_t sum_of_many(int64_t n, const int8_t *q, int32_t largest, const int32_t *upwards) {
    const int32_t *entries = upwards + (127 - largest); /* of q + 128 */
    int64_t even = 0, odd = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t codes;
        memcpy(&codes, q + i, sizeof codes);
        codes ^= UINT64_C(0x8080808080808080); /* q + 128, in each byte */
        for (int32_t shift = 0; shift < 64; shift += 16) {
            even += entries[codes >> shift & 255];
            odd += entries[codes >> (shift + 8) & 255];
        }
    }
    for (; i < n; i++) {
        even += entries[q[i] + 128];
    }
    return even + odd;
}

static struct divisor divide_by(int64_t sum) {
    const struct divisor divisor = {sum, sum / 2, (INT64_C(1) << 62) / sum};
    return divisor;
}

/* results[q + 128] for every code up to the largest. */
static void tabulate(const struct divisor *divisor, int32_t largest, const int32_t *table,
                     int8_t results[256]) {
    memset(results, -128, 256);
    for (int32_t d = 0; d <= largest + 128; d++) {
        const int8_t y = probability(divisor, table[d]);
        if (y == -128) {
            return; /* and so are all further down */
        }
        results[largest + 128 - d] = y;
    }
}

static void short_rows(int64_t rows, int64_t columns, const int8_t *q, const int32_t *table,
                       int8_t *y) {
    for (int64_t r = 0; r < rows; r++, q += columns, y += columns) {
        const int32_t largest = largest_code(columns, q);
        const struct divisor divisor = divide_by(sum_of_entries(columns, q, largest, table));
        for (int64_t c = 0; c < columns; c++) {
            y[c] = probability(&divisor, table[largest - q[c]]);
        }
    }
}

static void long_rows(const kdq_kernel *kernel, int64_t rows, int64_t columns, const int8_t *q,
                      const int32_t *table, int8_t *y) {
    int32_t upwards[256];
    for (int64_t i = 0; i < 256; i++) {
        upwards[i] = table[255 - i];
    }
    for (int64_t r = 0; r < rows; r++, q += columns, y += columns) {
        int8_t results[256];
        const int32_t largest = largest_code(columns, q);
        const struct divisor divisor = divide_by(sum_of_many(columns, q, largest, upwards));
        tabulate(&divisor, largest, table, results);
        kernel->vector->lookup(columns, q, results, y);
    }
}

void kdq_softmax(const kdq_kernel *kernel, int64_t rows, int64_t columns, const int8_t *q,
                 const int32_t *table, int8_t *y) {
    if (columns < LONG) {
        short_rows(rows, columns, q, table, y);
    } else {
        long_rows(kernel, rows, columns, q, table, y);
    }
}
