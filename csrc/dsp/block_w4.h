/* A block of one or two neighbouring pixels of a convolution's output, all channels, with 4-bit weights: block.h for
 * packed weights. A stream of words holds for each four channels their weights [segments][taps / 2] as in nibbles.h, then
 * the records of both pairs as in finish.h.
 */
#ifndef OCTAVO_DSP_BLOCK_W4_H
#define OCTAVO_DSP_BLOCK_W4_H

#include "block.h"
#include "nibbles.h"

/* The products of one segment; twice are the first channel's sums. */
OCTAVO_INLINE const octavo_word *octavo_dsp_segment_w4(const octavo_dsp_layer *p, octavo_nibble_sums *sums,
    int32_t *twice, int32_t pixels, const int16_t *x, const octavo_word *w)
{
    w = octavo_nibble_dot(sums, pixels, x, p->stride, w, p->taps, p->known);
    if (p->exact_segments) {
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pixels; ++i) {
            octavo_nibble_settle(sums, i, twice + i);
        }
    }
    return w;
}

/* As octavo_dsp_block. */
OCTAVO_INLINE void octavo_dsp_block_w4(const octavo_dsp_layer *p, const int32_t *stream, int32_t pixels,
    const int16_t *const *x, int8_t *out)
{
    const octavo_word *w = (const octavo_word *)stream;
    int32_t total[2] = {0, 0};
    for (int32_t segment = 0; segment < p->segments; ++segment) {
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pixels; ++i) {
            total[i] = octavo_nibble_total(x[segment] + i * p->stride, p->taps, total[i]);
        }
    }
    for (int32_t o = 0; o < p->out_c; o += 4) {
        octavo_nibble_sums sums = {{0, 0}, {{0, 0, 0}, {0, 0, 0}}};
        int32_t twice[4][2] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
        if (p->known) {
            OCTAVO_UNROLL
            for (int32_t segment = 0; segment < p->segments; ++segment) {
                w = octavo_dsp_segment_w4(p, &sums, twice[0], pixels, x[segment], w);
            }
        } else {
            for (int32_t segment = 0; segment < p->segments; ++segment) {
                w = octavo_dsp_segment_w4(p, &sums, twice[0], pixels, x[segment], w);
            }
        }
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pixels; ++i) {
            int32_t fields[3];
            if (!p->exact_segments) {
                octavo_nibble_settle(&sums, i, twice[0] + i);
            }
            octavo_nibble_fields(&sums, i, total[i], fields);
            twice[1][i] = fields[0];
            twice[2][i] = fields[1];
            twice[3][i] = fields[2];
        }
        OCTAVO_UNROLL
        for (int32_t pair = 0; pair < 2; ++pair) {
            if (p->out_c % 4 == 0 || o + 2 * pair < p->out_c) {
                octavo_dsp_finish_pair(w, pixels, twice[2 * pair], twice[2 * pair + 1], p->output_zero_point,
                    p->negative_ties, p->act_min, p->act_max, out + o + 2 * pair, p->out_stride,
                    p->out_c % 2 == 0 || o + 2 * pair + 1 < p->out_c);
            }
            w += OCTAVO_DSP_RECORD;
        }
    }
}

/* By the bits of the layer's weights. */
OCTAVO_INLINE void octavo_dsp_pixels(const octavo_dsp_layer *p, const int32_t *stream, int32_t pixels,
    const int16_t *const *x, int8_t *out)
{
    if (p->bits == 4) {
        octavo_dsp_block_w4(p, stream, pixels, x, out);
    } else {
        octavo_dsp_block(p, stream, pixels, x, out);
    }
}

#endif /* OCTAVO_DSP_BLOCK_W4_H */
