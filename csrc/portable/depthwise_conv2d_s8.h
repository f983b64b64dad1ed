/* Depthwise convolution: x [H, W, C], weights [KH, KW, O], O = C * depth_multiplier; out [out_h, out_w, O].
 * Output channel o reads input channel o / depth_multiplier. Channels go in blocks, accumulated on the stack.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S8_H
#define OCTAVO_DEPTHWISE_CONV2D_S8_H

#include "../octavo.h"

#define OCTAVO_DEPTHWISE_CONV2D_S8_BLOCK 32

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
    int32_t per_channel;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t act_min;
    int32_t act_max;
} octavo_depthwise_conv2d_s8_params;

/* Accumulates n output channels from channel first on for the window that starts at (y0, x0). */
static inline void octavo_depthwise_conv2d_s8_window(const octavo_depthwise_conv2d_s8_params *p, const int8_t *x,
    const int8_t *weights, int32_t y0, int32_t x0, int32_t first, int32_t n, int32_t *acc)
{
    const int32_t zero_point = p->input_zero_point;
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
            const int8_t *pixel = x + (y * p->in_w + column) * p->in_c;
            const int8_t *w = weights + (ky * p->kernel_w + kx) * p->out_c + first;
            if (p->depth_multiplier == 1) {
                for (int32_t i = 0; i < n; ++i) {
                    acc[i] += ((int32_t)pixel[first + i] - zero_point) * (int32_t)w[i];
                }
            } else {
                for (int32_t i = 0; i < n; ++i) {
                    acc[i] += ((int32_t)pixel[(first + i) / p->depth_multiplier] - zero_point) * (int32_t)w[i];
                }
            }
        }
    }
}

static inline void octavo_depthwise_conv2d_s8(const octavo_depthwise_conv2d_s8_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *out)
{
    int32_t acc[OCTAVO_DEPTHWISE_CONV2D_S8_BLOCK];
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t y0 = oy * p->stride_h - p->pad_top;
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            for (int32_t first = 0; first < p->out_c; first += OCTAVO_DEPTHWISE_CONV2D_S8_BLOCK) {
                const int32_t n = octavo_min(OCTAVO_DEPTHWISE_CONV2D_S8_BLOCK, p->out_c - first);
                memset(acc, 0, sizeof acc);
                octavo_depthwise_conv2d_s8_window(p, x, weights, y0, x0, first, n, acc);
                for (int32_t i = 0; i < n; ++i) {
                    const int32_t c = p->per_channel ? first + i : 0;
                    *out++ = octavo_finish(octavo_add_wrap(acc[i], bias[first + i]), multiplier[c], shift[c],
                        p->output_zero_point, p->act_min, p->act_max);
                }
            }
        }
    }
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S8_H */
