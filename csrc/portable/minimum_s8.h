/* Minimum of a and b with broadcasting. Element strides, 0 where broadcast. out may be the memory of an input
 * that has out's shape. */
#ifndef OCTAVO_MINIMUM_S8_H
#define OCTAVO_MINIMUM_S8_H

#include "../octavo.h"
#include "broadcast.h"

typedef struct {
    int32_t shape[5];
    int32_t stride1[5];
    int32_t stride2[5];
} octavo_minimum_s8_params;

static inline int32_t octavo_minimum_s8_one(const octavo_minimum_s8_params *p, int32_t a, int32_t b)
{
    (void)p;
    return a < b ? a : b;
}

static inline void octavo_minimum_s8(const octavo_minimum_s8_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    OCTAVO_BROADCAST(int8_t, p, a, b, out, octavo_minimum_s8_one)
}

#endif /* OCTAVO_MINIMUM_S8_H */
