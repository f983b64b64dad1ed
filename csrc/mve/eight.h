/* Eight 16-bit lanes: sums of the bytes of neighbouring channels, as the pools and means of this folder take them.
 *
 * A vector register on a core that has Helium, plain C with the same result elsewhere, as four.h. Sums of up to 256
 * int8 fit; then they are taken apart into the lanes 0, 2, 4, 6 (even) and 1, 3, 5, 7 (odd) of 32 bits.
 */
#ifndef OCTAVO_MVE_EIGHT_H
#define OCTAVO_MVE_EIGHT_H

#include "four.h"

#if OCTAVO_MVE

typedef int16x8_t octavo_eight;

static inline octavo_eight octavo_eight_all(int32_t value)
{
    return vdupq_n_s16((int16_t)value);
}

/* Adds the first lanes bytes. */
OCTAVO_INLINE octavo_eight octavo_eight_add_bytes(octavo_eight sums, const int8_t *bytes, int32_t lanes)
{
    return vaddq_s16(sums, lanes >= 8 ? vldrbq_s16(bytes) : vldrbq_z_s16(bytes, vctp16q((uint32_t)lanes)));
}

static inline octavo_four octavo_eight_even(octavo_eight x)
{
    return vmovlbq_s16(x);
}

static inline octavo_four octavo_eight_odd(octavo_eight x)
{
    return vmovltq_s16(x);
}

/* Even and odd lanes, whose values have 16 bits, together again. */
static inline octavo_eight octavo_eight_joined(octavo_four even, octavo_four odd)
{
    return vmovntq_s32(vmovnbq_s32(vdupq_n_s16(0), even), odd);
}

static inline octavo_eight octavo_eight_clamp(octavo_eight x, int32_t low, int32_t high)
{
    return vminq_s16(vmaxq_s16(x, vdupq_n_s16((int16_t)low)), vdupq_n_s16((int16_t)high));
}

/* The first lanes lanes go to bytes. */
OCTAVO_INLINE void octavo_eight_store(int8_t *bytes, octavo_eight x, int32_t lanes)
{
    if (lanes >= 8) {
        vstrbq_s16(bytes, x);
    } else {
        vstrbq_p_s16(bytes, x, vctp16q((uint32_t)lanes));
    }
}

/* 4 x * scale / 2^31 to nearest, ties up. */
static inline octavo_four octavo_four_scaled(octavo_four x, int32_t scale)
{
    return vqrdmulhq_n_s32(vshlq_n_s32(x, 2), scale);
}

#else

typedef struct {
    int32_t lane[8];
} octavo_eight;

static inline octavo_eight octavo_eight_all(int32_t value)
{
    const octavo_eight x = {{value, value, value, value, value, value, value, value}};
    return x;
}

static inline octavo_eight octavo_eight_add_bytes(octavo_eight sums, const int8_t *bytes, int32_t lanes)
{
    for (int32_t i = 0; i < octavo_min(lanes, 8); ++i) {
        sums.lane[i] += bytes[i];
    }
    return sums;
}

static inline octavo_four octavo_eight_even(octavo_eight x)
{
    const octavo_four even = {{x.lane[0], x.lane[2], x.lane[4], x.lane[6]}};
    return even;
}

static inline octavo_four octavo_eight_odd(octavo_eight x)
{
    const octavo_four odd = {{x.lane[1], x.lane[3], x.lane[5], x.lane[7]}};
    return odd;
}

static inline octavo_eight octavo_eight_joined(octavo_four even, octavo_four odd)
{
    octavo_eight x;
    for (int32_t i = 0; i < 4; ++i) {
        x.lane[2 * i] = even.lane[i];
        x.lane[2 * i + 1] = odd.lane[i];
    }
    return x;
}

static inline octavo_eight octavo_eight_clamp(octavo_eight x, int32_t low, int32_t high)
{
    for (int32_t i = 0; i < 8; ++i) {
        x.lane[i] = octavo_clamp(x.lane[i], low, high);
    }
    return x;
}

static inline void octavo_eight_store(int8_t *bytes, octavo_eight x, int32_t lanes)
{
    for (int32_t i = 0; i < octavo_min(lanes, 8); ++i) {
        bytes[i] = (int8_t)x.lane[i];
    }
}

static inline octavo_four octavo_four_scaled(octavo_four x, int32_t scale)
{
    for (int32_t i = 0; i < 4; ++i) {
        x.lane[i] = octavo_srdhm(4 * x.lane[i], scale);
    }
    return x;
}

#endif

#endif /* OCTAVO_MVE_EIGHT_H */
