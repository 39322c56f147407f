/* exhaustive_s16.c - the part of exhaustive.c for accumulators of 64 bits and results of 16. */
#include "exhaustive.h"

static int64_t acc[BLOCK];
static int16_t expected[BLOCK], result[2 * BLOCK];

static kdq_requant_s16 to_int16(const kdq_requant *q) {
    return (kdq_requant_s16){.rule = q->rule - RULES_S16,
                             .channel_step = q->channel_step,
                             .qmin = q->qmin,
                             .qmax = q->qmax,
                             .multiplier = q->multiplier,
                             .exponent = q->exponent};
}

static void expect(const struct problem *p, const kdq_requant_s16 *requant, int64_t rows,
                   int64_t done) {
    const int64_t high = p->high * (INT64_C(1) << 32);
    const uint32_t from = p->first + (uint32_t)done;
    for (uint32_t i = 0; i < (uint32_t)(rows * p->channels); i++) {
        acc[i] = high + (int32_t)(from + i);
    }
    kdq_requantize_s16(requant, rows, p->channels, acc, p->channels, expected, p->channels);
}

/* Element c of row r differs. */
static void report(const struct problem *p, const kdq_requant_s16 *requant,
                   const kdq_kernel *kernel, int64_t r, int64_t c, int16_t given) {
    const int64_t i = r * p->channels + c, k = c * requant->channel_step;
    fprintf(stderr,
            "first difference at accumulator %lld: requant.c gives %d, %s gives %d\n"
            "multiplier %d, exponent %d, clamp [%d, %d], rule %d\n"
            "channel %d of %d, row %d\n",
            (long long)acc[i], expected[i], kdq_kernel_name(kernel), given,
            (int)requant->multiplier[k], (int)requant->exponent[k], (int)requant->qmin,
            (int)requant->qmax, (int)p->requant.rule, (int)c, (int)p->channels, (int)r);
    exit(1);
}

static void compare_block(const struct problem *p, const kdq_requant_s16 *requant,
                          const kdq_kernel *kernel, int64_t rows) {
    const int64_t apart = p->channels + 1;
    memset(result, 0x55, sizeof result);
    kdq_requantize_s16_with(kernel, requant, rows, p->channels, acc, p->channels, result, apart);
    for (int64_t r = 0; r < rows; r++) {
        const int16_t *want = expected + r * p->channels, *given = result + r * apart;
        if (memcmp(want, given, (size_t)p->channels * sizeof *want) != 0) {
            int64_t c = 0;
            while (want[c] == given[c]) {
                c++;
            }
            report(p, requant, kernel, r, c, given[c]);
        }
    }
}

void compare_and_print_s16(const struct problem *p, int32_t n, const kdq_kernel *const *kernels,
                           int print) {
    const kdq_requant_s16 requant = to_int16(&p->requant);
    const int64_t rows = block_rows(p), step = rows * p->channels;
    for (int64_t done = 0; done < p->count; done += step) { /* the last block may go past the end */
        expect(p, &requant, rows, done);
        for (int32_t i = 0; i < n; i++) {
            compare_block(p, &requant, kernels[i], rows);
        }
        if (print) {
            print_results(expected, sizeof *expected, kdq_min(step, p->count - done));
        }
    }
}
