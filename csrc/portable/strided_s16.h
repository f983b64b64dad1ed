/* The loop of slice_s16 and transpose_s16: out reads x with the element strides stride over its own axes n. */
#ifndef OCTAVO_STRIDED_S16_H
#define OCTAVO_STRIDED_S16_H

#include "../octavo.h"

static inline void octavo_strided_s16(const int32_t *n, const int32_t *stride, const int16_t *x, int16_t *out)
{
    for (int32_t i0 = 0; i0 < n[0]; ++i0) {
        for (int32_t i1 = 0; i1 < n[1]; ++i1) {
            for (int32_t i2 = 0; i2 < n[2]; ++i2) {
                for (int32_t i3 = 0; i3 < n[3]; ++i3) {
                    const int16_t *row = x + (i0 * stride[0] + i1 * stride[1] + i2 * stride[2] + i3 * stride[3]);
                    for (int32_t i4 = 0; i4 < n[4]; ++i4) {
                        *out++ = row[i4 * stride[4]];
                    }
                }
            }
        }
    }
}

#endif /* OCTAVO_STRIDED_S16_H */
