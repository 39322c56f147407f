/* kdq_internal.h - the one private header: what a kernel is, and what the C files share.
 *
 * A micro-kernel file includes only this. csrc/README.md draws the panels.
 */
#ifndef KDQ_INTERNAL_H
#define KDQ_INTERNAL_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kdq.h"

_Static_assert((-1 >> 1) == -1, "right shifts must be arithmetic");
_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must not have excess precision");
_Static_assert(FLT_RADIX == 2 && FLT_MANT_DIG == 24, "float must be IEEE binary32");

/* Pieces of scratch memory start at multiples of this. */
#define KDQ_ALIGN 64

/* The most a kernel may ask for: bounds the self-test's buffers. */
#define KDQ_MAX_MR 16
#define KDQ_MAX_NR 64
#define KDQ_MAX_K_UNIT 32

/* What stays the same while a micro-kernel goes down the rows of one panel of weights. */
struct kdq_panel {
    int64_t segments, k;    /* k is padded to whole k_units; segments * k <= KDQ_MAX_K rounded up */
    int64_t columns;        /* real ones, 1 <= columns <= nr: the other sums do not count */
    int64_t row_bytes;      /* from one row of activations to the next */
    const int64_t *offsets; /* bytes from a row's start to its segments */
    const void *b;          /* segments * k * nr elements, at least 4-byte aligned */
    int64_t prefetch;       /* bytes from b to what comes next, if that is worth a prefetch; or 0 */
    int32_t depth;          /* kdq_pair_depth of this panel, where the kernel has max_depth */
    const int32_t *start;   /* nr sums to start from */
};

/* c[i][j] = start[j] + sum_s sum_p A[i][s][p] * B[s][p][j], modulo 2^32, for the first `rows` rows
 * (any number) and the real columns; c has row stride nr.
 *
 * Element A[i][s][p] is the p-th from a + i * row_bytes + offsets[s]: rows are contiguous, of any
 * alignment that suits the element, and may overlap (a convolution's do). Elements of A that meet the
 * zero padding of B hold anything, but may be read. c is disjoint from a and b. */
typedef void kdq_micro_kernel(const struct kdq_panel *panel, int64_t rows, const void *a,
                              int32_t *c);

/* For a kernel whose `tile` takes 1 to mr rows. Tiles are of nearly equal height: 7 rows are 4 and 3
 * rather than 6 and 1. */
static inline void kdq_by_tiles(kdq_micro_kernel *tile, int64_t mr, int64_t nr,
                                const struct kdq_panel *panel, int64_t rows, const void *a,
                                int32_t *c) {
    const int8_t *row = a;
    for (int64_t tiles = (rows + mr - 1) / mr; tiles > 0; tiles--) {
        const int64_t height = (rows + tiles - 1) / tiles;
        tile(panel, height, row, c);
        rows -= height, row += height * panel->row_bytes, c += height * nr;
    }
}

enum kdq_layout {
    KDQ_FLAT,       /* a panel's segment holds its columns one after the other, each whole */
    KDQ_INTERLEAVED /* k_unit elements of column 0, of column 1, ...; then the next k_unit */
};

/* A depthwise window: pixel p of a line of outputs and tap t meet at x[t] + first + p * step, where the
 * channels are side by side. Also a column of the window and KDQ_TAP_UNIT elements behind that are
 * read, but do not count. Taps are in the order of kdq_tap; x has one pointer more, equal to the last. */
#define KDQ_TAP_UNIT 16
struct kdq_taps {
    int64_t lines, columns; /* of the window */
    const int8_t *const *x;
    int64_t first, step;
    int64_t column_step; /* elements between neighbouring columns of the window */
    const void *w; /* as pack_taps leaves them */
};

/* Which of the lines * columns taps, counted line by line, comes t-th: two lines at a time, down one
 * column after the other; a last odd line along itself. */
static inline int64_t kdq_tap(int64_t lines, int64_t columns, int64_t t) {
    const int64_t line = t / (2 * columns) * 2, within = t % (2 * columns);
    return line + 1 < lines ? (line + within % 2) * columns + within / 2 : t;
}

