/* pointwise_s8_dsp with 4-bit weights; the stream of words as in block_w4.h, one segment. */
#ifndef OCTAVO_POINTWISE_W4_DSP_H
#define OCTAVO_POINTWISE_W4_DSP_H

#include "pointwise_s8_dsp.h"

typedef octavo_pointwise_s8_dsp_params octavo_pointwise_w4_dsp_params;

OCTAVO_KERNEL void octavo_pointwise_w4_dsp(
    const octavo_pointwise_w4_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_dsp_blocks(p, x, stream, out, scratch, 1, 4);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_pointwise_w4_dsp_any(
    const octavo_pointwise_w4_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_dsp_blocks(p, x, stream, out, scratch, 0, 4);
}

#endif /* OCTAVO_POINTWISE_W4_DSP_H */
