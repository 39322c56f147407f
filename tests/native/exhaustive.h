/* exhaustive.h - what exhaustive.c and exhaustive_s16.c share. */
#ifndef EXHAUSTIVE_H
#define EXHAUSTIVE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kdq_internal.h"

#define MAX_CHANNELS 64
#define MAX_KERNELS 64
#define BLOCK 16384 /* accumulators at a time: they and two sets of results stay in the cache */

/* Where there is one constant and no bias: two groups of 16 lanes and a rest of 3. */
#define CHANNELS 35

/* Rules from here on are those of enum kdq_rule_s16. */
#define RULES_S16 16

struct problem {
    kdq_requant requant;
    int64_t channels;
    const int32_t *bias; /* or NULL */
    uint32_t first;
    int64_t high; /* to int16: added to accumulators times 2^32 */
    int64_t count;
};

/* Rows of a block: odd, since epilogues may take rows in pairs. */
static inline int64_t block_rows(const struct problem *p) {
    return (BLOCK / p->channels - 1) | 1;
}

/* exhaustive.c */
void fail(const char *what, const char *where);
void print_results(const void *results, size_t size, int64_t count);

/* exhaustive_s16.c: compares kernels with requant.c, prints its results on demand. */
void compare_and_print_s16(const struct problem *p, int32_t n, const kdq_kernel *const *kernels,
                           int print);

#endif
