/* Mean over each window for Helium, half away from zero, x [H, W, C]: octavo_average_pool2d_s8, four channels at a
 * time. */
#ifndef OCTAVO_AVERAGE_POOL2D_S8_MVE_H
#define OCTAVO_AVERAGE_POOL2D_S8_MVE_H

#include "four.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t channels;
    int32_t out_h;
    int32_t out_w;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t act_min;
    int32_t act_max;
    int32_t count_include_pad;
    int32_t input_zero_point;
} octavo_average_pool2d_s8_mve_params;

/* Up to four channels of a window of rows times columns pixels at x. */
OCTAVO_INLINE void octavo_average_pool2d_s8_mve_four(const octavo_average_pool2d_s8_mve_params *p, const int8_t *x,
    int32_t rows, int32_t columns, int32_t outside, int8_t *out, int32_t lanes)
{
    octavo_four sum = octavo_four_all(outside * p->input_zero_point);
    const int32_t count = octavo_max(rows * columns + outside, 1);
    for (int32_t y = 0; y < rows; ++y) {
        const int8_t *pixel = x + y * p->in_w * p->channels;
        for (int32_t column = 0; column < columns; ++column) {
            sum = octavo_four_add(sum, octavo_four_some_bytes(pixel, lanes));
            pixel += p->channels;
        }
    }
    int32_t means[4];
    octavo_four_take(means, sum);
    for (int32_t c = 0; c < lanes; ++c) {
        const int32_t mean = (means[c] > 0 ? means[c] + count / 2 : means[c] - count / 2) / count;
        out[c] = (int8_t)octavo_clamp(mean, p->act_min, p->act_max);
    }
}

OCTAVO_KERNEL void octavo_average_pool2d_s8_mve(
    const octavo_average_pool2d_s8_mve_params *p, const int8_t *x, int8_t *out)
{
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t y0 = oy * p->stride_h - p->pad_top;
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t top = octavo_clamp(y0, 0, p->in_h - 1);
            const int32_t left = octavo_clamp(x0, 0, p->in_w - 1);
            const int32_t rows = octavo_max(octavo_min(y0 + p->kernel_h, p->in_h) - top, 0);
            const int32_t columns = octavo_max(octavo_min(x0 + p->kernel_w, p->in_w) - left, 0);
            const int32_t outside = p->count_include_pad ? p->kernel_h * p->kernel_w - rows * columns : 0;
            const int8_t *window = x + (top * p->in_w + left) * p->channels;
            for (int32_t c = 0; c < p->channels / 4; ++c) {
                octavo_average_pool2d_s8_mve_four(p, window, rows, columns, outside, out, 4);
                window += 4;
                out += 4;
            }
            if (p->channels % 4 > 0) {
                octavo_average_pool2d_s8_mve_four(p, window, rows, columns, outside, out, p->channels % 4);
                out += p->channels % 4;
            }
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_S8_MVE_H */
