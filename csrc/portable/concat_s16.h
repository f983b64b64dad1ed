/* As concat_s8, of int16. */
#ifndef OCTAVO_CONCAT_S16_H
#define OCTAVO_CONCAT_S16_H

#include "concat_s8.h"

typedef octavo_concat_s8_params octavo_concat_s16_params;

static inline void octavo_concat_s16(
    const octavo_concat_s16_params *p, const int16_t *const inputs[], const int32_t *sizes, int16_t *out)
{
    int32_t offset = 0;
    for (int32_t i = 0; i < p->count; ++i) {
        for (int32_t o = 0; o < p->outer; ++o) {
            memcpy(out + o * p->out_stride + offset, inputs[i] + o * sizes[i], (uint32_t)sizes[i] * sizeof *out);
        }
        offset += sizes[i];
    }
}

#endif /* OCTAVO_CONCAT_S16_H */
