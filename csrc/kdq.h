/* kdq.h - the public C API of the int8 core.
 *
 * Everything here equals the NumPy specification kdq_ref.intref bit for bit. The slice between the
 * two CDEF lines is also what csrc/build_ffi.py hands to cffi, so every name is declared once; keep
 * it to what cffi parses: declarations, integer #defines, comments.
 *
 * Conventions
 *  1. Activations are int8, channels last: (images, h, w, c). Weights are int8, (k, n) row-major;
 *     those of a convolution are (kernel_h, kernel_w, in_c / groups, out_c), which is the same thing
 *     with k = kernel_h * kernel_w * in_c / groups. Functions called s16 take int16 activations.
 *  2. real = scale * (q - zero_point). An accumulator is
 *         acc[c] = sum_p (x[p] - x_zero_point) * w[p][c] + bias[c]
 *     in int32. The caller proves that it fits (kdq_ref.infer does, from the actual weights);
 *     if it does not, the result is acc modulo 2^32, never undefined behaviour.
 *  3. Nothing is allocated, nothing is global and mutable, no thread is started: every function may
 *     run in any number of threads at once. Scratch memory is the caller's, at least as aligned as
 *     malloc's (16 bytes), and as large as the matching *_scratch_bytes function says.
 *  4. No function reads or writes past the arrays it is given, not even by one byte.
 *  5. Arguments are trusted: kdq_ref.kernels checks shapes, dtypes and ranges before any call.
 *     Sizes may be zero unless stated otherwise. Inputs and outputs never overlap.
 *  6. Right shifts of negative numbers are arithmetic and float is IEEE binary32 without excess
 *     precision, in the default rounding mode; kdq_internal.h refuses to compile otherwise.
 */
#ifndef KDQ_H
#define KDQ_H

#include <stdint.h>

/* CDEF BEGIN */

/* ---- Kernels ------------------------------------------------------------------------------- */

/* The largest k for which a sum of products of full-range int8 cannot leave int32. */
#define KDQ_MAX_K 131071

/* A micro-kernel and the panel layout it dictates; see kdq_internal.h. */
typedef struct kdq_kernel kdq_kernel;

/* The dispatch table, best first; the last entry runs on any CPU. */
int32_t kdq_kernel_count(void);
const kdq_kernel *kdq_kernel_at(int32_t index);

/* Plain loops over a deliberately awkward tile: an oracle for the control code, never automatic. */
const kdq_kernel *kdq_kernel_ref(void);

/* Never in the table: wrong on purpose (saturates pair sums to int16, as vpmaddubsw does), so that
 * the self-test and the fallback can themselves be tested. */
const kdq_kernel *kdq_kernel_saturating(void);

const char *kdq_kernel_name(const kdq_kernel *kernel);

/* Features of this CPU (and enabled by its OS), as bits; those a kernel needs and this CPU lacks;
 * a bit's name, NULL past the last. */
uint64_t kdq_cpu_features(void);
uint64_t kdq_kernel_missing(const kdq_kernel *kernel);
const char *kdq_feature_name(int32_t bit);

/* Known answers through the real pack/drive/requantize path. Returns 0, or the number of the first
 * check that failed (selftest.c). Call only if nothing is missing. */
int32_t kdq_kernel_self_test(const kdq_kernel *kernel);

/* ---- Requantization (requant.c) ------------------------------------------------------------ */

enum kdq_rule {
    KDQ_SINGLE_ROUNDING = 0,
    KDQ_DOUBLE_ROUNDING = 1,
    KDQ_FLOAT32_RNE = 2,
    KDQ_DOUBLE_ROUNDING_TIES_UP = 3,
    KDQ_FBGEMM = 4,
    KDQ_RNDNU = 5,
    KDQ_QNNPACK = 6,
    KDQ_FLOAT64_HALF_AWAY = 7,
    KDQ_ONNX_SPEC = 8
};

/* y = clamp(rule(acc, constants of the channel) + zero_point, qmin, qmax).
 * multiplier in [2^30, 2^31) or 0, exponent in [-31, 30]; scale and real finite and not negative;
 * bias finite. What a rule reads: multiplier and exponent, or scale (KDQ_FBGEMM: and bias), or real.
 * -128 <= qmin <= qmax <= 127, zero_point in [-128, 127]. */
