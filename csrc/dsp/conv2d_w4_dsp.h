/* conv2d_s8_dsp with 4-bit weights; the stream of words as in block_w4.h, a segment a kernel row. */
#ifndef OCTAVO_CONV2D_W4_DSP_H
#define OCTAVO_CONV2D_W4_DSP_H

#include "conv2d_s8_dsp.h"

typedef octavo_conv2d_s8_dsp_params octavo_conv2d_w4_dsp_params;

OCTAVO_KERNEL void octavo_conv2d_w4_dsp(
    const octavo_conv2d_w4_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_dsp_blocks(p, x, stream, out, scratch, p->block, 1, 4);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_conv2d_w4_dsp_any(
    const octavo_conv2d_w4_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_dsp_blocks(p, x, stream, out, scratch, 2, 0, 4);
}

#endif /* OCTAVO_CONV2D_W4_DSP_H */
