/* 1 / (1 + exp(-x)) of float16. x and out may be the same memory. */
#ifndef OCTAVO_SIGMOID_F16_H
#define OCTAVO_SIGMOID_F16_H

#include "decay_f16.h"

typedef struct {
    int32_t size;
} octavo_sigmoid_f16_params;

static inline void octavo_sigmoid_f16(const octavo_sigmoid_f16_params *p, const int16_t *x, const int32_t *table, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        out[i] = octavo_f16_bits(octavo_decay_f16_sigmoid(octavo_f16_float(x[i]), table));
    }
}

#endif /* OCTAVO_SIGMOID_F16_H */
