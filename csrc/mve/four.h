/* Four 32-bit lanes: the part of Helium (MVE) that the kernels of this folder use beside their inner loops.
 *
 * On a core that has it (Cortex-M55) an octavo_four is a vector register; elsewhere it is plain C with the same result,
 * so that a model laid out for Helium also runs, and is tested, on any machine with little-endian words.
 */
#ifndef OCTAVO_MVE_FOUR_H
#define OCTAVO_MVE_FOUR_H

#include "../inline.h"
#include "../octavo.h"

#if defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE
#include <arm_mve.h>
#define OCTAVO_MVE 1
#else
#define OCTAVO_MVE 0
#endif

/* The assembler needs constants, which a compiler that optimizes finds by inlining, and every register: compile with
 * -DOCTAVO_NO_ASM where frame pointers must stay, at many times the time. */
#if OCTAVO_MVE && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(OCTAVO_NO_ASM)
#define OCTAVO_MVE_ASM 1
#else
#define OCTAVO_MVE_ASM 0
#endif

/* Zero point and limits of a layer's output; without negative_ties everything below the zero point is clamped away. */
typedef struct {
    int32_t zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_mve_ends;

#if OCTAVO_MVE

typedef int32x4_t octavo_four;

static inline octavo_four octavo_four_words(const int32_t *words)
{
    return vldrwq_s32(words);
}

static inline octavo_four octavo_four_bytes(const int8_t *bytes)
{
    return vldrbq_s32(bytes);
}

/* The first lanes bytes, then zeros. */
OCTAVO_INLINE octavo_four octavo_four_some_bytes(const int8_t *bytes, int32_t lanes)
{
    return lanes >= 4 ? vldrbq_s32(bytes) : vldrbq_z_s32(bytes, vctp32q((uint32_t)lanes));
}

static inline octavo_four octavo_four_add(octavo_four a, octavo_four b)
{
    return vaddq_s32(a, b);
}

static inline octavo_four octavo_four_all(int32_t value)
{
    return vdupq_n_s32(value);
}

/* floor(x / 16). */
static inline octavo_four octavo_four_sixteenth(octavo_four x)
{
    return vshrq_n_s32(x, 4);
}

/* (x - zero_point) * 2^20, requantized; shift in -31 .. 0. */
OCTAVO_INLINE octavo_four octavo_four_operand(octavo_four x, int32_t zero_point, int32_t multiplier, int32_t shift)
{
    if (multiplier == 1 << 30 && shift == 0) {
        return vmlasq_n_s32(x, vdupq_n_s32(1 << 19), -zero_point * (1 << 19));
    }
    x = vqrdmulhq_n_s32(vmlasq_n_s32(x, vdupq_n_s32(1 << 20), -zero_point * (1 << 20)), multiplier);
    if (shift < 0) {
        x = vrshlq_n_s32(vaddq_s32(x, vshrq_n_s32(x, 31)), shift);
    }
    return x;
}

/* The first lanes lanes go to bytes. */
OCTAVO_INLINE void octavo_four_store(int8_t *bytes, octavo_four x, int32_t lanes)
{
    if (lanes >= 4) {
        vstrbq_s32(bytes, x);
    } else {
        vstrbq_p_s32(bytes, x, vctp32q((uint32_t)lanes));
    }
}

/* RDBP(x, -shift), shift in -31 .. 0: the instruction rounds half up, so negative numbers that are shifted go down by
 * one first, which moves ties alone. Where ties of negative numbers do not show, they are left as they are. */
OCTAVO_INLINE octavo_four octavo_four_shift(octavo_four x, octavo_four shift, int32_t negative_ties)
{
    if (negative_ties) {
        x = vaddq_s32(x, vshrq_n_s32(vandq_s32(x, shift), 31));
    }
    return vrshlq_s32(x, shift);
}

/* octavo_finish of four sums; the rounding doubling multiply is SRDHM. */
OCTAVO_INLINE octavo_four octavo_four_finish(
    octavo_four sum, octavo_four multiplier, octavo_four shift, const octavo_mve_ends *ends)
{
    octavo_four y = octavo_four_shift(vqrdmulhq_s32(sum, multiplier), shift, ends->negative_ties);
    y = vaddq_s32(y, vdupq_n_s32(ends->zero_point));
    y = vmaxq_s32(y, vdupq_n_s32(ends->act_min));
    return vminq_s32(y, vdupq_n_s32(ends->act_max));
}

#else

typedef struct {
    int32_t lane[4];
} octavo_four;

static inline octavo_four octavo_four_words(const int32_t *words)
{
    octavo_four x;
    memcpy(x.lane, words, sizeof x.lane);
    return x;
}

static inline octavo_four octavo_four_bytes(const int8_t *bytes)
{
    octavo_four x;
    for (int32_t i = 0; i < 4; ++i) {
        x.lane[i] = bytes[i];
    }
    return x;
}

static inline octavo_four octavo_four_some_bytes(const int8_t *bytes, int32_t lanes)
{
    octavo_four x = {{0, 0, 0, 0}};
    for (int32_t i = 0; i < octavo_min(lanes, 4); ++i) {
        x.lane[i] = bytes[i];
    }
    return x;
}

static inline octavo_four octavo_four_add(octavo_four a, octavo_four b)
{
    for (int32_t i = 0; i < 4; ++i) {
        a.lane[i] = octavo_add_wrap(a.lane[i], b.lane[i]);
    }
    return a;
}

static inline octavo_four octavo_four_all(int32_t value)
{
    const octavo_four x = {{value, value, value, value}};
    return x;
}

static inline octavo_four octavo_four_sixteenth(octavo_four x)
{
    for (int32_t i = 0; i < 4; ++i) {
        x.lane[i] = octavo_shift_right(x.lane[i], 4);
    }
    return x;
}

static inline octavo_four octavo_four_operand(octavo_four x, int32_t zero_point, int32_t multiplier, int32_t shift)
{
    for (int32_t i = 0; i < 4; ++i) {
        x.lane[i] = octavo_requantize((x.lane[i] - zero_point) * (1 << 20), multiplier, shift);
    }
    return x;
}

static inline void octavo_four_store(int8_t *bytes, octavo_four x, int32_t lanes)
{
    for (int32_t i = 0; i < octavo_min(lanes, 4); ++i) {
        bytes[i] = (int8_t)x.lane[i];
    }
}

static inline octavo_four octavo_four_finish(
    octavo_four sum, octavo_four multiplier, octavo_four shift, const octavo_mve_ends *ends)
{
    for (int32_t i = 0; i < 4; ++i) {
        sum.lane[i] = octavo_scaled(
            sum.lane[i], multiplier.lane[i], shift.lane[i], ends->zero_point, ends->act_min, ends->act_max);
    }
    return sum;
}

#endif

#endif /* OCTAVO_MVE_FOUR_H */
