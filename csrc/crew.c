/* crew.c - threads that stay awake between the parts they are given.
 *
 * Waking a thread that sleeps takes 0.1 ms: as long as a small network's whole batch. So a thread that
 * has run its part waits for the next one, spinning, for LINGER_NS before it goes back to sleep. Threads are
 * the caller's; here are only the seats where they wait.
 *
 *     ASLEEP --post--> POSTED --serve--> BUSY --serve--> AWAKE --post--> POSTED ...
 *        ^----------- withdraw                             |
 *        ^------------------ nothing came -----------------+
 *
 * All changes but the poster's own are compare-and-swap: two threads may serve one seat, and a part is
 * run once. */
#include "waiting.h"

#include <time.h>

#include "kdq_internal.h"

#define LINGER_NS 200000
#define LOOKS 64 /* between two looks at the clock */

enum { ASLEEP, AWAKE, POSTED, BUSY };

static inline void pause_a_little(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int32_t state_of(const kdq_seat *seat) {
    return __atomic_load_n(&seat->state, __ATOMIC_ACQUIRE);
}

static int change(kdq_seat *seat, int32_t from, int32_t to) {
    return __atomic_compare_exchange_n(&seat->state, &from, to, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

int32_t kdq_part_run(kdq_part *part) {
    if (part->arrived != NULL) {
        kdq_plan_run_shared(part->plan, part->x_float, part->x_codes, part->y, part->arena,
                            part->part, part->parts, part->arrived);
        part->status = KDQ_OK;
    } else {
        part->status = kdq_plan_run(part->plan, part->images, part->x_float, part->x_codes,
                                    part->y, part->arena, part->arena_bytes);
    }
    return part->status;
}

int32_t kdq_seat_post(kdq_seat *seat, kdq_part *part) {
    seat->part = part;
    return __atomic_exchange_n(&seat->state, POSTED, __ATOMIC_ACQ_REL) == ASLEEP;
}

void kdq_seat_withdraw(kdq_seat *seat) { change(seat, POSTED, ASLEEP); }

void kdq_seat_join(const kdq_seat *seat) {
    int32_t looks = 0;
    while (state_of(seat) >= POSTED) {
        pause_a_little();
        kdq_wait_a_little(&looks);
    }
}

/* Whether a part came before the clock ran out, or backwards. */
static int wait_for_part(const kdq_seat *seat) {
    const int64_t start = now_ns();
    do {
        for (int32_t looks = 0; looks < LOOKS; looks++) {
            if (state_of(seat) == POSTED) {
                return 1;
            }
            pause_a_little();
        }
    } while ((uint64_t)(now_ns() - start) < LINGER_NS);
    return 0;
}

void kdq_seat_serve(kdq_seat *seat) {
    change(seat, ASLEEP, AWAKE);
    for (;;) {
        if (wait_for_part(seat)) {
            if (change(seat, POSTED, BUSY)) {
                kdq_part_run(seat->part);
                change(seat, BUSY, AWAKE);
            }
        } else if (change(seat, AWAKE, ASLEEP) || state_of(seat) == ASLEEP) {
            return;
        }
    }
}
