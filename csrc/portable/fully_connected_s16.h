/* Fully connected: x int16 [rows, I], weights [O, I], bias int64 [O]; out [rows, O]. Zero points are 0. */
#ifndef OCTAVO_FULLY_CONNECTED_S16_H
#define OCTAVO_FULLY_CONNECTED_S16_H

#include "dot_s16.h"
#include "fully_connected_s8.h"

typedef octavo_fully_connected_s8_params octavo_fully_connected_s16_params;

static inline void octavo_fully_connected_s16(const octavo_fully_connected_s16_params *p, const int16_t *x,
    const int8_t *weights, const int64_t *bias, const int32_t *multiplier, const int8_t *shift, int16_t *out)
{
    for (int32_t row = 0; row < p->rows; ++row) {
        const int8_t *w = weights;
        for (int32_t o = 0; o < p->out_features; ++o) {
            const int32_t c = p->per_channel ? o : 0;
            const int64_t acc = bias[o] + octavo_dot_s16(x, w, p->in_features);
            *out++ = octavo_finish64(acc, multiplier[c], shift[c], p->act_min, p->act_max);
            w += p->in_features;
        }
        x += p->in_features;
    }
}

#endif /* OCTAVO_FULLY_CONNECTED_S16_H */
