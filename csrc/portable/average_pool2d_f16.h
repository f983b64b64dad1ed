/* Mean of float16 over each window, x [H, W, C]: the sum over rows and columns in float, divided by the number of valid
 * elements, or with count_include_pad by that of all. */
#ifndef OCTAVO_AVERAGE_POOL2D_F16_H
#define OCTAVO_AVERAGE_POOL2D_F16_H

#include "../float16.h"
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
    int32_t count_include_pad;
} octavo_average_pool2d_f16_params;

static inline void octavo_average_pool2d_f16(const octavo_average_pool2d_f16_params *p, const int16_t *x, int16_t *out)
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
            const int32_t count = p->count_include_pad ? p->kernel_h * p->kernel_w : octavo_max(valid, 1);
            for (int32_t c = 0; c < p->channels; ++c) {
                float sum = 0.0f;
                for (int32_t y = top; y < bottom; ++y) {
                    for (int32_t column = left; column < right; ++column) {
                        sum += octavo_f16_float(x[(y * p->in_w + column) * p->channels + c]);
                    }
                }
                *out++ = octavo_f16_finite(sum / (float)count);
            }
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_F16_H */
