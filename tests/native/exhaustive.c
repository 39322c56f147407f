/* exhaustive.c - requantization of consecutive accumulators, up to all 2^32 of them: every vectorised
 * epilogue that this CPU can run against requant.c.
 *
 *     exhaustive compare RULE ZERO_POINT QMIN QMAX BIASES CONSTANTS FIRST COUNT
 *         reports "KERNEL RESULTS" for each, or the first difference and exits with 1
 *     exhaustive print (the same arguments)
 *         also writes the results of requant.c, an int8 or int16 each, for another judge to compare
 *     exhaustive kernels
 *         lists the epilogues by the name of a kernel that has them: "KERNEL runs" or
 *         "KERNEL lacks FEATURE..."
 *
 * RULE is a number of enum kdq_rule, or RULES_S16 and more for one of enum kdq_rule_s16, which takes what
 * is added to accumulators times 2^32 in place of ZERO_POINT, and no BIASES. BIASES is
 * "none" or a comma-separated list, CONSTANTS a list of what the rule reads: MULTIPLIER:EXPONENT, a scale,
 * SCALE:BIAS or a real multiplier; one constant stands for all channels. Accumulators count up from
 * FIRST, modulo 2^32, and go through the channels in turn: channel 0, 1, ..., last, 0, ... Of a list
 * of C constants each thus meets every C-th accumulator, and a FIRST lower by one shifts them on.
 * Reports go to standard error.
 *
 * exhaustive.py compiles this, chooses the cases and says what each is for. */
#include "exhaustive.h"

static int32_t multiplier[MAX_CHANNELS], exponent[MAX_CHANNELS], bias[MAX_CHANNELS];
static float scale[MAX_CHANNELS], real_bias[MAX_CHANNELS];
static double real[MAX_CHANNELS];

static int32_t acc[BLOCK];
static int8_t expected[BLOCK], result[2 * BLOCK];

void fail(const char *what, const char *where) {
    fprintf(stderr, "exhaustive: %s: %s\n", what, where);
    exit(2);
}

static long long integer(const char *text, char **end) {
    const long long value = strtoll(text, end, 10);
    if (*end == text) {
        fail("a number is expected at", text);
    }
    return value;
}

static int64_t argument(const char *text) {
    char *end;
    const int64_t value = integer(text, &end);
    if (*end != '\0') {
        fail("a number is expected, not", text);
    }
    return value;
}

/* Where the second number of a pair begins. */
static const char *second(const char *text, const char *end) {
    if (*end != ':') {
        fail("two numbers with a colon between are expected at", text);
    }
    return end + 1;
}

/* The constants of channel c; where they end. */
static char *parse_constants(const char *text, int32_t rule, int64_t c) {
    char *end;
    if (kdq_in_float32(rule)) {
        scale[c] = strtof(text, &end);
        if (rule == KDQ_FBGEMM) {
            real_bias[c] = strtof(second(text, end), &end);
        }
    } else if (kdq_in_float64(rule)) {
        real[c] = strtod(text, &end);
    } else {
        multiplier[c] = (int32_t)integer(text, &end);
        exponent[c] = (int32_t)integer(second(text, end), &end);
    }
    return end;
}

/* The constants or, if `biases`, the biases of a list; how many there are. */
static int64_t parse_list(const char *text, int32_t rule, int biases) {
    for (int64_t c = 0; c < MAX_CHANNELS; c++) {
        char *end;
        if (biases) {
            bias[c] = (int32_t)integer(text, &end);
        } else {
            end = parse_constants(text, rule, c);
        }
        if (end == text || (*end != ',' && *end != '\0')) {
            fail("this list is not understood from", text);
        }
        if (*end == '\0') {
            return c + 1;
        }
        text = end + 1;
    }
    fail("too many channels", text);
    return 0;
}

