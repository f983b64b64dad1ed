/* A block of one or two neighbouring pixels of a 16x8 convolution's output, all channels: what conv2d_s16_dsp and
 * pointwise_s16_dsp share. A stream of words holds for each pair of channels its biases, its weights [segments][taps / 2]
 * and its scales as in dot_s16.h.
 */
#ifndef OCTAVO_DSP_BLOCK_S16_H
#define OCTAVO_DSP_BLOCK_S16_H

#include "dot_s16.h"

/* What a block needs to know of its layer; stride is that of pixels, in int16 elements. known says that the compiler
 * sees all of it as constants. Blocks of a wide layer have one pixel. */
typedef struct {
    int32_t known;
    int32_t out_c;
    int32_t segments;
    int32_t taps;
    int32_t stride;
    int32_t wide;
    octavo_dot_s16_output output;
} octavo_dsp_layer_s16;

/* A pair of channels from the segments from first to end; returns the end of the weights of all segments. */
OCTAVO_INLINE const octavo_word *octavo_dsp_pair_s16(const octavo_dsp_layer_s16 *p, octavo_dot_s16_sums *sums,
    int32_t pixels, const int16_t *const *x, int32_t first, int32_t end, const octavo_word *w)
{
    if (p->known && end - first == p->segments) {
        OCTAVO_UNROLL
        for (int32_t segment = 0; segment < p->segments; ++segment) {
            w = octavo_dot_s16_pair(sums, pixels, x[segment], p->stride, w, p->taps, 1);
        }
        return w;
    }
    w += first * p->taps / 2;
    for (int32_t segment = first; segment < end; ++segment) {
        w = octavo_dot_s16_pair(sums, pixels, x[segment], p->stride, w, p->taps, p->known);
    }
    return w + (p->segments - end) * p->taps / 2;
}

/* Pixels of all channels at out from the segments at x from first to end; the others are outside the image. */
OCTAVO_INLINE void octavo_dsp_block_s16(const octavo_dsp_layer_s16 *p, const int32_t *stream, int32_t pixels,
    const int16_t *const *x, int32_t first, int32_t end, int16_t *out)
{
    const octavo_word *w = (const octavo_word *)stream;
    for (int32_t o = 0; o < p->out_c; o += 2) {
        const int32_t second = p->out_c % 2 == 0 || o + 1 < p->out_c;
        if (pixels == 1 && p->wide) {
            octavo_dot_s16_wide sums;
            octavo_dot_s16_begin_wide(&sums, w);
            w += OCTAVO_DOT_S16_BIASES + first * p->taps / 2;
            for (int32_t segment = first; segment < end; ++segment) {
                w = octavo_dot_s16_pair_wide(&sums, x[segment], w, p->taps);
            }
            w += (p->segments - end) * p->taps / 2;
            octavo_dot_s16_finish_wide(&p->output, &sums, w, out + o, second);
        } else {
            octavo_dot_s16_sums sums;
            OCTAVO_UNROLL
            for (int32_t i = 0; i < pixels; ++i) {
                octavo_dot_s16_begin(&sums, i, w);
            }
            w = octavo_dsp_pair_s16(p, &sums, pixels, x, first, end, w + OCTAVO_DOT_S16_BIASES);
            octavo_dot_s16_finish(&p->output, &sums, 0, pixels, w, out + o, p->out_c, second);
        }
        w += OCTAVO_DOT_S16_SCALES;
    }
}

#endif /* OCTAVO_DSP_BLOCK_S16_H */
