/* Dot product of int16 and int8: in int32 by blocks of 256, whose sums are at most 2^30, and int64 over all. */
#ifndef OCTAVO_DOT_S16_H
#define OCTAVO_DOT_S16_H

#include "../octavo.h"

#define OCTAVO_DOT_S16_BLOCK 256

static inline int64_t octavo_dot_s16(const int16_t *x, const int8_t *w, int32_t n)
{
    int64_t acc = 0;
    for (int32_t start = 0; start < n; start += OCTAVO_DOT_S16_BLOCK) {
        const int32_t end = octavo_min(start + OCTAVO_DOT_S16_BLOCK, n);
        int32_t part = 0;
        for (int32_t i = start; i < end; ++i) {
            part += (int32_t)x[i] * (int32_t)w[i];
        }
        acc += part;
    }
    return acc;
}

#endif /* OCTAVO_DOT_S16_H */
