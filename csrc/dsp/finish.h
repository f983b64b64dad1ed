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

/* round is (2 zero_point + 1) << (shift - 1); shift is the low byte of its word. */
OCTAVO_INLINE int32_t octavo_dsp_rounded(int32_t twice, int32_t multiplier, int32_t round, uint32_t shift,
    int32_t negative_ties, int32_t low, int32_t high)
{
    const int32_t tie = negative_ties ? octavo_asr(twice, 31) : 0;
    return octavo_dsp_clamp(octavo_asr_byte(octavo_smmlar(twice, multiplier, round + tie), shift), low, high);
}

/* The same where low and high are inside int8. */
OCTAVO_INLINE int8_t octavo_dsp_finish(int32_t twice, int32_t multiplier, int32_t round, uint32_t shift,
    int32_t negative_ties, int32_t low, int32_t high)
{
    return (int8_t)octavo_dsp_rounded(twice, multiplier, round, shift, negative_ties, low, high);
}

/* What follows the weights of a pair of channels: for both 2 (bias - input zero_point * sum of weights), then both
 * multipliers, then a word of bytes: both shifts n, then both n - 1. */
#define OCTAVO_DSP_RECORD 5

/* Reads a pair's record and gives the results of both channels for each of its sums; second is 0 for a lone channel. */
OCTAVO_INLINE void octavo_dsp_finish_pair(const octavo_word *record, int32_t sums, const int32_t *first_twice,
    const int32_t *second_twice, int32_t zero_point, int32_t negative_ties, int32_t low, int32_t high, int8_t *out,
    int32_t step, int32_t second)
{
    const int32_t bias0 = (int32_t)record[0];
    const int32_t bias1 = (int32_t)record[1];
    const int32_t multiplier0 = (int32_t)record[2];
    const int32_t multiplier1 = (int32_t)record[3];
    const uint32_t shifts = record[4];
    const int32_t round0 = octavo_lsl_byte(2 * zero_point + 1, shifts >> 16);
    const int32_t round1 = octavo_lsl_byte(2 * zero_point + 1, shifts >> 24);
    OCTAVO_UNROLL
    for (int32_t i = 0; i < sums; ++i) {
        out[i * step] = octavo_dsp_finish(
            bias0 + first_twice[i], multiplier0, round0, shifts, negative_ties, low, high);
        if (second) {
            out[i * step + 1] = octavo_dsp_finish(
                bias1 + second_twice[i], multiplier1, round1, shifts >> 8, negative_ties, low, high);
        }
    }
}

#endif /* OCTAVO_DSP_FINISH_H */
