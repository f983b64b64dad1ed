/* Maximum of a and b with broadcasting. Element strides, 0 where broadcast. out may be the memory of an input
 * that has out's shape. */
#ifndef OCTAVO_MAXIMUM_S8_H
#define OCTAVO_MAXIMUM_S8_H

#include "../octavo.h"

typedef struct {
    int32_t shape[5];
    int32_t stride1[5];
    int32_t stride2[5];
} octavo_maximum_s8_params;

static inline int8_t octavo_maximum_s8_one(const octavo_maximum_s8_params *p, int8_t a, int8_t b)
{
    (void)p;
    return a > b ? a : b;
}

static inline void octavo_maximum_s8(const octavo_maximum_s8_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int32_t step1 = p->stride1[4];
    const int32_t step2 = p->stride2[4];
    for (int32_t i0 = 0; i0 < p->shape[0]; ++i0) {
        for (int32_t i1 = 0; i1 < p->shape[1]; ++i1) {
            for (int32_t i2 = 0; i2 < p->shape[2]; ++i2) {
                for (int32_t i3 = 0; i3 < p->shape[3]; ++i3) {
                    const int8_t *row1 =
                        a + (i0 * p->stride1[0] + i1 * p->stride1[1] + i2 * p->stride1[2] + i3 * p->stride1[3]);
                    const int8_t *row2 =
                        b + (i0 * p->stride2[0] + i1 * p->stride2[1] + i2 * p->stride2[2] + i3 * p->stride2[3]);
                    for (int32_t i4 = 0; i4 < p->shape[4]; ++i4) {
                        *out++ = octavo_maximum_s8_one(p, row1[i4 * step1], row2[i4 * step2]);
                    }
                }
            }
        }
    }
}

#endif /* OCTAVO_MAXIMUM_S8_H */
