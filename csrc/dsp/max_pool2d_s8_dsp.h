/* Maximum over the valid elements of each window for the DSP extension, x [H, W, C]: four channels of a window are
 * read, then written. */
#ifndef OCTAVO_MAX_POOL2D_S8_DSP_H
#define OCTAVO_MAX_POOL2D_S8_DSP_H

#include "../pool.h"
#include "../portable/max_pool2d_s8.h"
#include "bytes.h"

typedef octavo_max_pool2d_s8_params octavo_max_pool2d_s8_dsp_params;

/* Up to four channels of the window at x. */
OCTAVO_INLINE void octavo_max_pool2d_s8_dsp_four(const octavo_max_pool2d_s8_dsp_params *p, const int8_t *x,
    const octavo_pool_window *window, int32_t whole, int32_t lanes, int8_t *out)
{
    uint32_t best = octavo_all_bytes(p->act_min);
    if (whole) {
        OCTAVO_UNROLL_FOUR
        for (int32_t y = 0; y < p->kernel_h; ++y) {
            OCTAVO_UNROLL
            for (int32_t column = 0; column < p->kernel_w; ++column) {
                best = octavo_max_bytes(best, octavo_load_some(x + (y * p->in_w + column) * p->channels, lanes));
            }
        }
    } else {
        for (int32_t y = 0; y < window->rows; ++y) {
            for (int32_t column = 0; column < window->columns; ++column) {
                best = octavo_max_bytes(best, octavo_load_some(x + (y * p->in_w + column) * p->channels, lanes));
            }
        }
    }
    octavo_store_some(out, p->act_max < 127 ? octavo_min_bytes(best, octavo_all_bytes(p->act_max)) : best, lanes);
}

/* All channels of a pixel. */
OCTAVO_INLINE void octavo_max_pool2d_s8_dsp_pixel(const octavo_max_pool2d_s8_dsp_params *p, const int8_t *x,
    const octavo_pool_window *window, int32_t whole, int8_t *out)
{
    for (int32_t c = 0; c < p->channels / 4; ++c) {
        octavo_max_pool2d_s8_dsp_four(p, x, window, whole, 4, out);
        x += 4;
        out += 4;
    }
    if (p->channels % 4 > 0) {
        octavo_max_pool2d_s8_dsp_four(p, x, window, whole, p->channels % 4, out);
    }
}

OCTAVO_KERNEL void octavo_max_pool2d_s8_dsp(const octavo_max_pool2d_s8_dsp_params *p, const int8_t *x, int8_t *out)
{
    const octavo_pool_shape shape = OCTAVO_POOL_SHAPE(p);
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const octavo_pool_window window = octavo_pool_window_at(&shape, oy, ox);
            const int8_t *const from = x + window.pixel * p->channels;
            if (octavo_pool_is_whole(&shape, &window)) {
                octavo_max_pool2d_s8_dsp_pixel(p, from, &window, 1, out);
            } else {
                octavo_max_pool2d_s8_dsp_pixel(p, from, &window, 0, out);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_MAX_POOL2D_S8_DSP_H */
