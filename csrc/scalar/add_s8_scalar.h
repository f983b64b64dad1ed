/* a + b of equal shapes for cores without SIMD; out may be a or b. The sums of octavo_add_s8 in fewer instructions.
 *
 * An operand is one of 256 values. With d = x - zero_point they are whole d + ((part d + rest) >> 22), where d < 0 with
 * negative more: the layout of a layer has tried them all.
 */
#ifndef OCTAVO_ADD_S8_SCALAR_H
#define OCTAVO_ADD_S8_SCALAR_H

#include "finish.h"

#define OCTAVO_ADD_S8_SCALAR_SHIFT 22

typedef struct {
    int32_t count;
    int32_t input1_zero_point;
    int32_t input1_whole;
    int32_t input1_part;
    int32_t input1_rest;
    int32_t input1_negative;
    int32_t input2_zero_point;
    int32_t input2_whole;
    int32_t input2_part;
    int32_t input2_rest;
    int32_t input2_negative;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t shift_only;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_add_s8_scalar_params;

OCTAVO_INLINE int32_t octavo_add_s8_scalar_operand(
    int32_t d, int32_t whole, int32_t part, int32_t rest, int32_t negative)
{
    const int32_t more = rest + (octavo_scalar_asr(d, 31) & negative);
    return whole * d + octavo_scalar_asr(part * d + more, OCTAVO_ADD_S8_SCALAR_SHIFT);
}

OCTAVO_KERNEL void octavo_add_s8_scalar(
    const octavo_add_s8_scalar_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int32_t round = octavo_scalar_round(p->output_zero_point, p->output_shift, p->shift_only);
    for (int8_t *const end = out + p->count; out != end; ++out) {
        const int32_t first = octavo_add_s8_scalar_operand(
            *a++ - p->input1_zero_point, p->input1_whole, p->input1_part, p->input1_rest, p->input1_negative);
        const int32_t second = octavo_add_s8_scalar_operand(
            *b++ - p->input2_zero_point, p->input2_whole, p->input2_part, p->input2_rest, p->input2_negative);
        *out = octavo_scalar_finish(4 * (first + second), p->output_multiplier, round, p->output_shift, p->shift_only,
            p->negative_ties, p->act_min, p->act_max);
    }
}

#endif /* OCTAVO_ADD_S8_SCALAR_H */
