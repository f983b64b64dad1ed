/* int16 elements to their places in working memory, two at a time: a small C library moves bytes. */
#ifndef OCTAVO_DSP_COPY_S16_H
#define OCTAVO_DSP_COPY_S16_H

#include "simd.h"

/* count elements, at any addresses; to may be before from in the same memory. */
OCTAVO_INLINE void octavo_copy_s16(int16_t *to, const int16_t *from, int32_t count)
{
    const int16_t *const end = from + count / 2 * 2;
    OCTAVO_UNROLL_FOUR
    for (; from != end; from += 2, to += 2) {
        const uint32_t word = octavo_load_bytes(from);
        memcpy(to, &word, sizeof word);
    }
    if (count % 2 == 1) {
        *to = *from;
    }
}

/* Zeros in count elements, an even number, at a word. */
OCTAVO_INLINE void octavo_zero_s16(int16_t *to, int32_t count)
{
    const int16_t *const end = to + count;
    OCTAVO_UNROLL_FOUR
    for (; to != end; to += 2) {
        octavo_store_word(to, 0);
    }
}

#endif /* OCTAVO_DSP_COPY_S16_H */
