/* Transposed convolution: x [H, W, I], weights [O, KH, KW, I], bias [O]; out [out_h, out_w, O].
 * Computed by output element: the input pixels that scatter to it, so there is no scratch memory.
 */
#ifndef OCTAVO_TRANSPOSE_CONV2D_S8_H
#define OCTAVO_TRANSPOSE_CONV2D_S8_H

#include "../octavo.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t in_c;
    int32_t out_h;
    int32_t out_w;
    int32_t out_c;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t per_channel;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t act_min;
    int32_t act_max;
} octavo_transpose_conv2d_s8_params;

/* Sum over the input pixels that reach output position (y, x0), both counted with padding. w: [KH, KW, I]. */
static inline int32_t octavo_transpose_conv2d_s8_sum(
    const octavo_transpose_conv2d_s8_params *p, const int8_t *x, const int8_t *w, int32_t y, int32_t x0)
{
    int32_t acc = 0;
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
            const int8_t *pixel = x + (iy * p->in_w + ix) * p->in_c;
            const int8_t *taps = w + (ky * p->kernel_w + kx) * p->in_c;
            int32_t dot = 0;
            for (int32_t i = 0; i < p->in_c; ++i) {
                dot += ((int32_t)pixel[i] - p->input_zero_point) * (int32_t)taps[i];
            }
            acc = octavo_add_wrap(acc, dot);
        }
    }
    return acc;
}

static inline void octavo_transpose_conv2d_s8(const octavo_transpose_conv2d_s8_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *out)
{
    const int32_t filter = p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            for (int32_t oc = 0; oc < p->out_c; ++oc) {
                const int32_t c = p->per_channel ? oc : 0;
                const int32_t sum = octavo_transpose_conv2d_s8_sum(
                    p, x, weights + oc * filter, oy + p->pad_top, ox + p->pad_left);
                *out++ = octavo_finish(octavo_add_wrap(sum, bias[oc]), multiplier[c], shift[c], p->output_zero_point,
                    p->act_min, p->act_max);
            }
        }
    }
}

#endif /* OCTAVO_TRANSPOSE_CONV2D_S8_H */
