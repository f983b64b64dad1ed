/* Requantization of int16 layers: that of octavo_finish64 in one instruction and a saturation.
 *
 * With the multiplier m of 15 bits and the shift n of octavo_finish64, floor((acc m + 2^(n-1)) / 2^n) is
 * smmulr(acc, m 2^(32-n)) for n in 16..32: the same product and the same half, both 2^(32-n) times as large. The layout of
 * a layer holds m 2^(32-n), and proves n.
 *
 * acc has 32 bits. Where the sums of a layer have more, saturating them changes nothing: the layout proves that what
 * smmulr makes of the largest and smallest int32_t is clamped.
 */
#ifndef OCTAVO_DSP_FINISH_S16_H
#define OCTAVO_DSP_FINISH_S16_H

#include "simd.h"

OCTAVO_INLINE int16_t octavo_dsp_finish_s16(int32_t acc, int32_t multiplier, int32_t low, int32_t high)
{
    return (int16_t)octavo_dsp_clamp(octavo_smmulr(acc, multiplier), low, high);
}

#endif /* OCTAVO_DSP_FINISH_S16_H */
