/* x / (1 + exp(-x)) of float16. x and out may be the same memory. */
#ifndef OCTAVO_SILU_F16_H
#define OCTAVO_SILU_F16_H

#include "decay_f16.h"

typedef struct {
    int32_t size;
} octavo_silu_f16_params;

static inline void octavo_silu_f16(const octavo_silu_f16_params *p, const int16_t *x, const int32_t *table, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        const float value = octavo_f16_float(x[i]);
        out[i] = octavo_f16_finite(value * octavo_decay_f16_sigmoid(value, table));
    }
}

#endif /* OCTAVO_SILU_F16_H */
