/* plan_shared.c - one image by several threads: each takes a run of lines of every operation's output.
 *
 * A run of output lines is the same operation with another window: the image begins at the first line
 * that is needed, and only the first run has the padding above it.
 *
 *     arena   | to alignment | scratch of thread 0 | of thread 1 | ... | values |
 *
 * Nobody begins an operation before all have finished the one before it: they wait, spinning, which
 * costs less than a microsecond where each has a processor, and let others run where not. */
#include "waiting.h"

#include "kdq_internal.h"

/* A part of one operation: where it begins in the sources and in the target. */
struct share {
    kdq_op op;
    int64_t x, y, elements;
};

static int has_window(const kdq_op *op) {
    return op->kind != KDQ_OP_ADD && op->kind != KDQ_OP_LOOKUP;
}

/* The edge before part `part` of n things; even, as Winograd makes two lines at a time. */
static int64_t edge(int64_t n, int32_t part, int32_t parts) {
    return kdq_min(n, (n * part / parts + 1) / 2 * 2);
}

static struct share share_of(const kdq_plan *plan, const kdq_op *op, int32_t part, int32_t parts) {
    struct share share = {.op = *op};
    kdq_window *w = &share.op.window;
    if (!has_window(op)) {
        const int64_t n = plan->values[op->target].elements;
        share.x = share.y = edge(n, part, parts);
        share.elements = edge(n, part + 1, parts) - share.y;
        return share;
    }
    const int64_t first = edge(w->out_h, part, parts);
    const int64_t top = first * w->stride_h - w->pad_top; /* the window's first line */
    const int64_t skipped = kdq_min(kdq_max(0, top), w->in_h);
    w->out_h = (int32_t)(edge(w->out_h, part + 1, parts) - first);
    w->pad_top = (int32_t)(skipped - top);
    const int64_t needed = (int64_t)(w->out_h - 1) * w->stride_h +
                           (int64_t)(w->kernel_h - 1) * w->dilation_h + 1 - w->pad_top;
    w->in_h = (int32_t)kdq_max(0, kdq_min(w->in_h - skipped, needed));
    share.x = skipped * w->in_w * w->in_c;
    share.y = first * w->out_w * w->out_c;
    return share;
}

static int is_empty(const struct share *share) {
    return has_window(&share->op) ? share->op.window.out_h == 0 : share->elements == 0;
}

static int64_t scratch_bytes(const kdq_plan *plan, int32_t parts) {
    int64_t most = 0;
    for (int32_t i = 0; i < plan->op_count; i++) {
        for (int32_t part = 0; part < parts; part++) {
            const struct share share = share_of(plan, plan->ops + i, part, parts);
            if (!is_empty(&share)) {
                most = kdq_max(most, kdq_op_scratch_bytes(&share.op, 1));
            }
        }
    }
    return kdq_round_up(most, KDQ_ALIGN);
}

int64_t kdq_plan_shared_arena_bytes(const kdq_plan *plan, int32_t parts) {
    return KDQ_ALIGN - 1 + parts * scratch_bytes(plan, parts) + plan->image_bytes;
}

/* Wait until all parts have come here for the `turn`-th time. */
static void wait_for_all(int32_t *arrived, int32_t turn, int32_t parts) {
    int32_t looks = 0;
    __atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(arrived, __ATOMIC_ACQUIRE) < turn * parts) {
        kdq_wait_a_little(&looks);
    }
}

void kdq_plan_run_shared(const kdq_plan *plan, const float *x_float, const int8_t *x_codes,
                         int8_t *y, void *arena, int32_t part, int32_t parts, int32_t *arrived) {
    const int64_t in = plan->values[0].elements, scratch_size = scratch_bytes(plan, parts);
    int8_t *base = kdq_align(arena);
    const struct kdq_tile image = {.plan = plan,
                                   .images = 1,
                                   .x = x_codes,
                                   .y = y,
                                   .values = base + parts * scratch_size,
                                   .scratch = base + part * scratch_size};
    const int64_t from = edge(in, part, parts), count = edge(in, part + 1, parts) - from;
    int32_t turn = 0;
    if (x_float != NULL) {
        kdq_quantize(plan->kernel, count, x_float + from, plan->input_scale,
                     plan->input_zero_point, kdq_writable(&image, 0) + from);
        wait_for_all(arrived, ++turn, parts);
    } else if (plan->output == 0) {
        memcpy(y + from, x_codes + from, (size_t)count);
    }
    for (int32_t i = 0; i < plan->op_count; i++) {
        const struct share share = share_of(plan, plan->ops + i, part, parts);
        if (!is_empty(&share)) {
            kdq_run_op(plan->kernel, &share.op, 1, share.elements,
                       kdq_readable(&image, share.op.source) + share.x,
                       kdq_readable(&image, share.op.source_b) + share.x,
                       kdq_writable(&image, share.op.target) + share.y, image.scratch);
        }
        wait_for_all(arrived, ++turn, parts);
    }
}
