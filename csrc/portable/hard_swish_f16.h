/* x * clamp(x + 3, 0, 6) / 6 of float16: no product is added to, so that nothing can be fused. */
#ifndef OCTAVO_HARD_SWISH_F16_H
#define OCTAVO_HARD_SWISH_F16_H

#include "../float16.h"
#include "../octavo.h"

typedef struct {
    int32_t size;
} octavo_hard_swish_f16_params;

static inline void octavo_hard_swish_f16(const octavo_hard_swish_f16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        const float value = octavo_f16_float(x[i]);
        const float gate = value + 3.0f;
        const float bounded = gate > 0.0f ? (gate < 6.0f ? gate : 6.0f) : 0.0f;
        out[i] = octavo_f16_finite(value * bounded / 6.0f);
    }
}

#endif /* OCTAVO_HARD_SWISH_F16_H */
