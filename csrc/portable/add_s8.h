/* a + b with broadcasting. Element strides, 0 where broadcast. out may be the memory of an input
 * that has out's shape. */
#ifndef OCTAVO_ADD_S8_H
#define OCTAVO_ADD_S8_H

#include "../octavo.h"
#include "broadcast.h"

typedef struct {
    int32_t shape[5];
    int32_t stride1[5];
    int32_t stride2[5];
    int32_t input1_zero_point;
    int32_t input2_zero_point;
    int32_t output_zero_point;
    int32_t left_shift;
    int32_t input1_multiplier;
    int32_t input1_shift;
    int32_t input2_multiplier;
    int32_t input2_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t act_min;
    int32_t act_max;
} octavo_add_s8_params;

static inline int32_t octavo_add_s8_one(const octavo_add_s8_params *p, int32_t a, int32_t b)
{
    const int32_t first = octavo_requantize(
        octavo_shift_left(a - p->input1_zero_point, p->left_shift), p->input1_multiplier, p->input1_shift);
    const int32_t second = octavo_requantize(
        octavo_shift_left(b - p->input2_zero_point, p->left_shift), p->input2_multiplier, p->input2_shift);
    return octavo_scaled(octavo_add_wrap(first, second), p->output_multiplier, p->output_shift,
        p->output_zero_point, p->act_min, p->act_max);
}

static inline void octavo_add_s8(const octavo_add_s8_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    OCTAVO_BROADCAST(int8_t, p, a, b, out, octavo_add_s8_one)
}

#endif /* OCTAVO_ADD_S8_H */
