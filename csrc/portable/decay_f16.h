/* exp(-d) in integers, which no compiler can fuse or round otherwise: of softmax, sigmoid, SiLU and tanh. */
#ifndef OCTAVO_DECAY_F16_H
#define OCTAVO_DECAY_F16_H

#include "../float16.h"
#include "../octavo.h"

/* What stands for 1. */
#define OCTAVO_DECAY_F16_ONE ((uint32_t)1 << 30)

/* exp(-d) in units of 2^-30, d >= 0 a multiple of 2^-24; 0 from 32 on. table[i] is 2^(-i / 64).
 *
 * d * log2(e) has an integer part, by which the result is shifted, six bits of an index, and a rest r: 2^-r is taken as
 * 1 - v + v^2 / 2 with v = r * ln(2) < 2^24 units. No product leaves 64 bits, no result 31.
 */
static inline uint32_t octavo_decay_f16(float d, const int32_t *table)
{
    if (!(d < 32.0f)) {
        return 0;
    }
    const uint32_t scaled = (uint32_t)(int32_t)(d * 16777216.0f);
    const uint32_t exponent = (uint32_t)((uint64_t)scaled * 1549082005u >> 30);
    const uint32_t rest = exponent & 0x3ffffu;
    const uint32_t v = (uint32_t)((uint64_t)rest * 744261118u >> 24);
    const uint32_t below = OCTAVO_DECAY_F16_ONE - v + (uint32_t)((uint64_t)v * v >> 31);
    const uint32_t power = (uint32_t)((uint64_t)(uint32_t)table[exponent >> 18 & 63u] * below >> 30);
    const uint32_t whole = exponent >> 24;
    return whole < 31u ? power >> whole : 0;
}

/* 1 / (1 + exp(-x)) in float. */
static inline float octavo_decay_f16_sigmoid(float x, const int32_t *table)
{
    const uint32_t power = octavo_decay_f16(x < 0.0f ? -x : x, table);
    return (float)(x > 0.0f ? OCTAVO_DECAY_F16_ONE : power) / (float)(OCTAVO_DECAY_F16_ONE + power);
}

#endif /* OCTAVO_DECAY_F16_H */
