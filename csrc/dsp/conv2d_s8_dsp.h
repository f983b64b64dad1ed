/* Convolution for the DSP extension: x [H, W, C], out [out_h, out_w, O], pixels out_stride bytes apart; the
 * stream of words as in block.h, a segment a kernel row.
 *
 * The rows of the image that a row of the output needs wait in scratch as int16, ring_h of them in a ring, between
 * pixels of the zero point: a window is kernel_h segments of taps elements and nothing is copied per window. A row of
 * the ring is ring_w pixels; what pads it on the right is the next row's padding on the left. Pixels of the ring have
 * channels >= in_c elements, so that every window starts at a word.
 *
 * All input that row oy of the output needs is read before it is written.
 */
#ifndef OCTAVO_CONV2D_S8_DSP_H
#define OCTAVO_CONV2D_S8_DSP_H

#include "block_w4.h"
#include "widen.h"

#define OCTAVO_CONV2D_S8_DSP_ROWS 16

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
    int32_t channels;
    int32_t ring_h;
    int32_t ring_w;
    int32_t ring_row;
    int32_t ring_size;
    int32_t taps;
    int32_t block;
    int32_t exact_segments;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_conv2d_s8_dsp_params;

/* Row y of the image to its place in the ring; rows outside the image are zero points. */
OCTAVO_INLINE void octavo_conv2d_s8_dsp_load(
    const octavo_conv2d_s8_dsp_params *p, const int8_t *x, int32_t y, int16_t *ring)
{
    int16_t *const row = ring + (y + p->pad_top) % p->ring_h * p->ring_row + p->pad_left * p->channels;
    if (y >= 0 && y < p->in_h) {
        octavo_widen_pixels(x + y * p->in_w * p->in_c, p->in_w, p->in_c, p->channels, p->pad_left * p->channels % 2 == 0, row);
    } else {
        octavo_fill_s16(row, p->in_w * p->channels, p->input_zero_point);
    }
}

/* A layer's parameters as the blocks of a row need them; known says that the compiler sees them. */
OCTAVO_INLINE octavo_dsp_layer octavo_conv2d_s8_dsp_layer(
    const octavo_conv2d_s8_dsp_params *p, int32_t known, int32_t bits)
{
    const octavo_dsp_layer layer = {known, bits, p->out_c, p->out_stride, p->kernel_h, p->taps, p->stride_w * p->channels,
        p->exact_segments, p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    return layer;
}

/* All that count rows of the output from oy on need of the image, into the ring; next is the first row of the image that
 * has not been there. */
OCTAVO_INLINE void octavo_conv2d_s8_dsp_rows(const octavo_conv2d_s8_dsp_params *p, const int8_t *x, int32_t oy,
    int32_t count, int16_t *ring, int32_t *next)
{
    const int32_t top = oy * p->stride_h - p->pad_top;
    const int32_t end = top + (count - 1) * p->stride_h + p->kernel_h;
    for (*next = octavo_max(*next, top); *next < end; ++*next) {
        octavo_conv2d_s8_dsp_load(p, x, *next, ring);
    }
}

/* Row oy of the output by blocks of this many pixels. */
OCTAVO_INLINE void octavo_conv2d_s8_dsp_row(const octavo_conv2d_s8_dsp_params *p, const octavo_dsp_layer *layer,
    const int32_t *stream, int32_t block, const int16_t *ring, int32_t oy, int8_t *out)
{
    const int16_t *windows[OCTAVO_CONV2D_S8_DSP_ROWS];
    for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        windows[ky] = ring + (oy * p->stride_h + ky) % p->ring_h * p->ring_row;
    }
    for (int32_t left = p->out_w; left >= block; left -= block) {
        octavo_dsp_pixels(layer, stream, block, windows, out);
        out += block * p->out_stride;
        for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
            windows[ky] += block * layer->stride;
        }
    }
    const int32_t rest = p->out_w % block;
    if (rest > 0) {
        octavo_dsp_pixels(layer, stream, layer->known ? rest : 1, windows, out);
    }
}

/* The layer by blocks of this many pixels. */
OCTAVO_INLINE void octavo_conv2d_s8_dsp_blocks(const octavo_conv2d_s8_dsp_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t block, int32_t known, int32_t bits)
{
    const octavo_dsp_layer layer = octavo_conv2d_s8_dsp_layer(p, known, bits);
    int16_t *const ring = (int16_t *)scratch;
    octavo_fill_s16(ring, p->ring_size, p->input_zero_point);
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        octavo_conv2d_s8_dsp_rows(p, x, oy, 1, ring, &next);
        octavo_conv2d_s8_dsp_row(p, &layer, stream, block, ring, oy, out);
        out += p->out_w * p->out_stride;
    }
}

OCTAVO_KERNEL void octavo_conv2d_s8_dsp(
    const octavo_conv2d_s8_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_dsp_blocks(p, x, stream, out, scratch, p->block, 1, 8);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_conv2d_s8_dsp_any(
    const octavo_conv2d_s8_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_dsp_blocks(p, x, stream, out, scratch, 2, 0, 8);
}

#endif /* OCTAVO_CONV2D_S8_DSP_H */
