/* min(a, b) of float16 with broadcasting, by their keys. */
#ifndef OCTAVO_MINIMUM_F16_H
#define OCTAVO_MINIMUM_F16_H

#include "../float16.h"
#include "minimum_s8.h"

typedef octavo_minimum_s8_params octavo_minimum_f16_params;

static inline int16_t octavo_minimum_f16_one(const octavo_minimum_f16_params *p, int16_t a, int16_t b)
{
    return octavo_f16_key((int16_t)octavo_minimum_s8_one(p, octavo_f16_key(a), octavo_f16_key(b)));
}

static inline void octavo_minimum_f16(
    const octavo_minimum_f16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_minimum_f16_one)
}

#endif /* OCTAVO_MINIMUM_F16_H */
