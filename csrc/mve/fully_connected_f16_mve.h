/* Fully connected layer of float16 for Helium: octavo_fully_connected_f16, eight output channels at a time. */
#ifndef OCTAVO_FULLY_CONNECTED_F16_MVE_H
#define OCTAVO_FULLY_CONNECTED_F16_MVE_H

#include "../portable/fully_connected_f16.h"
#include "eight_f16.h"

typedef octavo_fully_connected_f16_params octavo_fully_connected_f16_mve_params;

/* Up to eight output channels of one row; weights, bias and out begin there. */
OCTAVO_INLINE void octavo_fully_connected_f16_mve_block(const octavo_fully_connected_f16_mve_params *p,
    const int16_t *x, const int16_t *weights, const int16_t *bias, int32_t channels, int16_t *out)
{
    octavo_eight_f16 sum = octavo_eight_f16_load(bias, channels);
    for (int32_t i = 0; i < p->in_features; ++i) {
        sum = octavo_eight_f16_add(sum, octavo_eight_f16_load(weights, channels), octavo_f16_float(x[i]));
        weights += p->out_features;
    }
    octavo_eight_f16_store(out, sum, p->act_min, p->act_max, channels);
}

OCTAVO_KERNEL void octavo_fully_connected_f16_mve(const octavo_fully_connected_f16_mve_params *p, const int16_t *x,
    const int16_t *weights, const int16_t *bias, int16_t *out)
{
    for (int32_t row = 0; row < p->rows; ++row) {
        int32_t c = 0;
        for (; c + 8 <= p->out_features; c += 8) {
            octavo_fully_connected_f16_mve_block(p, x, weights + c, bias + c, 8, out + c);
        }
        if (p->out_features % 8 > 0) {
            octavo_fully_connected_f16_mve_block(p, x, weights + c, bias + c, p->out_features - c, out + c);
        }
        x += p->in_features;
        out += p->out_features;
    }
}

#endif /* OCTAVO_FULLY_CONNECTED_F16_MVE_H */
