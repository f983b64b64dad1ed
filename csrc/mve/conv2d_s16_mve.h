/* Convolution for Helium: x int16 [H, W, C], out [out_h, out_w, O]; the stream of words as in block_s16.h, taps [KW,
 * KH, C]. The strip and the order are those of conv2d_s8_mve; zero points are 0.
 */
#ifndef OCTAVO_CONV2D_S16_MVE_H
#define OCTAVO_CONV2D_S16_MVE_H

#include "block_s16.h"
#include "strip.h"

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
    int32_t moves;
    int32_t wide;
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_conv2d_s16_mve_params;

OCTAVO_KERNEL void octavo_conv2d_s16_mve(
    const octavo_conv2d_s16_mve_params *p, const int16_t *x, const int32_t *stream, int16_t *out, void *scratch)
{
    const int32_t column = p->kernel_h * p->in_c;
    const octavo_mve_layer_s16 layer = {
        p->out_c, p->kernel_w * column, p->stride_w * column, p->wide, {p->shifted, p->act_min, p->act_max}};
    const octavo_mve_strip shape = {
        p->in_h, p->in_w, 2 * p->in_c, 2 * p->in_c, 2 * p->in_c, p->kernel_h, p->pad_left, p->strip_w, 0};
    const int32_t advance = p->stride_h < p->kernel_h ? p->stride_h * p->in_c : 0;
    int16_t *const start = (int16_t *)scratch;
    int16_t *strip = start;
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h - p->pad_top;
        for (next = octavo_max(next, top); next < top + p->kernel_h; ++next) {
            octavo_mve_load(&shape, (const int8_t *)x, next, (int8_t *)(strip + (next - top) * p->in_c));
        }
        octavo_mve_row_s16(&layer, stream, p->out_w, strip, out);
        out += p->out_w * p->out_c;
        strip += advance;
        if (strip == start + p->moves * advance && advance > 0) {
            octavo_mve_move_down((int8_t *)start, (const int8_t *)strip, 2 * (p->strip_w * column - advance));
            strip = start;
        }
    }
}

#endif /* OCTAVO_CONV2D_S16_MVE_H */
