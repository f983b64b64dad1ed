/* min(a, b) of int16 with broadcasting: as minimum_s8. */
#ifndef OCTAVO_MINIMUM_S16_H
#define OCTAVO_MINIMUM_S16_H

#include "minimum_s8.h"

typedef octavo_minimum_s8_params octavo_minimum_s16_params;

static inline void octavo_minimum_s16(
    const octavo_minimum_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_minimum_s8_one)
}

#endif /* OCTAVO_MINIMUM_S16_H */
