/* a + b of float16 of equal shapes for Helium, eight at a time; out may be a or b. The sums of octavo_add_f16. */
#ifndef OCTAVO_ADD_F16_MVE_H
#define OCTAVO_ADD_F16_MVE_H

#include "eight_f16.h"

typedef struct {
    int32_t count;
    float act_min;
    float act_max;
} octavo_add_f16_mve_params;

OCTAVO_KERNEL void octavo_add_f16_mve(
    const octavo_add_f16_mve_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    int32_t i = 0;
    for (; i + 8 <= p->count; i += 8) {
        octavo_eight_f16_sum(out + i, a + i, b + i, p->act_min, p->act_max, 8);
    }
    if (i < p->count) {
        octavo_eight_f16_sum(out + i, a + i, b + i, p->act_min, p->act_max, p->count - i);
    }
}

#endif /* OCTAVO_ADD_F16_MVE_H */