/* Pixels of an image: pixel (i, j), 0 <= i < lines, 0 <= j < columns, is i * line + j * column from
 * the first. lines and columns are at least 1. */
struct kdq_patch {
    int64_t lines, columns;
    int64_t line, column;
};

#define KDQ_GROUP_S16 8

/* Loops that every instruction set has its own form of; each equals its namesake in vector.c bit for
 * bit. kdq.h says what the public ones compute. */
struct kdq_vector {
    void (*requantize)(const kdq_requant *requant, int64_t rows, int64_t channels,
                       const int32_t *acc, int64_t ld_acc, const int32_t *bias, int8_t *y,
                       int64_t ld_y);
    /* KDQ_GROUP_S16 channels from c on, at acc and y; or NULL: kdq_requantize_s16 does all */
    void (*requantize_s16)(const kdq_requant_s16 *requant, int64_t c, int64_t rows,
                           const int64_t *acc, int64_t ld_acc, int16_t *y, int64_t ld_y);
    void (*widen)(int64_t n, const int8_t *x, int16_t *y);
    void (*to_u8)(int64_t n, const int8_t *x, uint8_t *y); /* y = x + 128 */
    /* y[p] = the largest of the patch at x + p * step; pixels of y are `channels` apart */
    void (*largest)(const struct kdq_patch *patch, int64_t pixels, int64_t step, int64_t channels,
                    const int8_t *x, int8_t *y);
    /* sums[p] = start + the sum over the patch at x + p * step, of less than 2^24 pixels */
    void (*sum)(const struct kdq_patch *patch, int64_t pixels, int64_t step, int64_t channels,
                const int8_t *x, int32_t start, int32_t *sums);
    void (*scaled_sum)(int64_t n, const int8_t *a, const int8_t *b, const kdq_addends *addends,
                  int32_t *y); /* the accumulators of kdq_add */
    void (*quantize)(int64_t n, const float *x, float scale, int32_t zero_point, int8_t *y);
    void (*dequantize)(int64_t n, const int8_t *q, float scale, int32_t zero_point, float *x);
    void (*lookup)(int64_t n, const int8_t *x, const int8_t *table, int8_t *y);
    int32_t (*all_finite)(int64_t n, const float *x);
    void (*argmax)(int64_t rows, int64_t columns, const int8_t *q, int64_t *index);
    /* Depthwise weights (lines, columns, channels) into whatever form add_taps reads:
     * (taps rounded up to 2) * (channels rounded up to KDQ_TAP_UNIT) int16 */
    void (*pack_taps)(int64_t lines, int64_t columns, int64_t channels, const int8_t *w,
                      void *packed);
    /* sums[p][c] = sum_t x[t][p][c] * w[t][c]; rows of sums have room for KDQ_TAP_UNIT channels */
    void (*add_taps)(const struct kdq_taps *taps, int64_t pixels, int64_t channels, int32_t *sums,
                     int64_t ld_sums);
    /* winograd.c: `tiles` neighbouring tiles from four lines of a loaded image, to 16 planes */
    void (*winograd_input)(int64_t tiles, int64_t channels, const int16_t *const lines[4],
                           int16_t *v, int64_t ld_v, int64_t plane);
    /* 16 planes of products to accumulators of two lines of `columns` pixels; lower may be NULL */
    void (*winograd_output)(int64_t columns, int64_t channels, const int32_t *m, int64_t plane,
                            const int32_t *start, int32_t *upper, int32_t *lower);
};

/* How a kernel's operands are stored and where it may run. Weights: with u = k_unit (INTERLEAVED) or
 * the padded k (FLAT), element p of column j of segment s lies at
 * (q / u) * nr * u + j * u + q % u, where q = s * k + p. */
