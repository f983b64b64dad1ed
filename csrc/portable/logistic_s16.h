/* sigmoid(x) of int16 in Q0.15; table[i] is sigmoid(i / 24) * 2^16 - 2^15, 256 entries. x and out may be the same
 * memory. */
#ifndef OCTAVO_LOGISTIC_S16_H
#define OCTAVO_LOGISTIC_S16_H

#include "../octavo.h"

typedef struct {
    int32_t size;
    int32_t multiplier;
    int32_t shift;
} octavo_logistic_s16_params;

/* The input in the table's scale, rounded half up. */
static inline int32_t octavo_logistic_s16_position(const octavo_logistic_s16_params *p, int32_t x)
{
    const int32_t half = p->shift > 0 ? (int32_t)1 << (p->shift - 1) : 0;
    return octavo_shift_right(x * p->multiplier + half, p->shift);
}

/* Interpolates at a position >= 0 with bits more fraction bits than the table; most from entry 255 on. */
static inline int32_t octavo_logistic_s16_table(const int16_t *table, int32_t position, int32_t bits, int32_t most)
{
    const int32_t index = position >> bits;
    if (index >= 255) {
        return most;
    }
    const int32_t low = table[index];
    const int32_t rest = position & (((int32_t)1 << bits) - 1);
    return ((low + 32768) << bits) + rest * (table[index + 1] - low);
}

static inline void octavo_logistic_s16(
    const octavo_logistic_s16_params *p, const int16_t *x, const int16_t *table, int16_t *out)
{
    for (int32_t i = 0; i < p->size; ++i) {
        const int32_t position = octavo_logistic_s16_position(p, x[i]);
        const int32_t size = position < 0 ? -position : position;
        const int32_t y = octavo_logistic_s16_table(table, size, 9, 32767 << 10);
        const int32_t rounded = position >= 0 ? y + (1 << 9) : (1 << 25) - y + (1 << 9) - 1;
        out[i] = (int16_t)(rounded >> 10);
    }
}

#endif /* OCTAVO_LOGISTIC_S16_H */
