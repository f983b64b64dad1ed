/* x if x > 0 else alpha * x, of float16. x and out may be the same memory. */
#ifndef OCTAVO_LEAKY_RELU_F16_H
#define OCTAVO_LEAKY_RELU_F16_H

#include "../float16.h"
#include "../octavo.h"

typedef struct {
    int32_t size;
    float alpha;
} octavo_leaky_relu_f16_params;

static inline void octavo_leaky_relu_f16(const octavo_leaky_relu_f16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        const float value = octavo_f16_float(x[i]);
        out[i] = octavo_f16_finite(value > 0.0f ? value : value * p->alpha);
    }
}

#endif /* OCTAVO_LEAKY_RELU_F16_H */
