/* out reads x from offset on with the element strides in_stride over its own axes. */
#ifndef OCTAVO_SLICE_S8_H
#define OCTAVO_SLICE_S8_H

#include "../octavo.h"

typedef struct {
    int32_t out_shape[5];
    int32_t in_stride[5];
    int32_t offset;
} octavo_slice_s8_params;

static inline void octavo_slice_s8(const octavo_slice_s8_params *p, const int8_t *x, int8_t *out)
{
    const int32_t *n = p->out_shape;
    const int32_t *stride = p->in_stride;
    const int8_t *start = x + p->offset;
    for (int32_t i0 = 0; i0 < n[0]; ++i0) {
        for (int32_t i1 = 0; i1 < n[1]; ++i1) {
            for (int32_t i2 = 0; i2 < n[2]; ++i2) {
                for (int32_t i3 = 0; i3 < n[3]; ++i3) {
                    const int8_t *row = start + (i0 * stride[0] + i1 * stride[1] + i2 * stride[2] + i3 * stride[3]);
                    for (int32_t i4 = 0; i4 < n[4]; ++i4) {
                        *out++ = row[i4 * stride[4]];
                    }
                }
            }
        }
    }
}

#endif /* OCTAVO_SLICE_S8_H */
