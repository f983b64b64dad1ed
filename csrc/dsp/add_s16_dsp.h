/* a + b of equal shapes for the DSP extension; out may be a or b. The sums of octavo_add_s16 in fewer instructions, as
 * add_s8_dsp has those of octavo_add_s8: with twice = x 2^16, an operand is
 * (smmlar(twice, multiplier, 2^(n-1)) - (x < 0)) >> n, and that of the larger scale is twice / 4.
 */
#ifndef OCTAVO_ADD_S16_DSP_H
#define OCTAVO_ADD_S16_DSP_H

#include "finish.h"

typedef struct {
    int32_t count;
    int32_t input1_multiplier;
    int32_t input1_shift;
    int32_t input2_multiplier;
    int32_t input2_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_add_s16_dsp_params;

/* Twice the operand. */
OCTAVO_INLINE int32_t octavo_add_s16_dsp_operand(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift == 0) {
        return octavo_shift_left(x, 15);
    }
    const int32_t product = octavo_smmlar(octavo_shift_left(x, 16), multiplier, 1 << (shift - 1));
    return 2 * octavo_asr(product + octavo_asr(x, 31), shift);
}

OCTAVO_KERNEL void octavo_add_s16_dsp(
    const octavo_add_s16_dsp_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < p->count; ++i) {
        const int32_t twice = octavo_add_s16_dsp_operand(*a++, p->input1_multiplier, p->input1_shift) +
            octavo_add_s16_dsp_operand(*b++, p->input2_multiplier, p->input2_shift);
        *out++ = (int16_t)octavo_dsp_rounded(twice, p->output_multiplier, 1 << (p->output_shift - 1),
            (uint32_t)p->output_shift, p->negative_ties, p->act_min, p->act_max);
    }
}

#endif /* OCTAVO_ADD_S16_DSP_H */
