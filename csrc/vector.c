/* vector.c - the loops of vector_loops.h for any CPU; what all other forms must equal. */
#include "kdq_internal.h"
#include "vector_loops.h"

const struct kdq_vector kdq_vector_portable = {
    .requantize = kdq_requantize,
    .widen = widen,
    .flip = flip,
    .keep_larger = keep_larger,
    .sum = sum,
    .weigh = weigh,
    .quantize = quantize,
    .dequantize = dequantize,
    .lookup = lookup,
};
