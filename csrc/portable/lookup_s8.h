/* A function of one int8 by table: out[i] = table[x[i] + 128]. x and out may be the same memory. */
#ifndef OCTAVO_LOOKUP_S8_H
#define OCTAVO_LOOKUP_S8_H

#include "../octavo.h"

typedef struct {
    int32_t size;
} octavo_lookup_s8_params;

static inline void octavo_lookup_s8(
    const octavo_lookup_s8_params *p, const int8_t *x, const int8_t *table, int8_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        out[i] = table[(int32_t)x[i] + 128];
    }
}

#endif /* OCTAVO_LOOKUP_S8_H */
