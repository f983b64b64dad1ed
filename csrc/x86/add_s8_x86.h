/* a + b of equal shapes for x86-64, sixteen elements at once; out may be a or b. The sums of octavo_add_s8 as
 * csrc/dsp/add_s8_dsp.h explains and proves them.
 */
#ifndef OCTAVO_ADD_S8_X86_H
#define OCTAVO_ADD_S8_X86_H

#include "lanes.h"

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
} octavo_add_s8_x86_params;

/* Twice the operand. */
OCTAVO_INLINE octavo_x86_lanes octavo_add_s8_x86_operand(
    octavo_x86_lanes x, int32_t bias, int32_t multiplier, int32_t shift)
{
    if (shift == 0) {
        return octavo_x86_add(
            octavo_x86_shift_left(x, octavo_x86_spread(20)), octavo_x86_spread(octavo_shift_right(bias, 1)));
    }
    const octavo_x86_lanes twice =
        octavo_x86_add(octavo_x86_shift_left(x, octavo_x86_spread(21)), octavo_x86_spread(bias));
    const octavo_x86_lanes once = octavo_x86_scaled(twice, octavo_x86_spread(multiplier),
        octavo_x86_spread(octavo_shift_left(1, shift - 1)), octavo_x86_spread(shift), 1);
    return octavo_x86_add(once, once);
}

OCTAVO_INLINE void octavo_add_s8_x86_some(
    const octavo_add_s8_x86_params *p, const int8_t *a, const int8_t *b, int8_t *out, int32_t count)
{
    const octavo_x86_lanes first = octavo_add_s8_x86_operand(
        octavo_x86_load_bytes(a), p->input1_bias, p->input1_multiplier, p->input1_shift);
    const octavo_x86_lanes second = octavo_add_s8_x86_operand(
        octavo_x86_load_bytes(b), p->input2_bias, p->input2_multiplier, p->input2_shift);
    const int32_t round = octavo_shift_left(2 * p->output_zero_point + 1, p->output_shift - 1);
    const octavo_x86_lanes sum = octavo_x86_scaled(octavo_x86_add(first, second),
        octavo_x86_spread(p->output_multiplier), octavo_x86_spread(round), octavo_x86_spread(p->output_shift),
        p->negative_ties);
    octavo_x86_store_bytes(out, sum, p->act_min, p->act_max, count);
}

OCTAVO_INLINE void octavo_add_s8_x86(
    const octavo_add_s8_x86_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int32_t whole = p->count / OCTAVO_X86_LANES * OCTAVO_X86_LANES;
    for (int32_t i = 0; i < whole; i += OCTAVO_X86_LANES) {
        octavo_add_s8_x86_some(p, a + i, b + i, out + i, OCTAVO_X86_LANES);
    }
    if (whole < p->count) {
        int8_t rest[2][OCTAVO_X86_LANES] = {{0}, {0}};
        memcpy(rest[0], a + whole, (uint32_t)(p->count - whole));
        memcpy(rest[1], b + whole, (uint32_t)(p->count - whole));
        octavo_add_s8_x86_some(p, rest[0], rest[1], out + whole, p->count - whole);
    }
}

#endif /* OCTAVO_ADD_S8_X86_H */
