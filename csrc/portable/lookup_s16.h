/* A function of one int16 by a table of 513 knots, 128 apart, and linear interpolation. x and out may be the same
 * memory. */
#ifndef OCTAVO_LOOKUP_S16_H
#define OCTAVO_LOOKUP_S16_H

#include "../octavo.h"

typedef struct {
    int32_t size;
} octavo_lookup_s16_params;

/* Between the knots below and above x, rounded half up. */
static inline int16_t octavo_lookup_s16_one(int32_t x, const int16_t *table)
{
    const int32_t position = x + 32768;
    const int32_t low = table[position >> 7];
    const int32_t step = table[(position >> 7) + 1] - low;
    return (int16_t)(low + octavo_shift_right(step * (position & 127) + 64, 7));
}

static inline void octavo_lookup_s16(
    const octavo_lookup_s16_params *p, const int16_t *x, const int16_t *table, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        out[i] = octavo_lookup_s16_one(x[i], table);
    }
}

#endif /* OCTAVO_LOOKUP_S16_H */
