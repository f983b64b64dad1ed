/* max(a, b) of int16 with broadcasting: as maximum_s8. */
#ifndef OCTAVO_MAXIMUM_S16_H
#define OCTAVO_MAXIMUM_S16_H

#include "maximum_s8.h"

typedef octavo_maximum_s8_params octavo_maximum_s16_params;

static inline void octavo_maximum_s16(
    const octavo_maximum_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_maximum_s8_one)
}

#endif /* OCTAVO_MAXIMUM_S16_H */
