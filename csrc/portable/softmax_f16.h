/* Softmax of float16 over rows of depth elements: exponentials of the difference to the largest in integers, whose sum
 * fits into 64 bits; one division in float. x and out may be the same memory. */
#ifndef OCTAVO_SOFTMAX_F16_H
#define OCTAVO_SOFTMAX_F16_H

#include "decay_f16.h"

typedef struct {
    int32_t outer;
    int32_t depth;
} octavo_softmax_f16_params;

static inline void octavo_softmax_f16(
    const octavo_softmax_f16_params *p, const int16_t *x, const int32_t *table, int16_t *out)
{
    for (int32_t row = 0; row < p->outer; ++row) {
        float most = octavo_f16_float(x[0]);
        for (int32_t i = 1; i < p->depth; ++i) {
            const float value = octavo_f16_float(x[i]);
            most = value > most ? value : most;
        }
        uint64_t sum = 0;
        for (int32_t i = 0; i < p->depth; ++i) {
            sum += octavo_decay_f16(most - octavo_f16_float(x[i]), table);
        }
        const float total = (float)sum;
        for (int32_t i = 0; i < p->depth; ++i) {
            out[i] = octavo_f16_bits((float)octavo_decay_f16(most - octavo_f16_float(x[i]), table) / total);
        }
        x += p->depth;
        out += p->depth;
    }
}

#endif /* OCTAVO_SOFTMAX_F16_H */
