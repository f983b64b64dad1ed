/* max(a, b) of float16 with broadcasting, by their keys. */
#ifndef OCTAVO_MAXIMUM_F16_H
#define OCTAVO_MAXIMUM_F16_H

#include "../float16.h"
#include "maximum_s8.h"

typedef octavo_maximum_s8_params octavo_maximum_f16_params;

static inline int16_t octavo_maximum_f16_one(const octavo_maximum_f16_params *p, int16_t a, int16_t b)
{
    return octavo_f16_key((int16_t)octavo_maximum_s8_one(p, octavo_f16_key(a), octavo_f16_key(b)));
}

static inline void octavo_maximum_f16(
    const octavo_maximum_f16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_maximum_f16_one)
}

#endif /* OCTAVO_MAXIMUM_F16_H */
