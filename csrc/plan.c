/* plan.c - a whole network in one call, on the caller's arena.
 *
 * The images go through in tiles: all operations over a few images, then the next few, so that
 * activations stay in cache while packed weights are used more than once.
 *
 *     arena   | to alignment | scratch of the operations | values of the tile, at T * offset |
 *
 * The network's result is written where the caller wants it, and int8 inputs are read where they
 * are; every other value lives in the arena, laid out by kdq_ref/kernels/layout.py. */
#include "kdq_internal.h"

int64_t kdq_op_scratch_bytes(const kdq_op *op, int64_t images) {
    switch (op->kind) {
    case KDQ_OP_CONV2D: return kdq_conv2d_scratch_bytes(&op->window, images, op->weights);
    case KDQ_OP_DEPTHWISE_CONV2D: return kdq_depthwise_scratch_bytes(&op->window);
    default: return 0;
    }
}

void kdq_run_op(const kdq_kernel *kernel, const kdq_op *op, int64_t images, int64_t elements,
                const int8_t *x, const int8_t *x_b, int8_t *y, void *scratch) {
    switch (op->kind) {
    case KDQ_OP_CONV2D:
        kdq_conv2d(&op->window, images, x, op->x_zero_point, op->weights, &op->requant, y, scratch);
        break;
    case KDQ_OP_DEPTHWISE_CONV2D:
        kdq_depthwise_conv2d(kernel, &op->window, images, x, op->x_zero_point, op->weight,
                             op->folded_bias, &op->requant, y, scratch);
        break;
    case KDQ_OP_MAX_POOL2D: kdq_max_pool2d(kernel, &op->window, images, x, y); break;
    case KDQ_OP_AVG_POOL2D:
        kdq_avg_pool2d(kernel, &op->window, images, x, op->x_zero_point, &op->requant, y);
        break;
    case KDQ_OP_ADD: kdq_add(kernel, elements, x, x_b, &op->addends, &op->requant, y); break;
    case KDQ_OP_LOOKUP: kdq_lookup(kernel, elements, x, op->weight, y); break;
    default: break;
    }
}

static int64_t scratch_bytes(const kdq_plan *plan, int64_t tile) {
    int64_t most = 0;
    for (int32_t i = 0; i < plan->op_count; i++) {
        most = kdq_max(most, kdq_op_scratch_bytes(plan->ops + i, tile));
    }
    return most;
}

int64_t kdq_plan_arena_bytes(const kdq_plan *plan, int64_t images) {
    const int64_t tile = kdq_max(1, kdq_min(images, plan->max_tile));
    return KDQ_ALIGN - 1 + scratch_bytes(plan, tile) + tile * plan->image_bytes;
}

/* The largest tile the arena holds, at most that many images; 0 if not even one. */
static int64_t fitting_tile(const kdq_plan *plan, int64_t images, int64_t arena_bytes) {
    int64_t tile = kdq_min(images, plan->max_tile);
    while (tile > 0 && kdq_plan_arena_bytes(plan, tile) > arena_bytes) {
        tile--;
    }
    return tile;
}

static void run_op(const struct kdq_tile *tile, const kdq_op *op) {
    const int64_t elements = tile->images * tile->plan->values[op->target].elements;
    kdq_run_op(tile->plan->kernel, op, tile->images, elements, kdq_readable(tile, op->source),
               kdq_readable(tile, op->source_b), kdq_writable(tile, op->target), tile->scratch);
}

int32_t kdq_plan_run(const kdq_plan *plan, int64_t images, const float *x_float,
                     const int8_t *x_codes, int8_t *y, void *arena, int64_t arena_bytes) {
    const int64_t in = plan->values[0].elements, out = plan->values[plan->output].elements;
    if (images == 0) {
        return KDQ_OK;
    }
    const int64_t most = fitting_tile(plan, images, arena_bytes);
    if (most == 0) {
        return KDQ_ARENA_TOO_SMALL;
    }
    if (x_float != NULL && !kdq_all_finite(plan->kernel, images * in, x_float)) {
        return KDQ_NOT_FINITE;
    }
    int8_t *base = kdq_align(arena);
    for (int64_t first = 0; first < images; first += most) {
        const struct kdq_tile tile = {.plan = plan,
                                  .images = kdq_min(most, images - first),
                                  .x = x_float != NULL ? NULL : x_codes + first * in,
                                  .y = y + first * out,
                                  .values = base + scratch_bytes(plan, most),
                                  .scratch = base};
        if (x_float != NULL) {
            kdq_quantize(plan->kernel, tile.images * in, x_float + first * in, plan->input_scale,
                         plan->input_zero_point, kdq_writable(&tile, 0));
        } else if (plan->output == 0) {
            memcpy(tile.y, tile.x, (size_t)(tile.images * in));
        }
        for (int32_t i = 0; i < plan->op_count; i++) {
            run_op(&tile, plan->ops + i);
        }
    }
    return KDQ_OK;
}
