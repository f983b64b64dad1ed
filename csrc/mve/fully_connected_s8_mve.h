/* Fully connected layer for Helium: x [rows, I], out [rows, O]; the stream of words as in block.h. */
#ifndef OCTAVO_FULLY_CONNECTED_S8_MVE_H
#define OCTAVO_FULLY_CONNECTED_S8_MVE_H

#include "block.h"

typedef struct {
    int32_t rows;
    int32_t in_features;
    int32_t out_features;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_fully_connected_s8_mve_params;

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_fully_connected_s8_mve_rows(const octavo_fully_connected_s8_mve_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, int32_t known, int32_t bits)
{
    const octavo_mve_layer layer = {known, bits, p->out_features, p->out_features, p->in_features, p->in_features,
        {p->output_zero_point, p->negative_ties, p->act_min, p->act_max}};
    octavo_mve_row(&layer, stream, p->rows, x, out);
}

OCTAVO_KERNEL void octavo_fully_connected_s8_mve(
    const octavo_fully_connected_s8_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out)
{
    octavo_fully_connected_s8_mve_rows(p, x, stream, out, 1, 8);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_fully_connected_s8_mve_any(
    const octavo_fully_connected_s8_mve_params *p, const int8_t *x, const int32_t *stream, int8_t *out)
{
    octavo_fully_connected_s8_mve_rows(p, x, stream, out, 0, 8);
}

#endif /* OCTAVO_FULLY_CONNECTED_S8_MVE_H */
