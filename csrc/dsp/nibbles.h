/* Dot products of one or two pixels with four output channels of 4-bit weights: dot.h for packed weights.
 *
 * The weights a, b, c, d of a tap share a lane of 16 bits, h = 4096 a + 256 (b + 8) + 16 (c + 8) + (d + 8), so one word
 * holds two taps of four channels. Every field but the first is not negative, so a mask takes it out of all lanes. For
 * each pixel four sums are kept, of x times
 *
 *     h,   h & 0x0F00,   h & 0x00F0,   h & 0x000F
 *
 * and with X = sum x: sum x d = last - 8 X, and so on; sum x a = (first - the three others) / 4096. The first wraps, but
 * the difference is exact while |sum x a| < 2^19, and the second while |sum x (b + 8)| < 2^23, which the weights prove.
 *
 * Pixels and the order of taps are as in dot.h.
 */
#ifndef OCTAVO_DSP_NIBBLES_H
#define OCTAVO_DSP_NIBBLES_H

#include "dot.h"

/* Of up to two pixels the four sums: of lanes, and of their three lower fields. */
typedef struct {
    int32_t whole[2];
    int32_t field[2][3];
} octavo_nibble_sums;

#define OCTAVO_NIBBLE_FIELD(word, i) ((word) & (0x0F000F00u >> (4 * (i))))

/* Two taps of pixel i. */
OCTAVO_INLINE void octavo_nibble_two(octavo_nibble_sums *sums, int32_t i, uint32_t x, uint32_t w)
{
    sums->whole[i] = octavo_smlad(x, w, sums->whole[i]);
    OCTAVO_UNROLL
    for (int32_t k = 0; k < 3; ++k) {
        sums->field[i][k] = octavo_smlad(x, OCTAVO_NIBBLE_FIELD(w, k), sums->field[i][k]);
    }
}

#if OCTAVO_DSP_ASM
/* 14 instructions for 16 products. */
#define OCTAVO_NIBBLE_TWO                                                                                              \
    "ldr %[w0], [%[w]], #4\n\t"                                                                                        \
    "ldr %[x1], [%[x], #%c[stride]]\n\t"                                                                               \
    "ldr %[x0], [%[x]], #4\n\t"                                                                                        \
    "smlad %[m0], %[x0], %[w0], %[m0]\n\t"                                                                             \
    "smlad %[m1], %[x1], %[w0], %[m1]\n\t"                                                                             \
    "and %[t], %[w0], #0x000F000F\n\t"                                                                                 \
    "smlad %[d0], %[x0], %[t], %[d0]\n\t"                                                                              \
    "smlad %[d1], %[x1], %[t], %[d1]\n\t"                                                                              \
    "and %[t], %[w0], #0x00F000F0\n\t"                                                                                 \
    "smlad %[c0], %[x0], %[t], %[c0]\n\t"                                                                              \
    "smlad %[c1], %[x1], %[t], %[c1]\n\t"                                                                              \
    "and %[w0], %[w0], #0x0F000F00\n\t"                                                                                \
    "smlad %[b0], %[x0], %[w0], %[b0]\n\t"                                                                             \
    "smlad %[b1], %[x1], %[w0], %[b1]\n\t"
#define OCTAVO_NIBBLE_TWO_FOUR OCTAVO_NIBBLE_TWO OCTAVO_NIBBLE_TWO

/* Two taps that have been loaded. */
#define OCTAVO_NIBBLE_FIELDS(x, w)                                                                                     \
    "smlad %[m0], %[" x "], %[" w "], %[m0]\n\t"                                                                       \
    "and %[t], %[" w "], #0x000F000F\n\t"                                                                              \
    "smlad %[d0], %[" x "], %[t], %[d0]\n\t"                                                                           \
    "and %[t], %[" w "], #0x00F000F0\n\t"                                                                              \
    "smlad %[c0], %[" x "], %[t], %[c0]\n\t"                                                                           \
    "and %[t], %[" w "], #0x0F000F00\n\t"                                                                              \
    "smlad %[b0], %[" x "], %[t], %[b0]\n\t"
/* 16 instructions for 16 products. */
#define OCTAVO_NIBBLE_ONE_FOUR                                                                                         \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t" OCTAVO_NIBBLE_FIELDS("x0", "w0") OCTAVO_NIBBLE_FIELDS("x1", "w1")

