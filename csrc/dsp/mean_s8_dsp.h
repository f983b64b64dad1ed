/* Mean over the middle axis of x [outer, reduced, inner] for the DSP extension, as octavo_mean_s8: four elements of
 * the output, then the next four. Sums of 256 int8 fit a lane of 16 bits; shift counts to the right.
 */
#ifndef OCTAVO_MEAN_S8_DSP_H
#define OCTAVO_MEAN_S8_DSP_H

#include "bytes.h"
#include "finish.h"

typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} octavo_mean_s8_dsp_params;

/* Adds count words of four neighbours, inner bytes apart, to their sums. */
OCTAVO_INLINE void octavo_mean_s8_dsp_sum(
    int32_t *sums, const int8_t *x, int32_t count, int32_t inner, int32_t lanes)
{
    uint32_t even = 0;
    uint32_t odd = 0;
    OCTAVO_UNROLL_FOUR
    for (int32_t r = 0; r < count; ++r) {
        const uint32_t bytes = octavo_load_some(x, lanes);
        even = octavo_sxtab16(even, bytes);
        odd = octavo_sxtab16_odd(odd, bytes);
        x += inner;
    }
    sums[0] += octavo_low_lane(even);
    sums[1] += octavo_low_lane(odd);
    sums[2] += octavo_high_lane(even);
    sums[3] += octavo_high_lane(odd);
}

/* Up to four neighbours. */
OCTAVO_INLINE void octavo_mean_s8_dsp_four(
    const octavo_mean_s8_dsp_params *p, const int8_t *x, int32_t lanes, int8_t *out)
{
    const int32_t start = -p->reduced * p->input_zero_point;
    int32_t sums[4] = {start, start, start, start};
    for (int32_t r = 0; r < p->reduced / 256; ++r) {
        octavo_mean_s8_dsp_sum(sums, x, 256, p->inner, lanes);
        x += 256 * p->inner;
    }
    octavo_mean_s8_dsp_sum(sums, x, p->reduced % 256, p->inner, lanes);
    const int32_t round = octavo_shift_left(2 * p->output_zero_point + 1, p->shift - 1);
    OCTAVO_UNROLL
    for (int32_t i = 0; i < lanes; ++i) {
        out[i] = octavo_dsp_finish(2 * sums[i], p->multiplier, round, (uint32_t)p->shift, 1, -128, 127);
    }
}

OCTAVO_KERNEL void octavo_mean_s8_dsp(const octavo_mean_s8_dsp_params *p, const int8_t *x, int8_t *out)
{
    const int32_t rest = p->inner % 4;
    for (int32_t o = 0; o < p->outer; ++o) {
        for (int32_t i = 0; i < p->inner / 4; ++i) {
            octavo_mean_s8_dsp_four(p, x + 4 * i, 4, out);
            out += 4;
        }
        if (rest > 0) {
            octavo_mean_s8_dsp_four(p, x + p->inner - rest, rest, out);
            out += rest;
        }
        x += p->reduced * p->inner;
    }
}

#endif /* OCTAVO_MEAN_S8_DSP_H */
