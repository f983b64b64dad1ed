/* a * b of int16 with broadcasting: as mul_s8. */
#ifndef OCTAVO_MUL_S16_H
#define OCTAVO_MUL_S16_H

#include "mul_s8.h"

typedef octavo_mul_s8_params octavo_mul_s16_params;

static inline void octavo_mul_s16(
    const octavo_mul_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_mul_s8_one)
}

#endif /* OCTAVO_MUL_S16_H */
