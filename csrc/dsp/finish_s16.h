/* Requantization of int16 layers: that of octavo_finish64 in one instruction and a saturation.
 *
 * With the multiplier m of 15 bits and the shift n of octavo_finish64, floor((acc m + 2^(n-1)) / 2^n) is
 * smmulr(acc, m 2^(32-n)) for n in 16..32: the same product and the same half, both 2^(32-n) times as large. Where a
 * layer has an n beyond 32 (channels that hardly answer to their inputs), all its channels are shifted instead:
 * (floor(acc m / 2^16) + 2^(n-17)) >> (n-16), for n in 17..46. scale is m 2^(32-n), or a word with m above and n - 16 below;
 * the layout of a layer proves n.
 *
 * acc has 32 bits. Where the sums of a layer have more, saturating them changes nothing: the layout proves that what
 * smmulr makes of the largest and smallest int32_t is clamped.
 */
#ifndef OCTAVO_DSP_FINISH_S16_H
#define OCTAVO_DSP_FINISH_S16_H

#include "simd.h"

OCTAVO_INLINE int16_t octavo_dsp_finish_s16(int32_t acc, uint32_t scale, int32_t shifted, int32_t low, int32_t high)
{
    if (shifted) {
        const int32_t sum = octavo_smlawt(acc, scale, octavo_lsl_byte(1, scale - 1u));
        return (int16_t)octavo_dsp_clamp(octavo_asr_byte(sum, scale), low, high);
    }
    return (int16_t)octavo_dsp_clamp(octavo_smmulr(acc, octavo_from_bits(scale)), low, high);
}

#endif /* OCTAVO_DSP_FINISH_S16_H */