#define OCTAVO_NIBBLE_ASM_TWO(text, limit)                                                                             \
    __asm volatile(text                                                                                                \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->whole[0]), [m1] "+&r"(sums->whole[1]),               \
                   [b0] "+&r"(sums->field[0][0]), [b1] "+&r"(sums->field[1][0]), [c0] "+&r"(sums->field[0][1]),        \
                   [c1] "+&r"(sums->field[1][1]), [d0] "+&r"(sums->field[0][2]), [d1] "+&r"(sums->field[1][2]),        \
                   [w0] "=&r"(w0), [t] "=&r"(t), [x0] "=&r"(x0), [x1] "=&r"(x1)                                        \
                   : limit, [stride] "n"(2 * stride)                                                                   \
                   : "cc", "memory")

#define OCTAVO_NIBBLE_ASM_ONE(text, limit)                                                                             \
    __asm volatile(text                                                                                                \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->whole[0]), [b0] "+&r"(sums->field[0][0]),            \
                   [c0] "+&r"(sums->field[0][1]), [d0] "+&r"(sums->field[0][2]), [w0] "=&r"(w0), [w1] "=&r"(w1),       \
                   [t] "=&r"(t), [x0] "=&r"(x0), [x1] "=&r"(x1)                                                        \
                   : limit                                                                                             \
                   : "cc", "memory")
#endif

#if OCTAVO_DSP_ASM
/* As OCTAVO_DOT_UNROLLED, but the compiler loops. */
#define OCTAVO_NIBBLE_UNROLLED(operands, body)                                                                         \
    if (taps % 16 == 0) {                                                                                              \
        do {                                                                                                           \
            operands(body body body body, [end] "n"(0));                                                               \
        } while (w != end);                                                                                            \
    } else if (taps % 12 == 0) {                                                                                       \
        do {                                                                                                           \
            operands(body body body, [end] "n"(0));                                                                    \
        } while (w != end);                                                                                            \
    } else if (taps % 8 == 0) {                                                                                        \
        do {                                                                                                           \
            operands(body body, [end] "n"(0));                                                                         \
        } while (w != end);                                                                                            \
    } else {                                                                                                           \
        do {                                                                                                           \
            operands(body, [end] "n"(0));                                                                              \
        } while (w != end);                                                                                            \
    }
#endif

/* As octavo_dot, of one or two pixels. */
OCTAVO_INLINE const octavo_word *octavo_nibble_dot(octavo_nibble_sums *sums, int32_t pixels, const int16_t *x,
    int32_t stride, const octavo_word *w, int32_t taps, int32_t known)
{
    const octavo_word *const end = w + taps / 2;
#if OCTAVO_DSP_ASM
    if (known) {
        uint32_t w0, w1, t, x0, x1;
        if (pixels == 2) {
            OCTAVO_NIBBLE_UNROLLED(OCTAVO_NIBBLE_ASM_TWO, OCTAVO_NIBBLE_TWO_FOUR)
        } else {
            OCTAVO_DOT_UNROLLED(OCTAVO_NIBBLE_ASM_ONE, OCTAVO_NIBBLE_ONE_FOUR)
        }
        return w;
    }
#else
    (void)known;
#endif
    for (; w < end; ++w, x += 2) {
        const uint32_t word = octavo_load_word(w);
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pixels; ++i) {
            octavo_nibble_two(sums, i, octavo_load_word(x + i * stride), word);
        }
    }
    return w;
}

/* Adds the elements of taps, at words, to a sum. */
OCTAVO_INLINE int32_t octavo_nibble_total(const int16_t *x, int32_t taps, int32_t sum)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < taps; i += 2) {
        sum = octavo_smlad(octavo_load_word(x + i), 0x00010001u, sum);
    }
    return sum;
}

/* Adds twice the first channel's sum since the last time, and makes the three others' part of it from now on. */
OCTAVO_INLINE void octavo_nibble_settle(octavo_nibble_sums *sums, int32_t i, int32_t *twice)
{
    const int32_t others = sums->field[i][0] + sums->field[i][1] + sums->field[i][2];
    *twice += octavo_asr(octavo_sub_wrap(sums->whole[i], others), 11);
    sums->whole[i] = others;
}

/* Twice the sums of the three other channels; total is the sum of all elements. */
OCTAVO_INLINE void octavo_nibble_fields(const octavo_nibble_sums *sums, int32_t i, int32_t total, int32_t *twice)
{
    OCTAVO_UNROLL
    for (int32_t k = 0; k < 3; ++k) {
        twice[k] = 2 * octavo_asr(sums->field[i][k], 8 - 4 * k) - 16 * total;
    }
}

#endif /* OCTAVO_DSP_NIBBLES_H */
