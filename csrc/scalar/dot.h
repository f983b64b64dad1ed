/* Dot products of four pixels with one or two output channels: what the convolutions of this folder share.
 *
 * A window has segments (rows of the kernel) of taps, in chunks (chunk.h): they are filled up with weights of 0, for which
 * the words may be anything. What a weight is too large for its chunk is an extra of its channel, a product on its own.
 */
#ifndef OCTAVO_SCALAR_DOT_H
#define OCTAVO_SCALAR_DOT_H

#include "chunk.h"
#include "finish.h"

/* What follows of each channel's constants in a stream of words, then its extras: 4 (bias - zero_point * sum of weights), the
 * multiplier, and n + 1 of the shift with 256 times the number of extras. An extra is its weight in the low byte, then
 * its segment, then its tap in the upper half. */
#define OCTAVO_SCALAR_RECORD 3

/* What is the same for all pixels; known says that the compiler sees all of it as constants. */
typedef struct {
    int32_t known;
    int32_t out_c;
    int32_t segments;
    int32_t taps;
    int32_t chunk;
    int32_t shift_only;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_scalar_layer;

/* Reads a channel's record, adds its extras and writes its four results, the first at out; returns the next record. */
OCTAVO_INLINE const int32_t *octavo_scalar_channel(const octavo_scalar_layer *p, octavo_scalar_sums *sums,
    const int32_t *record, const uint32_t *const *x, int8_t *out, const int32_t *apart)
{
    const int32_t bias = record[0];
    const int32_t multiplier = record[1];
    const int32_t shift = record[2] & 0xff;
    const int32_t *const end = record + OCTAVO_SCALAR_RECORD + ((uint32_t)record[2] >> 8);
    for (record += OCTAVO_SCALAR_RECORD; record != end; ++record) {
        const uint32_t extra = (uint32_t)*record;
        const uint32_t *const words = x[extra >> 8 & 0xffu] + OCTAVO_SCALAR_PAIRS * (extra >> 16);
        const uint32_t weight = (uint32_t)(int32_t)(int8_t)(uint8_t)extra;
        const uint32_t sum[OCTAVO_SCALAR_PAIRS] = {0x8000u + words[0] * weight, 0x8000u + words[1] * weight};
        sums->all[0] -= 0x8000u;
        sums->all[1] -= 0x8000u;
        octavo_scalar_add_sum(sums, sum);
    }
    const int32_t round = octavo_scalar_round(p->output_zero_point, shift, p->shift_only);
    OCTAVO_UNROLL
    for (int32_t i = 0; i < OCTAVO_SCALAR_PIXELS; ++i) {
        const uint32_t high = (uint32_t)sums->high[i / 2];
        const uint32_t sum = i % 2 ? high : sums->all[i / 2] - (high << 16);
        out[apart[i]] = octavo_scalar_finish(octavo_from_bits((uint32_t)bias + 4u * sum), multiplier, round, shift,
            p->shift_only, p->negative_ties, p->act_min, p->act_max);
    }
    return end;
}

/* One or two channels of four pixels from the segments at x; returns the record behind theirs. */
OCTAVO_INLINE const int32_t *octavo_scalar_channels(const octavo_scalar_layer *p, int32_t channels,
    const int32_t *record, const int8_t *w, const uint32_t *const *x, int8_t *out, const int32_t *apart)
{
    const uint32_t halves = 0x8000u * (uint32_t)(p->segments * p->taps / p->chunk);
    octavo_scalar_sums sums[2] = {{{0u - halves, 0u - halves}, {0, 0}}, {{0u - halves, 0u - halves}, {0, 0}}};
    for (int32_t segment = 0; segment < p->segments; ++segment) {
        octavo_scalar_chunks(sums, channels, x[segment], x[segment] + OCTAVO_SCALAR_PAIRS * p->taps, w,
            p->segments * p->taps, p->chunk, p->known);
        w += p->taps;
    }
    OCTAVO_UNROLL
    for (int32_t c = 0; c < channels; ++c) {
        record = octavo_scalar_channel(p, sums + c, record, x, out + c, apart);
    }
    return record;
}

/* All channels of four pixels. */
OCTAVO_INLINE void octavo_scalar_pixels(const octavo_scalar_layer *p, const int32_t *record, const int8_t *w,
    const uint32_t *const *x, int8_t *out, const int32_t *apart)
{
    const int32_t window = p->segments * p->taps;
    const int32_t whole = p->out_c / OCTAVO_SCALAR_CHANNELS * OCTAVO_SCALAR_CHANNELS;
    int8_t *const end = out + whole;
    while (out != end) {
        record = octavo_scalar_channels(p, OCTAVO_SCALAR_CHANNELS, record, w, x, out, apart);
        w += OCTAVO_SCALAR_CHANNELS * window;
        out += OCTAVO_SCALAR_CHANNELS;
    }
    if (whole < p->out_c) {
        octavo_scalar_channels(p, 1, record, w, x, out, apart);
    }
}

#endif /* OCTAVO_SCALAR_DOT_H */
