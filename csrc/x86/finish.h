/* Requantization of sixteen channels at once: the double rounding of octavo_requantize by the proof of
 * csrc/dsp/finish.h. A record holds, each for sixteen channels, what sums start from, the multipliers, and the shifts to
 * the right.
 */
#ifndef OCTAVO_X86_FINISH_H
#define OCTAVO_X86_FINISH_H

#include "lanes.h"

#define OCTAVO_X86_RECORD (3 * OCTAVO_X86_LANES)

/* What a layer does with its sums. */
typedef struct {
    int32_t zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_x86_output;

/* count channels from the sums of a pixel. */
OCTAVO_INLINE void octavo_x86_finish(
    const octavo_x86_output *p, const int32_t *record, octavo_x86_lanes acc, int32_t count, int8_t *out)
{
    const octavo_x86_lanes multiplier = octavo_x86_load(record + OCTAVO_X86_LANES);
    const octavo_x86_lanes shift = octavo_x86_load(record + 2 * OCTAVO_X86_LANES);
    const octavo_x86_lanes round = octavo_x86_shift_left(
        octavo_x86_spread(2 * p->zero_point + 1), octavo_x86_add(shift, octavo_x86_spread(-1)));
    const octavo_x86_lanes scaled =
        octavo_x86_scaled(octavo_x86_add(acc, acc), multiplier, round, shift, p->negative_ties);
    octavo_x86_store_bytes(out, scaled, p->act_min, p->act_max, count);
}

#endif /* OCTAVO_X86_FINISH_H */