struct kdq_kernel {
    const char *name;
    uint64_t needs; /* CPU feature bits */
    int32_t mr, nr; /* rows and columns of a tile: blocks have whole tiles, panels nr columns */
    int32_t k_unit; /* k is zero-padded to a multiple of it */
    int32_t layout; /* enum kdq_layout, of weights */
    int32_t width;  /* bytes of an element that `run` reads: 1, or 2 (int8 widened to int16) */
    int32_t unsigned_a; /* activations are read as uint8 = int8 + 128; width is 1 */
    kdq_micro_kernel *run;
    /* The same, `lines` times, `rows` rows from a, a + line_bytes, ...: for products of so few steps
     * that their weights stay in registers from line to line (segments * k <= short_k). Or NULL, 0. */
    void (*run_short)(const struct kdq_panel *panel, int64_t lines, int64_t line_bytes,
                      int64_t rows, const void *a, int32_t *c);
    int64_t short_k;
    /* The same on weights held in half the bytes (KDQ_COMPACT), and up to how many rows it is the
     * better choice. NULL: weights have only one form, the one that `run` reads. */
    kdq_micro_kernel *run_compact;
    int64_t compact_rows;
    /* Of a kernel of width 1 with run_compact: n nibbles, as pack.c places them, into int8; n is a
     * multiple of nr * k_unit. */
    void (*expand)(int64_t n, const void *nibbles, int8_t *w);
    int64_t winograd_from; /* input channels from which KDQ_WINOGRAD pays (width 2 only) */
    const struct kdq_vector *vector;
    const kdq_kernel *narrow; /* of the same instruction set, for narrow weights; or NULL */
    /* Of such a kernel: sums of at most so many steps are proven (pack.c); 0: any weights will do. */
    int32_t max_depth;
};

extern const struct kdq_vector kdq_vector_portable; /* vector.c */
extern const kdq_kernel kdq_scalar;                 /* ukr_scalar.c */
#if defined(__x86_64__)
extern const struct kdq_vector kdq_vector_avx2; /* vector_avx2.c */
extern const kdq_kernel kdq_avx2;               /* ukr_avx2.c */
extern const kdq_kernel kdq_avx2_pairs;         /* ukr_avx2_pairs.c */
extern const kdq_kernel kdq_avx512vnni;         /* ukr_avx512vnni.c */
#endif
/* What an older compiler does not know stays out of the table. NEON lanes are in memory order only
 * where that is little-endian; clang before 16 hides intrinsics that its command line lacks. */
#if defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define KDQ_COMPILES_AVX_VNNI
extern const kdq_kernel kdq_avxvnni; /* ukr_avxvnni.c */
#endif
#if defined(__AARCH64EL__)
#define KDQ_AARCH64
extern const struct kdq_vector kdq_vector_neon; /* vector_neon.c */
extern const kdq_kernel kdq_neon;               /* ukr_neon.c */
#if defined(__ARM_FEATURE_DOTPROD) || !defined(__clang__) || __clang_major__ >= 16
#define KDQ_COMPILES_DOTPROD
extern const kdq_kernel kdq_neondot; /* ukr_neondot.c */
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8) ||                                                         \
    (defined(__clang__) ? __clang_major__ >= 16 : __GNUC__ >= 10)
#define KDQ_COMPILES_I8MM
extern const kdq_kernel kdq_i8mm; /* ukr_i8mm.c */
#endif
#endif

/* cpu.c: bits of kdq_cpu_features, in the order of kdq_feature_name. */
enum kdq_feature {
    KDQ_AVX2,
    KDQ_AVX512,
    KDQ_AVX512_VNNI,
    KDQ_AVX_VNNI,
    KDQ_DOTPROD,
    KDQ_I8MM,
    KDQ_FEATURES
};

