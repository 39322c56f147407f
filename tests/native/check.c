/* check.c - see check.h. */
#define _DEFAULT_SOURCE /* mmap's MAP_ANONYMOUS, under -std=c11 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_BYTES (INT64_C(16) << 20)
#define DESCRIBED 5 /* failures of a group that are described */

uint32_t draw(struct draws *draws) {
    uint64_t z = draws->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(z >> 32);
}

int32_t draw_between(struct draws *draws, int32_t low, int32_t high) {
    return (int32_t)(low + (int64_t)(draw(draws) % (uint64_t)((int64_t)high - low + 1)));
}

void draw_int8(struct draws *draws, enum values values, int64_t n, int8_t *to) {
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = draw(draws);
        switch (values) {
        case VALUES_ENDS: to[i] = bits & 1 ? 127 : -128; break;
        case VALUES_LOWEST: to[i] = -128; break;
        case VALUES_HIGHEST: to[i] = 127; break;
        default: to[i] = (int8_t)((int32_t)(bits & 255) - 128); break;
        }
    }
}

int32_t draw_int32(struct draws *draws) {
    const int64_t near = draw_between(draws, -3, 3);
    switch (draw(draws) % 6) {
    case 0: return (int32_t)(near < 0 ? INT64_C(1) * INT32_MAX + 1 + near : INT32_MIN + near);
    case 1: return (int32_t)((INT64_C(1) << draw_between(draws, 0, 30)) + near);
    case 2: return (int32_t)(near - (INT64_C(1) << draw_between(draws, 0, 30)));
    default: return draw_between(draws, INT32_MIN, INT32_MAX) >> draw_between(draws, 0, 31);
    }
}

void *array(enum slot slot, int64_t bytes, int64_t alignment) {
    static int8_t *slots[SLOTS];
    if (slots[slot] == NULL) {
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        void *memory = mmap(NULL, SLOT_BYTES + page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || mprotect((int8_t *)memory + SLOT_BYTES, page, PROT_NONE) != 0) {
            perror("check_kernels: no memory with a forbidden page behind it");
            exit(2);
        }
        slots[slot] = memory;
    }
    const int64_t whole = (bytes + alignment - 1) / alignment * alignment;
    if (whole > SLOT_BYTES) {
        fprintf(stderr, "check_kernels: an array of %lld bytes is too large\n", (long long)bytes);
        exit(2);
    }
    return memset(slots[slot] + SLOT_BYTES - whole, 0x5a, (size_t)whole);
}

kdq_requant draw_requant(struct draws *draws, int32_t rule, int64_t channels, double largest) {
    const int32_t step = (int32_t)(draw(draws) & 1);
    const int64_t count = step ? channels : 1;
    int32_t *multiplier = array(SLOT_MULTIPLIER, count * 4, 4);
    int32_t *exponent = array(SLOT_EXPONENT, count * 4, 4);
    float *scale = array(SLOT_SCALE, count * 4, 4);
    double *real = array(SLOT_REAL, count * 8, 8);
    float *bias = array(SLOT_REAL_BIAS, count * 4, 4);
    /* 2^e takes the largest accumulator to about 2^7. */
    const int32_t natural = 7 - (int32_t)ceil(log2(largest + 1));
    for (int64_t c = 0; c < count; c++) {
        const int32_t kind = draw_between(draws, 0, 9);
        multiplier[c] = kind == 0   ? 0
                        : kind == 1 ? 1 << 30
                        : kind == 2 ? INT32_MAX
                                    : draw_between(draws, 1 << 30, INT32_MAX);
        exponent[c] = kind == 3 ? draw_between(draws, -31, 30)
                                : natural + draw_between(draws, -1, 1);
        scale[c] = (float)ldexp(multiplier[c], exponent[c] - 31);
        real[c] = ldexp(multiplier[c], exponent[c] - 31);
        if (kind == 4) { /* products of powers of two: next to ties */
            real[c] = nextafter(ldexp(1, exponent[c]), draw_between(draws, 0, 1) * ldexp(1, 31));
        }
        bias[c] = (float)(draw_between(draws, -4000, 4000) / 8.0);
    }
    const int32_t qmin = draw(draws) & 1 ? -128 : draw_between(draws, -128, 127);
    return (kdq_requant){.rule = rule,
                         .channel_step = step,
                         .zero_point = draw_between(draws, -128, 127),
                         .qmin = qmin,
                         .qmax = draw(draws) & 1 ? 127 : draw_between(draws, qmin, 127),
                         .multiplier = multiplier,
                         .exponent = exponent,
                         .scale = scale,
                         .real = real,
                         .bias = bias};
}

int differs(struct tally *tally, int equal) {
    tally->compared++;
    tally->differing += !equal;
    return !equal && tally->differing <= DESCRIBED;
}
