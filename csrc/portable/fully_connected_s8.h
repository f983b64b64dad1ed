/* Fully connected: x [rows, I], weights [O, I], bias [O]; out [rows, O]. */
#ifndef OCTAVO_FULLY_CONNECTED_S8_H
#define OCTAVO_FULLY_CONNECTED_S8_H

#include "../octavo.h"

typedef struct {
    int32_t rows;
    int32_t in_features;
    int32_t out_features;
    int32_t per_channel;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t act_min;
    int32_t act_max;
} octavo_fully_connected_s8_params;

static inline void octavo_fully_connected_s8(const octavo_fully_connected_s8_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *out)
{
    const int32_t zero_point = p->input_zero_point;
    for (int32_t row = 0; row < p->rows; ++row) {
        const int8_t *w = weights;
        for (int32_t o = 0; o < p->out_features; ++o) {
            const int32_t c = p->per_channel ? o : 0;
            int32_t acc = 0;
            for (int32_t i = 0; i < p->in_features; ++i) {
                acc += ((int32_t)x[i] - zero_point) * (int32_t)w[i];
            }
            *out++ = octavo_finish(octavo_add_wrap(acc, bias[o]), multiplier[c], shift[c], p->output_zero_point,
                p->act_min, p->act_max);
            w += p->in_features;
        }
        x += p->in_features;
    }
}

#endif /* OCTAVO_FULLY_CONNECTED_S8_H */
