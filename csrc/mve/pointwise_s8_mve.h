/* Convolution of one pixel for Helium: x [pixels, C], out [pixels, O], pixels out_stride bytes apart; the stream of words
 * as in block.h.
 *
 * Two pixels are copied into scratch, then written: all of their input is read before. They go from the first to the
 * last, or with backward from the last to the first.
 */
#ifndef OCTAVO_POINTWISE_S8_MVE_H
#define OCTAVO_POINTWISE_S8_MVE_H

#include "block.h"
#include "strip.h"

typedef struct {
    int32_t pixels;
    int32_t in_c;
    int32_t out_c;
    int32_t backward;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_pointwise_s8_mve_params;

/* Pixels from first on, one or two. */
OCTAVO_INLINE void octavo_pointwise_s8_mve_pixels(const octavo_pointwise_s8_mve_params *p,
    const octavo_mve_layer *layer, const int8_t *x, const int32_t *stream, int8_t *out, int8_t *copy, int32_t first,
    int32_t pixels)
{
    octavo_mve_copy(copy, x + first * p->in_c, pixels * p->in_c);
    octavo_mve_block(layer, stream, pixels, copy, out + first * p->out_stride);
}

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_pointwise_s8_mve_blocks(const octavo_pointwise_s8_mve_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t known, int32_t bits)
{
    const octavo_mve_layer layer = {known, bits, p->out_c, p->out_stride, p->in_c, p->in_c,
        {p->output_zero_point, p->negative_ties, p->act_min, p->act_max}};
    int8_t *const copy = (int8_t *)scratch;
    const int32_t pairs = p->pixels / 2;
    const int32_t lone = p->pixels % 2;
    if (!known) {
        const int32_t blocks = pairs + lone;
        for (int32_t i = 0; i < blocks; ++i) {
            const int32_t first = 2 * (p->backward ? blocks - 1 - i : i);
            octavo_pointwise_s8_mve_pixels(p, &layer, x, stream, out, copy, first, octavo_min(p->pixels - first, 2));
        }
        return;
    }
    if (p->backward && lone) {
        octavo_pointwise_s8_mve_pixels(p, &layer, x, stream, out, copy, 2 * pairs, 1);
    }
    for (int32_t i = 0; i < pairs; ++i) {
        octavo_pointwise_s8_mve_pixels(p, &layer, x, stream, out, copy, 2 * (p->backward ? pairs - 1 - i : i), 2);
    }
    if (!p->backward && lone) {
        octavo_pointwise_s8_mve_pixels(p, &layer, x, stream, out, copy, 2 * pairs, 1);
    }
}

OCTAVO_KERNEL void octavo_pointwise_s8_mve(
    const octavo_pointwise_s8_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_mve_blocks(p, x, stream, out, scratch, 1, 8);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_pointwise_s8_mve_any(
    const octavo_pointwise_s8_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_mve_blocks(p, x, stream, out, scratch, 0, 8);
}

#endif /* OCTAVO_POINTWISE_S8_MVE_H */
