/* conv2d_s8_mve with 4-bit weights; the stream of words as in block.h, its weights as in dot_w4.h. */
#ifndef OCTAVO_CONV2D_W4_MVE_H
#define OCTAVO_CONV2D_W4_MVE_H

#include "conv2d_s8_mve.h"

typedef octavo_conv2d_s8_mve_params octavo_conv2d_w4_mve_params;

OCTAVO_KERNEL void octavo_conv2d_w4_mve(
    const octavo_conv2d_w4_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_conv2d_s8_mve_rows(p, x, stream, out, scratch, 1, 4);
}

#endif /* OCTAVO_CONV2D_W4_MVE_H */
