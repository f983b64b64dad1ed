/* Mean over each window for Helium, half away from zero, x [H, W, C], as octavo_average_pool2d_s8: eight channels of a
 * window, of up to 256 elements, are read, then written.
 *
 * With n elements and m = floor(2^29 / n) + 1 the mean is floor(4 sum m / 2^31 + 1/2), which is one instruction: m is
 * too large by at most one, which moves the quotient away from zero by at most 128 n / 2^29. So ties go away from
 * zero, and everything else is at least 1 / (2 n) from a tie, which is more.
 */
#ifndef OCTAVO_AVERAGE_POOL2D_S8_MVE_H
#define OCTAVO_AVERAGE_POOL2D_S8_MVE_H

#include "../pool.h"
#include "../portable/average_pool2d_s8.h"
#include "eight.h"

typedef octavo_average_pool2d_s8_params octavo_average_pool2d_s8_mve_params;

/* Up to eight channels of rows times columns pixels at x; scale is that of all elements that count. */
OCTAVO_INLINE void octavo_average_pool2d_s8_mve_eight(const octavo_average_pool2d_s8_mve_params *p, const int8_t *x,
    int32_t rows, int32_t columns, int32_t outside, int32_t scale, int32_t lanes, int8_t *out)
{
    octavo_eight sum = octavo_eight_all(outside * p->input_zero_point);
    for (int32_t y = 0; y < rows; ++y) {
        const int8_t *pixel = x + y * p->in_w * p->channels;
        OCTAVO_UNROLL
        for (int32_t column = 0; column < columns; ++column) {
            sum = octavo_eight_add_bytes(sum, pixel, lanes);
            pixel += p->channels;
        }
    }
    const octavo_four even = octavo_four_scaled(octavo_eight_even(sum), scale);
    const octavo_four odd = octavo_four_scaled(octavo_eight_odd(sum), scale);
    octavo_eight_store(out, octavo_eight_clamp(octavo_eight_joined(even, odd), p->act_min, p->act_max), lanes);
}

/* All channels of a pixel. */
OCTAVO_INLINE void octavo_average_pool2d_s8_mve_pixel(const octavo_average_pool2d_s8_mve_params *p, const int8_t *x,
    int32_t rows, int32_t columns, int8_t *out)
{
    const int32_t outside = p->count_include_pad ? p->kernel_h * p->kernel_w - rows * columns : 0;
    const int32_t scale = (1 << 29) / octavo_max(rows * columns + outside, 1) + 1;
    for (int32_t c = 0; c < p->channels / 8; ++c) {
        octavo_average_pool2d_s8_mve_eight(p, x, rows, columns, outside, scale, 8, out);
        x += 8;
        out += 8;
    }
    if (p->channels % 8 > 0) {
        octavo_average_pool2d_s8_mve_eight(p, x, rows, columns, outside, scale, p->channels % 8, out);
    }
}

OCTAVO_KERNEL void octavo_average_pool2d_s8_mve(
    const octavo_average_pool2d_s8_mve_params *p, const int8_t *x, int8_t *out)
{
    const octavo_pool_shape shape = OCTAVO_POOL_SHAPE(p);
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const octavo_pool_window window = octavo_pool_window_at(&shape, oy, ox);
            const int8_t *const from = x + window.pixel * p->channels;
            if (octavo_pool_is_whole(&shape, &window)) {
                octavo_average_pool2d_s8_mve_pixel(p, from, p->kernel_h, p->kernel_w, out);
            } else {
                octavo_average_pool2d_s8_mve_pixel(p, from, window.rows, window.columns, out);
            }
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_AVERAGE_POOL2D_S8_MVE_H */
