/* As prelu_s8, of int16 whose zero points are 0; alpha is int8. */
#ifndef OCTAVO_PRELU_S16_H
#define OCTAVO_PRELU_S16_H

#include "prelu_s8.h"

typedef octavo_prelu_s8_params octavo_prelu_s16_params;

static inline void octavo_prelu_s16(
    const octavo_prelu_s16_params *p, const int16_t *x, const int8_t *alpha, int16_t *out)
{
    for (int32_t start = 0; start < p->size; start += p->channels) {
        for (int32_t c = 0; c < p->channels; ++c) {
            const int32_t value = x[start + c];
            if (value >= 0) {
                out[start + c] = octavo_finish_s16(
                    value, p->output_multiplier1, p->output_shift1, 0, INT16_MIN, INT16_MAX);
            } else {
                out[start + c] = octavo_finish_s16(value * ((int32_t)alpha[c] - p->alpha_zero_point),
                    p->output_multiplier2, p->output_shift2, 0, INT16_MIN, INT16_MAX);
            }
        }
    }
}

#endif /* OCTAVO_PRELU_S16_H */
