/* Mean over each window, half away from zero, x [H, W, C]. Positions outside the image count, as the input's
 * zero point, only with count_include_pad. */
#ifndef OCTAVO_AVERAGE_POOL2D_S8_H
#define OCTAVO_AVERAGE_POOL2D_S8_H

#include "../octavo.h"

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
} octavo_average_pool2d_s8_params;

static inline void octavo_average_pool2d_s8(const octavo_average_pool2d_s8_params *p, const int8_t *x, int8_t *out)
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
                int32_t acc = outside * p->input_zero_point;
                for (int32_t y = top; y < bottom; ++y) {
                    for (int32_t column = left; column < right; ++column) {
                        acc += x[(y * p->in_w + column) * p->channels + c];
                    }
                }
                acc = (acc > 0 ? acc + count / 2 : acc - count / 2) / count;
                *out++ = (int8_t)octavo_clamp(acc, p->act_min, p->act_max);
            }
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_S8_H */