typedef struct {
    int32_t rule;         /* enum kdq_rule */
    int32_t channel_step; /* 1: one constant per channel; 0: one for all */
    int32_t zero_point;
    int32_t qmin;
    int32_t qmax;
    const int32_t *multiplier;
    const int32_t *exponent;
    const float *scale;
    const double *real;
    const float *bias; /* in units of the accumulator */
} kdq_requant;

/* y[r][c] = requantize(acc[r][c] + bias[c]); bias may be NULL; the sum wraps. The first is the
 * definition for C, the second what the kernel uses in its place. */
void kdq_requantize(const kdq_requant *requant, int64_t rows, int64_t channels, const int32_t *acc,
                    int64_t ld_acc, const int32_t *bias, int8_t *y, int64_t ld_y);
void kdq_requantize_with(const kdq_kernel *kernel, const kdq_requant *requant, int64_t rows,
                         int64_t channels, const int32_t *acc, int64_t ld_acc, const int32_t *bias,
                         int8_t *y, int64_t ld_y);

/* ---- Products (gemm_ref.c, pack.c, gemm.c) ------------------------------------------------- */

/* c (m, n) = a (m, k) * b (k, n): three plain loops. k <= KDQ_MAX_K. */
void kdq_gemm_s8s32_ref(int64_t m, int64_t n, int64_t k, const int8_t *a, int64_t ld_a,
                        const int8_t *b, int64_t ld_b, int32_t *c, int64_t ld_c);

/* Weights as a kernel reads them, made once by kdq_pack_weights: matrices (k, n), one per segment. A
 * product is the sum over its segments. A dense layer has one, a convolution one per line or per tap
 * of its window (kdq_conv2d_segments). */
typedef struct {
    const kdq_kernel *kernel;
    int64_t segments, k, n;
    int32_t form; /* enum kdq_form */
    void *data;   /* kdq_weights_bytes, aligned to 4 */
} kdq_weights;

/* A kernel may read wider elements than int8. Such weights are held as int8 and widened in its loop
 * or a panel at a time, which suits few rows; or widened once, which suits many. Those of a kernel for
 * narrow weights are held as int8 (KDQ_WIDE), or two to a byte (KDQ_COMPACT): only if all of them are
 * in [-8, 7]. Other kernels have one form.
 * Or they are transformed for Winograd's F(2x2, 3x3) (winograd.c): only if kdq_winograd_fits. */
enum kdq_form {
    KDQ_COMPACT = 0,
    KDQ_WIDE = 1,
    KDQ_WINOGRAD = 2
};

/* A kernel that is faster on weights small enough to be exact there, or NULL. Weights packed for it
 * must have passed kdq_pair_depth. */
const kdq_kernel *kdq_kernel_narrow(const kdq_kernel *kernel);

/* How many products of neighbours such a kernel may sum in int16, whatever the activations are: the
 * least over all panels of b; 0 if not even one pair is safe. weights->data is not used. */
int32_t kdq_pair_depth(const kdq_weights *weights, const int8_t *b, int64_t ld_b);

int64_t kdq_weights_bytes(const kdq_weights *weights);

/* Fill weights->data from b (segments * k, n) and what the accumulators start from,
 *     bias[c] - x_zero_point * sum_p b[p][c]   modulo 2^32,
 * with which acc[c] = start[c] + sum_p x[p] * b[p][c]. bias may be NULL: zeros. */
void kdq_pack_weights(const kdq_weights *weights, const int8_t *b, int64_t ld_b,
                      const int32_t *bias, int32_t x_zero_point);

/* The same starting values for operators whose weights are not packed. */
void kdq_fold_bias(int64_t k, int64_t n, const int8_t *b, int64_t ld_b, const int32_t *bias,
                   int32_t x_zero_point, int32_t *folded);

/* c (m, n) = start + a (m, k) * b, in int32 or requantized to int8; b has one segment. */
int64_t kdq_gemm_scratch_bytes(const kdq_weights *b, int64_t m);
void kdq_gemm_s8s32(const kdq_weights *b, int64_t m, const int8_t *a, int64_t ld_a, int32_t *c,
                    int64_t ld_c, void *scratch);
void kdq_gemm_s8s8(const kdq_weights *b, int64_t m, const int8_t *a, int64_t ld_a,
                   const kdq_requant *requant, int8_t *y, int64_t ld_y, void *scratch);

