/* Eight neighbouring channels of float16, computed with in float: the part of Helium that the float16 kernels use.
 *
 * A conversion takes the even or the odd halves of a vector, so that the sums of even and odd channels lie in a register
 * each; converting back puts them in order. Products of halves are exact, so that multiply-add is one instruction here
 * and two elsewhere, with the same result. Helium flushes subnormal floats to zero: there are none, for sums of
 * products of halves are multiples of 2^-48.
 */
#ifndef OCTAVO_MVE_EIGHT_F16_H
#define OCTAVO_MVE_EIGHT_F16_H

#include "../float16.h"
#include "../inline.h"
#include "../octavo.h"

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)

#include <arm_mve.h>

typedef struct {
    float32x4_t even;
    float32x4_t odd;
} octavo_eight_f16;

/* GNU as (2.40) numbers the registers of these conversions wrongly, so their words are put together here. bottom and top
 * take the even and the odd halves of x; narrowed puts even and odd ones in their places. */
#if defined(__GNUC__) && !defined(__clang__)

#define OCTAVO_EIGHT_CONVERT(word)                                                                                     \
    ".irp n,0,1,2,3,4,5,6,7\n\t.set octavo_q\\n,\\n\n\t.endr\n\t"                                                      \
    ".inst.w " word " | (octavo_%q0 << 13) | (octavo_%q1 << 1)"

OCTAVO_INLINE float32x4_t octavo_eight_f16_bottom(float16x8_t x)
{
    float32x4_t wide;
    __asm__(OCTAVO_EIGHT_CONVERT("0xfe3f0e01") : "=w"(wide) : "w"(x));
    return wide;
}

OCTAVO_INLINE float32x4_t octavo_eight_f16_top(float16x8_t x)
{
    float32x4_t wide;
    __asm__(OCTAVO_EIGHT_CONVERT("0xfe3f1e01") : "=w"(wide) : "w"(x));
    return wide;
}

OCTAVO_INLINE float16x8_t octavo_eight_f16_narrowed(float32x4_t even, float32x4_t odd)
{
    float16x8_t halves = vdupq_n_f16(0);
    __asm__(OCTAVO_EIGHT_CONVERT("0xee3f0e01") : "+w"(halves) : "w"(even));
    __asm__(OCTAVO_EIGHT_CONVERT("0xee3f1e01") : "+w"(halves) : "w"(odd));
    return halves;
}

#else

OCTAVO_INLINE float32x4_t octavo_eight_f16_bottom(float16x8_t x)
{
    return vcvtbq_f32_f16(x);
}

OCTAVO_INLINE float32x4_t octavo_eight_f16_top(float16x8_t x)
{
    return vcvttq_f32_f16(x);
}

OCTAVO_INLINE float16x8_t octavo_eight_f16_narrowed(float32x4_t even, float32x4_t odd)
{
    return vcvttq_f16_f32(vcvtbq_f16_f32(vdupq_n_f16(0), even), odd);
}

#endif

OCTAVO_INLINE float16x8_t octavo_eight_f16_halves(const int16_t *x, int32_t lanes)
{
    const float16_t *halves = (const float16_t *)(const void *)x;
    return lanes >= 8 ? vldrhq_f16(halves) : vldrhq_z_f16(halves, vctp16q((uint32_t)lanes));
}

OCTAVO_INLINE void octavo_eight_f16_keep(int16_t *out, float16x8_t x, int32_t lanes)
{
    float16_t *halves = (float16_t *)(void *)out;
    if (lanes >= 8) {
        vstrhq_f16(halves, x);
    } else {
        vstrhq_p_f16(halves, x, vctp16q((uint32_t)lanes));
    }
}

/* The first lanes halves. */
OCTAVO_INLINE octavo_eight_f16 octavo_eight_f16_load(const int16_t *x, int32_t lanes)
{
    const float16x8_t halves = octavo_eight_f16_halves(x, lanes);
    const octavo_eight_f16 wide = {octavo_eight_f16_bottom(halves), octavo_eight_f16_top(halves)};
    return wide;
}

/* sum + a * x. */
OCTAVO_INLINE octavo_eight_f16 octavo_eight_f16_add(octavo_eight_f16 sum, octavo_eight_f16 a, float x)
{
    const octavo_eight_f16 added = {vfmaq_n_f32(sum.even, a.even, x), vfmaq_n_f32(sum.odd, a.odd, x)};
    return added;
}

