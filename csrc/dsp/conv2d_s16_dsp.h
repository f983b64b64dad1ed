/* Convolution for the DSP extension: x int16 [H, W, C], out [out_h, out_w, O]; the stream of words as in block_s16.h, a
 * segment a kernel row.
 *
 * The rows of the image that a row of the output needs wait in scratch, in a ring as that of conv2d_s8_dsp, between
 * pixels of zeros. Kernel rows outside the image are left out.
 *
 * All input that row oy of the output needs is read before it is written.
 */
#ifndef OCTAVO_CONV2D_S16_DSP_H
#define OCTAVO_CONV2D_S16_DSP_H

#include "block_s16.h"

#define OCTAVO_CONV2D_S16_DSP_ROWS 16

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
    int32_t ring_w;
    int32_t ring_row;
    int32_t ring_size;
    int32_t taps;
    int32_t block;
    int32_t wide;
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_conv2d_s16_dsp_params;

/* Row y of the image to its place in the ring. */
OCTAVO_INLINE void octavo_conv2d_s16_dsp_load(
    const octavo_conv2d_s16_dsp_params *p, const int16_t *x, int32_t y, int16_t *ring)
{
    int16_t *row = ring + (y + p->pad_top) % p->kernel_h * p->ring_row + p->pad_left * p->channels;
    x += y * p->in_w * p->in_c;
    if (p->channels == p->in_c) {
        memcpy(row, x, (uint32_t)(p->in_w * p->in_c) * sizeof *row);
        return;
    }
    for (int32_t i = 0; i < p->in_w; ++i, x += p->in_c, row += p->channels) {
        for (int32_t c = 0; c < p->in_c; ++c) {
            row[c] = x[c];
        }
    }
}

/* A row of the output by blocks of p->block pixels, from the kernel rows from first to end. */
OCTAVO_INLINE void octavo_conv2d_s16_dsp_row(const octavo_conv2d_s16_dsp_params *p, const octavo_dsp_layer_s16 *layer,
    const int32_t *stream, const int16_t **windows, int32_t first, int32_t end, int16_t *out)
{
    int32_t left = p->out_w;
    if (p->block == 2) {
        for (; left >= 2; left -= 2) {
            octavo_dsp_block_s16(layer, stream, 2, windows, first, end, out);
            out += 2 * p->out_c;
            for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
                windows[ky] += 2 * layer->stride;
            }
        }
    }
    for (; left > 0; --left) {
        octavo_dsp_block_s16(layer, stream, 1, windows, first, end, out);
        out += p->out_c;
        for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
            windows[ky] += layer->stride;
        }
    }
}

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_conv2d_s16_dsp_rows(const octavo_conv2d_s16_dsp_params *p, const int16_t *x,
    const int32_t *stream, int16_t *out, void *scratch, int32_t known)
{
    const octavo_dsp_layer_s16 layer = {
        known, p->out_c, p->kernel_h, p->taps, p->stride_w * p->channels, p->wide, {p->shifted, p->act_min, p->act_max}};
    const int16_t *windows[OCTAVO_CONV2D_S16_DSP_ROWS];
    int16_t *const ring = (int16_t *)scratch;
    memset(ring, 0, (uint32_t)p->ring_size * sizeof *ring);
    int32_t next = 0;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h - p->pad_top;
        const int32_t end = octavo_min(top + p->kernel_h, p->in_h);
        for (next = octavo_max(next, top); next < end; ++next) {
            octavo_conv2d_s16_dsp_load(p, x, next, ring);
        }
        for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
            windows[ky] = ring + (oy * p->stride_h + ky) % p->kernel_h * p->ring_row;
        }
        const int32_t first = octavo_min(octavo_max(-top, 0), p->kernel_h);
        octavo_conv2d_s16_dsp_row(p, &layer, stream, windows, first, octavo_max(end - top, first), out);
        out += p->out_w * p->out_c;
    }
}

OCTAVO_KERNEL void octavo_conv2d_s16_dsp(
    const octavo_conv2d_s16_dsp_params *p, const int16_t *x, const int32_t *stream, int16_t *out, void *scratch)
{
    octavo_conv2d_s16_dsp_rows(p, x, stream, out, scratch, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_conv2d_s16_dsp_any(
    const octavo_conv2d_s16_dsp_params *p, const int16_t *x, const int32_t *stream, int16_t *out, void *scratch)
{
    octavo_conv2d_s16_dsp_rows(p, x, stream, out, scratch, 0);
}

#endif /* OCTAVO_CONV2D_S16_DSP_H */
