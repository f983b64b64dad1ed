/* Convolution: x int16 [H, W, C], weights [O, KH, KW, C / groups], bias int64 [O]; out [out_h, out_w, O].
 * Zero points are 0. Else as conv2d_s8.
 */
#ifndef OCTAVO_CONV2D_S16_H
#define OCTAVO_CONV2D_S16_H

#include "conv2d_s8.h"
#include "dot_s16.h"

typedef octavo_conv2d_s8_params octavo_conv2d_s16_params;

static inline void octavo_conv2d_s16(const octavo_conv2d_s16_params *p, const int16_t *x, const int8_t *weights,
    const int64_t *bias, const int32_t *multiplier, const int8_t *shift, int16_t *out)
{
    const int32_t group_in = p->in_c / p->groups;
    const int32_t group_out = p->out_c / p->groups;
    const int32_t filter = p->kernel_h * p->kernel_w * group_in;
    /* The taps of a kernel row touch, so a row is one dot product. */
    const int32_t contiguous = p->dilation_w == 1 && p->groups == 1;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const int32_t ky0 = octavo_conv2d_s8_first(y0, p->dilation_h);
        const int32_t ky1 = octavo_conv2d_s8_last(y0, p->dilation_h, p->kernel_h, p->in_h);
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t kx0 = octavo_conv2d_s8_first(x0, p->dilation_w);
            const int32_t kx1 = octavo_conv2d_s8_last(x0, p->dilation_w, p->kernel_w, p->in_w);
            const int32_t runs = contiguous ? octavo_min(kx1 - kx0, 1) : kx1 - kx0;
            const int32_t length = contiguous ? (kx1 - kx0) * group_in : group_in;
            for (int32_t oc = 0; oc < p->out_c; ++oc) {
                const int16_t *image = x + oc / group_out * group_in;
                const int32_t c = p->per_channel ? oc : 0;
                int64_t acc = bias[oc];
                for (int32_t ky = ky0; ky < ky1; ++ky) {
                    const int32_t origin = (y0 + ky * p->dilation_h) * p->in_w + x0;
                    const int8_t *taps = weights + oc * filter + ky * p->kernel_w * group_in;
                    for (int32_t kx = kx0; kx < kx0 + runs; ++kx) {
                        acc += octavo_dot_s16(
                            image + (origin + kx * p->dilation_w) * p->in_c, taps + kx * group_in, length);
                    }
                }
                *out++ = octavo_finish64(acc, multiplier[c], shift[c], p->act_min, p->act_max);
            }
        }
    }
}

#endif /* OCTAVO_CONV2D_S16_H */
