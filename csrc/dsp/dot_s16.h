/* Dot products of int16 pixels with a pair of output channels: the inner loop of the 16x8 layers of this folder.
 *
 * A word holds two taps of both channels as in dot.h, h = 256 a + b in a lane. For each pixel two sums are kept:
 *
 *     mixed = 256 bias_a + bias_b + sum x h      (64 bits, which no layer fills)
 *     low   = bias_b + sum x b                   (32 bits; the layout proves that they are enough, or takes 64)
 *
 * and bias_a + sum x a = (mixed - low) / 256 without a remainder, so that it is floor(mixed / 256) - floor(low / 256). That
 * takes one extension and two multiplications for four products.
 *
 * A pair of channels is a piece of a stream of words: both words of 256 bias_a + bias_b, the lower first, bias_b, the
 * weights, and both scales as in finish_s16.h.
 */
#ifndef OCTAVO_DSP_DOT_S16_H
#define OCTAVO_DSP_DOT_S16_H

#include "dot.h"
#include "finish_s16.h"

#define OCTAVO_DOT_S16_BIASES 3
#define OCTAVO_DOT_S16_SCALES 2

/* Of two pixels with one pair of channels, or of one pixel with two pairs; above is the upper word of mixed. */
typedef struct {
    uint32_t mixed[2];
    uint32_t above[2];
    int32_t low[2];
} octavo_dot_s16_sums;

/* The same of one pixel and one pair where 32 bits are too few. */
typedef struct {
    int64_t mixed;
    int64_t low;
} octavo_dot_s16_wide;

/* Sum i begins with the biases of a pair. */
OCTAVO_INLINE void octavo_dot_s16_begin(octavo_dot_s16_sums *sums, int32_t i, const octavo_word *biases)
{
    sums->mixed[i] = biases[0];
    sums->above[i] = biases[1];
    sums->low[i] = octavo_from_bits(biases[2]);
}

OCTAVO_INLINE void octavo_dot_s16_begin_wide(octavo_dot_s16_wide *sums, const octavo_word *biases)
{
    sums->mixed = (int64_t)octavo_from_bits(biases[1]) * ((int64_t)1 << 32) + (int64_t)biases[0];
    sums->low = octavo_from_bits(biases[2]);
}

/* Four taps of sum i. */
OCTAVO_INLINE void octavo_dot_s16_four(
    octavo_dot_s16_sums *sums, int32_t i, uint32_t x0, uint32_t x1, uint32_t w0, uint32_t w1)
{
    int64_t mixed = (int64_t)octavo_from_bits(sums->above[i]) * ((int64_t)1 << 32) + (int64_t)sums->mixed[i];
    mixed = octavo_smlald(x1, w1, octavo_smlald(x0, w0, mixed));
    sums->mixed[i] = (uint32_t)mixed;
    sums->above[i] = (uint32_t)((uint64_t)mixed >> 32);
    sums->low[i] = octavo_smlad(x1, octavo_sxtb16(w1), octavo_smlad(x0, octavo_sxtb16(w0), sums->low[i]));
}

OCTAVO_INLINE void octavo_dot_s16_four_wide(
    octavo_dot_s16_wide *sums, uint32_t x0, uint32_t x1, uint32_t w0, uint32_t w1)
{
    sums->mixed = octavo_smlald(x1, w1, octavo_smlald(x0, w0, sums->mixed));
    sums->low = octavo_smlald(x1, octavo_sxtb16(w1), octavo_smlald(x0, octavo_sxtb16(w0), sums->low));
}

