/* Mean over each window, half away from zero, x [H, W, C], as octavo_average_pool2d_s8: sixteen channels at once, in
 * plain C that compilers turn into vectors.
 */
#ifndef OCTAVO_AVERAGE_POOL2D_S8_X86_H
#define OCTAVO_AVERAGE_POOL2D_S8_X86_H

#include "../portable/average_pool2d_s8.h"
#include "lanes.h"

typedef octavo_average_pool2d_s8_params octavo_average_pool2d_s8_x86_params;

/* The means of n <= 16 channels over rows of columns pixels from x on, with the zero points of what lies outside. */
OCTAVO_INLINE void octavo_average_pool2d_s8_x86_some(const octavo_average_pool2d_s8_x86_params *p, const int8_t *x,
    int32_t rows, int32_t columns, int32_t outside, int32_t n, int8_t *out)
{
    const int32_t count = octavo_max(rows * columns + outside, 1);
    int32_t acc[OCTAVO_X86_LANES];
    for (int32_t c = 0; c < n; ++c) {
        acc[c] = outside * p->input_zero_point;
    }
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t column = 0; column < columns; ++column) {
            const int8_t *pixel = x + (y * p->in_w + column) * p->channels;
            for (int32_t c = 0; c < n; ++c) {
                acc[c] += pixel[c];
            }
        }
    }
    for (int32_t c = 0; c < n; ++c) {
        const int32_t mean = (acc[c] > 0 ? acc[c] + count / 2 : acc[c] - count / 2) / count;
        out[c] = (int8_t)octavo_clamp(mean, p->act_min, p->act_max);
    }
}

OCTAVO_INLINE void octavo_average_pool2d_s8_x86(
    const octavo_average_pool2d_s8_x86_params *p, const int8_t *x, int8_t *out)
{
    const int32_t whole = p->channels / OCTAVO_X86_LANES * OCTAVO_X86_LANES;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t y0 = oy * p->stride_h - p->pad_top;
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t top = octavo_max(y0, 0);
            const int32_t left = octavo_max(x0, 0);
            const int32_t rows = octavo_max(octavo_min(y0 + p->kernel_h, p->in_h) - top, 0);
            const int32_t columns = octavo_max(octavo_min(x0 + p->kernel_w, p->in_w) - left, 0);
            const int32_t outside = p->count_include_pad ? p->kernel_h * p->kernel_w - rows * columns : 0;
            const int8_t *window = x + (top * p->in_w + left) * p->channels;
            for (int32_t c = 0; c < whole; c += OCTAVO_X86_LANES) {
                octavo_average_pool2d_s8_x86_some(p, window + c, rows, columns, outside, OCTAVO_X86_LANES, out + c);
            }
            if (whole < p->channels) {
                octavo_average_pool2d_s8_x86_some(
                    p, window + whole, rows, columns, outside, p->channels - whole, out + whole);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_S8_X86_H */