/* ---- Products of int16 activations (gemm_s16.c, requant.c) --------------------------------- */

/* 16x8 quantization: activations int16, weights int8, all symmetric; acc[c] = sum_p x[p] * w[p][c] +
 * bias[c] in int64. k <= KDQ_MAX_K and |bias| <= 2^47 - 2^39, so that |acc| < 2^47. */

/* The last two take the accumulator modulo 2^32, as runtimes with int32 biases hold it. */
enum kdq_rule_s16 {
    KDQ_REDUCED_16X8 = 0,
    KDQ_SINGLE_ROUNDING_16X8 = 1,
    KDQ_DOUBLE_ROUNDING_16X8 = 2
};

/* y = clamp(rule(acc, constants of the channel), qmin, qmax); acc in [-2^47, 2^47). multiplier in
 * [2^30, 2^31) or 0, exponent in [-31, 7] (KDQ_REDUCED_16X8) or [-31, 30], -32768 <= qmin <= qmax <=
 * 32767. The first function is the definition for C, the second what the kernel uses in its place. */
typedef struct {
    int32_t rule;         /* enum kdq_rule_s16 */
    int32_t channel_step; /* 1: one constant per channel; 0: one for all */
    int32_t qmin;
    int32_t qmax;
    const int32_t *multiplier;
    const int32_t *exponent;
} kdq_requant_s16;
void kdq_requantize_s16(const kdq_requant_s16 *requant, int64_t rows, int64_t channels,
                        const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y);
void kdq_requantize_s16_with(const kdq_kernel *kernel, const kdq_requant_s16 *requant,
                             int64_t rows, int64_t channels, const int64_t *acc, int64_t ld_acc,
                             int16_t *y, int64_t ld_y);

/* c (m, n) = bias + a (m, k) * b (k, n): three plain loops. bias may be NULL, here and below: zeros. */
void kdq_gemm_s16s64_ref(int64_t m, int64_t n, int64_t k, const int16_t *a, int64_t ld_a,
                         const int8_t *b, int64_t ld_b, const int64_t *bias, int64_t *c,
                         int64_t ld_c);

/* Weights b (k, n), made once by kdq_pack_weights_s16, as `kernel` reads them; or, where that
 * multiplies only int8, another kernel that runs wherever it does. */
typedef struct {
    const kdq_kernel *kernel;
    int64_t k, n;
    void *data; /* kdq_weights_s16_bytes, aligned to 4 */
} kdq_weights_s16;
int64_t kdq_weights_s16_bytes(const kdq_weights_s16 *weights);
void kdq_pack_weights_s16(const kdq_weights_s16 *weights, const int8_t *b, int64_t ld_b);

/* c or y (m, n) = bias + a (m, k) * b, in int64 or requantized to int16. */
int64_t kdq_gemm_s16_scratch_bytes(const kdq_weights_s16 *b, int64_t m);
void kdq_gemm_s16s64(const kdq_weights_s16 *b, const int64_t *bias, int64_t m, const int16_t *a,
                     int64_t ld_a, int64_t *c, int64_t ld_c, void *scratch);
void kdq_gemm_s16s16(const kdq_weights_s16 *b, const int64_t *bias, int64_t m, const int16_t *a,
                     int64_t ld_a, const kdq_requant_s16 *requant, int16_t *y, int64_t ld_y,
                     void *scratch);

/* ---- Windows: convolution and pooling (conv.c, depthwise.c, pool.c) ------------------------ */

/* Output (oh, ow) and tap (i, j) meet input
 *     (oh * stride_h - pad_top + i * dilation_h, ow * stride_w - pad_left + j * dilation_w);
 * a position outside the image is padding. Bottom and right padding are implied by out_h, out_w. These,
 * kernel, stride, dilation and groups are at least 1. */
typedef struct {
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t dilation_h, dilation_w;
    int32_t groups;
} kdq_window;

/* Segments that the weights of such a convolution must have, each of
 * kernel_h * kernel_w * (in_c / groups) / segments rows. */
int64_t kdq_conv2d_segments(const kdq_window *window);

/* Whether KDQ_WINOGRAD is exact for this convolution: its kernel and window are of the right kind, and
 * with these weights b (9 * in_c, out_c) no integer on the way can overflow. Whether it also pays. */
