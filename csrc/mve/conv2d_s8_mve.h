/* Convolution for Helium: x [H, W, C], out [out_h, out_w, O], pixels out_stride bytes apart; the stream of words as in
 * block.h, taps [KW, KH, C].
 *
 * The input waits in scratch, in a strip of strip_w columns as in strip.h, with pixels of the zero point around the
 * image. After moves rows of the output the strip is moved back to where scratch begins.
 *
 * All input that a row of the output needs is read before that row is written.
 */
#ifndef OCTAVO_CONV2D_S8_MVE_H
#define OCTAVO_CONV2D_S8_MVE_H

#include "block.h"
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
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_conv2d_s8_mve_params;

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_conv2d_s8_mve_rows(const octavo_conv2d_s8_mve_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t known, int32_t bits)
{
    const int32_t column = p->kernel_h * p->in_c;
    const octavo_mve_layer layer = {known, bits, p->out_c, p->out_stride, p->kernel_w * column, p->stride_w * column,
        {p->output_zero_point, p->negative_ties, p->act_min, p->act_max}};
    const octavo_mve_strip shape = {
        p->in_h, p->in_w, p->in_c, p->in_c, p->in_c, p->kernel_h, p->pad_left, p->strip_w, p->input_zero_point};
    const int32_t advance = p->stride_h < p->kernel_h ? p->stride_h * p->in_c : 0;
    int8_t *const start = (int8_t *)scratch;
    int8_t *strip = start;
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h - p->pad_top;
        for (next = octavo_max(next, top); next < top + p->kernel_h; ++next) {
            octavo_mve_load(&shape, x, next, strip + (next - top) * p->in_c);
        }
        octavo_mve_row(&layer, stream, p->out_w, strip, out);
        out += p->out_w * p->out_stride;
        strip += advance;
        if (strip == start + p->moves * advance && advance > 0) {
            octavo_mve_move_down(start, strip, p->strip_w * column - advance);
            strip = start;
        }
    }
}

OCTAVO_KERNEL void octavo_conv2d_s8_mve(
    const octavo_conv2d_s8_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_mve_rows(p, x, stream, out, scratch, 1, 8);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_conv2d_s8_mve_any(
    const octavo_conv2d_s8_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_mve_rows(p, x, stream, out, scratch, 0, 8);
}

#endif /* OCTAVO_CONV2D_S8_MVE_H */
