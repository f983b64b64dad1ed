/* a + b of float16 with broadcasting: one operation in float, clamped and rounded. out may be an input's memory. */
#ifndef OCTAVO_ADD_F16_H
#define OCTAVO_ADD_F16_H

#include "../float16.h"
#include "../octavo.h"
#include "broadcast.h"

typedef struct {
    int32_t shape[5];
    int32_t stride1[5];
    int32_t stride2[5];
    float act_min;
    float act_max;
} octavo_add_f16_params;

static inline int16_t octavo_add_f16_one(const octavo_add_f16_params *p, int16_t a, int16_t b)
{
    return octavo_f16_rounded(octavo_f16_float(a) + octavo_f16_float(b), p->act_min, p->act_max);
}

static inline void octavo_add_f16(const octavo_add_f16_params *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    OCTAVO_BROADCAST(int16_t, p, a, b, out, octavo_add_f16_one)
}

#endif /* OCTAVO_ADD_F16_H */
