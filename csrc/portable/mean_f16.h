/* Mean of float16 over the middle axis of x [outer, reduced, inner]: the sum in float, divided by reduced. */
#ifndef OCTAVO_MEAN_F16_H
#define OCTAVO_MEAN_F16_H

#include "../float16.h"
#include "../octavo.h"

typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t out_shape[5];
} octavo_mean_f16_params;

static inline void octavo_mean_f16(const octavo_mean_f16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t o = 0; o < p->outer; ++o) {
        for (int32_t i = 0; i < p->inner; ++i) {
            const int16_t *source = x + o * p->reduced * p->inner + i;
            float sum = 0.0f;
            for (int32_t r = 0; r < p->reduced; ++r) {
                sum += octavo_f16_float(source[r * p->inner]);
            }
            *out++ = octavo_f16_finite(sum / (float)p->reduced);
        }
    }
}

#endif /* OCTAVO_MEAN_F16_H */
