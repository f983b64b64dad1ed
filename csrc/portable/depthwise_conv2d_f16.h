/* Depthwise convolution of float16: x [H, W, C], weights [KH, KW, O], bias [O]; out [out_h, out_w, O], output channel o
 * of input channel o / depth_multiplier. A sum goes over the window's rows and columns; padding adds nothing.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_F16_H
#define OCTAVO_DEPTHWISE_CONV2D_F16_H

#include "conv2d_s8.h"
#include "taps_f16.h"

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
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t depth_multiplier;
    float act_min;
    float act_max;
} octavo_depthwise_conv2d_f16_params;

/* Output channels first to first + channels, up to a block of them, for the window that starts at (y0, x0). */
OCTAVO_INLINE void octavo_depthwise_conv2d_f16_block(const octavo_depthwise_conv2d_f16_params *p, const int16_t *x,
    int32_t y0, int32_t x0, const int16_t *weights, const int16_t *bias, int32_t first, int32_t channels, int16_t *out)
{
    const int32_t ky1 = octavo_conv2d_s8_last(y0, p->dilation_h, p->kernel_h, p->in_h);
    const int32_t kx0 = octavo_conv2d_s8_first(x0, p->dilation_w);
    const int32_t kx1 = octavo_conv2d_s8_last(x0, p->dilation_w, p->kernel_w, p->in_w);
    float acc[OCTAVO_TAPS_F16_BLOCK];
    octavo_taps_f16_begin(acc, bias + first, channels);
    for (int32_t ky = octavo_conv2d_s8_first(y0, p->dilation_h); ky < ky1; ++ky) {
        const int16_t *row = x + ((y0 + ky * p->dilation_h) * p->in_w + x0) * p->in_c;
        for (int32_t kx = kx0; kx < kx1; ++kx) {
            const int16_t *pixel = row + kx * p->dilation_w * p->in_c;
            const int16_t *w = weights + (ky * p->kernel_w + kx) * p->out_c + first;
            if (p->depth_multiplier == 1) {
                octavo_taps_f16_add_each(acc, pixel + first, w, channels);
                continue;
            }
            OCTAVO_UNROLL
            for (int32_t i = 0; i < channels; ++i) {
                const int16_t value = pixel[(first + i) / p->depth_multiplier];
                acc[i] = octavo_f16_add(acc[i], octavo_f16_float(value), octavo_f16_float(w[i]));
            }
        }
    }
    octavo_taps_f16_end(acc, p->act_min, p->act_max, channels, out + first);
}

static inline void octavo_depthwise_conv2d_f16(const octavo_depthwise_conv2d_f16_params *p, const int16_t *x,
    const int16_t *weights, const int16_t *bias, int16_t *out)
{
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t y0 = oy * p->stride_h - p->pad_top;
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            int32_t c = 0;
            for (; c + OCTAVO_TAPS_F16_BLOCK <= p->out_c; c += OCTAVO_TAPS_F16_BLOCK) {
                octavo_depthwise_conv2d_f16_block(p, x, y0, x0, weights, bias, c, OCTAVO_TAPS_F16_BLOCK, out);
            }
            if (p->out_c % OCTAVO_TAPS_F16_BLOCK > 0) {
                octavo_depthwise_conv2d_f16_block(p, x, y0, x0, weights, bias, c, p->out_c - c, out);
            }
            out += p->out_c;
        }
    }
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_F16_H */