/* What octavo_dot_s16_finish needs to know of a layer. */
typedef struct {
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_dot_s16_output;

/* Both channels of sums that have a pair of scales, at out and out + step; second is 0 for a lone channel. */
OCTAVO_INLINE void octavo_dot_s16_finish(const octavo_dot_s16_output *p, const octavo_dot_s16_sums *sums, int32_t i,
    int32_t count, const octavo_word *scales, int16_t *out, int32_t step, int32_t second)
{
    const uint32_t scale0 = scales[0];
    const uint32_t scale1 = scales[1];
    OCTAVO_UNROLL
    for (const int32_t end = i + count; i < end; ++i, out += step) {
        const uint32_t mixed = sums->mixed[i] >> 8 | sums->above[i] << 24;
        const int32_t first = octavo_from_bits(mixed - (uint32_t)octavo_asr(sums->low[i], 8));
        out[0] = octavo_dsp_finish_s16(first, scale0, p->shifted, p->act_min, p->act_max);
        if (second) {
            out[1] = octavo_dsp_finish_s16(sums->low[i], scale1, p->shifted, p->act_min, p->act_max);
        }
    }
}

OCTAVO_INLINE int32_t octavo_saturated(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x;
}

OCTAVO_INLINE void octavo_dot_s16_finish_wide(const octavo_dot_s16_output *p, const octavo_dot_s16_wide *sums,
    const octavo_word *scales, int16_t *out, int32_t second)
{
    const int32_t first = octavo_saturated((sums->mixed - sums->low) / 256);
    out[0] = octavo_dsp_finish_s16(first, scales[0], p->shifted, p->act_min, p->act_max);
    if (second) {
        out[1] = octavo_dsp_finish_s16(octavo_saturated(sums->low), scales[1], p->shifted, p->act_min, p->act_max);
    }
}

#if OCTAVO_DSP_ASM
/* 13 instructions for 16 products. */
#define OCTAVO_DOT_S16_TWO                                                                                             \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "sxtb16 %[b0], %[w0]\n\t"                                                                                          \
    "sxtb16 %[b1], %[w1]\n\t"                                                                                          \
    "ldrd %[x0], %[x1], [%[x], #%c[stride]]\n\t"                                                                       \
    "smlald %[m1], %[h1], %[x0], %[w0]\n\t"                                                                            \
    "smlad %[l1], %[x0], %[b0], %[l1]\n\t"                                                                             \
    "smlald %[m1], %[h1], %[x1], %[w1]\n\t"                                                                            \
    "smlad %[l1], %[x1], %[b1], %[l1]\n\t"                                                                             \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                                                \
    "smlald %[m0], %[h0], %[x0], %[w0]\n\t"                                                                            \
    "smlad %[l0], %[x0], %[b0], %[l0]\n\t"                                                                             \
    "smlald %[m0], %[h0], %[x1], %[w1]\n\t"                                                                            \
    "smlad %[l0], %[x1], %[b1], %[l0]\n\t"

/* 8 instructions for 8 products. */
#define OCTAVO_DOT_S16_ONE                                                                                             \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                                                \
    "smlald %[m0], %[h0], %[x0], %[w0]\n\t"                                                                            \
    "sxtb16 %[w0], %[w0]\n\t"                                                                                          \
    "smlald %[m0], %[h0], %[x1], %[w1]\n\t"                                                                            \
    "sxtb16 %[w1], %[w1]\n\t"                                                                                          \
    "smlad %[l0], %[x0], %[w0], %[l0]\n\t"                                                                             \
    "smlad %[l0], %[x1], %[w1], %[l0]\n\t"

/* The operands of both loops, as in dot.h. */
#define OCTAVO_DOT_S16_ASM_TWO(text, limit)                                                                            \
    __asm volatile(text                                                                                                \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->mixed[0]), [h0] "+&r"(sums->above[0]),               \
                   [l0] "+&r"(sums->low[0]), [m1] "+&r"(sums->mixed[1]), [h1] "+&r"(sums->above[1]),                   \
                   [l1] "+&r"(sums->low[1]), [w0] "=&r"(w0), [w1] "=&r"(w1), [b0] "=&r"(b0), [b1] "=&r"(b1),           \
                   [x0] "=&r"(x0), [x1] "=&r"(x1)                                                                      \
                   : limit, [stride] "n"(2 * stride)                                                                   \
                   : "cc", "memory")

#define OCTAVO_DOT_S16_ASM_ONE(text, limit)                                                                            \
    __asm volatile(text                                                                                                \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->mixed[0]), [h0] "+&r"(sums->above[0]),               \
                   [l0] "+&r"(sums->low[0]), [w0] "=&r"(w0), [w1] "=&r"(w1), [x0] "=&r"(x0), [x1] "=&r"(x1)            \
                   : limit                                                                                             \
                   : "cc", "memory")
#endif

/* Adds taps products, a multiple of 4, of one or two pixels at x and x + stride (int16 elements, words) to their sums;
 * returns the weights' end. known says that the compiler sees taps and stride as constants. */
OCTAVO_INLINE const octavo_word *octavo_dot_s16_pair(octavo_dot_s16_sums *sums, int32_t pixels, const int16_t *x,
    int32_t stride, const octavo_word *w, int32_t taps, int32_t known)
{
    const octavo_word *const end = w + taps / 2;
#if OCTAVO_DSP_ASM
    if (known) {
        uint32_t w0, w1, b0, b1, x0, x1;
        if (pixels == 2) {
            OCTAVO_DOT_UNROLLED(OCTAVO_DOT_S16_ASM_TWO, OCTAVO_DOT_S16_TWO)
        } else {
            OCTAVO_DOT_UNROLLED(OCTAVO_DOT_S16_ASM_ONE, OCTAVO_DOT_S16_ONE)
        }
        return w;
    }
#else
    (void)known;
#endif
    for (; w < end; w += 2, x += 4) {
        const uint32_t w0 = octavo_load_word(w);
        const uint32_t w1 = octavo_load_word(w + 1);
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pixels; ++i) {
            const int16_t *const pixel = x + i * stride;
            octavo_dot_s16_four(sums, i, octavo_load_word(pixel), octavo_load_word(pixel + 2), w0, w1);
        }
    }
    return w;
}

/* The same of one pixel, in 64 bits. */
OCTAVO_INLINE const octavo_word *octavo_dot_s16_pair_wide(
    octavo_dot_s16_wide *sums, const int16_t *x, const octavo_word *w, int32_t taps)
{
    for (const octavo_word *const end = w + taps / 2; w < end; w += 2, x += 4) {
        octavo_dot_s16_four_wide(
            sums, octavo_load_word(x), octavo_load_word(x + 2), octavo_load_word(w), octavo_load_word(w + 1));
    }
    return w;
}

#endif /* OCTAVO_DSP_DOT_S16_H */
