/* Convolution of one pixel for the DSP extension: x [pixels, C], out [pixels, O]; the stream of words as in
 * block.h, one segment of taps >= C elements.
 *
 * A block of pixels is widened into scratch, then written: all of its input is read before. Blocks go from the first
 * to the last, or with backward from the last to the first.
 */
#ifndef OCTAVO_POINTWISE_S8_DSP_H
#define OCTAVO_POINTWISE_S8_DSP_H

#include "block.h"
#include "widen.h"

typedef struct {
    int32_t pixels;
    int32_t in_c;
    int32_t out_c;
    int32_t taps;
    int32_t block;
    int32_t backward;
    int32_t exact_segments;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_pointwise_s8_dsp_params;

/* The layer by blocks of this many pixels; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_pointwise_s8_dsp_blocks(const octavo_pointwise_s8_dsp_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t block, int32_t known)
{
    const octavo_dsp_layer layer = {known, p->out_c, 1, p->taps, p->taps, p->exact_segments,
        p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    int16_t *const wide = (int16_t *)scratch;
    const int16_t *const window[1] = {wide};
    const int32_t rest = known ? p->pixels % block : 1;
    int32_t count = block;
    for (int32_t i = 0; i < p->pixels; i += count) {
        count = octavo_min(block, p->pixels - i);
        const int32_t pixel = p->backward ? p->pixels - i - count : i;
        octavo_widen_pixels(x + pixel * p->in_c, count, p->in_c, p->taps, 1, wide);
        if (rest == 0 || count == block) {
            octavo_dsp_block(&layer, stream, block, window, out + pixel * p->out_c);
        } else {
            octavo_dsp_block(&layer, stream, rest, window, out + pixel * p->out_c);
        }
    }
}

OCTAVO_KERNEL void octavo_pointwise_s8_dsp(
    const octavo_pointwise_s8_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_dsp_blocks(p, x, stream, out, scratch, p->block, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_pointwise_s8_dsp_any(
    const octavo_pointwise_s8_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_dsp_blocks(p, x, stream, out, scratch, 2, 0);
}

#endif /* OCTAVO_POINTWISE_S8_DSP_H */
