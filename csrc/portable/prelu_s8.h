/* Leaky ReLU with a slope per channel: below the zero point x is multiplied by alpha. In place is allowed. */
#ifndef OCTAVO_PRELU_S8_H
#define OCTAVO_PRELU_S8_H

#include "../octavo.h"

typedef struct {
    int32_t size;
    int32_t channels;
    int32_t input_zero_point;
    int32_t alpha_zero_point;
    int32_t output_zero_point;
    int32_t output_multiplier1;
    int32_t output_shift1;
    int32_t output_multiplier2;
    int32_t output_shift2;
} octavo_prelu_s8_params;

static inline void octavo_prelu_s8(const octavo_prelu_s8_params *p, const int8_t *x, const int8_t *alpha, int8_t *out)
{
    for (int32_t start = 0; start < p->size; start += p->channels) {
        for (int32_t c = 0; c < p->channels; ++c) {
            const int32_t value = (int32_t)x[start + c] - p->input_zero_point;
            if (value >= 0) {
                out[start + c] = octavo_finish(
                    value, p->output_multiplier1, p->output_shift1, p->output_zero_point, -128, 127);
            } else {
                out[start + c] = octavo_finish(value * ((int32_t)alpha[c] - p->alpha_zero_point),
                    p->output_multiplier2, p->output_shift2, p->output_zero_point, -128, 127);
            }
        }
    }
}

#endif /* OCTAVO_PRELU_S8_H */
