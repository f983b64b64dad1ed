/* As place_s8, of int16. */
#ifndef OCTAVO_PLACE_S16_H
#define OCTAVO_PLACE_S16_H

#include "place_s8.h"

typedef octavo_place_s8_params octavo_place_s16_params;

static inline void octavo_place_s16(const octavo_place_s16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t i = 0; i < p->pixels; ++i) {
        memcpy(out + i * p->out_stride, x + i * p->channels, (uint32_t)p->channels * sizeof *x);
    }
}

#endif /* OCTAVO_PLACE_S16_H */
