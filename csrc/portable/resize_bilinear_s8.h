/* Bilinear resize of x [H, W, C]: positions and weights with 10 fraction bits, rounded half away from zero. */
#ifndef OCTAVO_RESIZE_BILINEAR_S8_H
#define OCTAVO_RESIZE_BILINEAR_S8_H

#include "../octavo.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t channels;
    int32_t out_h;
    int32_t out_w;
    int32_t height_scale;
    int32_t width_scale;
    int32_t half_pixel;
} octavo_resize_bilinear_s8_params;

typedef struct {
    int32_t low;
    int32_t high;
    int32_t fraction; /* Of the high index, in 1/1024; may be negative at the first border. */
} octavo_resize_bilinear_s8_tap;

static inline octavo_resize_bilinear_s8_tap octavo_resize_bilinear_s8_at(int32_t index, int32_t scale, int32_t half_pixel, int32_t size)
{
    const int32_t position = index * scale + (half_pixel ? scale / 2 - 512 : 0);
    octavo_resize_bilinear_s8_tap tap;
    tap.low = octavo_clamp(position / 1024, 0, size - 1);
    tap.high = octavo_min((position + 1023) / 1024, size - 1);
    tap.fraction = position - tap.low * 1024;
    return tap;
}

static inline void octavo_resize_bilinear_s8(const octavo_resize_bilinear_s8_params *p, const int8_t *x, int8_t *out)
{
    const int32_t pitch = p->in_w * p->channels;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const octavo_resize_bilinear_s8_tap v = octavo_resize_bilinear_s8_at(oy, p->height_scale, p->half_pixel, p->in_h);
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const octavo_resize_bilinear_s8_tap h = octavo_resize_bilinear_s8_at(ox, p->width_scale, p->half_pixel, p->in_w);
            const int8_t *top = x + v.low * pitch;
            const int8_t *bottom = x + v.high * pitch;
            const int32_t left = h.low * p->channels;
            const int32_t right = h.high * p->channels;
            for (int32_t c = 0; c < p->channels; ++c) {
                const int64_t upper =
                    (int64_t)top[left + c] * (1024 - h.fraction) + (int64_t)top[right + c] * h.fraction;
                const int64_t lower =
                    (int64_t)bottom[left + c] * (1024 - h.fraction) + (int64_t)bottom[right + c] * h.fraction;
                const int64_t sum = upper * (1024 - v.fraction) + lower * v.fraction;
                const int64_t rounded = (sum > 0 ? sum + (1 << 19) : sum - (1 << 19)) / (1 << 20);
                *out++ = (int8_t)rounded;
            }
        }
    }
}

#endif /* OCTAVO_RESIZE_BILINEAR_S8_H */
