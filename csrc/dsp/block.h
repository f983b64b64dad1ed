/* A block of up to three neighbouring pixels of a convolution's output, all channels: what conv2d_s8_dsp and
 * pointwise_s8_dsp share. A stream of words holds for each pair of channels its weights [segments][taps / 2] as in
 * dot.h, then its record as in finish.h.
 */
#ifndef OCTAVO_DSP_BLOCK_H
#define OCTAVO_DSP_BLOCK_H

#include "dot.h"
#include "finish.h"

/* What a block needs to know of its layer; its weights have 8 bits or, as in block_w4.h, 4. stride is that of pixels, in
 * int16 elements, out_stride that of the output's pixels. known says that the compiler sees all of it as constants. */
typedef struct {
    int32_t known;
    int32_t bits;
    int32_t out_c;
    int32_t out_stride;
    int32_t segments;
    int32_t taps;
    int32_t stride;
    int32_t exact_segments;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_dsp_layer;

/* The products of one segment. */
OCTAVO_INLINE const octavo_word *octavo_dsp_segment(const octavo_dsp_layer *p, octavo_dot_sums *sums, int32_t *first,
    int32_t pixels, const int16_t *x, const octavo_word *w)
{
    w = octavo_dot(sums, pixels, x, p->stride, w, p->taps, p->known);
    if (p->exact_segments) {
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pixels; ++i) {
            first[i] += 2 * octavo_asr(octavo_sub_wrap(sums->mixed[i], sums->low[i]), 8);
            sums->mixed[i] = sums->low[i];
        }
    }
    return w;
}

/* Ends a pair of channels: its results for all pixels at out, from the record at w; second is 0 for a lone channel. */
OCTAVO_INLINE void octavo_dsp_pair(const octavo_dsp_layer *p, const octavo_dot_sums *sums, int32_t *first,
    int32_t pixels, const octavo_word *w, int8_t *out, int32_t second)
{
    int32_t twice[3] = {0, 0, 0};
    OCTAVO_UNROLL
    for (int32_t i = 0; i < pixels; ++i) {
        if (!p->exact_segments) {
            first[i] = octavo_asr(octavo_sub_wrap(sums->mixed[i], sums->low[i]), 7);
        }
        twice[i] = 2 * sums->low[i];
    }
    octavo_dsp_finish_pair(w, pixels, first, twice, p->output_zero_point, p->negative_ties, p->act_min, p->act_max, out,
        p->out_stride, second);
}

/* Pixels of all channels at out from the segments at x. With exact_segments each segment's sums stay below 2^23, else
 * those of all segments together do. */
OCTAVO_INLINE void octavo_dsp_block(const octavo_dsp_layer *p, const int32_t *stream, int32_t pixels,
    const int16_t *const *x, int8_t *out)
{
    const octavo_word *w = (const octavo_word *)stream;
    for (int32_t o = 0; o < p->out_c; o += 2) {
        octavo_dot_sums sums = {{0, 0, 0}, {0, 0, 0}};
        int32_t first[3] = {0, 0, 0};
        if (p->known) {
            OCTAVO_UNROLL
            for (int32_t segment = 0; segment < p->segments; ++segment) {
                w = octavo_dsp_segment(p, &sums, first, pixels, x[segment], w);
            }
        } else {
            for (int32_t segment = 0; segment < p->segments; ++segment) {
                w = octavo_dsp_segment(p, &sums, first, pixels, x[segment], w);
            }
        }
        octavo_dsp_pair(p, &sums, first, pixels, w, out + o, p->out_c % 2 == 0 || o + 1 < p->out_c);
        w += OCTAVO_DSP_RECORD;
    }
}

#endif /* OCTAVO_DSP_BLOCK_H */
