/* Requantization of the kernels of this folder: the double rounding of octavo_requantize in four or five instructions.
 *
 * With twice = 2 acc, the doubling high multiply is (twice * multiplier + 2^31) >> 32, and the rounding shift by n >= 1
 * is (x + 2^(n-1) - (x < 0)) >> n. So what is added before the shift goes along with the multiplication:
 *
 *     out = (smmlar(twice, multiplier, (2 zero_point + 1) << (n - 1)) - (acc < 0)) >> n
 *
 * acc < 0 stands for x < 0: they differ only for acc = -1 and a multiplier of 2^30, where x = 0 and both give 0. The
 * last term makes ties of negative numbers go down; where everything below the zero point is clamped away (ReLU), it is
 * left out. The layout of a layer proves that |acc| < 2^30 and that the sum does not overflow.
 */
#ifndef OCTAVO_DSP_FINISH_H
#define OCTAVO_DSP_FINISH_H

#include "simd.h"

OCTAVO_INLINE int8_t octavo_dsp_finish(int32_t twice, int32_t multiplier, int32_t shift, int32_t zero_point,
    int32_t negative_ties, int32_t low, int32_t high)
{
    const int32_t round = octavo_shift_left(2 * zero_point + 1, shift - 1);
    const int32_t tie = negative_ties ? octavo_asr(twice, 31) : 0;
    return (int8_t)octavo_dsp_clamp(octavo_asr(octavo_smmlar(twice, multiplier, round + tie), shift), low, high);
}

#endif /* OCTAVO_DSP_FINISH_H */
