/* Convolution of one pixel for cores without SIMD: x [pixels, C], weights [O, taps], taps >= C; out [pixels, O], pixels
 * out_stride bytes apart; records as in dot.h, with one segment.
 *
 * Four pixels are read into scratch as words of two, then written; where the last block has fewer, its last pixel
 * counts several times. Blocks go from the first to the last, or with backward from the last to the first.
 */
#ifndef OCTAVO_POINTWISE_S8_SCALAR_H
#define OCTAVO_POINTWISE_S8_SCALAR_H

#include "quarters.h"

typedef struct {
    int32_t pixels;
    int32_t in_c;
    int32_t out_c;
    int32_t taps;
    int32_t chunk;
    int32_t backward;
    int32_t shift_only;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_pointwise_s8_scalar_params;

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_pointwise_s8_scalar_blocks(const octavo_pointwise_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch, int32_t known)
{
    const octavo_scalar_layer layer = {known, p->out_c, 1, 0, p->taps, p->chunk, p->shift_only, p->output_zero_point,
        p->negative_ties, p->act_min, p->act_max};
    uint32_t *const words = (uint32_t *)scratch;
    const uint32_t *const window[1] = {words};
    const int32_t step = p->backward ? -OCTAVO_SCALAR_PIXELS : OCTAVO_SCALAR_PIXELS;
    int32_t first = p->backward ? (p->pixels - 1) / OCTAVO_SCALAR_PIXELS * OCTAVO_SCALAR_PIXELS : 0;
    for (; first >= 0 && first < p->pixels; first += step) {
        int32_t pixel[OCTAVO_SCALAR_PIXELS];
        int32_t apart[OCTAVO_SCALAR_PIXELS];
        OCTAVO_UNROLL
        for (int32_t i = 0; i < OCTAVO_SCALAR_PIXELS; ++i) {
            pixel[i] = p->pixels % OCTAVO_SCALAR_PIXELS == 0 ? i : octavo_min(i, p->pixels - 1 - first);
            apart[i] = pixel[i] * p->out_stride;
        }
        const int8_t *const from = x + first * p->in_c;
        octavo_scalar_gather(from, from + pixel[1] * p->in_c, from + pixel[2] * p->in_c, from + pixel[3] * p->in_c,
            p->in_c, 1, words);
        octavo_scalar_pixels(&layer, records, weights, window, out + first * p->out_stride, apart);
    }
}

OCTAVO_KERNEL void octavo_pointwise_s8_scalar(const octavo_pointwise_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_scalar_blocks(p, x, weights, records, out, scratch, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_pointwise_s8_scalar_any(const octavo_pointwise_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch)
{
    octavo_pointwise_s8_scalar_blocks(p, x, weights, records, out, scratch, 0);
}

#endif /* OCTAVO_POINTWISE_S8_SCALAR_H */
