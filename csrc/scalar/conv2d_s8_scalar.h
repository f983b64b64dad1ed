/* Convolution for cores without SIMD: x [H, W, C], weights [O, kernel_h, taps], taps >= kernel_w C; out [out_h, out_w,
 * O], pixels out_stride bytes apart; records as in dot.h, a segment a kernel row.
 *
 * The rows of the image that a row of the output needs wait in scratch as words of two pixels (quarters.h), kernel_h of
 * them in a ring of rows of ring_row words.
 *
 * All input that row oy of the output needs is read before it is written.
 */
#ifndef OCTAVO_CONV2D_S8_SCALAR_H
#define OCTAVO_CONV2D_S8_SCALAR_H

#include "quarters.h"

#define OCTAVO_CONV2D_S8_SCALAR_ROWS 16

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t in_c;
    int32_t out_h;
    int32_t out_w;
    int32_t out_c;
    int32_t kernel_h;
    int32_t stride_h;
    int32_t stride_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t columns;
    int32_t ring_row;
    int32_t ring_size;
    int32_t taps;
    int32_t chunk;
    int32_t shift_only;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_conv2d_s8_scalar_params;

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_conv2d_s8_scalar_rows(const octavo_conv2d_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch, int32_t known)
{
    const octavo_scalar_layer layer = {known, p->out_c, p->kernel_h, 0, p->taps, p->chunk, p->shift_only,
        p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    const int32_t start[OCTAVO_SCALAR_PIXELS] = {0, octavo_scalar_start(p->out_w, 1), octavo_scalar_start(p->out_w, 2),
        octavo_scalar_start(p->out_w, 3)};
    const octavo_scalar_quarters quarters = {p->in_w, p->in_c, p->in_c, p->columns, p->pad_left, p->input_zero_point,
        {0, start[1] * p->stride_w, start[2] * p->stride_w, start[3] * p->stride_w}};
    const int32_t apart[OCTAVO_SCALAR_PIXELS] = {
        0, start[1] * p->out_stride, start[2] * p->out_stride, start[3] * p->out_stride};
    const uint32_t *windows[OCTAVO_CONV2D_S8_SCALAR_ROWS];
    uint32_t *const ring = (uint32_t *)scratch;
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h - p->pad_top;
        for (next = octavo_max(next, top); next < top + p->kernel_h; ++next) {
            octavo_scalar_load(&quarters, next >= 0 && next < p->in_h ? x + next * p->in_w * p->in_c : 0,
                ring + (next + p->pad_top) % p->kernel_h * p->ring_row);
        }
        for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
            windows[ky] = ring + (oy * p->stride_h + ky) % p->kernel_h * p->ring_row;
        }
        for (int32_t i = 0; i < p->out_w - start[3]; ++i) {
            octavo_scalar_pixels(&layer, records, weights, windows, out + i * p->out_stride, apart);
            for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
                windows[ky] += OCTAVO_SCALAR_PAIRS * p->stride_w * p->in_c;
            }
        }
        out += p->out_w * p->out_stride;
    }
}

OCTAVO_KERNEL void octavo_conv2d_s8_scalar(const octavo_conv2d_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_scalar_rows(p, x, weights, records, out, scratch, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_conv2d_s8_scalar_any(const octavo_conv2d_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_scalar_rows(p, x, weights, records, out, scratch, 0);
}

#endif /* OCTAVO_CONV2D_S8_SCALAR_H */
