/* Convolution with 4-bit weights and no multiplications but those that round: x [H, W, C], out [out_h, out_w, O], pixels
 * out_stride bytes apart; codes [O, taps / 8] as in levels.h; bias [O] holds the bias less zero_point * sum of weights;
 * multiplier and shift [O].
 *
 * The windows of two pixels are copied into scratch, element by element into the halves of a word, zero points where they
 * leave the image and at their end up to taps, a multiple of 8; then all channels of both pixels are written.
 */
#ifndef OCTAVO_CONV2D_W4_SHIFTS_H
#define OCTAVO_CONV2D_W4_SHIFTS_H

#include "levels.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t in_c;
    int32_t out_h;
    int32_t out_w;
    int32_t out_c;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t taps;
    int32_t powers_of_two;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_conv2d_w4_shifts_params;

/* The window of a pixel of the output, into the lower half of words, or added to their upper half. */
OCTAVO_INLINE void octavo_conv2d_w4_shifts_window(
    const octavo_conv2d_w4_shifts_params *p, const int8_t *x, int32_t pixel, int32_t upper, uint32_t *window)
{
    const int32_t y0 = pixel / p->out_w * p->stride_h - p->pad_top;
    const int32_t x0 = pixel % p->out_w * p->stride_w - p->pad_left;
    for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        const int32_t y = y0 + ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; ++kx) {
            const int32_t column = x0 + kx * p->dilation_w;
            const int32_t inside = y >= 0 && y < p->in_h && column >= 0 && column < p->in_w;
            const int8_t *const from = inside ? x + (y * p->in_w + column) * p->in_c : x;
            for (int32_t c = 0; c < p->in_c; ++c) {
                const uint32_t value = (uint32_t)(inside ? from[c] : p->input_zero_point);
                *window = upper ? *window + (value << 16) : value;
                ++window;
            }
        }
    }
}

OCTAVO_KERNEL void octavo_conv2d_w4_shifts(const octavo_conv2d_w4_shifts_params *p, const int8_t *x,
    const int32_t *codes, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *out, void *scratch)
{
    const int32_t pixels = p->out_h * p->out_w;
    uint32_t *const window = (uint32_t *)scratch;
    for (int32_t i = p->kernel_h * p->kernel_w * p->in_c; i < p->taps; ++i) {
        window[i] = 0;
    }
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
        const int32_t both = pixel + 1 < pixels;
        octavo_conv2d_w4_shifts_window(p, x, pixel, 0, window);
        if (both) {
            octavo_conv2d_w4_shifts_window(p, x, pixel + 1, 1, window);
        }
        for (int32_t o = 0; o < p->out_c; ++o) {
            int32_t first = bias[o];
            int32_t second = bias[o];
            octavo_levels_dot(window, codes + o * (p->taps / 8), p->taps, p->powers_of_two, &first, &second);
            out[o] = octavo_finish(first, multiplier[o], shift[o], p->output_zero_point, p->act_min, p->act_max);
            if (both) {
                out[p->out_stride + o] =
                    octavo_finish(second, multiplier[o], shift[o], p->output_zero_point, p->act_min, p->act_max);
            }
        }
        out += 2 * p->out_stride;
    }
}

#endif /* OCTAVO_CONV2D_W4_SHIFTS_H */
