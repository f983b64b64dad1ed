/* As max_pool2d_s8, of int16. */
#ifndef OCTAVO_MAX_POOL2D_S16_H
#define OCTAVO_MAX_POOL2D_S16_H

#include "max_pool2d_s8.h"

typedef octavo_max_pool2d_s8_params octavo_max_pool2d_s16_params;

static inline void octavo_max_pool2d_s16(const octavo_max_pool2d_s16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t y0 = oy * p->stride_h - p->pad_top;
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t top = octavo_max(y0, 0);
            const int32_t bottom = octavo_min(y0 + p->kernel_h, p->in_h);
            const int32_t left = octavo_max(x0, 0);
            const int32_t right = octavo_min(x0 + p->kernel_w, p->in_w);
            for (int32_t c = 0; c < p->channels; ++c) {
                out[c] = INT16_MIN;
            }
            for (int32_t y = top; y < bottom; ++y) {
                for (int32_t column = left; column < right; ++column) {
                    const int16_t *pixel = x + (y * p->in_w + column) * p->channels;
                    for (int32_t c = 0; c < p->channels; ++c) {
                        out[c] = pixel[c] > out[c] ? pixel[c] : out[c];
                    }
                }
            }
            for (int32_t c = 0; c < p->channels; ++c) {
                out[c] = (int16_t)octavo_clamp(out[c], p->act_min, p->act_max);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_MAX_POOL2D_S16_H */
