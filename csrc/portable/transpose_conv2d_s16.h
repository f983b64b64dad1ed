/* As transpose_conv2d_s8, of int16 with zero points 0 and int64 biases. */
#ifndef OCTAVO_TRANSPOSE_CONV2D_S16_H
#define OCTAVO_TRANSPOSE_CONV2D_S16_H

#include "dot_s16.h"
#include "transpose_conv2d_s8.h"

typedef octavo_transpose_conv2d_s8_params octavo_transpose_conv2d_s16_params;

/* Sum over the input pixels that reach output position (y, x0), both counted with padding. w: [KH, KW, I]. */
static inline int64_t octavo_transpose_conv2d_s16_sum(
    const octavo_transpose_conv2d_s16_params *p, const int16_t *x, const int8_t *w, int32_t y, int32_t x0)
{
    int64_t acc = 0;
    for (int32_t ky = y % p->stride_h; ky < p->kernel_h && ky <= y; ky += p->stride_h) {
        const int32_t iy = (y - ky) / p->stride_h;
        if (iy >= p->in_h) {
            continue;
        }
        for (int32_t kx = x0 % p->stride_w; kx < p->kernel_w && kx <= x0; kx += p->stride_w) {
            const int32_t ix = (x0 - kx) / p->stride_w;
            if (ix >= p->in_w) {
                continue;
            }
            const int16_t *pixel = x + (iy * p->in_w + ix) * p->in_c;
            const int8_t *taps = w + (ky * p->kernel_w + kx) * p->in_c;
            acc += octavo_dot_s16(pixel, taps, p->in_c);
        }
    }
    return acc;
}

static inline void octavo_transpose_conv2d_s16(const octavo_transpose_conv2d_s16_params *p, const int16_t *x,
    const int8_t *weights, const int64_t *bias, const int32_t *multiplier, const int8_t *shift, int16_t *out)
{
    const int32_t filter = p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            for (int32_t oc = 0; oc < p->out_c; ++oc) {
                const int32_t c = p->per_channel ? oc : 0;
                const int64_t sum = octavo_transpose_conv2d_s16_sum(
                    p, x, weights + oc * filter, oy + p->pad_top, ox + p->pad_left);
                *out++ = octavo_finish64(sum + bias[oc], multiplier[c], shift[c], p->act_min, p->act_max);
            }
        }
    }
}

#endif /* OCTAVO_TRANSPOSE_CONV2D_S16_H */
