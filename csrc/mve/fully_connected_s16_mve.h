/* Fully connected layer for Helium: x int16 [rows, I], out [rows, O]; the stream of words as in block_s16.h. */
#ifndef OCTAVO_FULLY_CONNECTED_S16_MVE_H
#define OCTAVO_FULLY_CONNECTED_S16_MVE_H

#include "block_s16.h"

typedef struct {
    int32_t rows;
    int32_t in_features;
    int32_t out_features;
    int32_t wide;
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_fully_connected_s16_mve_params;

OCTAVO_KERNEL void octavo_fully_connected_s16_mve(
    const octavo_fully_connected_s16_mve_params *p, const int16_t *x, const int32_t *stream, int16_t *out)
{
    const octavo_mve_layer_s16 layer = {
        p->out_features, p->in_features, p->in_features, p->wide, {p->shifted, p->act_min, p->act_max}};
    octavo_mve_row_s16(&layer, stream, p->rows, x, out);
}

#endif /* OCTAVO_FULLY_CONNECTED_S16_MVE_H */
