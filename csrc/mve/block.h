/* One or two neighbouring pixels of an output, all channels: what the convolutions and fully connected layers share.
 *
 * A stream of words holds for each four channels (the last may be fewer) their part as in dot.h, or
 * with 4-bit weights as in dot_w4.h, filled up to a word,
 * then a record: four multipliers (int32), four shifts (int8, not above 0).
 */
#ifndef OCTAVO_MVE_BLOCK_H
#define OCTAVO_MVE_BLOCK_H

#include "dot_w4.h"

/* Bytes of a record. */
#define OCTAVO_MVE_RECORD 20

/* What a block needs to know of its layer; stride is that of pixels, out_stride that of the output's, in bytes. known
 * says that the compiler sees all of it as constants, bits is the width of the weights, 8 or 4 (known). */
typedef struct {
    int32_t known;
    int32_t bits;
    int32_t out_c;
    int32_t out_stride;
    int32_t taps;
    int32_t stride;
    octavo_mve_ends ends;
} octavo_mve_layer;

/* Up to four channels of pixels; returns the stream's next part. */
OCTAVO_INLINE const int8_t *octavo_mve_channels(const octavo_mve_layer *p, int32_t pixels, int32_t channels,
    const int8_t *x, const int8_t *stream, int8_t *out)
{
    octavo_four sums[2];
    const int8_t *record = stream;
    if (p->bits == 4) {
        record = octavo_mve_dot_w4(sums, pixels, channels, x, p->stride, stream, p->taps);
        record += -channels * octavo_mve_w4_bytes(p->taps) & 3;
    } else if (p->known) {
        record = octavo_mve_dot(sums, pixels, channels, x, p->stride, stream, p->taps);
    } else {
        record = octavo_mve_dot_any(sums, channels, x, x + (pixels - 1) * p->stride, stream, p->taps);
    }
    if (p->bits == 8) {
        record += -channels * p->taps & 3;
    }
    const octavo_four multiplier = octavo_four_words((const int32_t *)(const void *)record);
    const octavo_four shift = octavo_four_bytes(record + 16);
    octavo_four_store(out, octavo_four_finish(sums[0], multiplier, shift, &p->ends), channels);
    if (pixels > 1) {
        octavo_four_store(out + p->out_stride, octavo_four_finish(sums[1], multiplier, shift, &p->ends), channels);
    }
    return record + OCTAVO_MVE_RECORD;
}

OCTAVO_INLINE void octavo_mve_block(
    const octavo_mve_layer *p, const int32_t *stream, int32_t pixels, const int8_t *x, int8_t *out)
{
    const int8_t *part = (const int8_t *)stream;
    if (!p->known) {
        for (int32_t o = 0; o < p->out_c; o += 4) {
            part = octavo_mve_channels(p, pixels, octavo_min(p->out_c - o, 4), x, part, out + o);
        }
        return;
    }
    for (int32_t o = 0; o < p->out_c / 4; ++o) {
        part = octavo_mve_channels(p, pixels, 4, x, part, out);
        out += 4;
    }
    if (p->out_c % 4 > 0) {
        octavo_mve_channels(p, pixels, p->out_c % 4, x, part, out);
    }
}

/* pixels pixels in a row, two at a time. */
OCTAVO_INLINE void octavo_mve_row(
    const octavo_mve_layer *p, const int32_t *stream, int32_t pixels, const int8_t *x, int8_t *out)
{
    if (!p->known) {
        for (int32_t i = 0; i < pixels; i += 2) {
            octavo_mve_block(p, stream, octavo_min(pixels - i, 2), x + i * p->stride, out + i * p->out_stride);
        }
        return;
    }
    for (int32_t i = 0; i < pixels / 2; ++i) {
        octavo_mve_block(p, stream, 2, x, out);
        x += 2 * p->stride;
        out += 2 * p->out_stride;
    }
    if (pixels % 2 > 0) {
        octavo_mve_block(p, stream, 1, x, out);
    }
}

#endif /* OCTAVO_MVE_BLOCK_H */
