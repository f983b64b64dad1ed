/* Copies pixels of channels elements to places out_stride elements apart: some channels of a larger image. */
#ifndef OCTAVO_PLACE_S8_H
#define OCTAVO_PLACE_S8_H

#include "../octavo.h"

typedef struct {
    int32_t pixels;
    int32_t channels;
    int32_t out_stride;
} octavo_place_s8_params;

static inline void octavo_place_s8(const octavo_place_s8_params *p, const int8_t *x, int8_t *out)
{
    for (int32_t i = 0; i < p->pixels; ++i) {
        memcpy(out + i * p->out_stride, x + i * p->channels, (uint32_t)p->channels);
    }
}

#endif /* OCTAVO_PLACE_S8_H */
