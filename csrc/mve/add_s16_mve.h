/* a + b of equal shapes for Helium; out may be a or b. The sums of octavo_add_s16, four at a time. */
#ifndef OCTAVO_ADD_S16_MVE_H
#define OCTAVO_ADD_S16_MVE_H

#include "four_s16.h"

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
} octavo_add_s16_mve_params;

OCTAVO_INLINE void octavo_add_s16_mve_four(
    const octavo_add_s16_mve_params *p, const int16_t *a, const int16_t *b, int16_t *out, int32_t lanes)
{
    const octavo_mve_ends ends = {0, p->negative_ties, p->act_min, p->act_max};
    const octavo_four first =
        octavo_four_operand_s16(octavo_four_some_s16(a, lanes), p->input1_multiplier, p->input1_shift);
    const octavo_four second =
        octavo_four_operand_s16(octavo_four_some_s16(b, lanes), p->input2_multiplier, p->input2_shift);
    octavo_four_store_s16(out,
        octavo_four_finish(octavo_four_add(first, second), octavo_four_all(p->output_multiplier),
            octavo_four_all(p->output_shift), &ends),
        lanes);
}

OCTAVO_KERNEL void octavo_add_s16_mve(
    const octavo_add_s16_mve_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    for (int32_t i = 0; i < p->count / 4; ++i) {
        octavo_add_s16_mve_four(p, a, b, out, 4);
        a += 4;
        b += 4;
        out += 4;
    }
    if (p->count % 4 > 0) {
        octavo_add_s16_mve_four(p, a, b, out, p->count % 4);
    }
}

#endif /* OCTAVO_ADD_S16_MVE_H */
