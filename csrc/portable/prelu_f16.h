/* x if x > 0 else alpha * x, of float16, alpha [channels]. x and out may be the same memory. */
#ifndef OCTAVO_PRELU_F16_H
#define OCTAVO_PRELU_F16_H

#include "../float16.h"
#include "../octavo.h"

typedef struct {
    int32_t size;
    int32_t channels;
} octavo_prelu_f16_params;

static inline void octavo_prelu_f16(
    const octavo_prelu_f16_params *p, const int16_t *x, const int16_t *alpha, int16_t *out)
{
    for (int32_t start = 0; start < p->size; start += p->channels) {
        for (int32_t c = 0; c < p->channels; ++c) {
            const float value = octavo_f16_float(x[start + c]);
            out[start + c] = octavo_f16_finite(value > 0.0f ? value : value * octavo_f16_float(alpha[c]));
        }
    }
}

#endif /* OCTAVO_PRELU_F16_H */
