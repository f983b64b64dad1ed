/* Hyperbolic tangent of float16, by exp(-2 |x|). x and out may be the same memory. */
#ifndef OCTAVO_TANH_F16_H
#define OCTAVO_TANH_F16_H

#include "decay_f16.h"

typedef struct {
    int32_t size;
} octavo_tanh_f16_params;

static inline void octavo_tanh_f16(const octavo_tanh_f16_params *p, const int16_t *x, const int32_t *table, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        const float value = octavo_f16_float(x[i]);
        const uint32_t power = octavo_decay_f16(2.0f * (value < 0.0f ? -value : value), table);
        const float size = (float)(OCTAVO_DECAY_F16_ONE - power) / (float)(OCTAVO_DECAY_F16_ONE + power);
        out[i] = octavo_f16_bits(value < 0.0f ? -size : size);
    }
}

#endif /* OCTAVO_TANH_F16_H */