int32_t kdq_winograd_fits(const kdq_kernel *kernel, const kdq_window *window, const int8_t *b,
                          int64_t ld_b);
int32_t kdq_winograd_pays(const kdq_kernel *kernel, const kdq_window *window);

/* weights[g] belongs to group g: in_c / groups channels to out_c / groups; all groups have one
 * kernel, form and shape. Padding has the value x_zero_point. A dense layer is the convolution with
 * all sizes 1. */
int64_t kdq_conv2d_scratch_bytes(const kdq_window *window, int64_t images,
                                 const kdq_weights *weights);
void kdq_conv2d(const kdq_window *window, int64_t images, const int8_t *x, int32_t x_zero_point,
                const kdq_weights *weights, const kdq_requant *requant, int8_t *y, void *scratch);

/* Weight (kernel_h, kernel_w, out_c), not packed; channel o reads input o / (out_c / in_c). */
int64_t kdq_depthwise_scratch_bytes(const kdq_window *window);
void kdq_depthwise_conv2d(const kdq_kernel *kernel, const kdq_window *window, int64_t images,
                          const int8_t *x, int32_t x_zero_point, const int8_t *weight,
                          const int32_t *folded_bias, const kdq_requant *requant, int8_t *y,
                          void *scratch);

/* Padding never wins; every window holds at least one real element. */
void kdq_max_pool2d(const kdq_kernel *kernel, const kdq_window *window, int64_t images,
                    const int8_t *x, int8_t *y);

/* acc = sum over real elements of (x - x_zero_point), then requantized: the divisor is in there. */
void kdq_avg_pool2d(const kdq_kernel *kernel, const kdq_window *window, int64_t images,
                    const int8_t *x, int32_t x_zero_point, const kdq_requant *requant, int8_t *y);

/* ---- Elementwise (elementwise.c) ----------------------------------------------------------- */

/* acc = (a - a_zero_point) * a_multiplier + (b - b_zero_point) * b_multiplier, then requantized with
 * channel_step 0; multipliers in [0, 2^20]. */
typedef struct {
    int32_t a_zero_point, b_zero_point;
    int32_t a_multiplier, b_multiplier;
} kdq_addends;
void kdq_add(const kdq_kernel *kernel, int64_t n, const int8_t *a, const int8_t *b,
             const kdq_addends *addends, const kdq_requant *requant, int8_t *y);

/* y = table[x + 128]. */
void kdq_lookup(const kdq_kernel *kernel, int64_t n, const int8_t *x, const int8_t *table, int8_t *y);

/* y = clamp(rne(x / scale) + zero_point, -128, 127) in float32; x finite, scale positive. */
void kdq_quantize(const kdq_kernel *kernel, int64_t n, const float *x, float scale,
                  int32_t zero_point, int8_t *y);
int32_t kdq_all_finite(const kdq_kernel *kernel, int64_t n, const float *x);

/* x = scale * (q - zero_point). */
void kdq_dequantize(const kdq_kernel *kernel, int64_t n, const int8_t *q, float scale,
                    int32_t zero_point, float *x);

/* Index of the first largest element of each row; columns >= 1. */
void kdq_argmax(const kdq_kernel *kernel, int64_t rows, int64_t columns, const int8_t *q,
                int64_t *index);

/* ---- Softmax (softmax.c) ------------------------------------------------------------------- */

/* The exponential of 0 in a table, and the longest row: sums stay below 2^47. */
#define KDQ_SOFTMAX_ONE 1073741824
#define KDQ_MAX_CLASSES 65536

/* Along each row, with t = table[max(q) - q] and S the sum of t,
 *     y = min((256 * t + S / 2) / S, 255) - 128   where quotients are rounded down:
 * probabilities with scale 1/256 and zero_point -128. The table has 256 entries, from
 * KDQ_SOFTMAX_ONE on, never rising, at least 0; columns in [1, KDQ_MAX_CLASSES]. */
void kdq_softmax(const kdq_kernel *kernel, int64_t rows, int64_t columns, const int8_t *q,
                 const int32_t *table, int8_t *y);

/* ---- A whole network (plan.c) -------------------------------------------------------------- */

