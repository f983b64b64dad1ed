/* a - b of int16 with broadcasting: as sub_s8, with a left_shift of 15. */
#ifndef OCTAVO_SUB_S16_H
#define OCTAVO_SUB_S16_H

#include "sub_s8.h"

typedef octavo_sub_s8_params octavo_sub_s16_params;

static inline void octavo_sub_s16(
    const octavo_sub_s16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_sub_s8_one)
}

#endif /* OCTAVO_SUB_S16_H */
