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

OCTAVO_KERNEL void octavo_pointwise_s8_mve(
    const octavo_pointwise_s8_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    const octavo_mve_layer layer = {
        p->out_c, p->out_stride, p->in_c, p->in_c, {p->output_zero_point, p->negative_ties, p->act_min, p->act_max}};
    int8_t *const copy = (int8_t *)scratch;
    const int32_t pairs = p->pixels / 2;
    const int32_t last = 2 * pairs;
    if (p->backward && p->pixels > last) {
        octavo_mve_copy(copy, x + last * p->in_c, p->in_c);
        octavo_mve_block(&layer, stream, 1, copy, out + last * p->out_stride);
    }
    for (int32_t i = 0; i < pairs; ++i) {
        const int32_t pixel = 2 * (p->backward ? pairs - 1 - i : i);
        octavo_mve_copy(copy, x + pixel * p->in_c, 2 * p->in_c);
        octavo_mve_block(&layer, stream, 2, copy, out + pixel * p->out_stride);
    }
    if (!p->backward && p->pixels > last) {
        octavo_mve_copy(copy, x + last * p->in_c, p->in_c);
        octavo_mve_block(&layer, stream, 1, copy, out + last * p->out_stride);
    }
}

#endif /* OCTAVO_POINTWISE_S8_MVE_H */
