/* kdq_kernel_abi.h - how `kdq verify` calls a kernel of yours.
 *
 * Export one function that takes a pointer to one of the structures below, build a shared library,
 * and let it be judged:
 *
 *     cc -O2 -shared -fPIC -o mine.so mine.c
 *     kdq verify --lib ./mine.so --symbol my_gemm --abi gemm_s8s8s8 --rule double_rounding
 *
 *  abi             structure              computes
 *  gemm_s8s8s32    kdq_abi_gemm           c = a * b,  a int8,  b int8, c int32
 *  gemm_u8s8s32    kdq_abi_gemm           c = a * b,  a uint8, b int8, c int32
 *  gemm_s8s8s8     kdq_abi_gemm           a dense layer, a int8,  b int8, c int8
 *  gemm_u8s8u8     kdq_abi_gemm           a dense layer, a uint8, b int8, c uint8
 *  requantize      kdq_abi_requantize     y = requantize(acc + bias), acc int32, y int8
 *  conv2d_s8       kdq_abi_conv2d         convolution, x int8, weight int8, y int8
 *  depthwise_s8    kdq_abi_conv2d         the same with groups = in_c, out_c a multiple of it
 *
 * What holds for all of them
 *  Return      0 when done; KDQ_ABI_UNSUPPORTED, before anything is written, for a call that the kernel
 *              does not claim to compute (a shape, an alignment, a parameter): such calls are counted
 *              and skipped. Any other number is an error.
 *  Ownership   The caller owns every array, and the structures. Inputs must not be changed. Nothing may
 *              be kept after the call returns: no pointer, no result.
 *  Bounds      An array has exactly the elements that sizes and strides name: its last row ends with
 *              its last element, not with its stride. Not one byte before or behind may be read or
 *              written. Arrays of no elements have a pointer that must not be used.
 *  Alignment   Each array is as aligned as its elements need (int8: not at all), and no more.
 *              Scratch memory starts at a multiple of 64 bytes.
 *  Strides     ld* count elements from one row to the next, at least a row's length. The gaps
 *              between rows of an output keep what they held. Images have no gaps.
 *  Overlap     None, between any two arrays.
 *  Outputs     Hold anything before the call. Every element is written.
 *  Threads     Any number of calls may run at once, each with its own output and scratch.
 *  Sizes       May be 0 where no other bound is given. With k = 0 a product is 0, with its bias.
 *
 * real = scale * (q - zero_point): a zero point is subtracted from a code, never added.
 * An accumulator is   acc[c] = sum_p (a[p] - a_zero_point) * b[p][c] + bias[c]   and fits int32.
 */
#ifndef KDQ_KERNEL_ABI_H
#define KDQ_KERNEL_ABI_H

#include <stdint.h>

#define KDQ_ABI_UNSUPPORTED 1

/* y = clamp(rule(acc) + zero_point, qmin, qmax)
 *
 * rule(acc) is acc times the real multiplier M of its channel, rounded by the rule that is asked for
 * (`kdq verify --rule`); the README of kdq_ref/rounding has their formulas. M, which is
 * input scale * weight scale / output scale, is given in every form that rules use:
 *
 *     multiplier, exponent    M = multiplier * 2^(exponent - 31) nearly, multiplier in [2^30, 2^31) or 0,
 *                             exponent in [-31, 30]; positive exponents shift to the left.
 *                             Rules with 24 bits of mantissa get it here, times 2^7
 *     scale                   M rounded to float
 *     real                    M
 *
 * A rule that keeps the bias real (fbgemm) adds float(bias) to float(acc without bias).
 * |acc * M| stays below 2^31, so that a left shift of acc fits int32.
 * Output codes are in [qmin, qmax], which lies in the type's range and may be narrower than it.
 */
typedef struct kdq_abi_requant {
    int32_t zero_point;        /* of the output; may be negative where codes are signed */
    int32_t qmin;
    int32_t qmax;
    int32_t channels;          /* elements of the arrays: the output's channels, or 1 for all alike */
    const int32_t *multiplier;
    const int32_t *exponent;
    const float *scale;
    const double *real;
} kdq_abi_requant;

/* c (m, n) from a (m, k) and b (k, n), row-major. Codes of a and c are int8 or uint8 as the abi's
 * name says. For *s32: a_zero_point is 0, bias and requant are NULL, b has all of int8. Otherwise the
 * columns of b are channels, and b is in [-127, 127]. */
typedef struct kdq_abi_gemm {
    int64_t m, n, k;
    const void *a;
    int64_t lda;
    const int8_t *b;
    int64_t ldb;
    const int32_t *bias;            /* (n,), or NULL for zeros */
    void *c;
    int64_t ldc;
    const kdq_abi_requant *requant;
    void *scratch;                  /* scratch_bytes bytes, NULL if that is 0; see below */
    int64_t scratch_bytes;
    int32_t a_zero_point;
} kdq_abi_gemm;

/* y (rows, channels) from acc (rows, channels). acc + bias fits int32. */
typedef struct kdq_abi_requantize {
    int64_t rows, channels;
    const int32_t *acc;
    int64_t ld_acc;
    const int32_t *bias;            /* (channels,), or NULL for zeros */
    int8_t *y;
    int64_t ld_y;
    const kdq_abi_requant *requant;
    void *scratch;
    int64_t scratch_bytes;
} kdq_abi_requantize;

/* y (batch, out_h, out_w, out_c) from x (batch, in_h, in_w, in_c), channels last, and weight
 * (kernel_h, kernel_w, in_c / groups, out_c) in [-127, 127]. It is a cross-correlation:
 *
 *     y[.., i, j, ..] reads x[.., i * stride_h - pad_top + u * dilation_h,
 *                              j * stride_w - pad_left + v * dilation_w, ..] for kernel position u, v
 *
 * Positions outside the image count as x_zero_point: real 0. The padding below and on the right
 * follows from out_h and out_w. Group g of the output's channels reads group g of the input's; in
 * depthwise_s8 output channel c reads input channel c / (out_c / in_c). Kernel, strides and dilations
 * are at least 1, and so are out_h and out_w. */
typedef struct kdq_abi_conv2d {
    int64_t batch, in_h, in_w, in_c;
    int64_t out_h, out_w, out_c;
    int64_t kernel_h, kernel_w;
    int64_t stride_h, stride_w;
    int64_t dilation_h, dilation_w;
    int64_t pad_top, pad_left;
    int64_t groups;
    const int8_t *x;
    const int8_t *weight;
    const int32_t *bias;            /* (out_c,), or NULL for zeros */
    int8_t *y;
    const kdq_abi_requant *requant;
    void *scratch;
    int64_t scratch_bytes;
    int32_t x_zero_point;
} kdq_abi_conv2d;

/* A kernel my_gemm that needs scratch memory also exports
 *
 *     int64_t my_gemm_scratch_bytes(const kdq_abi_gemm *args);
 *
 * (or with its own structure), which reads the sizes only and says how many bytes. They hold anything
 * at the start of a call. */

typedef int32_t kdq_abi_gemm_function(const kdq_abi_gemm *args);
typedef int32_t kdq_abi_requantize_function(const kdq_abi_requantize *args);
typedef int32_t kdq_abi_conv2d_function(const kdq_abi_conv2d *args);

#endif
