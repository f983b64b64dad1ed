/* a + b of int16 with broadcasting: as add_s8, with a left_shift of 15. */
#ifndef OCTAVO_ADD_S16_H
#define OCTAVO_ADD_S16_H

#include "add_s8.h"

typedef octavo_add_s8_params octavo_add_s16_params;

static inline void octavo_add_s16(
    const octavo_add_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_add_s8_one)
}

#endif /* OCTAVO_ADD_S16_H */
