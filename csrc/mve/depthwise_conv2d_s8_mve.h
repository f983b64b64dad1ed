/* Depthwise convolution for Helium, one output a channel: x [H, W, C], out [out_h, out_w, C], pixels out_stride bytes
 * apart; the stream of words as in block.h, taps [KW, KH].
 *
 * Four channels after four channels, their image goes through a strip of strip_w columns as in strip.h, with pixels of
 * the zero point around it. After moves rows of the output the strip is moved back to where scratch begins.
 *
 * A channel reads and writes only its own bytes of each pixel, and rows are read before they are written: out may
 * be x.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S8_MVE_H
#define OCTAVO_DEPTHWISE_CONV2D_S8_MVE_H

#include "strip.h"
#include "window.h"

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
    int32_t strip_w;
    int32_t moves;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_depthwise_conv2d_s8_mve_params;

/* The first lanes of four channels at x and out; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s8_mve_four(const octavo_depthwise_conv2d_s8_mve_params *p, int32_t known,
    int32_t lanes, const int8_t *x, const int8_t *stream, int8_t *out, int8_t *start)
{
    const octavo_mve_windows windows = {known, p->out_stride, p->kernel_h * p->kernel_w, 4 * p->stride_w * p->kernel_h,
        {p->output_zero_point, p->negative_ties, p->act_min, p->act_max}};
    const octavo_mve_strip shape = {
        p->in_h, p->in_w, p->channels, lanes, 4, p->kernel_h, p->pad_left, p->strip_w, p->input_zero_point};
    const int32_t limits[8] = {
        p->act_min, p->act_min, p->act_min, p->act_min, p->act_max, p->act_max, p->act_max, p->act_max};
    const int32_t advance = p->stride_h < p->kernel_h ? 4 * p->stride_h : 0;
    int8_t *strip = start;
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h - p->pad_top;
        for (next = octavo_max(next, top); next < top + p->kernel_h; ++next) {
            octavo_mve_load(&shape, x, next, strip + 4 * (next - top));
        }
        octavo_mve_window_row(&windows, lanes, p->out_w, strip, stream, limits, out);
        out += p->out_w * p->out_stride;
        strip += advance;
        if (strip == start + p->moves * advance && advance > 0) {
            octavo_mve_move_down(start, strip, 4 * p->strip_w * p->kernel_h - advance);
            strip = start;
        }
    }
}

OCTAVO_KERNEL void octavo_depthwise_conv2d_s8_mve(const octavo_depthwise_conv2d_s8_mve_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch)
{
    const int8_t *part = (const int8_t *)stream;
    for (int32_t c = 0; c < p->channels / 4; ++c) {
        octavo_depthwise_conv2d_s8_mve_four(p, 1, 4, x, part, out, (int8_t *)scratch);
        part += 16 + 4 * p->kernel_h * p->kernel_w + OCTAVO_MVE_RECORD;
        x += 4;
        out += 4;
    }
    if (p->channels % 4 > 0) {
        octavo_depthwise_conv2d_s8_mve_four(p, 1, p->channels % 4, x, part, out, (int8_t *)scratch);
    }
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_depthwise_conv2d_s8_mve_any(const octavo_depthwise_conv2d_s8_mve_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch)
{
    const int8_t *part = (const int8_t *)stream;
    for (int32_t c = 0; c < p->channels; c += 4) {
        octavo_depthwise_conv2d_s8_mve_four(
            p, 0, octavo_min(p->channels - c, 4), x + c, part, out + c, (int8_t *)scratch);
        part += 16 + 4 * p->kernel_h * p->kernel_w + OCTAVO_MVE_RECORD;
    }
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S8_MVE_H */
