/* Convolution of float16 for Helium, without groups and dilation: x [H, W, C], weights [KH, KW, C, O], bias [O]; out
 * [out_h, out_w, O], pixels out_stride elements apart. The sums of octavo_conv2d_f16: eight output channels of two
 * pixels a pass, one tap after the other.
 *
 * Rows of the image wait in scratch as floats, in a ring of kernel_h rows of strip_w pixels with zeros around the image:
 * zeros change no sum. All input that a row of the output needs is read before that row is written.
 */
#ifndef OCTAVO_CONV2D_F16_MVE_H
#define OCTAVO_CONV2D_F16_MVE_H

#include "eight_f16.h"

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
    int32_t pad_top;
    int32_t pad_left;
    int32_t strip_w;
    float act_min;
    float act_max;
    int32_t out_stride;
} octavo_conv2d_f16_mve_params;

/* Row y of the image, or zeros, to its place in the ring. */
OCTAVO_INLINE void octavo_conv2d_f16_mve_load(
    const octavo_conv2d_f16_mve_params *p, const int16_t *x, int32_t y, float *row)
{
    const int32_t pixels = y < 0 || y >= p->in_h ? 0 : octavo_clamp(p->strip_w - p->pad_left, 0, p->in_w);
    const int32_t before = pixels > 0 ? p->pad_left : 0;
    const int32_t after = p->strip_w - before - pixels;
    memset(row, 0, (uint32_t)(before * p->in_c) * sizeof *row);
    octavo_eight_f16_widen(row + before * p->in_c, x + y * p->in_w * p->in_c, pixels * p->in_c);
    memset(row + (before + pixels) * p->in_c, 0, (uint32_t)(after * p->in_c) * sizeof *row);
}

/* Up to eight output channels, whose weights, bias and output begin there, of one or two pixels. first is the ring's row
 * of the window's first row; x is where the first pixel's window begins in each. */
OCTAVO_INLINE void octavo_conv2d_f16_mve_block(const octavo_conv2d_f16_mve_params *p, const float *ring, int32_t first,
    int32_t x, int32_t pixels, const int16_t *weights, const int16_t *bias, int32_t channels, int16_t *out)
{
    const int32_t taps = p->kernel_w * p->in_c;
    const int32_t apart = pixels > 1 ? p->stride_w * p->in_c : 0;
    octavo_eight_f16 sum = octavo_eight_f16_load(bias, channels);
    octavo_eight_f16 next = sum;
    int32_t row = first;
    for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        const float *window = ring + row * p->strip_w * p->in_c + x;
        for (int32_t t = 0; t < taps; ++t) {
            const octavo_eight_f16 w = octavo_eight_f16_load(weights, channels);
            sum = octavo_eight_f16_add(sum, w, window[t]);
            if (pixels > 1) {
                next = octavo_eight_f16_add(next, w, window[t + apart]);
            }
            weights += p->out_c;
        }
        row = row + 1 < p->kernel_h ? row + 1 : 0;
    }
    octavo_eight_f16_store(out, sum, p->act_min, p->act_max, channels);
    if (pixels > 1) {
        octavo_eight_f16_store(out + p->out_stride, next, p->act_min, p->act_max, channels);
    }
}

/* All output channels of one or two pixels. */
OCTAVO_INLINE void octavo_conv2d_f16_mve_pixels(const octavo_conv2d_f16_mve_params *p, const float *ring, int32_t first,
    int32_t x, int32_t pixels, const int16_t *weights, const int16_t *bias, int16_t *out)
{
    int32_t c = 0;
    for (; c + 8 <= p->out_c; c += 8) {
        octavo_conv2d_f16_mve_block(p, ring, first, x, pixels, weights + c, bias + c, 8, out + c);
    }
    if (p->out_c % 8 > 0) {
        octavo_conv2d_f16_mve_block(p, ring, first, x, pixels, weights + c, bias + c, p->out_c - c, out + c);
    }
}

OCTAVO_KERNEL void octavo_conv2d_f16_mve(const octavo_conv2d_f16_mve_params *p, const int16_t *x,
    const int16_t *weights, const int16_t *bias, int16_t *out, void *scratch)
{
    float *const ring = (float *)scratch;
    const int32_t step = p->stride_w * p->in_c;
    int32_t next = 0;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h;
        for (next = octavo_max(next, top); next < top + p->kernel_h; ++next) {
            octavo_conv2d_f16_mve_load(
                p, x, next - p->pad_top, ring + next % p->kernel_h * p->strip_w * p->in_c);
        }
        const int32_t first = top % p->kernel_h;
        for (int32_t ox = 0; ox < p->out_w / 2; ++ox) {
            octavo_conv2d_f16_mve_pixels(p, ring, first, 2 * ox * step, 2, weights, bias, out);
            out += 2 * p->out_stride;
        }
        if (p->out_w % 2 > 0) {
            octavo_conv2d_f16_mve_pixels(p, ring, first, (p->out_w - 1) * step, 1, weights, bias, out);
            out += p->out_stride;
        }
    }
}

#endif /* OCTAVO_CONV2D_F16_MVE_H */
