/* Softmax over the last axis of x [outer, depth]; out has scale 1/256 and zero point -128. In place is allowed.
 * table[max - x] is the exponential of the scaled difference in Q0.31; differences under diff_min count as 0. */
#ifndef OCTAVO_SOFTMAX_S8_H
#define OCTAVO_SOFTMAX_S8_H

#include "../octavo.h"

typedef struct {
    int32_t outer;
    int32_t depth;
    int32_t diff_min;
} octavo_softmax_s8_params;

/* x * 2^n, saturated. */
static inline int32_t octavo_softmax_s8_scale_up(int32_t x, int32_t n)
{
    const int64_t wide = (int64_t)x * ((int64_t)1 << n);
    return wide > INT32_MAX ? INT32_MAX : (wide < INT32_MIN ? INT32_MIN : (int32_t)wide);
}

/* 1 / (1 + a) in Q0.31 for a in [0, 1) in Q0.31: three Newton-Raphson steps in Q2.29 from 48/17 - 32/17 * half. */
static inline int32_t octavo_softmax_s8_one_over_one_plus(int32_t a)
{
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = 1515870810 + octavo_srdhm(half, -1010580540);
    for (int32_t i = 0; i < 3; ++i) {
        const int32_t error = ((int32_t)1 << 29) - octavo_srdhm(half, x);
        x += octavo_softmax_s8_scale_up(octavo_srdhm(x, error), 2);
    }
    return octavo_softmax_s8_scale_up(x, 1);
}

static inline int32_t octavo_softmax_s8_sum(const octavo_softmax_s8_params *p, const int8_t *x, const int32_t *table, int32_t max)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; ++i) {
        const int32_t difference = (int32_t)x[i] - max;
        if (difference >= p->diff_min) {
            sum = octavo_add_wrap(sum, octavo_rdbp(table[-difference], 12));
        }
    }
    return sum;
}

static inline void octavo_softmax_s8(const octavo_softmax_s8_params *p, const int8_t *x, const int32_t *table, int8_t *out)
{
    for (int32_t row = 0; row < p->outer; ++row) {
        int32_t max = -128;
        for (int32_t i = 0; i < p->depth; ++i) {
            max = octavo_max(max, x[i]);
        }
        uint32_t sum = (uint32_t)octavo_softmax_s8_sum(p, x, table, max);
        int32_t headroom = 0; /* Leading zeros; the largest element alone contributes 2^19. */
        while (headroom < 31 && (sum & 0x80000000u) == 0) {
            sum <<= 1;
            ++headroom;
        }
        const int32_t scale = octavo_softmax_s8_one_over_one_plus(octavo_from_bits(sum - 0x80000000u));
        /* Above 31 every quotient is below one half, which rounds to probability 0. */
        const int32_t exponent = 12 - headroom + 31 - 8;
        for (int32_t i = 0; i < p->depth; ++i) {
            const int32_t difference = (int32_t)x[i] - max;
            int32_t y = -128;
            if (difference >= p->diff_min && exponent <= 31) {
                y = octavo_clamp(octavo_rdbp(octavo_srdhm(scale, table[-difference]), exponent) - 128, -128, 127);
            }
            out[i] = (int8_t)y;
        }
        x += p->depth;
        out += p->depth;
    }
}

#endif /* OCTAVO_SOFTMAX_S8_H */
