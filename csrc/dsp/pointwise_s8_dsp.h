/* Convolution of one pixel for the DSP extension: x [pixels, C], out [pixels, O], out_stride bytes apart; the stream of words as in
 * block.h, one segment of taps >= C elements.
 *
 * A block of pixels is widened into scratch, then written: all of its input is read before. Blocks go from the first
 * to the last, or with backward from the last to the first.
 */
#ifndef OCTAVO_POINTWISE_S8_DSP_H
#define OCTAVO_POINTWISE_S8_DSP_H

#include "block_w4.h"
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
    int32_t out_stride;
} octavo_pointwise_s8_dsp_params;

/* The layer; known says that the compiler sees the parameters. If it does not, the pixels of a block are computed in pairs,
 * for which the code is small. */
OCTAVO_INLINE void octavo_pointwise_s8_dsp_blocks(const octavo_pointwise_s8_dsp_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t known, int32_t bits)
{
    const octavo_dsp_layer layer = {known, bits, p->out_c, p->out_stride, 1, p->taps, p->taps, p->exact_segments,
        p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    int16_t *const wide = (int16_t *)scratch;
    const int32_t group = known ? p->block : 2;
    const int32_t rest = known ? p->pixels % p->block : 1;
    const int32_t step = p->backward ? -p->block : p->block;
    int32_t first = p->backward ? (p->pixels - 1) / p->block * p->block : 0;
    for (; first >= 0 && first < p->pixels; first += step) {
        const int32_t count = octavo_min(p->block, p->pixels - first);
        octavo_widen_pixels(x + first * p->in_c, count, p->in_c, p->taps, 1, wide);
        for (int32_t i = 0; i < (known ? 1 : count); i += group) {
            const int16_t *const window[1] = {wide + i * p->taps};
            int8_t *const to = out + (first + i) * p->out_stride;
            if (rest == 0 || count - i >= group) {
                octavo_dsp_pixels(&layer, stream, group, window, to);
            } else {
                octavo_dsp_pixels(&layer, stream, rest, window, to);
            }
        }
    }
}

OCTAVO_KERNEL void octavo_pointwise_s8_dsp(
    const octavo_pointwise_s8_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_dsp_blocks(p, x, stream, out, scratch, 1, 8);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_pointwise_s8_dsp_any(
    const octavo_pointwise_s8_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_dsp_blocks(p, x, stream, out, scratch, 0, 8);
}

#endif /* OCTAVO_POINTWISE_S8_DSP_H */
