/* Joins inputs along an axis: outer times, sizes[i] elements of input i. out_shape is not used here. */
#ifndef OCTAVO_CONCAT_S8_H
#define OCTAVO_CONCAT_S8_H

#include "../octavo.h"

typedef struct {
    int32_t outer;
    int32_t count;
    int32_t out_stride;
    int32_t out_shape[5];
} octavo_concat_s8_params;

static inline void octavo_concat_s8(
    const octavo_concat_s8_params *p, const int8_t *const inputs[], const int32_t *sizes, int8_t *out)
{
    int32_t offset = 0;
    for (int32_t i = 0; i < p->count; ++i) {
        for (int32_t o = 0; o < p->outer; ++o) {
            memcpy(out + o * p->out_stride + offset, inputs[i] + o * sizes[i], (uint32_t)sizes[i]);
        }
        offset += sizes[i];
    }
}

#endif /* OCTAVO_CONCAT_S8_H */