static struct problem parse(char **arguments) {
    struct problem p;
    p.requant.rule = (int32_t)argument(arguments[0]);
    p.requant.zero_point = (int32_t)argument(arguments[1]);
    p.requant.qmin = (int32_t)argument(arguments[2]);
    p.requant.qmax = (int32_t)argument(arguments[3]);
    const int64_t biases = strcmp(arguments[4], "none") == 0 ? 0
                                                             : parse_list(arguments[4], 0, 1);
    const int64_t constants = parse_list(arguments[5], p.requant.rule, 0);
    const int to_int16 = p.requant.rule >= RULES_S16;
    if (p.requant.rule < KDQ_SINGLE_ROUNDING ||
        p.requant.rule > (to_int16 ? RULES_S16 + KDQ_DOUBLE_ROUNDING_16X8 : KDQ_ONNX_SPEC)) {
        fail("no such rule", arguments[0]);
    }
    if (biases != 0 && constants != 1 && biases != constants) {
        fail("as many biases as constants are expected", arguments[4]);
    }
    if (biases != 0 && to_int16) {
        fail("rules of 16x8 take no biases", arguments[4]);
    }
    p.high = to_int16 ? p.requant.zero_point : 0;
    p.requant.channel_step = constants > 1;
    p.requant.multiplier = multiplier;
    p.requant.exponent = exponent;
    p.requant.scale = scale;
    p.requant.real = real;
    p.requant.bias = real_bias;
    p.channels = constants > 1 ? constants : biases != 0 ? biases : CHANNELS;
    p.bias = biases != 0 ? bias : NULL;
    p.first = (uint32_t)argument(arguments[6]);
    p.count = argument(arguments[7]);
    return p;
}

/* ---- Which epilogues ----------------------------------------------------------------------- */

static int same_epilogue(const kdq_kernel *a, const kdq_kernel *b) {
    return a->vector->requantize == b->vector->requantize;
}

/* Whether the kernel at this place of the table stands for its epilogue: the first that runs here
 * or, if none does, the first. */
static int stands_for_epilogue(int32_t index) {
    const kdq_kernel *kernel = kdq_kernel_at(index);
    const int runs = kdq_kernel_missing(kernel) == 0;
    if (kernel->vector->requantize == kdq_requantize) {
        return 0;
    }
    for (int32_t i = 0; i < kdq_kernel_count(); i++) {
        const kdq_kernel *other = kdq_kernel_at(i);
        const int other_runs = kdq_kernel_missing(other) == 0;
        if (i != index && same_epilogue(kernel, other) &&
            (other_runs > runs || (other_runs == runs && i < index))) {
            return 0;
        }
    }
    return 1;
}

static void print_kernels(void) {
    for (int32_t i = 0; i < kdq_kernel_count(); i++) {
        if (stands_for_epilogue(i)) {
            const uint64_t missing = kdq_kernel_missing(kdq_kernel_at(i));
            fprintf(stderr, "%s %s", kdq_kernel_name(kdq_kernel_at(i)), missing ? "lacks" : "runs");
            for (int32_t bit = 0; kdq_feature_name(bit) != NULL; bit++) {
                if (missing >> bit & 1) {
                    fprintf(stderr, " %s", kdq_feature_name(bit));
                }
            }
            fprintf(stderr, "\n");
        }
    }
}

/* ---- Blocks -------------------------------------------------------------------------------- */

static void expect(const struct problem *p, int64_t rows, int64_t done) {
    const uint32_t from = p->first + (uint32_t)done;
    for (uint32_t i = 0; i < (uint32_t)(rows * p->channels); i++) {
        acc[i] = (int32_t)(from + i);
    }
    kdq_requantize(&p->requant, rows, p->channels, acc, p->channels, p->bias, expected,
                   p->channels);
}

