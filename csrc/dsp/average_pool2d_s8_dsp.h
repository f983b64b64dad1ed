/* Mean over each window for the DSP extension, half away from zero, x [H, W, C], as octavo_average_pool2d_s8: four
 * channels of a window, of up to 256 elements, are read, then written.
 *
 * Sums of 256 int8 fit a lane of 16 bits. With n elements and m = floor(2^30 / n) + 1 the mean is
 * floor(sum m / 2^30 + 1/2): m is too large by at most one, which moves the quotient away from zero by at most
 * 128 n / 2^30. So ties go away from zero, and everything else is at least 1 / (2 n) from a tie, which is more.
 */
#ifndef OCTAVO_AVERAGE_POOL2D_S8_DSP_H
#define OCTAVO_AVERAGE_POOL2D_S8_DSP_H

#include "../pool.h"
#include "../portable/average_pool2d_s8.h"
#include "bytes.h"

typedef octavo_average_pool2d_s8_params octavo_average_pool2d_s8_dsp_params;

/* A mean with 14 bits behind the point, less its half. */
OCTAVO_INLINE int8_t octavo_average_pool2d_s8_dsp_finish(const octavo_average_pool2d_s8_dsp_params *p, int32_t mean)
{
    int32_t rounded = octavo_asr(mean, 14);
    rounded = p->act_min > -128 ? octavo_max(rounded, p->act_min) : rounded;
    return (int8_t)(p->act_max < 127 ? octavo_min(rounded, p->act_max) : rounded);
}

/* Up to four channels of the window at x; scale is that of all elements that count. */
OCTAVO_INLINE void octavo_average_pool2d_s8_dsp_four(const octavo_average_pool2d_s8_dsp_params *p, const int8_t *x,
    const octavo_pool_window *window, int32_t whole, int32_t outside, int32_t scale, int32_t lanes, int8_t *out)
{
    uint32_t even = octavo_lanes(outside * p->input_zero_point, outside * p->input_zero_point);
    uint32_t odd = even;
    if (whole) {
        OCTAVO_UNROLL_FOUR
        for (int32_t y = 0; y < p->kernel_h; ++y) {
            OCTAVO_UNROLL
            for (int32_t column = 0; column < p->kernel_w; ++column) {
                const uint32_t bytes = octavo_load_some(x + (y * p->in_w + column) * p->channels, lanes);
                even = octavo_sxtab16(even, bytes);
                odd = octavo_sxtab16_odd(odd, bytes);
            }
        }
    } else {
        for (int32_t y = 0; y < window->rows; ++y) {
            for (int32_t column = 0; column < window->columns; ++column) {
                const uint32_t bytes = octavo_load_some(x + (y * p->in_w + column) * p->channels, lanes);
                even = octavo_sxtab16(even, bytes);
                odd = octavo_sxtab16_odd(odd, bytes);
            }
        }
    }
    const int32_t half = 1 << 13;
    const int32_t means[4] = {octavo_smlawb(scale, even, half), octavo_smlawb(scale, odd, half),
        octavo_smlawt(scale, even, half), octavo_smlawt(scale, odd, half)};
    OCTAVO_UNROLL
    for (int32_t c = 0; c < lanes; ++c) {
        out[c] = octavo_average_pool2d_s8_dsp_finish(p, means[c]);
    }
}

/* All channels of a pixel. */
OCTAVO_INLINE void octavo_average_pool2d_s8_dsp_pixel(const octavo_average_pool2d_s8_dsp_params *p, const int8_t *x,
    const octavo_pool_window *window, int32_t whole, int8_t *out)
{
    const int32_t all = p->kernel_h * p->kernel_w;
    const int32_t inside = whole ? all : window->rows * window->columns;
    const int32_t outside = p->count_include_pad ? all - inside : 0;
    const int32_t scale = (1 << 30) / octavo_max(inside + outside, 1) + 1;
    for (int32_t c = 0; c < p->channels / 4; ++c) {
        octavo_average_pool2d_s8_dsp_four(p, x, window, whole, outside, scale, 4, out);
        x += 4;
        out += 4;
    }
    if (p->channels % 4 > 0) {
        octavo_average_pool2d_s8_dsp_four(p, x, window, whole, outside, scale, p->channels % 4, out);
    }
}

OCTAVO_KERNEL void octavo_average_pool2d_s8_dsp(
    const octavo_average_pool2d_s8_dsp_params *p, const int8_t *x, int8_t *out)
{
    const octavo_pool_shape shape = OCTAVO_POOL_SHAPE(p);
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const octavo_pool_window window = octavo_pool_window_at(&shape, oy, ox);
            const int8_t *const from = x + window.pixel * p->channels;
            if (octavo_pool_is_whole(&shape, &window)) {
                octavo_average_pool2d_s8_dsp_pixel(p, from, &window, 1, out);
            } else {
                octavo_average_pool2d_s8_dsp_pixel(p, from, &window, 0, out);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_S8_DSP_H */
