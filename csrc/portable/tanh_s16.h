/* tanh(x) = 2 sigmoid(2x) - 1 of int16 in Q0.15; table as logistic_s16. x and out may be the same memory. */
#ifndef OCTAVO_TANH_S16_H
#define OCTAVO_TANH_S16_H

#include "logistic_s16.h"

typedef octavo_logistic_s16_params octavo_tanh_s16_params;

static inline void octavo_tanh_s16(
    const octavo_tanh_s16_params *p, const int16_t *x, const int16_t *table, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        const int32_t position = octavo_logistic_s16_position(p, x[i]);
        const int32_t size = position < 0 ? -position : position;
        const int32_t y = octavo_logistic_s16_table(table, size, 8, 65535 << 8) - (1 << 23);
        const int32_t rounded = position >= 0 ? y + (1 << 7) : -y + (1 << 7) - 1;
        out[i] = (int16_t)octavo_shift_right(rounded, 8);
    }
}

#endif /* OCTAVO_TANH_S16_H */
