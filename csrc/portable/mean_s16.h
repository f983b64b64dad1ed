/* As mean_s8, of int16, whose zero points are 0; up to 65535 elements a mean. */
#ifndef OCTAVO_MEAN_S16_H
#define OCTAVO_MEAN_S16_H

#include "mean_s8.h"

typedef octavo_mean_s8_params octavo_mean_s16_params;

static inline void octavo_mean_s16(const octavo_mean_s16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t o = 0; o < p->outer; ++o) {
        for (int32_t i = 0; i < p->inner; ++i) {
            const int16_t *source = x + o * p->reduced * p->inner + i;
            int32_t acc = 0;
            for (int32_t r = 0; r < p->reduced; ++r) {
                acc += source[r * p->inner];
            }
            *out++ = octavo_finish_s16(acc, p->multiplier, p->shift, 0, INT16_MIN, INT16_MAX);
        }
    }
}

#endif /* OCTAVO_MEAN_S16_H */
