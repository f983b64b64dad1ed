/* float16: IEEE binary16 numbers, held by their bits in an int16_t, computed with in float. Only finite ones occur.
 *
 * Conversions are instructions where the compiler or the core has them, else arithmetic on bits with the same result.
 */
#ifndef OCTAVO_FLOAT16_H
#define OCTAVO_FLOAT16_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FP16_FORMAT_IEEE) && defined(__ARM_FP)
#define OCTAVO_F16_TYPE __fp16
#elif defined(__F16C__) && defined(__FLT16_MAX__)
#define OCTAVO_F16_TYPE _Float16
#elif defined(__ARM_FP) && defined(__ARM_ARCH_PROFILE) && defined(__GNUC__)
#if __ARM_ARCH_PROFILE == 'M'
#define OCTAVO_F16_VCVT 1 /* Every FPU of a Cortex-M converts; the compiler has the type with an option only. */
#endif
#endif

#if defined(OCTAVO_F16_TYPE)

static inline float octavo_f16_float(int16_t half)
{
    OCTAVO_F16_TYPE value;
    memcpy(&value, &half, sizeof value);
    return (float)value;
}

/* To nearest, half to even; |x| is at most 65504. */
static inline int16_t octavo_f16_bits(float x)
{
    const OCTAVO_F16_TYPE value = (OCTAVO_F16_TYPE)x;
    int16_t half;
    memcpy(&half, &value, sizeof half);
    return half;
}

#elif defined(OCTAVO_F16_VCVT)

static inline float octavo_f16_float(int16_t half)
{
    const int32_t word = half;
    float bits;
    float value;
    memcpy(&bits, &word, sizeof bits);
    __asm__("vcvtb.f32.f16 %0, %1" : "=t"(value) : "t"(bits));
    return value;
}

/* Two neighbours, with one load. */
static inline void octavo_f16_pair(const int16_t *halves, float *pair)
{
    float both;
    memcpy(&both, halves, sizeof both);
    __asm__("vcvtb.f32.f16 %0, %1" : "=t"(pair[0]) : "t"(both));
    __asm__("vcvtt.f32.f16 %0, %1" : "=t"(pair[1]) : "t"(both));
}

/* To nearest, half to even; |x| is at most 65504. */
static inline int16_t octavo_f16_bits(float x)
{
    float bits = 0.0f;
    uint32_t word;
    __asm__("vcvtb.f16.f32 %0, %1" : "+t"(bits) : "t"(x));
    memcpy(&word, &bits, sizeof word);
    return (int16_t)(uint16_t)word;
}

#else

/* A normal number gets another bias of the exponent, a subnormal one is a multiple of 2^-24. */
static inline float octavo_f16_float(int16_t half)
{
    const uint32_t sign = ((uint32_t)(uint16_t)half & 0x8000u) << 16;
    const uint32_t magnitude = (uint32_t)(uint16_t)half & 0x7fffu;
    const float small = (float)(int32_t)magnitude * (1.0f / 16777216.0f);
    uint32_t bits;
    float value;
    memcpy(&bits, &small, sizeof bits);
    bits = magnitude < 0x400u ? bits : (magnitude << 13) + 0x38000000u;
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To nearest, half to even; |x| is at most 65504. Below 2^-14 adding 0.5, whose last bit is 2^-24, rounds. */
static inline int16_t octavo_f16_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t half = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13;
    if (magnitude < 0x38800000u) {
        float small;
        memcpy(&small, &magnitude, sizeof small);
        small += 0.5f;
        memcpy(&half, &small, sizeof half);
        half -= 0x3f000000u;
    }
    half |= sign;
    return (int16_t)(half < 0x8000u ? (int32_t)half : (int32_t)half - 0x10000);
}

#endif

#if !defined(OCTAVO_F16_VCVT)

/* Two neighbours. */
static inline void octavo_f16_pair(const int16_t *halves, float *pair)
{
    pair[0] = octavo_f16_float(halves[0]);
    pair[1] = octavo_f16_float(halves[1]);
}

#endif

/* sum + a * b of halves a and b, whose product is exact: in one instruction or two, the result is the same. */
static inline float octavo_f16_add(float sum, float a, float b)
{
#if defined(__FP_FAST_FMAF) && defined(__GNUC__) && defined(__OPTIMIZE__)
    return __builtin_fmaf(a, b, sum);
#else
    return sum + a * b;
#endif
}

/* x between low and high, inside -65504 .. 65504 and not -0, rounded. A zero at low takes the sign of low; NaN is low. */
static inline int16_t octavo_f16_rounded(float x, float low, float high)
{
    const float bounded = x > low ? x : low;
    return octavo_f16_bits(bounded > high ? high : bounded);
}

/* The same without an activation. */
static inline int16_t octavo_f16_finite(float x)
{
    return octavo_f16_rounded(x, -65504.0f, 65504.0f);
}

/* An integer with the order of the numbers, in which -0 comes before 0; of a key the number's bits. */
static inline int16_t octavo_f16_key(int16_t half)
{
    return (int16_t)(half < 0 ? half ^ 0x7fff : half);
}

#endif /* OCTAVO_FLOAT16_H */
