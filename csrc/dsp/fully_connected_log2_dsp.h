/* fully_connected_s8_dsp with weights that are powers of two: words of codes as in log2.h instead of pairs of words. */
#ifndef OCTAVO_FULLY_CONNECTED_LOG2_DSP_H
#define OCTAVO_FULLY_CONNECTED_LOG2_DSP_H

#include "fully_connected_s8_dsp.h"

typedef octavo_fully_connected_s8_dsp_params octavo_fully_connected_log2_dsp_params;

OCTAVO_KERNEL void octavo_fully_connected_log2_dsp(
    const octavo_fully_connected_log2_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out)
{
    octavo_fully_connected_s8_dsp_rows(p, x, stream, out, 4);
}

#endif /* OCTAVO_FULLY_CONNECTED_LOG2_DSP_H */
