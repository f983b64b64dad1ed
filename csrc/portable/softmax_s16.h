/* Softmax over rows of int16 to Q0.15: exps and inverse are 513-knot tables of exp(x) on [-10, 0] and of 1 / (1 + x)
 * on [0, 1]. x and out may be the same memory. */
#ifndef OCTAVO_SOFTMAX_S16_H
#define OCTAVO_SOFTMAX_S16_H

#include "lookup_s16.h"

typedef struct {
    int32_t outer;
    int32_t depth;
    int32_t multiplier;
    int32_t shift;
} octavo_softmax_s16_params;

/* Writes the exponentials of a row to out and returns their sum. */
static inline int32_t octavo_softmax_s16_exps(
    const octavo_softmax_s16_params *p, const int16_t *x, const int16_t *exps, int16_t *out)
{
    int32_t max = INT16_MIN;
    for (int32_t i = 0; i < p->depth; ++i) {
        max = octavo_max(max, x[i]);
    }
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; ++i) {
        const int32_t scaled = octavo_requantize(x[i] - max, p->multiplier, p->shift) + 32767;
        out[i] = octavo_lookup_s16_one(octavo_clamp(scaled, INT16_MIN, INT16_MAX), exps);
        sum += out[i];
    }
    return sum;
}

static inline void octavo_softmax_s16(const octavo_softmax_s16_params *p, const int16_t *x, const int16_t *exps,
    const int16_t *inverse, int16_t *out)
{
    for (int32_t row = 0; row < p->outer; ++row) {
        uint32_t sum = (uint32_t)octavo_softmax_s16_exps(p, x, exps, out);
        int32_t shift = 30;
        while (sum < ((uint32_t)1 << 30)) {
            sum <<= 1;
            --shift;
        }
        /* The sum is now in [1, 2) with 30 fraction bits; the table takes what is above 1 in 16 bits. */
        const int32_t above = (int32_t)((sum + (1u << 13)) >> 14) - (1 << 16) - (1 << 15);
        const int32_t scale = octavo_lookup_s16_one(octavo_clamp(above, INT16_MIN, INT16_MAX), inverse);
        for (int32_t i = 0; i < p->depth; ++i) {
            const int32_t y = (out[i] * scale + ((int32_t)1 << (shift - 1))) >> shift;
            out[i] = (int16_t)octavo_clamp(y, 0, INT16_MAX);
        }
        x += p->depth;
        out += p->depth;
    }
}

#endif /* OCTAVO_SOFTMAX_S16_H */
