/* Maximum over the valid elements of each window for Helium, x [H, W, C]: sixteen channels of a window are read, then
 * written. */
#ifndef OCTAVO_MAX_POOL2D_S8_MVE_H
#define OCTAVO_MAX_POOL2D_S8_MVE_H

#include "../pool.h"
#include "../portable/max_pool2d_s8.h"
#include "four.h"

typedef octavo_max_pool2d_s8_params octavo_max_pool2d_s8_mve_params;

/* Up to sixteen channels of rows times columns pixels at x. */
OCTAVO_INLINE void octavo_max_pool2d_s8_mve_some(const octavo_max_pool2d_s8_mve_params *p, const int8_t *x,
    int32_t rows, int32_t columns, int32_t lanes, int8_t *out)
{
#if OCTAVO_MVE
    const mve_pred16_t some = vctp8q((uint32_t)lanes);
    int8x16_t best = vdupq_n_s8((int8_t)p->act_min);
    for (int32_t y = 0; y < rows; ++y) {
        const int8_t *pixel = x + y * p->in_w * p->channels;
        OCTAVO_UNROLL
        for (int32_t column = 0; column < columns; ++column) {
            best = vmaxq_s8(best, lanes >= 16 ? vldrbq_s8(pixel) : vldrbq_z_s8(pixel, some));
            pixel += p->channels;
        }
    }
    vstrbq_p_s8(out, vminq_s8(best, vdupq_n_s8((int8_t)p->act_max)), some);
#else
    int32_t best[16];
    for (int32_t c = 0; c < lanes; ++c) {
        best[c] = p->act_min;
    }
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t column = 0; column < columns; ++column) {
            for (int32_t c = 0; c < lanes; ++c) {
                best[c] = octavo_max(best[c], x[(y * p->in_w + column) * p->channels + c]);
            }
        }
    }
    for (int32_t c = 0; c < lanes; ++c) {
        out[c] = (int8_t)octavo_min(best[c], p->act_max);
    }
#endif
}

/* All channels of a pixel. */
OCTAVO_INLINE void octavo_max_pool2d_s8_mve_pixel(
    const octavo_max_pool2d_s8_mve_params *p, const int8_t *x, int32_t rows, int32_t columns, int8_t *out)
{
    for (int32_t c = 0; c < p->channels / 16; ++c) {
        octavo_max_pool2d_s8_mve_some(p, x, rows, columns, 16, out);
        x += 16;
        out += 16;
    }
    if (p->channels % 16 > 0) {
        octavo_max_pool2d_s8_mve_some(p, x, rows, columns, p->channels % 16, out);
    }
}

OCTAVO_KERNEL void octavo_max_pool2d_s8_mve(const octavo_max_pool2d_s8_mve_params *p, const int8_t *x, int8_t *out)
{
    const octavo_pool_shape shape = OCTAVO_POOL_SHAPE(p);
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const octavo_pool_window window = octavo_pool_window_at(&shape, oy, ox);
            const int8_t *const from = x + window.pixel * p->channels;
            if (octavo_pool_is_whole(&shape, &window)) {
                octavo_max_pool2d_s8_mve_pixel(p, from, p->kernel_h, p->kernel_w, out);
            } else {
                octavo_max_pool2d_s8_mve_pixel(p, from, window.rows, window.columns, out);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_MAX_POOL2D_S8_MVE_H */
