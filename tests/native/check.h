/* check.h - what the native checks share: numbers to check with, memory that ends where it says, and
 * a count of what was compared. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>

#include "kdq_internal.h"

#define RULES 9 /* of enum kdq_rule */

/* A deterministic generator (splitmix64; Steele, Lea, Flood 2014). */
struct draws {
    uint64_t state;
};
uint32_t draw(struct draws *draws);
int32_t draw_between(struct draws *draws, int32_t low, int32_t high); /* both included */

/* Anything; only the two ends of int8, and of them only one. */
enum values { VALUES_ANY, VALUES_ENDS, VALUES_LOWEST, VALUES_HIGHEST, VALUES_KINDS };
void draw_int8(struct draws *draws, enum values values, int64_t n, int8_t *to);

/* Half the time near an end of int32 or a power of two, where shifts, ties and saturation are. */
int32_t draw_int32(struct draws *draws);

/* `bytes` bytes, all 0x5a, whose end (but for alignment) is followed by a page that nobody may touch:
 * one byte too far is a crash. Each of the slots holds one array at a time. */
enum slot {
    SLOT_A,
    SLOT_B,
    SLOT_BIAS,
    SLOT_WEIGHTS,
    SLOT_SCRATCH,
    SLOT_MULTIPLIER,
    SLOT_EXPONENT,
    SLOT_SCALE,
    SLOT_REAL,
    SLOT_REAL_BIAS,
    SLOT_ACC,
    SLOT_GOT,
    SLOT_GOT_Y,
    SLOT_WANT,
    SLOT_WANT_Y,
    SLOTS
};
void *array(enum slot slot, int64_t bytes, int64_t alignment);

/* A valid requantization of that many channels, which brings accumulators up to `largest` to int8 or
 * beyond; its constants lie in three slots. */
kdq_requant draw_requant(struct draws *draws, int32_t rule, int64_t channels, double largest);

/* What was compared, and how much of it differed. */
struct tally {
    int64_t compared, differing;
};

/* The groups of checks. Each prints what differs, the first few times. */
struct tally check_products(const kdq_kernel *kernel, struct draws *draws);
struct tally check_convolutions(const kdq_kernel *kernel, struct draws *draws);
struct tally check_requantization(const kdq_kernel *kernel, struct draws *draws);
struct tally check_vector_loops(const kdq_kernel *kernel, struct draws *draws);
struct tally check_int16(const kdq_kernel *kernel, struct draws *draws);
struct tally check_softmax(const kdq_kernel *kernel, struct draws *draws);

/* Count one comparison; returns whether its failure should be described. */
int differs(struct tally *tally, int equal);

#endif
