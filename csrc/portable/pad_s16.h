/* As pad_s8, of int16. */
#ifndef OCTAVO_PAD_S16_H
#define OCTAVO_PAD_S16_H

#include "pad_s8.h"

typedef octavo_pad_s8_params octavo_pad_s16_params;

static inline void octavo_pad_s16(const octavo_pad_s16_params *p, const int16_t *x, int16_t *out)
{
    const int32_t *in = p->in_shape;
    const int32_t *full = p->out_shape;
    const int32_t *before = p->before;
    const int32_t size = full[0] * full[1] * full[2] * full[3] * full[4];
    for (int32_t i = 0; i < size; ++i) {
        out[i] = (int16_t)p->value;
    }
    for (int32_t i0 = 0; i0 < in[0]; ++i0) {
        for (int32_t i1 = 0; i1 < in[1]; ++i1) {
            for (int32_t i2 = 0; i2 < in[2]; ++i2) {
                for (int32_t i3 = 0; i3 < in[3]; ++i3) {
                    const int32_t plane = ((i0 + before[0]) * full[1] + i1 + before[1]) * full[2] + i2 + before[2];
                    const int32_t row = plane * full[3] + i3 + before[3];
                    memcpy(out + row * full[4] + before[4], x, (uint32_t)in[4] * sizeof *out);
                    x += in[4];
                }
            }
        }
    }
}

#endif /* OCTAVO_PAD_S16_H */
