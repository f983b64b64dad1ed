/* As max_pool2d_s8_dsp, of int16: two channels of a window are read, then written. */
#ifndef OCTAVO_MAX_POOL2D_S16_DSP_H
#define OCTAVO_MAX_POOL2D_S16_DSP_H

#include "../pool.h"
#include "../portable/max_pool2d_s8.h"
#include "bytes.h"

typedef octavo_max_pool2d_s8_params octavo_max_pool2d_s16_dsp_params;

/* One or two channels of the window at x. */
OCTAVO_INLINE void octavo_max_pool2d_s16_dsp_two(const octavo_max_pool2d_s16_dsp_params *p, const int16_t *x,
    const octavo_pool_window *window, int32_t whole, int32_t lanes, int16_t *out)
{
    uint32_t best = octavo_lanes(p->act_min, p->act_min);
    if (whole) {
        OCTAVO_UNROLL_FOUR
        for (int32_t y = 0; y < p->kernel_h; ++y) {
            OCTAVO_UNROLL
            for (int32_t column = 0; column < p->kernel_w; ++column) {
                best = octavo_max_lanes(best, octavo_load_some(x + (y * p->in_w + column) * p->channels, 2 * lanes));
            }
        }
    } else {
        for (int32_t y = 0; y < window->rows; ++y) {
            for (int32_t column = 0; column < window->columns; ++column) {
                best = octavo_max_lanes(best, octavo_load_some(x + (y * p->in_w + column) * p->channels, 2 * lanes));
            }
        }
    }
    out[0] = (int16_t)octavo_min(octavo_low_lane(best), p->act_max);
    if (lanes > 1) {
        out[1] = (int16_t)octavo_min(octavo_high_lane(best), p->act_max);
    }
}

/* All channels of a pixel. */
OCTAVO_INLINE void octavo_max_pool2d_s16_dsp_pixel(const octavo_max_pool2d_s16_dsp_params *p, const int16_t *x,
    const octavo_pool_window *window, int32_t whole, int16_t *out)
{
    for (int32_t c = 0; c < p->channels / 2; ++c) {
        octavo_max_pool2d_s16_dsp_two(p, x, window, whole, 2, out);
        x += 2;
        out += 2;
    }
    if (p->channels % 2 > 0) {
        octavo_max_pool2d_s16_dsp_two(p, x, window, whole, 1, out);
    }
}

OCTAVO_KERNEL void octavo_max_pool2d_s16_dsp(
    const octavo_max_pool2d_s16_dsp_params *p, const int16_t *x, int16_t *out)
{
    const octavo_pool_shape shape = OCTAVO_POOL_SHAPE(p);
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const octavo_pool_window window = octavo_pool_window_at(&shape, oy, ox);
            const int16_t *const from = x + window.pixel * p->channels;
            if (octavo_pool_is_whole(&shape, &window)) {
                octavo_max_pool2d_s16_dsp_pixel(p, from, &window, 1, out);
            } else {
                octavo_max_pool2d_s16_dsp_pixel(p, from, &window, 0, out);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_MAX_POOL2D_S16_DSP_H */