/* sum + a * b, lane by lane. */
OCTAVO_INLINE octavo_eight_f16 octavo_eight_f16_add_each(octavo_eight_f16 sum, octavo_eight_f16 a, octavo_eight_f16 b)
{
    const octavo_eight_f16 added = {vfmaq_f32(sum.even, a.even, b.even), vfmaq_f32(sum.odd, a.odd, b.odd)};
    return added;
}

/* Clamped and rounded: octavo_f16_rounded. */
OCTAVO_INLINE void octavo_eight_f16_store(int16_t *out, octavo_eight_f16 x, float low, float high, int32_t lanes)
{
    const float32x4_t least = vdupq_n_f32(low);
    const float32x4_t most = vdupq_n_f32(high);
    const float32x4_t even = vminnmq_f32(vmaxnmq_f32(x.even, least), most);
    const float32x4_t odd = vminnmq_f32(vmaxnmq_f32(x.odd, least), most);
    octavo_eight_f16_keep(out, octavo_eight_f16_narrowed(even, odd), lanes);
}

/* a + b of halves, clamped: rounded to float16 at once, which for a sum of two is what rounding to float before gives. */
OCTAVO_INLINE void octavo_eight_f16_sum(int16_t *out, const int16_t *a, const int16_t *b, float low, float high, int32_t lanes)
{
    const float16x8_t sum = vaddq_f16(octavo_eight_f16_halves(a, lanes), octavo_eight_f16_halves(b, lanes));
    const float16x8_t least = vdupq_n_f16((float16_t)low);
    const float16x8_t most = vdupq_n_f16((float16_t)high);
    octavo_eight_f16_keep(out, vminnmq_f16(vmaxnmq_f16(sum, least), most), lanes);
}

/* Halves as floats. */
OCTAVO_INLINE void octavo_eight_f16_widen(float *to, const int16_t *x, int32_t count)
{
    for (int32_t i = 0; i < count / 4; ++i) {
        const uint32x4_t words = vldrhq_u32((const uint16_t *)(const void *)x);
        vstrwq_f32(to, octavo_eight_f16_bottom(vreinterpretq_f16_u32(words)));
        x += 4;
        to += 4;
    }
    for (int32_t i = 0; i < count % 4; ++i) {
        to[i] = octavo_f16_float(x[i]);
    }
}

#else

typedef struct {
    float lane[8];
} octavo_eight_f16;

OCTAVO_INLINE octavo_eight_f16 octavo_eight_f16_load(const int16_t *x, int32_t lanes)
{
    octavo_eight_f16 wide = {{0.0f}};
    for (int32_t i = 0; i < lanes; ++i) {
        wide.lane[i] = octavo_f16_float(x[i]);
    }
    return wide;
}

OCTAVO_INLINE octavo_eight_f16 octavo_eight_f16_add(octavo_eight_f16 sum, octavo_eight_f16 a, float x)
{
    for (int32_t i = 0; i < 8; ++i) {
        sum.lane[i] += a.lane[i] * x;
    }
    return sum;
}

OCTAVO_INLINE octavo_eight_f16 octavo_eight_f16_add_each(octavo_eight_f16 sum, octavo_eight_f16 a, octavo_eight_f16 b)
{
    for (int32_t i = 0; i < 8; ++i) {
        sum.lane[i] += a.lane[i] * b.lane[i];
    }
    return sum;
}

OCTAVO_INLINE void octavo_eight_f16_store(int16_t *out, octavo_eight_f16 x, float low, float high, int32_t lanes)
{
    for (int32_t i = 0; i < lanes; ++i) {
        out[i] = octavo_f16_rounded(x.lane[i], low, high);
    }
}

OCTAVO_INLINE void octavo_eight_f16_sum(int16_t *out, const int16_t *a, const int16_t *b, float low, float high, int32_t lanes)
{
    for (int32_t i = 0; i < lanes; ++i) {
        out[i] = octavo_f16_rounded(octavo_f16_float(a[i]) + octavo_f16_float(b[i]), low, high);
    }
}

OCTAVO_INLINE void octavo_eight_f16_widen(float *to, const int16_t *x, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = octavo_f16_float(x[i]);
    }
}

#endif

#endif /* OCTAVO_MVE_EIGHT_F16_H */
