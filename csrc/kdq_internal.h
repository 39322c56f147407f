/* kdq_internal.h - the one private header: what a kernel is, and what the C files share.
 *
 * A micro-kernel file includes only this. csrc/README.md draws the panels.
 */
#ifndef KDQ_INTERNAL_H
#define KDQ_INTERNAL_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

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

/* C[mr][nr] = A[mr][k] * B[k][nr], exact; a and b packed as the kernel says, disjoint from c.
 *
 * k   padded to whole k_units, 0 <= k <= KDQ_MAX_K rounded up
 * a   mr * k elements, b   nr * k elements; no alignment beyond the element's; nothing else is read
 * c   mr * nr int32, row stride nr: the driver passes a scratch tile, also at edges
 */
typedef void kdq_micro_kernel(int64_t k, const void *a, const void *b, int32_t *c);

enum kdq_layout {
    KDQ_FLAT,       /* a panel holds its rows one after the other, each whole */
    KDQ_INTERLEAVED /* k_unit elements of row 0, of row 1, ...; then the next k_unit of row 0 */
};

/* How a kernel's operands are stored and where it may run. With u = k_unit (INTERLEAVED) or the
 * padded k (FLAT), element p of row i of an a-panel lies at (p / u) * mr * u + i * u + p % u, and
 * element p of column j of a b-panel at (p / u) * nr * u + j * u + p % u. */
struct kdq_kernel {
    const char *name;
    uint64_t needs; /* CPU feature bits */
    int32_t mr, nr; /* rows of an a-panel, columns of a b-panel */
    int32_t k_unit; /* k is zero-padded to a multiple of it */
    int32_t layout; /* enum kdq_layout */
    int32_t width;  /* bytes of a panel's element: 1 (int8) or 2 (int8 widened to int16) */
    kdq_micro_kernel *run;
};

extern const kdq_kernel kdq_scalar; /* ukr_scalar.c */

/* cpu.c: bits of kdq_cpu_features, in the order of kdq_feature_name. */
enum kdq_feature { KDQ_AVX2, KDQ_AVX512, KDQ_AVX512_VNNI, KDQ_AVX_VNNI, KDQ_FEATURES };

static inline int64_t kdq_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t kdq_max(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t kdq_round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/* k as the kernel sees it. */
static inline int64_t kdq_padded_k(const kdq_kernel *kernel, int64_t k) {
    return kdq_round_up(k, kernel->k_unit);
}

/* a + b modulo 2^32 (the conversion back is modular in gcc and clang). */
static inline int32_t kdq_wrapping_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
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

static inline int8_t kdq_clamp(int32_t v, int32_t low, int32_t high) {
    v = v < low ? low : v;
    v = v > high ? high : v;
    return (int8_t)v;
}

/* pack.c: rows (at most a whole number of panels) of a (rows, k) become a-panels. */
void kdq_pack_rows(const kdq_kernel *kernel, int64_t rows, int64_t k, const int8_t *a, int64_t ld_a,
                   void *packed);

/* gemm.c: the weights of a product and where its results go. Exactly one of y and c is set. */
struct kdq_product {
    const kdq_kernel *kernel;
    int64_t n, k;
    const void *packed;
    const int32_t *bias;
    kdq_requant requant;
    int8_t *y;
    int32_t *c;
    int64_t ld; /* row stride of y or c */
};

/* Rows that are packed at a time; the scratch that kdq_drive needs for them. */
int64_t kdq_tile_rows(const kdq_kernel *kernel, int64_t m, int64_t k);
int64_t kdq_drive_scratch_bytes(const kdq_kernel *kernel, int64_t m, int64_t k);

/* Multiply a (m, k) by the product's weights and write m rows of results. */
void kdq_drive(const struct kdq_product *product, int64_t m, const int8_t *a, int64_t ld_a,
               void *scratch);

/* requant.c: constants from channel c on. */
kdq_requant kdq_requant_from(const kdq_requant *requant, int64_t c);

#endif
