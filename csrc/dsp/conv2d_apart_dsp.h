/* Convolution whose taps lie apart, for the DSP extension: dilated, or in groups of channels. x [H, W, C], out [out_h,
 * out_w, O], pixels out_stride bytes apart. The stream holds for each group, and in it for each pair of its channels, the
 * words of block.h; a segment is one position of the kernel.
 *
 * The rows of the image that a row of the output needs wait in scratch as in conv2d_s8_dsp.h. Each group's channels of a
 * pixel are channels elements there, at least as many as it has, an even number: every segment starts at a word.
 *
 * All input that row oy of the output needs is read before it is written.
 */
#ifndef OCTAVO_CONV2D_APART_DSP_H
#define OCTAVO_CONV2D_APART_DSP_H

#include "block.h"
#include "widen.h"

#define OCTAVO_CONV2D_APART_DSP_ROWS 16

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
    int32_t channels;
    int32_t ring_h;
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
} octavo_conv2d_apart_dsp_params;

/* Row y of the image to its place in the ring; rows outside the image are zero points. */
OCTAVO_INLINE void octavo_conv2d_apart_dsp_load(
    const octavo_conv2d_apart_dsp_params *p, const int8_t *x, int32_t y, int16_t *ring)
{
    const int32_t pixel = p->groups * p->channels;
    int16_t *const row = ring + (y + p->pad_top) % p->ring_h * p->ring_row + p->pad_left * pixel;
    if (y >= 0 && y < p->in_h) {
        octavo_widen_pixels(x + y * p->in_w * p->in_c, p->in_w * p->groups, p->in_c / p->groups, p->channels, 1, row);
    } else {
        octavo_fill_s16(row, p->in_w * pixel, p->input_zero_point);
    }
}

/* Neighbouring pixels of one group at out; rows are those of the kernel, at the window's first position. Returns the
 * stream's end. */
OCTAVO_INLINE const octavo_word *octavo_conv2d_apart_dsp_block(const octavo_conv2d_apart_dsp_params *p,
    const octavo_dsp_layer *layer, const octavo_word *w, int32_t pixels, const int16_t *const *rows, int32_t at, int8_t *out)
{
    const int32_t step = p->dilation_w * p->groups * p->channels;
    for (int32_t o = 0; o < layer->out_c; o += 2) {
        octavo_dot_sums sums = {{0, 0, 0}, {0, 0, 0}};
        int32_t first[3] = {0, 0, 0};
        for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
            const int16_t *x = rows[ky] + at;
            for (int32_t kx = 0; kx < p->kernel_w; ++kx, x += step) {
                w = octavo_dsp_segment(layer, &sums, first, pixels, x, w);
            }
        }
        octavo_dsp_pair(layer, &sums, first, pixels, w, out + o, layer->out_c % 2 == 0 || o + 1 < layer->out_c);
        w += OCTAVO_DSP_RECORD;
    }
    return w;
}

/* The layer by blocks of this many pixels; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_conv2d_apart_dsp_blocks(const octavo_conv2d_apart_dsp_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t block, int32_t known)
{
    const int32_t group_out = p->out_c / p->groups;
    const int32_t stride = p->stride_w * p->groups * p->channels;
    const octavo_dsp_layer layer = {known, 8, group_out, p->out_stride, p->kernel_h * p->kernel_w, p->taps, stride,
        p->exact_segments, p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    const int16_t *rows[OCTAVO_CONV2D_APART_DSP_ROWS];
    int16_t *const ring = (int16_t *)scratch;
    octavo_fill_s16(ring, p->ring_size, p->input_zero_point);
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h - p->pad_top;
        for (next = octavo_max(next, top); next < top + p->ring_h; ++next) {
            octavo_conv2d_apart_dsp_load(p, x, next, ring);
        }
        for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
            rows[ky] = ring + (oy * p->stride_h + ky * p->dilation_h) % p->ring_h * p->ring_row;
        }
        const octavo_word *w = (const octavo_word *)stream;
        for (int32_t group = 0; group < p->groups; ++group) {
            const octavo_word *const begin = w;
            int32_t at = group * p->channels;
            int8_t *to = out + group * group_out;
            int32_t left = p->out_w;
            for (; left >= block; left -= block) {
                w = octavo_conv2d_apart_dsp_block(p, &layer, begin, block, rows, at, to);
                at += block * stride;
                to += block * p->out_stride;
            }
            if (block > 1) {
                for (; left > 0; --left) {
                    w = octavo_conv2d_apart_dsp_block(p, &layer, begin, 1, rows, at, to);
                    at += stride;
                    to += p->out_stride;
                }
            }
        }
        out += p->out_w * p->out_stride;
    }
}

OCTAVO_KERNEL void octavo_conv2d_apart_dsp(
    const octavo_conv2d_apart_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_apart_dsp_blocks(p, x, stream, out, scratch, p->block, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_conv2d_apart_dsp_any(
    const octavo_conv2d_apart_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_apart_dsp_blocks(p, x, stream, out, scratch, 1, 0);
}

#endif /* OCTAVO_CONV2D_APART_DSP_H */