/* Element i of the block differs. */
static void report(const struct problem *p, const kdq_kernel *kernel, const char *shape, int64_t i,
                   int8_t given) {
    const int64_t c = i % p->channels, k = c * p->requant.channel_step;
    fprintf(stderr, "first difference at accumulator %d: requant.c gives %d, %s gives %d\n", (int)acc[i],
           expected[i], kdq_kernel_name(kernel), given);
    switch (kdq_computed_as(p->requant.rule)) {
    case KDQ_FLOAT32_RNE: fprintf(stderr, "scale %a", (double)scale[k]); break;
    case KDQ_FBGEMM:
        fprintf(stderr, "scale %a with bias %a", (double)scale[k], (double)real_bias[k]);
        break;
    case KDQ_FLOAT64_HALF_AWAY:
    case KDQ_ONNX_SPEC: fprintf(stderr, "real %a", real[k]); break;
    default: fprintf(stderr, "multiplier %d, exponent %d", (int)multiplier[k], (int)exponent[k]);
    }
    fprintf(stderr, ", bias %d, zero point %d, clamp [%d, %d], rule %d\n", p->bias != NULL ? (int)bias[c] : 0,
           (int)p->requant.zero_point, (int)p->requant.qmin, (int)p->requant.qmax,
           (int)p->requant.rule);
    fprintf(stderr, "channel %d of %d, row %d, %s\n", (int)c, (int)p->channels, (int)(i / p->channels), shape);
    exit(1);
}

static void compare_run(const struct problem *p, const kdq_kernel *kernel, const char *shape,
                        int64_t from, int64_t n, const int8_t *given) {
    if (memcmp(expected + from, given, (size_t)n) != 0) {
        int64_t i = 0;
        while (expected[from + i] == given[i]) {
            i++;
        }
        report(p, kernel, shape, from + i, given[i]);
    }
}

static void compare_block(const struct problem *p, const kdq_kernel *kernel, int64_t rows) {
    const int64_t n = rows * p->channels;
    const int64_t apart = p->channels + 1; /* or rows could be taken as one long one */
    memset(result, 0x55, sizeof result);
    kdq_requantize_with(kernel, &p->requant, rows, p->channels, acc, p->channels, p->bias, result,
                        apart);
    for (int64_t r = 0; r < rows; r++) {
        compare_run(p, kernel, "rows apart", r * p->channels, p->channels, result + r * apart);
    }
    if (p->bias == NULL && !p->requant.channel_step) {
        memset(result, 0x55, sizeof result);
        kdq_requantize_with(kernel, &p->requant, 1, n, acc, n, NULL, result, n);
        compare_run(p, kernel, "all in one row", 0, n, result);
    }
}

static void compare_and_print(const struct problem *p, int32_t n, const kdq_kernel *const *kernels,
                              int print) {
    const int64_t rows = block_rows(p), step = rows * p->channels;
    for (int64_t done = 0; done < p->count; done += step) { /* the last block may go past the end */
        expect(p, rows, done);
        for (int32_t i = 0; i < n; i++) {
            compare_block(p, kernels[i], rows);
        }
        if (print) {
            print_results(expected, sizeof *expected, kdq_min(step, p->count - done));
        }
    }
}

void print_results(const void *results, size_t size, int64_t count) {
    if (fwrite(results, size, (size_t)count, stdout) != (size_t)count) {
        fail("writing failed", "standard output");
    }
}

static void run(const struct problem *p, int print) {
    const kdq_kernel *kernels[MAX_KERNELS];
    int32_t n = 0;
    for (int32_t i = 0; i < kdq_kernel_count() && n < MAX_KERNELS; i++) {
        if (stands_for_epilogue(i) && kdq_kernel_missing(kdq_kernel_at(i)) == 0) {
            kernels[n++] = kdq_kernel_at(i);
        }
    }
    if (p->requant.rule < RULES_S16) {
        compare_and_print(p, n, kernels, print);
    } else {
        compare_and_print_s16(p, n, kernels, print);
    }
    for (int32_t i = 0; i < n; i++) {
        fprintf(stderr, "%s %lld\n", kdq_kernel_name(kernels[i]), (long long)p->count);
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "kernels") == 0) {
        print_kernels();
        return 0;
    }
    const int print = argc > 1 && strcmp(argv[1], "print") == 0;
    if (argc != 10 || (!print && strcmp(argv[1], "compare") != 0)) {
        fail("usage",
             "compare|print RULE ZERO_POINT QMIN QMAX BIASES CONSTANTS FIRST COUNT, or kernels");
    }
    const struct problem p = parse(argv + 2);
    run(&p, print);
    return 0;
}
