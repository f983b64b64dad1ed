/* Requantization of the kernels of this folder, for cores with a multiplication of 32 by 32 bits and no more than that.
 *
 * With four = 4 acc and h = floor(four * multiplier / 2^32), the doubling high multiply is x = floor((h + 1) / 2), and
 * the rounding shift by n >= 1 and the zero point make floor((x - (x < 0) + (2 zero_point + 1) 2^(n-1)) / 2^n) of it.
 * Floors of floors are one floor, so
 *
 *     out = (h + round - 2 (acc < 0)) >> (n + 1),    round = ((2 zero_point + 1) << n) + 1
 *
 * acc < 0 stands for x < 0: they differ only for acc = -1 and a multiplier of 2^30, where x = 0 and both give 0. The
 * last term makes ties of negative numbers go down; where everything below the zero point is clamped away (ReLU), it is
 * left out. The layout of a layer proves that |acc| < 2^29 and that the sum does not overflow.
 *
 * With shift_only every multiplier is 2^30 (power-of-two scales), h is acc, and nothing is multiplied.
 */
#ifndef OCTAVO_SCALAR_FINISH_H
#define OCTAVO_SCALAR_FINISH_H

#include "../inline.h"
#include "../octavo.h"

/* A core without long products (Armv6-M) makes one of four short ones; -DOCTAVO_SHORT_PRODUCTS=1 does so anywhere. */
#ifndef OCTAVO_SHORT_PRODUCTS
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
#define OCTAVO_SHORT_PRODUCTS 1
#else
#define OCTAVO_SHORT_PRODUCTS 0
#endif
#endif

/* floor(x / 2^n): GNU C shifts negative numbers arithmetically, as its manual says; else the complement is shifted. */
OCTAVO_INLINE int32_t octavo_scalar_asr(int32_t x, int32_t n)
{
#if defined(__GNUC__)
    return x >> n;
#else
    return octavo_shift_right(x, n);
#endif
}

/* floor(a * b / 2^32). */
OCTAVO_INLINE int32_t octavo_scalar_high_word(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b;
#if defined(__GNUC__)
    return (int32_t)(product >> 32);
#else
    return (int32_t)(product >= 0 ? (int64_t)((uint64_t)product >> 32) : ~(int64_t)(~(uint64_t)product >> 32));
#endif
}

/* One instruction where the limits are those of an int8, or their positive half, and the core has it. Most numbers are
 * inside an int8: without the instruction one comparison finds that out. */
OCTAVO_INLINE int32_t octavo_scalar_clamp(int32_t x, int32_t low, int32_t high)
{
#if defined(__ARM_FEATURE_SAT) && defined(__OPTIMIZE__)
    if (low == -128 && high == 127) {
        int32_t result;
        __asm("ssat %0, #8, %1" : "=r"(result) : "r"(x));
        return result;
    }
    if (low == 0 && high == 127) {
        int32_t result;
        __asm("usat %0, #7, %1" : "=r"(result) : "r"(x));
        return result;
    }
#endif
    if (low == -128 && high == 127) {
        return (int8_t)(uint8_t)x == x ? x : octavo_scalar_asr(x, 31) ^ 127;
    }
    return octavo_clamp(x, low, high);
}

#define OCTAVO_SCALAR_SURPLUS (OCTAVO_SHORT_PRODUCTS ? 1 << 14 : 0)

/* floor(four * multiplier / 2^32) + OCTAVO_SCALAR_SURPLUS of a multiple of 4 and 0 <= multiplier < 2^31.
 *
 * With a = four / 4 = 2^15 a1 + a0 and multiplier = 2^15 m1 + m0 that is a1 m1 + floor((a1 m0 + a0 m1 + floor(a0 m0 /
 * 2^15)) / 2^15), where a0, m0 < 2^15, m1 < 2^16 and |a1| <= 2^14. What is shifted lies in [-2^29, 2^31 + 2^29): 2^29
 * more makes it an unsigned number. Its quotient is OCTAVO_SCALAR_SURPLUS too large, and so is the result: round is
 * that much less.
 */
OCTAVO_INLINE int32_t octavo_scalar_high_product(int32_t four, int32_t multiplier)
{
#if OCTAVO_SHORT_PRODUCTS
    const int32_t a1 = octavo_scalar_asr(four, 17);
    const uint32_t a0 = ((uint32_t)four << 15) >> 17;
    const uint32_t m1 = (uint32_t)multiplier >> 15;
    const uint32_t m0 = (uint32_t)multiplier & 0x7fffu;
    const uint32_t middle = (uint32_t)a1 * m0 + a0 * m1 + (a0 * m0 >> 15) + ((uint32_t)1 << 29);
    return a1 * (int32_t)m1 + (int32_t)(middle >> 15);
#else
    return octavo_scalar_high_word(four, multiplier);
#endif
}

/* The result of four = 4 acc; shift is n + 1, low and high are inside int8. */
OCTAVO_INLINE int8_t octavo_scalar_finish(int32_t four, int32_t multiplier, int32_t round, int32_t shift,
    int32_t shift_only, int32_t negative_ties, int32_t low, int32_t high)
{
    const int32_t product = shift_only ? octavo_scalar_asr(four, 2) : octavo_scalar_high_product(four, multiplier);
    const int32_t tie = negative_ties ? 2 * octavo_scalar_asr(four, 31) : 0;
    return (int8_t)octavo_scalar_clamp(octavo_scalar_asr(product + round + tie, shift), low, high);
}

/* For octavo_scalar_finish. */
OCTAVO_INLINE int32_t octavo_scalar_round(int32_t zero_point, int32_t shift, int32_t shift_only)
{
    return octavo_shift_left(2 * zero_point + 1, shift - 1) + 1 - (shift_only ? 0 : OCTAVO_SCALAR_SURPLUS);
}

#endif /* OCTAVO_SCALAR_FINISH_H */
