/* What the 16x8 layers of this folder need beside four.h: int16 in lanes of 32 bits, and their requantization. */
#ifndef OCTAVO_MVE_FOUR_S16_H
#define OCTAVO_MVE_FOUR_S16_H

#include "four.h"

/* Limits of a layer's output; shifted tells the kinds of scales apart, as octavo_four_finish_s16 takes them. */
typedef struct {
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_mve_ends_s16;

#if OCTAVO_MVE

/* The first lanes int16, then zeros. */
OCTAVO_INLINE octavo_four octavo_four_some_s16(const int16_t *x, int32_t lanes)
{
    return lanes >= 4 ? vldrhq_s32(x) : vldrhq_z_s32(x, vctp32q((uint32_t)lanes));
}

/* The first lanes lanes go to out. */
OCTAVO_INLINE void octavo_four_store_s16(int16_t *out, octavo_four x, int32_t lanes)
{
    if (lanes >= 4) {
        vstrhq_s32(out, x);
    } else {
        vstrhq_p_s32(out, x, vctp32q((uint32_t)lanes));
    }
}

/* sum + a * b, modulo 2^32. */
static inline octavo_four octavo_four_add_product(octavo_four sum, octavo_four a, octavo_four b)
{
    return vaddq_s32(sum, vmulq_s32(a, b));
}

static inline octavo_four octavo_four_clamp(octavo_four x, int32_t low, int32_t high)
{
    return vminq_s32(vmaxq_s32(x, vdupq_n_s32(low)), vdupq_n_s32(high));
}

/* octavo_finish64 of four sums, as csrc/dsp/finish_s16.h explains: x scale / 2^32 to nearest, ties up; or with the
 * upper half m of scale and the lower n, x m / 2^16 down, then a shift by n to nearest, ties up. */
OCTAVO_INLINE octavo_four octavo_four_finish_s16(octavo_four x, octavo_four scale, const octavo_mve_ends_s16 *ends)
{
    if (ends->shifted) {
        const octavo_four below = vandq_s32(scale, vdupq_n_s32(0xffff));
        x = vrshlq_s32(vmulhq_s32(x, vsubq_s32(scale, below)), vnegq_s32(below));
    } else {
        x = vrmulhq_s32(x, scale);
    }
    return octavo_four_clamp(x, ends->act_min, ends->act_max);
}

/* x * 2^15, requantized; shift in -31 .. 0. */
OCTAVO_INLINE octavo_four octavo_four_operand_s16(octavo_four x, int32_t multiplier, int32_t shift)
{
    if (multiplier == 1 << 30 && shift == 0) {
        return vshlq_n_s32(x, 14);
    }
    x = vqrdmulhq_n_s32(vshlq_n_s32(x, 15), multiplier);
    if (shift < 0) {
        x = vrshlq_n_s32(vaddq_s32(x, vshrq_n_s32(x, 31)), shift);
    }
    return x;
}

#else

static inline octavo_four octavo_four_some_s16(const int16_t *x, int32_t lanes)
{
    octavo_four four = {{0, 0, 0, 0}};
    for (int32_t i = 0; i < octavo_min(lanes, 4); ++i) {
        four.lane[i] = x[i];
    }
    return four;
}

static inline void octavo_four_store_s16(int16_t *out, octavo_four x, int32_t lanes)
{
    for (int32_t i = 0; i < octavo_min(lanes, 4); ++i) {
        out[i] = (int16_t)x.lane[i];
    }
}

/* One factor has 16 bits, the other 8. */
static inline octavo_four octavo_four_add_product(octavo_four sum, octavo_four a, octavo_four b)
{
    for (int32_t i = 0; i < 4; ++i) {
        sum.lane[i] = octavo_add_wrap(sum.lane[i], a.lane[i] * b.lane[i]);
    }
    return sum;
}

static inline octavo_four octavo_four_finish_s16(octavo_four x, octavo_four scale, const octavo_mve_ends_s16 *ends)
{
    for (int32_t i = 0; i < 4; ++i) {
        const int32_t right = ends->shifted ? (scale.lane[i] & 0xffff) + 16 : 32;
        const int32_t factor = ends->shifted ? octavo_shift_right(scale.lane[i], 16) : scale.lane[i];
        const int64_t sum = (int64_t)x.lane[i] * factor + ((int64_t)1 << (right - 1));
        const uint64_t quotient = sum >= 0 ? (uint64_t)sum >> right : ~(~(uint64_t)sum >> right);
        x.lane[i] = octavo_clamp(octavo_from_bits((uint32_t)quotient), ends->act_min, ends->act_max);
    }
    return x;
}

static inline octavo_four octavo_four_operand_s16(octavo_four x, int32_t multiplier, int32_t shift)
{
    for (int32_t i = 0; i < 4; ++i) {
        x.lane[i] = octavo_requantize(x.lane[i] * (1 << 15), multiplier, shift);
    }
    return x;
}

#endif

#endif /* OCTAVO_MVE_FOUR_S16_H */
