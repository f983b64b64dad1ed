/* Weights that are powers of two, as codes of four bits: bit 3 is the sign; the others are 0 for a weight of 0, else its
 * exponent plus 1. A byte holds the codes of a pair of channels, the first one's in the upper half; a table turns it into
 * the lane h = 256 a + b of dot.h.
 *
 * A block of a convolution's output has few pixels, so a pair's weights are first written out into working memory, as
 * dot.h reads them, and then serve a whole row of them: a stream of words holds for each pair of channels its codes
 * [segments][taps / 4], whose bytes are in the order of the lanes, then its record as in finish.h.
 */
#ifndef OCTAVO_DSP_LOG2_H
#define OCTAVO_DSP_LOG2_H

#include "block.h"

#define OCTAVO_LOG2_PAIRS(a)                                                                                           \
    256 * (a), 256 * (a) + 1, 256 * (a) + 2, 256 * (a) + 4, 256 * (a) + 8, 256 * (a) + 16, 256 * (a) + 32,             \
        256 * (a) + 64, 256 * (a), 256 * (a) - 1, 256 * (a) - 2, 256 * (a) - 4, 256 * (a) - 8, 256 * (a) - 16,         \
        256 * (a) - 32, 256 * (a) - 64

static const int16_t octavo_log2_pairs[256] = {
    OCTAVO_LOG2_PAIRS(0), OCTAVO_LOG2_PAIRS(1), OCTAVO_LOG2_PAIRS(2), OCTAVO_LOG2_PAIRS(4),
    OCTAVO_LOG2_PAIRS(8), OCTAVO_LOG2_PAIRS(16), OCTAVO_LOG2_PAIRS(32), OCTAVO_LOG2_PAIRS(64),
    OCTAVO_LOG2_PAIRS(0), OCTAVO_LOG2_PAIRS(-1), OCTAVO_LOG2_PAIRS(-2), OCTAVO_LOG2_PAIRS(-4),
    OCTAVO_LOG2_PAIRS(-8), OCTAVO_LOG2_PAIRS(-16), OCTAVO_LOG2_PAIRS(-32), OCTAVO_LOG2_PAIRS(-64),
};

/* The lanes of a word's bytes first and first + 1. */
OCTAVO_INLINE uint32_t octavo_log2_lanes(uint32_t codes, int32_t first)
{
    const int32_t h0 = octavo_log2_pairs[codes >> 8 * first & 0xffu];
    const int32_t h1 = octavo_log2_pairs[codes >> (8 * first + 8) & 0xffu];
    return octavo_low_lanes((uint32_t)h0, (uint32_t)h1);
}

/* A weight of its own among codes two a byte, the first in the upper half: it is the lane where a is 0. */
OCTAVO_INLINE int32_t octavo_log2_level(const int8_t *codes, int32_t i)
{
    return octavo_log2_pairs[(uint32_t)(uint8_t)codes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15u];
}

/* Words of lanes from fours of taps, then the record; returns where the next pair begins. */
OCTAVO_INLINE const octavo_word *octavo_log2_pair(const octavo_word *stream, int32_t fours, int32_t *pair)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < fours; ++i, pair += 2) {
        const uint32_t codes = octavo_load_word(stream++);
        octavo_store_word(pair, octavo_log2_lanes(codes, 0));
        octavo_store_word(pair + 1, octavo_log2_lanes(codes, 2));
    }
    OCTAVO_UNROLL
    for (int32_t i = 0; i < OCTAVO_DSP_RECORD; ++i) {
        octavo_store_word(pair + i, octavo_load_word(stream++));
    }
    return stream;
}

/* The layer of a pair of its channels, the last of which may have one. */
OCTAVO_INLINE octavo_dsp_layer octavo_log2_layer(const octavo_dsp_layer *p, int32_t first)
{
    octavo_dsp_layer layer = *p;
    layer.out_c = p->out_c % 2 == 0 ? 2 : octavo_min(2, p->out_c - first);
    return layer;
}

#endif /* OCTAVO_DSP_LOG2_H */
