/* Convolution of float16: x [H, W, C], weights [KH, KW, C / groups, O], bias [O]; out [out_h, out_w, O]. A sum goes over
 * the window's rows, columns and channels in this order; padding adds nothing.
 */
#ifndef OCTAVO_CONV2D_F16_H
#define OCTAVO_CONV2D_F16_H

#include "conv2d_s8.h"
#include "taps_f16.h"

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
    int32_t groups;
    float act_min;
    float act_max;
} octavo_conv2d_f16_params;

/* Columns kx0 to kx1 of the window that starts at column x0. */
OCTAVO_INLINE void octavo_conv2d_f16_columns(const octavo_conv2d_f16_params *p, int32_t x0, int32_t *kx0, int32_t *kx1)
{
    *kx0 = octavo_conv2d_s8_first(x0, p->dilation_w);
    *kx1 = octavo_conv2d_s8_last(x0, p->dilation_w, p->kernel_w, p->in_w);
}

/* Up to a block of output channels, whose weights, bias and output begin there, for the window that starts at (y0, x0);
 * image begins at the group's first channel. With pixels 2 the same for the next pixel, whose window has the same
 * columns inside the image. */
OCTAVO_INLINE void octavo_conv2d_f16_block(const octavo_conv2d_f16_params *p, const int16_t *image, int32_t y0,
    int32_t x0, int32_t pixels, const int16_t *weights, const int16_t *bias, int32_t channels, int16_t *out)
{
    const int32_t inner = p->in_c / p->groups;
    const int32_t ky1 = octavo_conv2d_s8_last(y0, p->dilation_h, p->kernel_h, p->in_h);
    int32_t kx0;
    int32_t kx1;
    octavo_conv2d_f16_columns(p, x0, &kx0, &kx1);
    /* The taps of a kernel row touch, so a row is one run. */
    const int32_t contiguous = p->dilation_w == 1 && p->groups == 1;
    const int32_t runs = contiguous ? octavo_min(kx1 - kx0, 1) : kx1 - kx0;
    const int32_t length = contiguous ? (kx1 - kx0) * inner : inner;
    float acc[OCTAVO_TAPS_F16_BLOCK];
    float next[OCTAVO_TAPS_F16_BLOCK];
    octavo_taps_f16_begin(acc, bias, channels);
    octavo_taps_f16_begin(next, bias, channels);
    for (int32_t ky = octavo_conv2d_s8_first(y0, p->dilation_h); ky < ky1; ++ky) {
        const int32_t origin = (y0 + ky * p->dilation_h) * p->in_w + x0;
        for (int32_t kx = kx0; kx < kx0 + runs; ++kx) {
            const int16_t *x = image + (origin + kx * p->dilation_w) * p->in_c;
            const int16_t *taps = weights + (ky * p->kernel_w + kx) * inner * p->out_c;
            if (pixels > 1) {
                octavo_taps_f16_add_two(acc, next, x, p->stride_w * p->in_c, taps, length, p->out_c, channels);
            } else {
                octavo_taps_f16_add(acc, x, taps, length, p->out_c, channels);
            }
        }
    }
    octavo_taps_f16_end(acc, p->act_min, p->act_max, channels, out);
    if (pixels > 1) {
        octavo_taps_f16_end(next, p->act_min, p->act_max, channels, out + p->out_c);
    }
}

/* The same for up to two neighbouring pixels whatever their windows, which are both read before either is written. */
OCTAVO_INLINE void octavo_conv2d_f16_pair(const octavo_conv2d_f16_params *p, const int16_t *image, int32_t y0,
    int32_t x0, int32_t pixels, const int16_t *weights, const int16_t *bias, int32_t channels, int16_t *out)
{
    int32_t mine[2];
    int32_t its[2];
    octavo_conv2d_f16_columns(p, x0, mine, mine + 1);
    octavo_conv2d_f16_columns(p, x0 + p->stride_w, its, its + 1);
    if (pixels > 1 && mine[0] == its[0] && mine[1] == its[1]) {
        octavo_conv2d_f16_block(p, image, y0, x0, 2, weights, bias, channels, out);
        return;
    }
    int16_t first[OCTAVO_TAPS_F16_BLOCK];
    octavo_conv2d_f16_block(p, image, y0, x0, 1, weights, bias, channels, first);
    if (pixels > 1) {
        octavo_conv2d_f16_block(p, image, y0, x0 + p->stride_w, 1, weights, bias, channels, out + p->out_c);
    }
    memcpy(out, first, (uint32_t)channels * sizeof *out);
}

static inline void octavo_conv2d_f16(const octavo_conv2d_f16_params *p, const int16_t *x, const int16_t *weights,
    const int16_t *bias, int16_t *out)
{
    const int32_t group_in = p->in_c / p->groups;
    const int32_t group_out = p->out_c / p->groups;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        for (int32_t ox = 0; ox < p->out_w; ox += 2) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t pixels = octavo_min(2, p->out_w - ox);
            for (int32_t g = 0; g < p->groups; ++g) {
                const int16_t *image = x + g * group_in;
                int32_t c = g * group_out;
                const int32_t end = c + group_out;
                for (; c + OCTAVO_TAPS_F16_BLOCK <= end; c += OCTAVO_TAPS_F16_BLOCK) {
                    octavo_conv2d_f16_pair(
                        p, image, y0, x0, pixels, weights + c, bias + c, OCTAVO_TAPS_F16_BLOCK, out + c);
                }
                if (group_out % OCTAVO_TAPS_F16_BLOCK > 0) {
                    octavo_conv2d_f16_pair(p, image, y0, x0, pixels, weights + c, bias + c, end - c, out + c);
                }
            }
            out += pixels * p->out_c;
        }
    }
}

#endif /* OCTAVO_CONV2D_F16_H */
