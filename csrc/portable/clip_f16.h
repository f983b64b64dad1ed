/* x between two limits, of float16. x and out may be the same memory. */
#ifndef OCTAVO_CLIP_F16_H
#define OCTAVO_CLIP_F16_H

#include "../float16.h"
#include "../octavo.h"

typedef struct {
    int32_t size;
    float act_min;
    float act_max;
} octavo_clip_f16_params;

static inline void octavo_clip_f16(const octavo_clip_f16_params *p, const int16_t *x, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        out[i] = octavo_f16_rounded(octavo_f16_float(x[i]), p->act_min, p->act_max);
    }
}

#endif /* OCTAVO_CLIP_F16_H */
