/* Convolution: x [H, W, C], weights [O, KH, KW, C / groups], bias [O]; out [out_h, out_w, O].
 * multiplier and shift have out_c elements when per_channel is 1, else one.
 */
#ifndef OCTAVO_CONV2D_S8_H
#define OCTAVO_CONV2D_S8_H

#include "../octavo.h"

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
    int32_t per_channel;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t act_min;
    int32_t act_max;
} octavo_conv2d_s8_params;

/* Sum of (x - zero_point) * w over n contiguous elements. */
static inline int32_t octavo_conv2d_s8_dot(const int8_t *x, const int8_t *w, int32_t n, int32_t zero_point)
{
    int32_t acc = 0;
    for (int32_t i = 0; i < n; ++i) {
        acc += ((int32_t)x[i] - zero_point) * (int32_t)w[i];
    }
    return acc;
}

/* First kernel position inside the image when the window starts at origin. */
static inline int32_t octavo_conv2d_s8_first(int32_t origin, int32_t dilation)
{
    return origin >= 0 ? 0 : (-origin + dilation - 1) / dilation;
}

/* One past the last kernel position inside the image. */
static inline int32_t octavo_conv2d_s8_last(int32_t origin, int32_t dilation, int32_t kernel, int32_t size)
{
    const int32_t room = size - origin;
    return room <= 0 ? 0 : octavo_min(kernel, (room + dilation - 1) / dilation);
}

static inline void octavo_conv2d_s8(const octavo_conv2d_s8_params *p, const int8_t *x, const int8_t *weights,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *out)
{
    const int32_t group_in = p->in_c / p->groups;
    const int32_t group_out = p->out_c / p->groups;
    const int32_t filter = p->kernel_h * p->kernel_w * group_in;
    /* The taps of a kernel row touch, so a row is one dot product. */
    const int32_t contiguous = p->dilation_w == 1 && p->groups == 1;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const int32_t ky0 = octavo_conv2d_s8_first(y0, p->dilation_h);
        const int32_t ky1 = octavo_conv2d_s8_last(y0, p->dilation_h, p->kernel_h, p->in_h);
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t kx0 = octavo_conv2d_s8_first(x0, p->dilation_w);
            const int32_t kx1 = octavo_conv2d_s8_last(x0, p->dilation_w, p->kernel_w, p->in_w);
            for (int32_t oc = 0; oc < p->out_c; ++oc) {
                const int8_t *w = weights + oc * filter;
                const int32_t channel = oc / group_out * group_in;
                const int32_t c = p->per_channel ? oc : 0;
                int32_t acc = bias[oc];
                for (int32_t ky = ky0; ky < ky1 && kx0 < kx1; ++ky) {
                    const int8_t *row = x + (y0 + ky * p->dilation_h) * p->in_w * p->in_c + channel;
                    const int8_t *taps = w + ky * p->kernel_w * group_in;
                    if (contiguous) {
                        acc = octavo_add_wrap(acc,
                            octavo_conv2d_s8_dot(row + (x0 + kx0) * p->in_c, taps + kx0 * group_in,
                                (kx1 - kx0) * group_in, p->input_zero_point));
                        continue;
                    }
                    for (int32_t kx = kx0; kx < kx1; ++kx) {
                        acc = octavo_add_wrap(acc,
                            octavo_conv2d_s8_dot(row + (x0 + kx * p->dilation_w) * p->in_c, taps + kx * group_in,
                                group_in, p->input_zero_point));
                    }
                }
                *out++ = octavo_finish(acc, multiplier[c], shift[c], p->output_zero_point, p->act_min, p->act_max);
            }
        }
    }
}

#endif /* OCTAVO_CONV2D_S8_H */
