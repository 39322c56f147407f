/* threads.c - runs shared by threads, for ThreadSanitizer (`make tsan`): it misses short races where
 * Python lies between them, and here nothing does.
 *
 * A network of pooling, look-up and addition, whose results one thread alone computed before, is run
 * by a caller and two threads at their seats: shares of one image, and images of their own. */
#include <pthread.h>
#include <stdio.h>

#include "kdq_internal.h"

enum { SIZE = 24, CHANNELS = 8, ELEMENTS = SIZE * SIZE * CHANNELS, PARTS = 3, VALUES = 6 };
#define ARENA (1 << 20)

static int8_t table[256], x[PARTS * ELEMENTS], want[PARTS * ELEMENTS], got[PARTS * ELEMENTS];
static int8_t arenas[PARTS][ARENA];

static void *serve(void *seat) {
    kdq_seat_serve(seat);
    return NULL;
}

/* 0, or 1 where a thread cannot be started. */
static int run_at_once(kdq_seat *seats, kdq_part *parts) {
    for (int i = 1; i < PARTS; i++) {
        pthread_t thread;
        if (kdq_seat_post(seats + i, parts + i) &&
            (pthread_create(&thread, NULL, serve, seats + i) != 0 || pthread_detach(thread) != 0)) {
            return 1;
        }
    }
    kdq_part_run(parts);
    for (int i = 1; i < PARTS; i++) {
        kdq_seat_join(seats + i);
    }
    return 0;
}

static int differs(const char *what, int64_t elements) {
    const int wrong = memcmp(got, want, (size_t)elements) != 0;
    if (wrong) {
        printf("threads: %s: wrong\n", what);
    }
    memset(got, 0, sizeof got);
    return wrong;
}

int main(void) {
    const int32_t multiplier = 1 << 30, exponent = -19;
    const float scale = 1;
    const kdq_window pool = {.in_h = SIZE,
                             .in_w = SIZE,
                             .in_c = CHANNELS,
                             .out_h = SIZE,
                             .out_w = SIZE,
                             .out_c = CHANNELS,
                             .kernel_h = 3,
                             .kernel_w = 3,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .groups = 1,
                             .pad_top = 1,
                             .pad_left = 1};
    const kdq_requant requant = {.rule = KDQ_SINGLE_ROUNDING,
                                 .qmin = -128,
                                 .qmax = 127,
                                 .multiplier = &multiplier,
                                 .exponent = &exponent,
                                 .scale = &scale};
    const kdq_op ops[] = {
        {.kind = KDQ_OP_MAX_POOL2D, .source = 0, .target = 1, .window = pool},
        {.kind = KDQ_OP_LOOKUP, .source = 1, .target = 2, .weight = table},
        {.kind = KDQ_OP_AVG_POOL2D, .source = 2, .target = 3, .window = pool, .requant = requant},
        {.kind = KDQ_OP_ADD,
         .source = 3,
         .source_b = 1,
         .target = 4,
         .addends = {.a_multiplier = 1 << 17, .b_multiplier = 1 << 19},
         .requant = requant},
        {.kind = KDQ_OP_MAX_POOL2D, .source = 4, .target = 5, .window = pool},
    };
    kdq_value values[VALUES];
    for (int i = 0; i < VALUES; i++) {
        values[i] = (kdq_value){.elements = ELEMENTS, .offset = i * (int64_t)ELEMENTS};
    }
    const kdq_plan plan = {.kernel = &kdq_scalar,
                           .ops = ops,
                           .values = values,
                           .op_count = sizeof ops / sizeof *ops,
                           .output = VALUES - 1,
                           .input_scale = 1,
                           .image_bytes = VALUES * (int64_t)ELEMENTS,
                           .max_tile = 1};
    for (int i = 0; i < 256; i++) {
        table[i] = (int8_t)(127 - i);
    }
    for (int i = 0; i < PARTS * ELEMENTS; i++) {
        x[i] = (int8_t)((uint32_t)i * 2654435761u >> 24);
    }
    kdq_plan_run(&plan, PARTS, NULL, x, want, arenas[0], ARENA);

    static kdq_seat seats[PARTS]; /* outlives threads that wait for more */
    int32_t arrived, wrong = 0;
    kdq_part shares[PARTS], parts[PARTS];
    for (int i = 0; i < PARTS; i++) {
        shares[i] = (kdq_part){.plan = &plan,
                               .x_codes = x,
                               .y = got,
                               .arena = arenas[0],
                               .arrived = &arrived,
                               .part = i,
                               .parts = PARTS};
        parts[i] = (kdq_part){.plan = &plan,
                              .x_codes = x + i * ELEMENTS,
                              .y = got + i * ELEMENTS,
                              .arena = arenas[i],
                              .images = 1,
                              .arena_bytes = ARENA};
    }
    for (int round = 0; round < 200; round++) {
        arrived = 0;
        if (run_at_once(seats, shares)) {
            puts("threads: a thread could not be started");
            return 1;
        }
        wrong += differs("shares of an image", ELEMENTS);
        if (run_at_once(seats, parts)) {
            puts("threads: a thread could not be started");
            return 1;
        }
        wrong += differs("an image each", PARTS * ELEMENTS);
    }
    printf("threads: 400 runs, %d wrong\n", wrong);
    return wrong > 0;
}
