/* Fully connected layer of float16: x [rows, I], weights [I, O], bias [O]; out [rows, O]. Sums as in taps_f16.h. */
#ifndef OCTAVO_FULLY_CONNECTED_F16_H
#define OCTAVO_FULLY_CONNECTED_F16_H

#include "taps_f16.h"

typedef struct {
    int32_t rows;
    int32_t in_features;
    int32_t out_features;
    float act_min;
    float act_max;
} octavo_fully_connected_f16_params;

/* Up to a block of output channels of one row; weights, bias and out begin there. */
OCTAVO_INLINE void octavo_fully_connected_f16_block(const octavo_fully_connected_f16_params *p, const int16_t *x,
    const int16_t *weights, const int16_t *bias, int32_t channels, int16_t *out)
{
    float acc[OCTAVO_TAPS_F16_BLOCK];
    octavo_taps_f16_begin(acc, bias, channels);
    octavo_taps_f16_add(acc, x, weights, p->in_features, p->out_features, channels);
    octavo_taps_f16_end(acc, p->act_min, p->act_max, channels, out);
}

static inline void octavo_fully_connected_f16(const octavo_fully_connected_f16_params *p, const int16_t *x,
    const int16_t *weights, const int16_t *bias, int16_t *out)
{
    for (int32_t row = 0; row < p->rows; ++row) {
        int32_t c = 0;
        for (; c + OCTAVO_TAPS_F16_BLOCK <= p->out_features; c += OCTAVO_TAPS_F16_BLOCK) {
            octavo_fully_connected_f16_block(p, x, weights + c, bias + c, OCTAVO_TAPS_F16_BLOCK, out + c);
        }
        if (p->out_features % OCTAVO_TAPS_F16_BLOCK > 0) {
            octavo_fully_connected_f16_block(p, x, weights + c, bias + c, p->out_features - c, out + c);
        }
        x += p->in_features;
        out += p->out_features;
    }
}

#endif /* OCTAVO_FULLY_CONNECTED_F16_H */
