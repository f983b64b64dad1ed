/* Depthwise convolution: x int16 [H, W, C], weights [KH, KW, O], bias int64 [O]; out [out_h, out_w, O].
 * Zero points are 0. Else as depthwise_conv2d_s8.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S16_H
#define OCTAVO_DEPTHWISE_CONV2D_S16_H

#include "depthwise_conv2d_s8.h"

typedef octavo_depthwise_conv2d_s8_params octavo_depthwise_conv2d_s16_params;

/* Accumulates n output channels from channel first on for the window that starts at (y0, x0). */
static inline void octavo_depthwise_conv2d_s16_window(const octavo_depthwise_conv2d_s16_params *p, const int16_t *x,
    const int8_t *weights, int32_t y0, int32_t x0, int32_t first, int32_t n, int64_t *acc)
{
    for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        const int32_t y = y0 + ky * p->dilation_h;
        if (y < 0 || y >= p->in_h) {
            continue;
        }
        for (int32_t kx = 0; kx < p->kernel_w; ++kx) {
            const int32_t column = x0 + kx * p->dilation_w;
            if (column < 0 || column >= p->in_w) {
                continue;
            }
            const int16_t *pixel = x + (y * p->in_w + column) * p->in_c;
            const int8_t *w = weights + (ky * p->kernel_w + kx) * p->out_c + first;
            if (p->depth_multiplier == 1) {
                for (int32_t i = 0; i < n; ++i) {
                    acc[i] += (int32_t)pixel[first + i] * (int32_t)w[i];
                }
            } else {
                for (int32_t i = 0; i < n; ++i) {
                    acc[i] += (int32_t)pixel[(first + i) / p->depth_multiplier] * (int32_t)w[i];
                }
            }
        }
    }
}

static inline void octavo_depthwise_conv2d_s16(const octavo_depthwise_conv2d_s16_params *p, const int16_t *x,
    const int8_t *weights, const int64_t *bias, const int32_t *multiplier, const int8_t *shift, int16_t *out)
{
    int64_t acc[OCTAVO_DEPTHWISE_CONV2D_S8_BLOCK];
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t y0 = oy * p->stride_h - p->pad_top;
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            for (int32_t first = 0; first < p->out_c; first += OCTAVO_DEPTHWISE_CONV2D_S8_BLOCK) {
                const int32_t n = octavo_min(OCTAVO_DEPTHWISE_CONV2D_S8_BLOCK, p->out_c - first);
                memcpy(acc, bias + first, (uint32_t)n * sizeof *acc);
                octavo_depthwise_conv2d_s16_window(p, x, weights, y0, x0, first, n, acc);
                for (int32_t i = 0; i < n; ++i) {
                    const int32_t c = p->per_channel ? first + i : 0;
                    *out++ = octavo_finish64(acc[i], multiplier[c], shift[c], p->act_min, p->act_max);
                }
            }
        }
    }
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S16_H */
