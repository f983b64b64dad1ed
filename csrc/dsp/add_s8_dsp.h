/* a + b of equal shapes for the DSP extension; out may be a or b. The sums of octavo_add_s8 in fewer instructions.
 *
 * With twice = (x - zero_point) 2^21, an operand is (smmlar(twice, multiplier, 2^(n-1)) - (x < zero_point)) >> n, see
 * finish.h; the operand of the larger scale has the multiplier 2^30 and n = 0 and is twice / 4. bias is
 * -zero_point 2^21, shift counts to the right.
 */
#ifndef OCTAVO_ADD_S8_DSP_H
#define OCTAVO_ADD_S8_DSP_H

#include "finish.h"

typedef struct {
    int32_t count;
    int32_t input1_bias;
    int32_t input2_bias;
    int32_t input1_multiplier;
    int32_t input1_shift;
    int32_t input2_multiplier;
    int32_t input2_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_add_s8_dsp_params;

/* Twice the operand. */
OCTAVO_INLINE int32_t octavo_add_s8_dsp_operand(int32_t x, int32_t bias, int32_t multiplier, int32_t shift)
{
    if (shift == 0) {
        return octavo_asr(bias, 1) + octavo_shift_left(x, 20);
    }
    const int32_t twice = bias + octavo_shift_left(x, 21);
    const int32_t product = octavo_smmlar(twice, multiplier, 1 << (shift - 1));
    return 2 * octavo_asr(product + octavo_asr(twice, 31), shift);
}

OCTAVO_KERNEL void octavo_add_s8_dsp(
    const octavo_add_s8_dsp_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < p->count; ++i) {
        const int32_t first =
            octavo_add_s8_dsp_operand(*a++, p->input1_bias, p->input1_multiplier, p->input1_shift);
        const int32_t second =
            octavo_add_s8_dsp_operand(*b++, p->input2_bias, p->input2_multiplier, p->input2_shift);
        *out++ = octavo_dsp_finish(first + second, p->output_multiplier,
            octavo_shift_left(2 * p->output_zero_point + 1, p->output_shift - 1), (uint32_t)p->output_shift,
            p->negative_ties, p->act_min, p->act_max);
    }
}

#endif /* OCTAVO_ADD_S8_DSP_H */
