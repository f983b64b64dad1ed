/* a - b of float16: as add_f16. */
#ifndef OCTAVO_SUB_F16_H
#define OCTAVO_SUB_F16_H

#include "add_f16.h"

typedef octavo_add_f16_params octavo_sub_f16_params;

static inline int16_t octavo_sub_f16_one(const octavo_sub_f16_params *p, int16_t a, int16_t b)
{
    return octavo_f16_rounded(octavo_f16_float(a) - octavo_f16_float(b), p->act_min, p->act_max);
}

static inline void octavo_sub_f16(const octavo_sub_f16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_sub_f16_one)
}

#endif /* OCTAVO_SUB_F16_H */
