/* Mean over the middle axis of x [outer, reduced, inner] for Helium, as octavo_mean_s8: eight elements of the output,
 * then the next eight. */
#ifndef OCTAVO_MEAN_S8_MVE_H
#define OCTAVO_MEAN_S8_MVE_H

#include "eight.h"

typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} octavo_mean_s8_mve_params;

/* Up to eight neighbours. */
OCTAVO_INLINE void octavo_mean_s8_mve_eight(
    const octavo_mean_s8_mve_params *p, const int8_t *x, int32_t lanes, int8_t *out)
{
    const octavo_mve_ends ends = {p->output_zero_point, 1, -128, 127};
    octavo_four even = octavo_four_all(-p->reduced * p->input_zero_point);
    octavo_four odd = even;
    for (int32_t start = 0; start < p->reduced; start += 256) {
        const int32_t count = octavo_min(p->reduced - start, 256);
        octavo_eight sums = octavo_eight_all(0);
        OCTAVO_UNROLL_FOUR
        for (int32_t r = 0; r < count; ++r) {
            sums = octavo_eight_add_bytes(sums, x, lanes);
            x += p->inner;
        }
        even = octavo_four_add(even, octavo_eight_even(sums));
        odd = octavo_four_add(odd, octavo_eight_odd(sums));
    }
    const octavo_four multiplier = octavo_four_all(p->multiplier);
    const octavo_four shift = octavo_four_all(p->shift);
    even = octavo_four_finish(even, multiplier, shift, &ends);
    odd = octavo_four_finish(odd, multiplier, shift, &ends);
    octavo_eight_store(out, octavo_eight_joined(even, odd), lanes);
}

OCTAVO_KERNEL void octavo_mean_s8_mve(const octavo_mean_s8_mve_params *p, const int8_t *x, int8_t *out)
{
    const int32_t rest = p->inner % 8;
    for (int32_t o = 0; o < p->outer; ++o) {
        for (int32_t i = 0; i < p->inner / 8; ++i) {
            octavo_mean_s8_mve_eight(p, x + 8 * i, 8, out);
            out += 8;
        }
        if (rest > 0) {
            octavo_mean_s8_mve_eight(p, x + p->inner - rest, rest, out);
            out += rest;
        }
        x += p->reduced * p->inner;
    }
}

#endif /* OCTAVO_MEAN_S8_MVE_H */
