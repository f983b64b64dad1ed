/* Mean over the middle axis of x [outer, reduced, inner]; multiplier and shift already carry 1 / reduced. */
#ifndef OCTAVO_MEAN_S8_H
#define OCTAVO_MEAN_S8_H

#include "../octavo.h"

typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t out_shape[5];
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} octavo_mean_s8_params;

static inline void octavo_mean_s8(const octavo_mean_s8_params *p, const int8_t *x, int8_t *out)
{
    for (int32_t o = 0; o < p->outer; ++o) {
        for (int32_t i = 0; i < p->inner; ++i) {
            const int8_t *source = x + o * p->reduced * p->inner + i;
            int32_t acc = -p->reduced * p->input_zero_point;
            for (int32_t r = 0; r < p->reduced; ++r) {
                acc += source[r * p->inner];
            }
            *out++ = octavo_finish(acc, p->multiplier, p->shift, p->output_zero_point, -128, 127);
        }
    }
}

#endif /* OCTAVO_MEAN_S8_H */
