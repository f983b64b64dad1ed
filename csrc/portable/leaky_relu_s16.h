/* x >= 0 is rescaled by the first pair, x < 0 by the second, with the other sign when negative is 1.
 * x and out may be the same memory. */
#ifndef OCTAVO_LEAKY_RELU_S16_H
#define OCTAVO_LEAKY_RELU_S16_H

#include "../octavo.h"

typedef struct {
    int32_t size;
    int32_t multiplier1;
    int32_t shift1;
    int32_t multiplier2;
    int32_t shift2;
    int32_t negative;
} octavo_leaky_relu_s16_params;

static inline void octavo_leaky_relu_s16(const octavo_leaky_relu_s16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        int32_t y;
        if (x[i] >= 0) {
            y = octavo_requantize(x[i], p->multiplier1, p->shift1);
        } else {
            y = octavo_requantize(x[i], p->multiplier2, p->shift2);
            y = p->negative ? octavo_sub_wrap(0, y) : y;
        }
        out[i] = (int16_t)octavo_clamp(y, INT16_MIN, INT16_MAX);
    }
}

#endif /* OCTAVO_LEAKY_RELU_S16_H */
