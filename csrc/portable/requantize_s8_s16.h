/* From int8 to int16, clamped. */
#ifndef OCTAVO_REQUANTIZE_S8_S16_H
#define OCTAVO_REQUANTIZE_S8_S16_H

#include "requantize_s16.h"

typedef octavo_requantize_s16_params octavo_requantize_s8_s16_params;

static inline void octavo_requantize_s8_s16(const octavo_requantize_s8_s16_params *p, const int8_t *x, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        out[i] = octavo_finish_s16((int32_t)x[i] - p->input_zero_point, p->multiplier, p->shift, p->output_zero_point,
            p->act_min, p->act_max);
    }
}

#endif /* OCTAVO_REQUANTIZE_S8_S16_H */
