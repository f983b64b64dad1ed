/* Fully connected layer for cores without SIMD: x [rows, I], out [rows, O]. Weights are [O / 4, I, 4] for channels in
 * fours and [I] for each of the rest; records [O, 3] are 4 (bias - zero_point * sum of weights), the multiplier and
 * n + 1 of the shift as in finish.h.
 */
#ifndef OCTAVO_FULLY_CONNECTED_S8_SCALAR_H
#define OCTAVO_FULLY_CONNECTED_S8_SCALAR_H

#include "finish.h"

#define OCTAVO_FULLY_CONNECTED_S8_SCALAR_RECORD 3

typedef struct {
    int32_t rows;
    int32_t in_features;
    int32_t out_features;
    int32_t shift_only;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_fully_connected_s8_scalar_params;

/* A group of one or four channels; returns their end of the weights. */
OCTAVO_INLINE const int8_t *octavo_fully_connected_s8_scalar_group(const octavo_fully_connected_s8_scalar_params *p,
    int32_t channels, const int8_t *x, const int8_t *w, const int32_t *record, int8_t *out)
{
    int32_t acc[4] = {0, 0, 0, 0};
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < p->in_features; ++i) {
        const int32_t element = *x++;
        OCTAVO_UNROLL
        for (int32_t c = 0; c < channels; ++c) {
            acc[c] += element * *w++;
        }
    }
    OCTAVO_UNROLL
    for (int32_t c = 0; c < channels; ++c, record += OCTAVO_FULLY_CONNECTED_S8_SCALAR_RECORD) {
        const int32_t round = octavo_scalar_round(p->output_zero_point, record[2], p->shift_only);
        out[c] = octavo_scalar_finish(record[0] + 4 * acc[c], record[1], round, record[2], p->shift_only,
            p->negative_ties, p->act_min, p->act_max);
    }
    return w;
}

OCTAVO_KERNEL void octavo_fully_connected_s8_scalar(const octavo_fully_connected_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out)
{
    const int32_t fours = p->out_features / 4 * 4;
    for (int32_t row = 0; row < p->rows; ++row) {
        const int8_t *w = weights;
        const int32_t *record = records;
        for (int32_t o = 0; o < fours; o += 4, record += 4 * OCTAVO_FULLY_CONNECTED_S8_SCALAR_RECORD) {
            w = octavo_fully_connected_s8_scalar_group(p, 4, x, w, record, out + o);
        }
        for (int32_t o = fours; o < p->out_features; ++o, record += OCTAVO_FULLY_CONNECTED_S8_SCALAR_RECORD) {
            w = octavo_fully_connected_s8_scalar_group(p, 1, x, w, record, out + o);
        }
        x += p->in_features;
        out += p->out_features;
    }
}

#endif /* OCTAVO_FULLY_CONNECTED_S8_SCALAR_H */
