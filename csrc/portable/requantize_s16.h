/* From one int16 encoding to another, clamped. x and out may be the same memory. */
#ifndef OCTAVO_REQUANTIZE_S16_H
#define OCTAVO_REQUANTIZE_S16_H

#include "../octavo.h"

typedef struct {
    int32_t size;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t act_min;
    int32_t act_max;
} octavo_requantize_s16_params;

static inline void octavo_requantize_s16(const octavo_requantize_s16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        out[i] = octavo_finish_s16((int32_t)x[i] - p->input_zero_point, p->multiplier, p->shift, p->output_zero_point,
            p->act_min, p->act_max);
    }
}

#endif /* OCTAVO_REQUANTIZE_S16_H */
