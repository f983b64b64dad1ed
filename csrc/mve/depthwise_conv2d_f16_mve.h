/* Depthwise convolution of float16 for Helium, one output a channel: octavo_depthwise_conv2d_f16, eight channels at a
 * time. */
#ifndef OCTAVO_DEPTHWISE_CONV2D_F16_MVE_H
#define OCTAVO_DEPTHWISE_CONV2D_F16_MVE_H

#include "../portable/depthwise_conv2d_f16.h"
#include "eight_f16.h"

typedef octavo_depthwise_conv2d_f16_params octavo_depthwise_conv2d_f16_mve_params;

/* Rows ky0 to ky1 and columns kx0 to kx1 of the window of up to eight channels; x begins at the window's first pixel. */
OCTAVO_INLINE void octavo_depthwise_conv2d_f16_mve_block(const octavo_depthwise_conv2d_f16_mve_params *p,
    const int16_t *x, const int32_t *rows, const int32_t *columns, const int16_t *weights, const int16_t *bias,
    int32_t channels, int16_t *out)
{
    octavo_eight_f16 sum = octavo_eight_f16_load(bias, channels);
    for (int32_t ky = rows[0]; ky < rows[1]; ++ky) {
        const int16_t *pixel = x + (ky * p->dilation_h * p->in_w + columns[0] * p->dilation_w) * p->in_c;
        const int16_t *w = weights + (ky * p->kernel_w + columns[0]) * p->out_c;
        for (int32_t kx = columns[0]; kx < columns[1]; ++kx) {
            sum = octavo_eight_f16_add_each(sum, octavo_eight_f16_load(pixel, channels), octavo_eight_f16_load(w, channels));
            pixel += p->dilation_w * p->in_c;
            w += p->out_c;
        }
    }
    octavo_eight_f16_store(out, sum, p->act_min, p->act_max, channels);
}

OCTAVO_KERNEL void octavo_depthwise_conv2d_f16_mve(const octavo_depthwise_conv2d_f16_mve_params *p, const int16_t *x,
    const int16_t *weights, const int16_t *bias, int16_t *out)
{
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const int32_t rows[2] = {octavo_conv2d_s8_first(y0, p->dilation_h),
            octavo_conv2d_s8_last(y0, p->dilation_h, p->kernel_h, p->in_h)};
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t columns[2] = {octavo_conv2d_s8_first(x0, p->dilation_w),
                octavo_conv2d_s8_last(x0, p->dilation_w, p->kernel_w, p->in_w)};
            const int16_t *window = x + (y0 * p->in_w + x0) * p->in_c;
            int32_t c = 0;
            for (; c + 8 <= p->out_c; c += 8) {
                octavo_depthwise_conv2d_f16_mve_block(
                    p, window + c, rows, columns, weights + c, bias + c, 8, out + c);
            }
            if (p->out_c % 8 > 0) {
                octavo_depthwise_conv2d_f16_mve_block(
                    p, window + c, rows, columns, weights + c, bias + c, p->out_c - c, out + c);
            }
            out += p->out_c;
        }
    }
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_F16_MVE_H */