static inline int64_t kdq_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t kdq_max(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t kdq_round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/* 32 bits of whatever type, from any address. */
static inline int32_t kdq_load_32(const void *from) {
    int32_t bits;
    memcpy(&bits, from, sizeof bits);
    return bits;
}

/* k as the kernel sees it. */
static inline int64_t kdq_padded_k(const kdq_kernel *kernel, int64_t k) {
    return kdq_round_up(k, kernel->k_unit);
}

/* a + b modulo 2^32 (the conversion back is modular in gcc and clang). */
static inline int32_t kdq_wrapping_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* The 15 bits of a multiplier that 16x8 uses. */
static inline int32_t kdq_reduced_multiplier(int32_t multiplier) {
    return (int32_t)kdq_min(((int64_t)multiplier + (1 << 15)) >> 16, 0x7fff);
}

/* Round half to even, of a float clamped to +-512: whatever zero point and int8 clamp come after,
 * larger values end at the same side. Adding 1.5 * 2^23 leaves no bit for a fraction, so the addition
 * itself rounds; it vectorizes where rintf is a library call. */
static inline int32_t kdq_rne_near_int8(float v) {
    const float magic = 12582912.0f;
    v = v < 512.0f ? v : 512.0f;
    v = v > -512.0f ? v : -512.0f;
    return (int32_t)((v + magic) - magic);
}

/* Rules that differ in their constants alone are computed by the same formula. */
static inline int32_t kdq_computed_as(int32_t rule) {
    return rule == KDQ_RNDNU ? KDQ_SINGLE_ROUNDING : rule == KDQ_QNNPACK ? KDQ_DOUBLE_ROUNDING : rule;
}

static inline int kdq_in_float32(int32_t rule) {
    return rule == KDQ_FLOAT32_RNE || rule == KDQ_FBGEMM;
}

static inline int kdq_in_float64(int32_t rule) {
    return rule == KDQ_FLOAT64_HALF_AWAY || rule == KDQ_ONNX_SPEC;
}

/* CASE(rule) for each rule with a formula of its own. */
#define KDQ_FORMULAS(CASE)                                                                        \
    CASE(KDQ_SINGLE_ROUNDING)                                                                     \
    CASE(KDQ_DOUBLE_ROUNDING)                                                                     \
    CASE(KDQ_FLOAT32_RNE)                                                                         \
    CASE(KDQ_DOUBLE_ROUNDING_TIES_UP)                                                             \
    CASE(KDQ_FBGEMM)                                                                              \
    CASE(KDQ_FLOAT64_HALF_AWAY)                                                                   \
    CASE(KDQ_ONNX_SPEC)

static inline int8_t kdq_clamp(int32_t v, int32_t low, int32_t high) {
    v = v < low ? low : v;
    v = v > high ? high : v;
    return (int8_t)v;
}

/* pack.c: where the parts of packed weights are. */
int64_t kdq_panel_elements(const kdq_weights *weights);
int32_t kdq_is_compact(const kdq_weights *weights);
int64_t kdq_panel_bytes(const kdq_weights *weights);
int64_t kdq_depths_at(const kdq_weights *weights); /* bytes of data at which these begin */
int64_t kdq_panels_at(const kdq_weights *weights);

/* pack.c: n activations in the form that the kernel reads. */
void kdq_load(const kdq_kernel *kernel, int64_t n, const int8_t *x, void *to);
void kdq_load_constant(const kdq_kernel *kernel, int64_t n, int32_t x, void *to);

/* pack.c: columns j .. j + columns - 1 of b as one panel of nibbles, bytes or int16. */
void kdq_pack_panel(const kdq_weights *weights, int64_t j, int64_t columns, const int8_t *b,
                    int64_t ld_b, void *panel);

/* pack.c: element of a panel where element p of column i of segment s lies. */
int64_t kdq_panel_index(const kdq_kernel *kernel, int64_t k, int64_t s, int64_t p, int64_t i);

/* lines.c: input lines of a convolution, loaded and padded left and right. */
struct kdq_lines {
    int64_t columns;  /* pixels of a line */
    int64_t elements; /* of a line, with a little past the last pixel, as kernels read whole units */
    int64_t bytes;    /* from line to line */
};
struct kdq_lines kdq_lines_for(const kdq_kernel *kernel, const kdq_window *window, int64_t columns);

/* Line ih of an image; one that lies outside the image is all padding. */
void kdq_load_line(const kdq_kernel *kernel, const kdq_window *window,
                   const struct kdq_lines *lines, const int8_t *image, int64_t ih, int32_t padding,
                   void *to);

/* gemm.c: from one loaded row of k elements to the next: whole units, and not a multiple of what makes
 * all rows of a tile compete for one cache set. How many such rows of m are loaded at a time. */
int64_t kdq_loaded_row_bytes(const kdq_kernel *kernel, int64_t k);
int64_t kdq_block_rows(const kdq_kernel *kernel, int64_t m, int64_t row_bytes);

/* gemm.c: a block of activations, loaded: `lines` runs of `rows` rows each. */
struct kdq_block {
    const int8_t *a;
    int64_t lines, rows;
    int64_t line_bytes, row_bytes;
    const int64_t *offsets; /* of the segments, as in struct kdq_panel */
};

/* Where results go: exactly one of y and c is set. */
struct kdq_target {
    const kdq_requant *requant; /* of y */
    int8_t *y;
    int32_t *c;
    int64_t ld; /* row stride of y or c */
};

/* Multiply the rows of a block, in order, by the weights. */
int64_t kdq_block_scratch_bytes(const kdq_weights *weights, int64_t rows);
void kdq_multiply_block(const kdq_weights *weights, const struct kdq_block *block,
                        const struct kdq_target *target, void *scratch);

/* gemm.c: all rows, columns j .. j + nr - 1, from a strip of sums with row stride nr. */
void kdq_write_strip(const kdq_weights *weights, const struct kdq_target *target,
                     const int32_t *sums, int64_t rows, int64_t j);

/* winograd.c: weights of that form, and the convolution with them. */
int64_t kdq_winograd_panel_elements(const kdq_weights *weights);
void kdq_winograd_pack(const kdq_weights *weights, const int8_t *b, int64_t ld_b, int16_t *panels);
int64_t kdq_winograd_scratch_bytes(const kdq_window *window, int64_t images,
                                   const kdq_weights *weights);
void kdq_winograd(const kdq_window *window, int64_t images, const int8_t *x, int32_t x_zero_point,
                  const kdq_weights *weights, const kdq_requant *requant, int8_t *y,
                  void *scratch);

/* winograd_avx2.c: of kdq_vector_avx2 */
void kdq_winograd_input_avx2(int64_t tiles, int64_t channels, const int16_t *const lines[4],
                             int16_t *v, int64_t ld_v, int64_t plane);
void kdq_winograd_output_avx2(int64_t columns, int64_t channels, const int32_t *m, int64_t plane,
                              const int32_t *start, int32_t *upper, int32_t *lower);

/* plan.c, plan_shared.c: images that go through a network together, and where their values are. */
struct kdq_tile {
    const kdq_plan *plan;
    int64_t images;
    const int8_t *x; /* value 0, if it is not in the arena */
    int8_t *y;       /* the result */
    int8_t *values;
    void *scratch;
};

static inline int8_t *kdq_writable(const struct kdq_tile *tile, int32_t value) {
    if (value == tile->plan->output) {
        return tile->y;
    }
    return tile->values + tile->images * tile->plan->values[value].offset;
}

static inline const int8_t *kdq_readable(const struct kdq_tile *tile, int32_t value) {
    return value == 0 && tile->x != NULL ? tile->x : kdq_writable(tile, value);
}

static inline int8_t *kdq_align(void *arena) {
    const uintptr_t misaligned = (uintptr_t)arena % KDQ_ALIGN;
    return (int8_t *)arena + (misaligned ? KDQ_ALIGN - misaligned : 0);
}

/* plan.c: one operation on so many images; x_b is the second operand of KDQ_OP_ADD, and `elements` counts
 * all results of an elementwise one. */
int64_t kdq_op_scratch_bytes(const kdq_op *op, int64_t images);
void kdq_run_op(const kdq_kernel *kernel, const kdq_op *op, int64_t images, int64_t elements,
                const int8_t *x, const int8_t *x_b, int8_t *y, void *scratch);

/* gemm.c: the whole of kdq_gemm_s8s32 and kdq_gemm_s8s8. */
void kdq_multiply(const kdq_weights *b, int64_t m, const int8_t *a, int64_t ld_a,
                  const struct kdq_target *target, void *scratch);

/* requant.c: constants from channel c on. */
kdq_requant kdq_requant_from(const kdq_requant *requant, int64_t c);
kdq_requant_s16 kdq_requant_s16_from(const kdq_requant_s16 *requant, int64_t c);

#endif
