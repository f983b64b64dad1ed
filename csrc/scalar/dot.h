/* Dot products of four pixels with one or two output channels: what the convolutions of this folder share.
 *
 * A window has segments (rows of the kernel) of taps, in chunks (chunk.h): they are filled up with weights of 0, for
 * which the words may be anything. What a weight is too large for its chunk is an extra of its channel, a product on
 * its own.
 */
#ifndef OCTAVO_SCALAR_DOT_H
#define OCTAVO_SCALAR_DOT_H

#include "chunk.h"
#include "finish.h"

/* A channel's constants in a stream of words, before its extras: 4 (bias - zero_point * sum of weights), the
 * multiplier, and n + 1 of the shift with 256 times the number of extras. An extra is its weight in the low byte, then
 * its segment, then its tap in the upper half. */
#define OCTAVO_SCALAR_RECORD 3

/* What is the same for all pixels; known says that the compiler sees all of it as constants. Segments
 * are pitch words apart, or with 0 where a table of them says. */
typedef struct {
    int32_t known;
    int32_t out_c;
    int32_t segments;
    int32_t pitch;
    int32_t taps;
    int32_t chunk;
    int32_t shift_only;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_scalar_layer;

/* What a record says. */
typedef struct {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
    int32_t round;
    const int32_t *extras;
    const int32_t *next;
} octavo_scalar_channel;

OCTAVO_INLINE octavo_scalar_channel octavo_scalar_read(const octavo_scalar_layer *p, const int32_t *record)
{
    const int32_t shift = record[2] & 0xff;
    const octavo_scalar_channel channel = {record[0], record[1], shift,
        octavo_scalar_round(p->output_zero_point, shift, p->shift_only), record + OCTAVO_SCALAR_RECORD,
        record + OCTAVO_SCALAR_RECORD + ((uint32_t)record[2] >> 8)};
    return channel;
}

OCTAVO_INLINE const uint32_t *octavo_scalar_segment(
    const octavo_scalar_layer *p, const uint32_t *const *x, int32_t segment)
{
    return p->pitch ? x[0] + segment * p->pitch : x[segment];
}

OCTAVO_INLINE void octavo_scalar_add_extras(const octavo_scalar_layer *p, const octavo_scalar_channel *channel,
    const uint32_t *const *x, octavo_scalar_sums *sums)
{
    for (const int32_t *i = channel->extras; i != channel->next; ++i) {
        const uint32_t extra = (uint32_t)*i;
        const uint32_t *const words =
            octavo_scalar_segment(p, x, (int32_t)(extra >> 8 & 0xffu)) + OCTAVO_SCALAR_PAIRS * (extra >> 16);
        const uint32_t weight = (uint32_t)(int32_t)(int8_t)(uint8_t)extra;
        const uint32_t sum[OCTAVO_SCALAR_PAIRS] = {0x8000u + words[0] * weight, 0x8000u + words[1] * weight};
        sums->all[0] -= 0x8000u;
        sums->all[1] -= 0x8000u;
        octavo_scalar_add_sum(sums, sum);
    }
}

/* Writes a channel's four results, at out and apart. */
OCTAVO_INLINE void octavo_scalar_write(const octavo_scalar_layer *p, const octavo_scalar_channel *channel,
    const octavo_scalar_sums *sums, int8_t *out, const int32_t *apart)
{
    const uint32_t sum[OCTAVO_SCALAR_PIXELS] = {sums->all[0] - ((uint32_t)sums->high[0] << 16),
        (uint32_t)sums->high[0], sums->all[1] - ((uint32_t)sums->high[1] << 16), (uint32_t)sums->high[1]};
    OCTAVO_UNROLL
    for (int32_t i = 0; i < OCTAVO_SCALAR_PIXELS; ++i) {
        const int32_t four = octavo_from_bits((uint32_t)channel->bias + 4u * sum[i]);
        out[apart[i]] = octavo_scalar_finish(four, channel->multiplier, channel->round, channel->shift, p->shift_only,
            p->negative_ties, p->act_min, p->act_max);
    }
}

/* The sums of one or two channels of four pixels, but for their extras. */
OCTAVO_INLINE void octavo_scalar_window(const octavo_scalar_layer *p, int32_t channels, const int8_t *w,
    const uint32_t *const *x, octavo_scalar_sums *sums)
{
    const uint32_t halves = 0x8000u * (uint32_t)(p->segments * p->taps / p->chunk);
    const octavo_scalar_sums none = {{0u - halves, 0u - halves}, {0, 0}};
    OCTAVO_UNROLL
    for (int32_t c = 0; c < channels; ++c) {
        sums[c] = none;
    }
    for (int32_t segment = 0; segment < p->segments; ++segment) {
        const uint32_t *const words = octavo_scalar_segment(p, x, segment);
        octavo_scalar_chunks(sums, channels, words, words + OCTAVO_SCALAR_PAIRS * p->taps, w, p->segments * p->taps,
            p->chunk, p->known);
        w += p->taps;
    }
}

/* One or two channels of four pixels from the segments at x; returns the record behind theirs. */
OCTAVO_INLINE const int32_t *octavo_scalar_channels(const octavo_scalar_layer *p, int32_t channels,
    const int32_t *record, const int8_t *w, const uint32_t *const *x, int8_t *out, const int32_t *apart)
{
    octavo_scalar_sums sums[2];
    octavo_scalar_window(p, channels, w, x, sums);
    OCTAVO_UNROLL
    for (int32_t c = 0; c < channels; ++c) {
        const octavo_scalar_channel channel = octavo_scalar_read(p, record);
        octavo_scalar_add_extras(p, &channel, x, sums + c);
        octavo_scalar_write(p, &channel, sums + c, out + c, apart);
        record = channel.next;
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
