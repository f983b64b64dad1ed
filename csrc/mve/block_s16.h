/* One or two neighbouring pixels of a 16x8 layer's output, all channels: block.h for int16. A stream of words holds
 * for each four channels (the last may be fewer) their part as in dot_s16.h, filled up to a word, then four scales as
 * in four_s16.h.
 */
#ifndef OCTAVO_MVE_BLOCK_S16_H
#define OCTAVO_MVE_BLOCK_S16_H

#include "dot_s16.h"

/* What a block needs to know of its layer; stride is that of pixels, in elements. */
typedef struct {
    int32_t out_c;
    int32_t taps;
    int32_t stride;
    int32_t wide;
    octavo_mve_ends_s16 ends;
} octavo_mve_layer_s16;

/* Up to four channels of pixels; returns the stream's next part. */
OCTAVO_INLINE const int8_t *octavo_mve_channels_s16(const octavo_mve_layer_s16 *p, int32_t pixels, int32_t channels,
    const int16_t *x, const int8_t *stream, int16_t *out)
{
    octavo_four sums[2];
    const int8_t *record;
    if (p->wide) {
        record = octavo_mve_dot_s16_wide(sums, channels, x, stream, p->taps);
        if (pixels > 1) {
            octavo_mve_dot_s16_wide(sums + 1, channels, x + p->stride, stream, p->taps);
        }
    } else {
        record = octavo_mve_dot_s16(sums, pixels, channels, x, p->stride, stream, p->taps);
    }
    record += -channels * p->taps & 3;
    const octavo_four scale = octavo_four_words((const int32_t *)(const void *)record);
    octavo_four_store_s16(out, octavo_four_finish_s16(sums[0], scale, &p->ends), channels);
    if (pixels > 1) {
        octavo_four_store_s16(out + p->out_c, octavo_four_finish_s16(sums[1], scale, &p->ends), channels);
    }
    return record + 16;
}

OCTAVO_INLINE void octavo_mve_block_s16(
    const octavo_mve_layer_s16 *p, const int32_t *stream, int32_t pixels, const int16_t *x, int16_t *out)
{
    const int8_t *part = (const int8_t *)stream;
    for (int32_t o = 0; o < p->out_c / 4; ++o) {
        part = octavo_mve_channels_s16(p, pixels, 4, x, part, out);
        out += 4;
    }
    if (p->out_c % 4 > 0) {
        octavo_mve_channels_s16(p, pixels, p->out_c % 4, x, part, out);
    }
}

/* pixels pixels in a row, two at a time. */
OCTAVO_INLINE void octavo_mve_row_s16(
    const octavo_mve_layer_s16 *p, const int32_t *stream, int32_t pixels, const int16_t *x, int16_t *out)
{
    for (int32_t i = 0; i < pixels / 2; ++i) {
        octavo_mve_block_s16(p, stream, 2, x, out);
        x += 2 * p->stride;
        out += 2 * p->out_c;
    }
    if (pixels % 2 > 0) {
        octavo_mve_block_s16(p, stream, 1, x, out);
    }
}

#endif /* OCTAVO_MVE_BLOCK_S16_H */
