/* As average_pool2d_s8_dsp, of int16: two channels of a window, of up to 127 elements, are read, then written.
 *
 * Zero points are 0. With m = floor(2^30 / n) + 1 the mean is floor(4 sum m / 2^32 + 1/2), which is one instruction;
 * the quotient moves by at most 2^15 n / 2^30, which is less than 1 / (2 n) while n < 128.
 */
#ifndef OCTAVO_AVERAGE_POOL2D_S16_DSP_H
#define OCTAVO_AVERAGE_POOL2D_S16_DSP_H

#include "../pool.h"
#include "../portable/average_pool2d_s8.h"
#include "bytes.h"

typedef octavo_average_pool2d_s8_params octavo_average_pool2d_s16_dsp_params;

OCTAVO_INLINE int16_t octavo_average_pool2d_s16_dsp_finish(
    const octavo_average_pool2d_s16_dsp_params *p, int32_t sum, int32_t scale)
{
    int32_t mean = octavo_smmulr(4 * sum, scale);
    mean = p->act_min > -32768 ? octavo_max(mean, p->act_min) : mean;
    return (int16_t)(p->act_max < 32767 ? octavo_min(mean, p->act_max) : mean);
}

/* One or two channels of the window at x; scale is that of all elements that count. */
OCTAVO_INLINE void octavo_average_pool2d_s16_dsp_two(const octavo_average_pool2d_s16_dsp_params *p, const int16_t *x,
    const octavo_pool_window *window, int32_t whole, int32_t scale, int32_t lanes, int16_t *out)
{
    int32_t low = 0;
    int32_t high = 0;
    if (whole) {
        OCTAVO_UNROLL_FOUR
        for (int32_t y = 0; y < p->kernel_h; ++y) {
            OCTAVO_UNROLL
            for (int32_t column = 0; column < p->kernel_w; ++column) {
                const uint32_t both = octavo_load_some(x + (y * p->in_w + column) * p->channels, 2 * lanes);
                low += octavo_low_lane(both);
                high += octavo_high_lane(both);
            }
        }
    } else {
        for (int32_t y = 0; y < window->rows; ++y) {
            for (int32_t column = 0; column < window->columns; ++column) {
                const uint32_t both = octavo_load_some(x + (y * p->in_w + column) * p->channels, 2 * lanes);
                low += octavo_low_lane(both);
                high += octavo_high_lane(both);
            }
        }
    }
    out[0] = octavo_average_pool2d_s16_dsp_finish(p, low, scale);
    if (lanes > 1) {
        out[1] = octavo_average_pool2d_s16_dsp_finish(p, high, scale);
    }
}

/* All channels of a pixel. */
OCTAVO_INLINE void octavo_average_pool2d_s16_dsp_pixel(const octavo_average_pool2d_s16_dsp_params *p,
    const int16_t *x, const octavo_pool_window *window, int32_t whole, int16_t *out)
{
    const int32_t all = whole || p->count_include_pad;
    const int32_t count = all ? p->kernel_h * p->kernel_w : octavo_max(window->rows * window->columns, 1);
    const int32_t scale = (1 << 30) / count + 1;
    for (int32_t c = 0; c < p->channels / 2; ++c) {
        octavo_average_pool2d_s16_dsp_two(p, x, window, whole, scale, 2, out);
        x += 2;
        out += 2;
    }
    if (p->channels % 2 > 0) {
        octavo_average_pool2d_s16_dsp_two(p, x, window, whole, scale, 1, out);
    }
}

OCTAVO_KERNEL void octavo_average_pool2d_s16_dsp(
    const octavo_average_pool2d_s16_dsp_params *p, const int16_t *x, int16_t *out)
{
    const octavo_pool_shape shape = OCTAVO_POOL_SHAPE(p);
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const octavo_pool_window window = octavo_pool_window_at(&shape, oy, ox);
            const int16_t *const from = x + window.pixel * p->channels;
            if (octavo_pool_is_whole(&shape, &window)) {
                octavo_average_pool2d_s16_dsp_pixel(p, from, &window, 1, out);
            } else {
                octavo_average_pool2d_s16_dsp_pixel(p, from, &window, 0, out);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_S16_DSP_H */
