/* Convolution of one pixel for the DSP extension: x int16 [pixels, C], C a multiple of 4, out [pixels, O]; the stream of
 * words as in block_s16.h, one segment of C taps. Pixels are read where they lie.
 *
 * A block of pixels is read for every pair of channels, which are then written.
 */
#ifndef OCTAVO_POINTWISE_S16_DSP_H
#define OCTAVO_POINTWISE_S16_DSP_H

#include "block_s16.h"

typedef struct {
    int32_t pixels;
    int32_t in_c;
    int32_t out_c;
    int32_t block;
    int32_t wide;
    int32_t act_min;
    int32_t act_max;
} octavo_pointwise_s16_dsp_params;

/* The layer by blocks of p->block pixels; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_pointwise_s16_dsp_blocks(const octavo_pointwise_s16_dsp_params *p, const int16_t *x,
    const int32_t *stream, int16_t *out, int32_t known)
{
    const octavo_dsp_layer_s16 layer = {known, p->out_c, 1, p->in_c, p->in_c, p->wide, p->act_min, p->act_max};
    int32_t left = p->pixels;
    if (p->block == 2) {
        for (; left >= 2; left -= 2) {
            octavo_dsp_block_s16(&layer, stream, 2, &x, 0, 1, out);
            x += 2 * p->in_c;
            out += 2 * p->out_c;
        }
    }
    for (; left > 0; --left) {
        octavo_dsp_block_s16(&layer, stream, 1, &x, 0, 1, out);
        x += p->in_c;
        out += p->out_c;
    }
}

OCTAVO_KERNEL void octavo_pointwise_s16_dsp(
    const octavo_pointwise_s16_dsp_params *p, const int16_t *x, const int32_t *stream, int16_t *out)
{
    octavo_pointwise_s16_dsp_blocks(p, x, stream, out, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_pointwise_s16_dsp_any(
    const octavo_pointwise_s16_dsp_params *p, const int16_t *x, const int32_t *stream, int16_t *out)
{
    octavo_pointwise_s16_dsp_blocks(p, x, stream, out, 0);
}

#endif /* OCTAVO_POINTWISE_S16_DSP_H */
