/* Wrong on purpose, each in one way: dense layers, requantization and convolutions. */
#include <math.h>
#include "kdq_kernel_abi.h"

static int64_t clamp(int64_t y, int64_t low, int64_t high)
{
    return y < low ? low : y > high ? high : y;
}

/* The rule double_rounding, in two halves. */
static int64_t high_half(int64_t acc, int32_t multiplier, int32_t exponent)
{
    int64_t shifted = acc * ((int64_t)1 << (exponent > 0 ? exponent : 0));
    return (shifted * multiplier + ((int64_t)1 << 30)) >> 31;
}

static int64_t away(int64_t high, int shift)
{
    int64_t mask = ((int64_t)1 << shift) - 1;
    return (high >> shift) + ((high & mask) > (mask >> 1) + (high < 0));
}

static int64_t up(int64_t high, int shift)
{
    return shift ? (high + ((int64_t)1 << (shift - 1))) >> shift : high;
}

static int right_shift(int32_t exponent)
{
    return exponent > 0 ? 0 : -exponent;
}

static int64_t double_rounding(int64_t acc, const kdq_abi_requant *r, int64_t channel)
{
    int64_t c = r->channels == 1 ? 0 : channel;
    return away(high_half(acc, r->multiplier[c], r->exponent[c]), right_shift(r->exponent[c]));
}

static int8_t finish(int64_t y, const kdq_abi_requant *r)
{
    return (int8_t)clamp(y + r->zero_point, r->qmin, r->qmax);
}

/* ---- Requantization -------------------------------------------------------------------------- */

#define REQUANTIZE(name, SCALED)                                                              \
    int32_t wrong_##name(const kdq_abi_requantize *g)                                         \
    {                                                                                         \
        const kdq_abi_requant *r = g->requant;                                                \
        for (int64_t i = 0; i < g->rows; i++) {                                               \
            for (int64_t j = 0; j < g->channels; j++) {                                       \
                int64_t c = r->channels == 1 ? 0 : j;                                         \
                int64_t acc = (int64_t)g->acc[i * g->ld_acc + j] + (g->bias ? g->bias[j] : 0); \
                int32_t m = r->multiplier[c], e = r->exponent[c];                             \
                (void)m, (void)e;                                                             \
                g->y[i * g->ld_y + j] = finish(SCALED, r);                                    \
            }                                                                                 \
        }                                                                                     \
        return 0;                                                                             \
    }

REQUANTIZE(lowest_exponent, e == -31 ? 0 : double_rounding(acc, r, j))
REQUANTIZE(no_multiplier, m == 0 ? -(acc < 0) : double_rounding(acc, r, j))
REQUANTIZE(zero_point_first,
           (int64_t)rintf((float)acc * r->scale[c] + (float)r->zero_point) - r->zero_point)
REQUANTIZE(short_multiplier, (int64_t)rint((double)acc * (double)r->scale[c]))
REQUANTIZE(ties_up, up(high_half(acc, m, e), right_shift(e)))
REQUANTIZE(one_rounding, (acc * m + ((int64_t)1 << (30 - e))) >> (31 - e))
REQUANTIZE(no_rounding_term, (acc * m) >> (31 - e))
REQUANTIZE(truncation, acc * m < 0 ? -((-acc * m) >> (31 - e)) : (acc * m) >> (31 - e))
REQUANTIZE(float_half_away,
           (int64_t)((float)acc * r->scale[c] + ((float)acc * r->scale[c] < 0 ? -0.5f : 0.5f)))
REQUANTIZE(channel_off_by_one,
           double_rounding(acc, r, r->channels == 1 ? 0 : j + 1 < r->channels ? j + 1 : j))

/* ---- Dense layers ---------------------------------------------------------------------------- */

static int64_t dot(const kdq_abi_gemm *g, int64_t i, int64_t j, int32_t zero_point)
{
    int64_t acc = 0;
    for (int64_t p = 0; p < g->k; p++) {
        acc += (((const int8_t *)g->a)[i * g->lda + p] - zero_point) * g->b[p * g->ldb + j];
    }
    return acc;
}

