/* A block of up to three neighbouring pixels of a convolution's output, all channels: what conv2d_s8_dsp and
 * pointwise_s8_dsp share. Weights are words [pairs][segments][taps / 2] as in dot.h; scale is [pairs][4]: for both channels
 * 2 (bias - zero_point * sum of weights), then both multipliers; shift [pairs][2] counts to the right.
 */
#ifndef OCTAVO_DSP_BLOCK_H
#define OCTAVO_DSP_BLOCK_H

#include "dot.h"
#include "finish.h"

/* What a block needs to know of its layer; stride is that of pixels, in int16 elements. */
typedef struct {
    int32_t out_c;
    int32_t segments;
    int32_t taps;
    int32_t stride;
    int32_t exact_segments;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_dsp_layer;

typedef struct {
    const int32_t *weights;
    const int32_t *scale;
    const int8_t *shift;
} octavo_dsp_weights;

/* Pixels of all channels at out from the segments at x. With exact_segments each segment's sums stay below 2^23, else
 * those of all segments together do. */
OCTAVO_INLINE void octavo_dsp_block(const octavo_dsp_layer *p, const octavo_dsp_weights *c, int32_t pixels,
    const int16_t *const *x, int8_t *out)
{
    const octavo_word *w = (const octavo_word *)c->weights;
    const int32_t *scale = c->scale;
    const int8_t *shift = c->shift;
    for (int32_t o = 0; o < p->out_c; o += 2, scale += 4, shift += 2) {
        octavo_dot_sums sums = {{0, 0, 0}, {0, 0, 0}};
        int32_t first[3] = {0, 0, 0};
        OCTAVO_UNROLL
        for (int32_t segment = 0; segment < p->segments; ++segment) {
            w = octavo_dot(&sums, pixels, x[segment], p->stride, w, p->taps);
            if (p->exact_segments) {
                OCTAVO_UNROLL
                for (int32_t i = 0; i < pixels; ++i) {
                    first[i] += octavo_asr(octavo_sub_wrap(sums.mixed[i], sums.low[i]), 8);
                    sums.mixed[i] = sums.low[i];
                }
            }
        }
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pixels; ++i) {
            const int32_t twice = p->exact_segments ? 2 * first[i]
                                                    : octavo_asr(octavo_sub_wrap(sums.mixed[i], sums.low[i]), 7);
            out[i * p->out_c + o] = octavo_dsp_finish(scale[0] + twice, scale[2], shift[0], p->output_zero_point,
                p->negative_ties, p->act_min, p->act_max);
            if (p->out_c % 2 == 0 || o + 1 < p->out_c) {
                out[i * p->out_c + o + 1] = octavo_dsp_finish(scale[1] + 2 * sums.low[i], scale[3], shift[1],
                    p->output_zero_point, p->negative_ties, p->act_min, p->act_max);
            }
        }
    }
}

#endif /* OCTAVO_DSP_BLOCK_H */
