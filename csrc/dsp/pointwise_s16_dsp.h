/* Convolution of one pixel for the DSP extension: x int16 [pixels, C], C a multiple of 4, out [pixels, O]; the stream of
 * words as in block_s16.h, one segment of C taps. Pixels are read where they lie.
 *
 * A block of pixels is read for every pair of channels, which are then written. Blocks go from the first to the last, or
 * with backward from the last to the first.
 */
#ifndef OCTAVO_POINTWISE_S16_DSP_H
#define OCTAVO_POINTWISE_S16_DSP_H

#include "block_s16.h"

typedef struct {
    int32_t pixels;
    int32_t in_c;
    int32_t out_c;
    int32_t block;
    int32_t backward;
    int32_t wide;
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_pointwise_s16_dsp_params;

/* The layer by blocks of p->block pixels; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_pointwise_s16_dsp_blocks(const octavo_pointwise_s16_dsp_params *p, const int16_t *x,
    const int32_t *stream, int16_t *out, int32_t known)
{
    const octavo_dsp_layer_s16 layer = {known, p->out_c, 1, p->in_c, p->in_c, p->wide, {p->shifted, p->act_min, p->act_max}};
    const int32_t step = p->backward ? -p->block : p->block;
    int32_t first = p->backward ? (p->pixels - 1) / p->block * p->block : 0;
    for (; first >= 0 && first < p->pixels; first += step) {
        const int16_t *const window[1] = {x + first * p->in_c};
        int16_t *const to = out + first * p->out_c;
        if (p->block == 2 && (p->pixels % 2 == 0 || p->pixels - first >= 2)) {
            octavo_dsp_block_s16(&layer, stream, 2, window, 0, 1, to);
        } else {
            octavo_dsp_block_s16(&layer, stream, 1, window, 0, 1, to);
        }
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
