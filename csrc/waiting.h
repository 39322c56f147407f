/* waiting.h - waiting for other threads: spinning at first. Included before everything else. */
#ifndef KDQ_WAITING_H
#define KDQ_WAITING_H

#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200112L
#include <sched.h>
#define let_others_run() sched_yield()
#else
#define let_others_run() ((void)0)
#endif
#include <stdint.h>

#define PATIENCE 2000 /* looks before another thread may have the processor */

/* Between two looks at what another thread will change; `looks` is 0 at first. */
static inline void kdq_wait_a_little(int32_t *looks) {
    if (*looks < PATIENCE) {
        ++*looks;
    } else {
        let_others_run();
    }
}

#endif
