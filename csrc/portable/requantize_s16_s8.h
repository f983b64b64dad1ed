/* From int16 to int8, clamped. */
#ifndef OCTAVO_REQUANTIZE_S16_S8_H
#define OCTAVO_REQUANTIZE_S16_S8_H

#include "requantize_s16.h"

typedef octavo_requantize_s16_params octavo_requantize_s16_s8_params;

static inline void octavo_requantize_s16_s8(const octavo_requantize_s16_s8_params *p, const int16_t *x, int8_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        out[i] = octavo_finish((int32_t)x[i] - p->input_zero_point, p->multiplier, p->shift, p->output_zero_point,
            p->act_min, p->act_max);
    }
}

#endif /* OCTAVO_REQUANTIZE_S16_S8_H */
