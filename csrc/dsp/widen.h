/* int8 to int16 in the order in which the kernels of this folder read it.
 *
 * Where the channels come in fours, a word of four bytes becomes the words (0, 2) and (1, 3), as the extension gives
 * them: the weights are laid out in the same order. Otherwise elements keep their order.
 */
#ifndef OCTAVO_DSP_WIDEN_H
#define OCTAVO_DSP_WIDEN_H

#include "simd.h"

/* count elements at an address that is a multiple of 4; count is a multiple of 4. */
OCTAVO_INLINE void octavo_widen_fours(const int8_t *x, int32_t count, int16_t *wide)
{
    for (const int8_t *const end = x + count; x != end; x += 4, wide += 4) {
        const uint32_t bytes = octavo_load_word(x);
        octavo_store_word(wide, octavo_sxtb16(bytes));
        octavo_store_word(wide + 2, octavo_sxtb16_odd(bytes));
    }
}

/* count elements in their order, at any address; wide is at a word. */
OCTAVO_INLINE void octavo_widen_in_order(const int8_t *x, int32_t count, int16_t *wide)
{
    const int8_t *const end = x + count / 4 * 4;
    for (; x != end; x += 4, wide += 4) {
        const uint32_t bytes = octavo_load_bytes(x);
        const uint32_t even = octavo_sxtb16(bytes);
        const uint32_t odd = octavo_sxtb16_odd(bytes);
        octavo_store_word(wide, octavo_low_lanes(even, odd));
        octavo_store_word(wide + 2, octavo_high_lanes(even, odd));
    }
    for (int32_t i = 0; i < count % 4; ++i) {
        wide[i] = x[i];
    }
}

/* Pixels of in_c channels, each to channels >= in_c elements, the surplus 0; word_aligned when wide is at a word. */
OCTAVO_INLINE void octavo_widen_pixels(
    const int8_t *x, int32_t pixels, int32_t in_c, int32_t channels, int32_t word_aligned, int16_t *wide)
{
    if (in_c % 4 == 0 && channels == in_c) {
        octavo_widen_fours(x, pixels * in_c, wide);
        return;
    }
    if (channels == in_c && word_aligned) {
        octavo_widen_in_order(x, pixels * in_c, wide);
        return;
    }
    for (int32_t i = 0; i < pixels; ++i) {
        for (int32_t c = 0; c < in_c; ++c) {
            *wide++ = *x++;
        }
        for (int32_t c = in_c; c < channels; ++c) {
            *wide++ = 0;
        }
    }
}

OCTAVO_INLINE void octavo_fill_s16(int16_t *wide, int32_t count, int32_t value)
{
    for (int32_t i = 0; i < count; ++i) {
        wide[i] = (int16_t)value;
    }
}

#endif /* OCTAVO_DSP_WIDEN_H */
