/* Convolution of one pixel for Helium: x int16 [pixels, C], out [pixels, O]; the stream of words as in block_s16.h.
 * Two pixels are copied into scratch, then written, in the order of pointwise_s8_mve.
 */
#ifndef OCTAVO_POINTWISE_S16_MVE_H
#define OCTAVO_POINTWISE_S16_MVE_H

#include "block_s16.h"
#include "strip.h"

typedef struct {
    int32_t pixels;
    int32_t in_c;
    int32_t out_c;
    int32_t backward;
    int32_t wide;
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_pointwise_s16_mve_params;

/* Pixels from first on, one or two. */
OCTAVO_INLINE void octavo_pointwise_s16_mve_pixels(const octavo_pointwise_s16_mve_params *p, const int16_t *x,
    const int32_t *stream, int16_t *out, int16_t *copy, int32_t first, int32_t pixels)
{
    const octavo_mve_layer_s16 layer = {
        p->out_c, p->in_c, p->in_c, p->wide, {p->shifted, p->act_min, p->act_max}};
    octavo_mve_copy((int8_t *)copy, (const int8_t *)(x + first * p->in_c), 2 * pixels * p->in_c);
    octavo_mve_block_s16(&layer, stream, pixels, copy, out + first * p->out_c);
}

OCTAVO_KERNEL void octavo_pointwise_s16_mve(
    const octavo_pointwise_s16_mve_params *p, const int16_t *x, const int32_t *stream, int16_t *out, void *scratch)
{
    int16_t *const copy = (int16_t *)scratch;
    const int32_t pairs = p->pixels / 2;
    const int32_t lone = p->pixels % 2;
    if (p->backward && lone) {
        octavo_pointwise_s16_mve_pixels(p, x, stream, out, copy, 2 * pairs, 1);
    }
    for (int32_t i = 0; i < pairs; ++i) {
        octavo_pointwise_s16_mve_pixels(p, x, stream, out, copy, 2 * (p->backward ? pairs - 1 - i : i), 2);
    }
    if (!p->backward && lone) {
        octavo_pointwise_s16_mve_pixels(p, x, stream, out, copy, 2 * pairs, 1);
    }
}

#endif /* OCTAVO_POINTWISE_S16_MVE_H */
