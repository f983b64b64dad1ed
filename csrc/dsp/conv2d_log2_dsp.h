/* conv2d_s8_dsp with weights that are powers of two; the stream of words as in log2.h, a segment a kernel row.
 *
 * A pair of channels is written out behind the ring, where its words begin at a multiple of 4, and computed for as many
 * rows of the output as find all they need in the ring.
 */
#ifndef OCTAVO_CONV2D_LOG2_DSP_H
#define OCTAVO_CONV2D_LOG2_DSP_H

#include "conv2d_s8_dsp.h"
#include "log2.h"

typedef octavo_conv2d_s8_dsp_params octavo_conv2d_log2_dsp_params;

/* As octavo_conv2d_s8_dsp_blocks. */
OCTAVO_INLINE void octavo_conv2d_log2_dsp_blocks(const octavo_conv2d_log2_dsp_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t block, int32_t known)
{
    const octavo_dsp_layer whole = octavo_conv2d_s8_dsp_layer(p, known, 8);
    int16_t *const ring = (int16_t *)scratch;
    int32_t *const pair = (int32_t *)scratch + (p->ring_size + 1) / 2;
    const int32_t step = (p->ring_h - p->kernel_h) / p->stride_h + 1;
    octavo_fill_s16(ring, p->ring_size, p->input_zero_point);
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; oy += step) {
        const int32_t count = octavo_min(step, p->out_h - oy);
        const octavo_word *codes = (const octavo_word *)stream;
        octavo_conv2d_s8_dsp_rows(p, x, oy, count, ring, &next);
        for (int32_t o = 0; o < p->out_c; o += 2) {
            const octavo_dsp_layer layer = octavo_log2_layer(&whole, o);
            codes = octavo_log2_pair(codes, p->kernel_h * p->taps / 4, pair);
            for (int32_t i = 0; i < count; ++i) {
                octavo_conv2d_s8_dsp_row(p, &layer, pair, block, ring, oy + i, out + i * p->out_w * p->out_stride + o);
            }
        }
        out += count * p->out_w * p->out_stride;
    }
}

OCTAVO_KERNEL void octavo_conv2d_log2_dsp(
    const octavo_conv2d_log2_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_log2_dsp_blocks(p, x, stream, out, scratch, p->block, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_conv2d_log2_dsp_any(
    const octavo_conv2d_log2_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_log2_dsp_blocks(p, x, stream, out, scratch, 2, 0);
}

#endif /* OCTAVO_CONV2D_LOG2_DSP_H */
