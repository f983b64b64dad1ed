/* As average_pool2d_s8, of int16; zero points are 0, so padding adds nothing to a sum. */
#ifndef OCTAVO_AVERAGE_POOL2D_S16_H
#define OCTAVO_AVERAGE_POOL2D_S16_H

#include "average_pool2d_s8.h"

typedef octavo_average_pool2d_s8_params octavo_average_pool2d_s16_params;

static inline void octavo_average_pool2d_s16(const octavo_average_pool2d_s16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t y0 = oy * p->stride_h - p->pad_top;
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t top = octavo_max(y0, 0);
            const int32_t bottom = octavo_min(y0 + p->kernel_h, p->in_h);
            const int32_t left = octavo_max(x0, 0);
            const int32_t right = octavo_min(x0 + p->kernel_w, p->in_w);
            const int32_t valid = octavo_max(bottom - top, 0) * octavo_max(right - left, 0);
            const int32_t outside = p->count_include_pad ? p->kernel_h * p->kernel_w - valid : 0;
            const int32_t count = octavo_max(valid + outside, 1);
            for (int32_t c = 0; c < p->channels; ++c) {
                int32_t acc = 0;
                for (int32_t y = top; y < bottom; ++y) {
                    for (int32_t column = left; column < right; ++column) {
                        acc += x[(y * p->in_w + column) * p->channels + c];
                    }
                }
                acc = (acc > 0 ? acc + count / 2 : acc - count / 2) / count;
                *out++ = (int16_t)octavo_clamp(acc, p->act_min, p->act_max);
            }
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_S16_H */
