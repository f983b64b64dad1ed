/* A border of value around x; shapes are padded on the left with ones to rank 5. */
#ifndef OCTAVO_PAD_S8_H
#define OCTAVO_PAD_S8_H

#include "../octavo.h"

typedef struct {
    int32_t in_shape[5];
    int32_t out_shape[5];
    int32_t before[5];
    int32_t value;
} octavo_pad_s8_params;

static inline void octavo_pad_s8(const octavo_pad_s8_params *p, const int8_t *x, int8_t *out)
{
    const int32_t *in = p->in_shape;
    const int32_t *full = p->out_shape;
    const int32_t *before = p->before;
    memset(out, (int)p->value, (uint32_t)(full[0] * full[1] * full[2] * full[3] * full[4]));
    for (int32_t i0 = 0; i0 < in[0]; ++i0) {
        for (int32_t i1 = 0; i1 < in[1]; ++i1) {
            for (int32_t i2 = 0; i2 < in[2]; ++i2) {
                for (int32_t i3 = 0; i3 < in[3]; ++i3) {
                    const int32_t plane = ((i0 + before[0]) * full[1] + i1 + before[1]) * full[2] + i2 + before[2];
                    const int32_t row = plane * full[3] + i3 + before[3];
                    memcpy(out + row * full[4] + before[4], x, (uint32_t)in[4]);
                    x += in[4];
                }
            }
        }
    }
}

#endif /* OCTAVO_PAD_S8_H */