enum kdq_op_kind {
    KDQ_OP_CONV2D = 0, /* and dense */
    KDQ_OP_DEPTHWISE_CONV2D = 1,
    KDQ_OP_MAX_POOL2D = 2,
    KDQ_OP_AVG_POOL2D = 3,
    KDQ_OP_ADD = 4,
    KDQ_OP_LOOKUP = 5
};

/* One operation; an operation reads only the fields of its own function above. */
typedef struct {
    int32_t kind; /* enum kdq_op_kind */
    int32_t source, source_b, target; /* numbers of values */
    int32_t x_zero_point;
    kdq_window window;
    const kdq_weights *weights; /* of CONV2D, one per group */
    const int8_t *weight;       /* of DEPTHWISE_CONV2D; the table of LOOKUP */
    const int32_t *folded_bias; /* of DEPTHWISE_CONV2D */
    kdq_addends addends;
    kdq_requant requant;
} kdq_op;

/* What flows between operations. In the arena, the values of a tile of T images lie at T * offset;
 * two values may share bytes if they never live at the same time. Value 0 is the network's input. */
typedef struct {
    int64_t elements; /* per image */
    int64_t offset;   /* bytes per image */
} kdq_value;

typedef struct {
    const kdq_kernel *kernel;
    const kdq_op *ops;
    const kdq_value *values;
    int32_t op_count;
    int32_t output; /* number of the value that is the result */
    float input_scale;
    int32_t input_zero_point;
    int64_t image_bytes; /* of all values, per image of a tile */
    int64_t max_tile;    /* images per tile, at least 1 */
} kdq_plan;

enum kdq_status {
    KDQ_OK = 0,
    KDQ_ARENA_TOO_SMALL = 1, /* not even one image fits */
    KDQ_NOT_FINITE = 2       /* the float input holds NaN or infinity; nothing was written */
};

/* Bytes of arena so that a tile of that many images (at most max_tile) can run. */
int64_t kdq_plan_arena_bytes(const kdq_plan *plan, int64_t images);

/* Run images through the network, tile by tile: x is float (images, input elements) or, if x_float
 * is NULL, int8 codes; y (images, output elements). Tiles are as large as max_tile and the arena
 * allow; the arena may have any alignment, and what it holds does not matter, before or after. */
int32_t kdq_plan_run(const kdq_plan *plan, int64_t images, const float *x_float,
                     const int8_t *x_codes, int8_t *y, void *arena, int64_t arena_bytes);

/* One image by `parts` threads (plan_shared.c): each calls this with its `part`, 0 <= part < parts, and
 * otherwise the same arguments, at the same time: they wait for each other. *arrived is 0 before the
 * first begins; x_float is finite. The result is complete when all calls have returned. */
int64_t kdq_plan_shared_arena_bytes(const kdq_plan *plan, int32_t parts);
void kdq_plan_run_shared(const kdq_plan *plan, const float *x_float, const int8_t *x_codes,
                         int8_t *y, void *arena, int32_t part, int32_t parts, int32_t *arrived);

/* ---- Threads between runs (crew.c) --------------------------------------------------------- */

/* What one thread does of a run: images of its own (kdq_plan_run), or its share of one image. */
typedef struct {
    const kdq_plan *plan;
    const float *x_float;
    const int8_t *x_codes;
    int8_t *y;
    void *arena;
    int64_t images, arena_bytes; /* of its own */
    int32_t *arrived;            /* of a share, else NULL */
    int32_t part, parts;
    int32_t status; /* enum kdq_status, when it has been run */
} kdq_part;
int32_t kdq_part_run(kdq_part *part); /* returns its status */

/* Where a thread waits for parts. All zero at first; then only what follows changes it. */
typedef struct {
    int32_t state;
    kdq_part *part;
} kdq_seat;

/* Hand over a part, after the one before was joined. 1: nobody waits, so a thread must be sent to
 * kdq_seat_serve. The part stays where it is until it is joined. */
int32_t kdq_seat_post(kdq_seat *seat, kdq_part *part);

/* Run what is posted, and what is posted within 0.2 ms of it, and so on; then return. */
void kdq_seat_serve(kdq_seat *seat);

/* Take back a part that no thread has begun. */
void kdq_seat_withdraw(kdq_seat *seat);

/* Wait until the part has been run, or withdrawn; spinning at first. */
void kdq_seat_join(const kdq_seat *seat);

/* CDEF END */

#endif
