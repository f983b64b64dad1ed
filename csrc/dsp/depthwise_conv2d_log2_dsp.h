/* depthwise_conv2d_s8_dsp with weights that are powers of two: [C, (KH * KW + 1) / 2] bytes of codes as in log2.h, two taps
 * each, the first one's in the upper half.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_LOG2_DSP_H
#define OCTAVO_DEPTHWISE_CONV2D_LOG2_DSP_H

#include "depthwise_conv2d_s8_dsp.h"

typedef octavo_depthwise_conv2d_s8_dsp_params octavo_depthwise_conv2d_log2_dsp_params;

OCTAVO_KERNEL void octavo_depthwise_conv2d_log2_dsp(const octavo_depthwise_conv2d_log2_dsp_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *scale, const int8_t *shift, int8_t *out, void *scratch)
{
    octavo_depthwise_conv2d_s8_dsp_channels(p, x, weights, scale, shift, out, scratch, 4);
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_LOG2_DSP_H */