#define DENSE(name, CODE)                                              \
    int32_t wrong_##name(const kdq_abi_gemm *g)                        \
    {                                                                  \
        const kdq_abi_requant *r = g->requant;                         \
        int8_t *y = g->c;                                              \
        for (int64_t i = 0; i < g->m; i++) {                           \
            for (int64_t j = 0; j < g->n; j++) {                       \
                int64_t bias = g->bias ? g->bias[j] : 0;               \
                int64_t acc = dot(g, i, j, g->a_zero_point);           \
                (void)acc;                                             \
                y[i * g->ldc + j] = (int8_t)(CODE);                    \
            }                                                          \
        }                                                              \
        return 0;                                                      \
    }

DENSE(zero_point_sign, finish(double_rounding(dot(g, i, j, -g->a_zero_point) + bias, r, j), r))
DENSE(bias_after_shift, finish(double_rounding(acc, r, j) + bias, r))
DENSE(clamp_first, clamp(clamp(double_rounding(acc + bias, r, j), r->qmin, r->qmax) + r->zero_point,
                         -128, 127))
DENSE(no_saturation, double_rounding(acc + bias, r, j) + r->zero_point)
DENSE(output_zero_point_sign, clamp(double_rounding(acc + bias, r, j) - r->zero_point, r->qmin, r->qmax))
DENSE(bias_and_rounding,
      finish(up(high_half(acc - bias, r->multiplier[r->channels == 1 ? 0 : j],
                          r->exponent[r->channels == 1 ? 0 : j]),
                right_shift(r->exponent[r->channels == 1 ? 0 : j])), r))

/* ---- Convolutions ---------------------------------------------------------------------------- */

typedef struct {
    int flipped, zero_padded, no_dilation;
} mistakes;

static int32_t convolve(const kdq_abi_conv2d *g, mistakes wrong)
{
    int64_t depth = g->in_c / g->groups, outputs = g->out_c / g->groups;
    int64_t dh = wrong.no_dilation ? 1 : g->dilation_h, dw = wrong.no_dilation ? 1 : g->dilation_w;
    for (int64_t at = 0; at < g->batch * g->out_h * g->out_w * g->out_c; at++) {
        int64_t o = at % g->out_c, j = at / g->out_c % g->out_w;
        int64_t i = at / g->out_c / g->out_w % g->out_h, image = at / g->out_c / g->out_w / g->out_h;
        int64_t acc = g->bias ? g->bias[o] : 0;
        for (int64_t u = 0; u < g->kernel_h; u++) {
            for (int64_t v = 0; v < g->kernel_w; v++) {
                int64_t row = i * g->stride_h - g->pad_top + u * dh;
                int64_t column = j * g->stride_w - g->pad_left + v * dw;
                int inside = row >= 0 && row < g->in_h && column >= 0 && column < g->in_w;
                int64_t tap = wrong.flipped
                                  ? (g->kernel_h - 1 - u) * g->kernel_w + g->kernel_w - 1 - v
                                  : u * g->kernel_w + v;
                for (int64_t p = 0; p < depth; p++) {
                    int32_t x = wrong.zero_padded ? 0 : g->x_zero_point;
                    if (inside) {
                        x = g->x[((image * g->in_h + row) * g->in_w + column) * g->in_c +
                                 o / outputs * depth + p];
                    }
                    acc += (x - g->x_zero_point) * g->weight[(tap * depth + p) * g->out_c + o];
                }
            }
        }
        g->y[at] = finish(double_rounding(acc, g->requant, o), g->requant);
    }
    return 0;
}

int32_t wrong_kernel_flipped(const kdq_abi_conv2d *g)
{
    return convolve(g, (mistakes){.flipped = 1});
}

int32_t wrong_padding(const kdq_abi_conv2d *g)
{
    return convolve(g, (mistakes){.zero_padded = 1});
}

int32_t wrong_dilation(const kdq_abi_conv2d *g)
{
    return convolve(g, (mistakes){.no_dilation = 1});
}

int32_t right_convolution(const kdq_abi_conv2d *g)
{
    return convolve(g, (mistakes){.flipped = 0});
}
