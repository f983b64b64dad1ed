/* Dot products of a few pixels with a pair of output channels: the inner loop of the convolutions of this folder.
 *
 * A pair's weights a and b share a lane of 16 bits, h = 256 a + b, so one word holds two taps of both channels. For each
 * pixel two sums are kept:
 *
 *     mixed = sum x h = 256 sum x a + sum x b      (the word as it is)
 *     low   = sum x b                              (the word's even bytes, sign-extended: b is h modulo 256)
 *
 * and sum x a = (mixed - low) / 256. mixed wraps, but the difference is exact while |sum x a| < 2^23, which the weights
 * prove (they are laid out for this kernel only then). That takes one extension and two multiplications for four
 * products, where separate channels take two extensions and two multiplications.
 *
 * Pixels are int16 at addresses that are multiples of 4; taps come in fours; the order of the taps inside a four is
 * the layout's and the same for pixels and weights.
 */
#ifndef OCTAVO_DSP_DOT_H
#define OCTAVO_DSP_DOT_H

#include "simd.h"

/* The assembler needs constant strides, which a compiler that optimizes finds by inlining, and every register: compile
 * with -DOCTAVO_NO_ASM where frame pointers must stay, and with -Og. */
#if OCTAVO_DSP && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) \
    && !defined(OCTAVO_NO_ASM)
#define OCTAVO_DSP_ASM 1
#else
#define OCTAVO_DSP_ASM 0
#endif

/* mixed and low of up to three pixels. */
typedef struct {
    int32_t mixed[3];
    int32_t low[3];
} octavo_dot_sums;

/* Of so many pixels, stride elements apart, those that go together: the inner loop reaches 510 elements. */
OCTAVO_INLINE int32_t octavo_dot_group(int32_t pixels, int32_t stride)
{
    return octavo_min(pixels, stride <= 510 ? 3 : 1);
}

/* Four taps of pixel i. */
OCTAVO_INLINE void octavo_dot_four(octavo_dot_sums *sums, int32_t i, const int16_t *x, uint32_t w0, uint32_t w1)
{
    const uint32_t x0 = octavo_load_word(x);
    const uint32_t x1 = octavo_load_word(x + 2);
    sums->mixed[i] = octavo_smlad(x0, w0, sums->mixed[i]);
    sums->mixed[i] = octavo_smlad(x1, w1, sums->mixed[i]);
    sums->low[i] = octavo_smlad(x0, octavo_sxtb16(w0), sums->low[i]);
    sums->low[i] = octavo_smlad(x1, octavo_sxtb16(w1), sums->low[i]);
}

#if OCTAVO_DSP_ASM
/* 18 instructions for 24 products. The middle pixel is the base, so that strides up to 1020 bytes reach both others. */
#define OCTAVO_DOT_THREE                                                                                               \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "sxtb16 %[b0], %[w0]\n\t"                                                                                          \
    "sxtb16 %[b1], %[w1]\n\t"                                                                                          \
    "ldrd %[x0], %[x1], [%[x], #-%c[stride]]\n\t"                                                                      \
    "smlad %[m0], %[x0], %[w0], %[m0]\n\t"                                                                             \
    "smlad %[l0], %[x0], %[b0], %[l0]\n\t"                                                                             \
    "smlad %[m0], %[x1], %[w1], %[m0]\n\t"                                                                             \
    "smlad %[l0], %[x1], %[b1], %[l0]\n\t"                                                                             \
    "ldrd %[x0], %[x1], [%[x], #%c[stride]]\n\t"                                                                       \
    "smlad %[m2], %[x0], %[w0], %[m2]\n\t"                                                                             \
    "smlad %[l2], %[x0], %[b0], %[l2]\n\t"                                                                             \
    "smlad %[m2], %[x1], %[w1], %[m2]\n\t"                                                                             \
    "smlad %[l2], %[x1], %[b1], %[l2]\n\t"                                                                             \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                                                \
    "smlad %[m1], %[x0], %[w0], %[m1]\n\t"                                                                             \
    "smlad %[l1], %[x0], %[b0], %[l1]\n\t"                                                                             \
    "smlad %[m1], %[x1], %[w1], %[m1]\n\t"                                                                             \
    "smlad %[l1], %[x1], %[b1], %[l1]\n\t"

/* 13 instructions for 16 products. */
#define OCTAVO_DOT_TWO                                                                                                 \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "sxtb16 %[b0], %[w0]\n\t"                                                                                          \
    "sxtb16 %[b1], %[w1]\n\t"                                                                                          \
    "ldrd %[x0], %[x1], [%[x], #%c[stride]]\n\t"                                                                       \
    "smlad %[m1], %[x0], %[w0], %[m1]\n\t"                                                                             \
    "smlad %[l1], %[x0], %[b0], %[l1]\n\t"                                                                             \
    "smlad %[m1], %[x1], %[w1], %[m1]\n\t"                                                                             \
    "smlad %[l1], %[x1], %[b1], %[l1]\n\t"                                                                             \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                                                \
    "smlad %[m0], %[x0], %[w0], %[m0]\n\t"                                                                             \
    "smlad %[l0], %[x0], %[b0], %[l0]\n\t"                                                                             \
    "smlad %[m0], %[x1], %[w1], %[m0]\n\t"                                                                             \
    "smlad %[l0], %[x1], %[b1], %[l0]\n\t"

/* 8 instructions for 8 products. */
#define OCTAVO_DOT_ONE                                                                                                 \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                                                                                \
    "smlad %[m0], %[x0], %[w0], %[m0]\n\t"                                                                             \
    "sxtb16 %[w0], %[w0]\n\t"                                                                                          \
    "smlad %[m0], %[x1], %[w1], %[m0]\n\t"                                                                             \
    "sxtb16 %[w1], %[w1]\n\t"                                                                                          \
    "smlad %[l0], %[x0], %[w0], %[l0]\n\t"                                                                             \
    "smlad %[l0], %[x1], %[w1], %[l0]\n\t"
#endif

#if OCTAVO_DSP_ASM
/* The operands of the three loops; limit is where the weights end, if the loop goes round at all. */
#define OCTAVO_DOT_ASM_THREE(text, limit)                                                                              \
    __asm volatile(text                                                                                                \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->mixed[0]), [l0] "+&r"(sums->low[0]),                 \
                   [m1] "+&r"(sums->mixed[1]), [l1] "+&r"(sums->low[1]), [m2] "+&r"(sums->mixed[2]),                   \
                   [l2] "+&r"(sums->low[2]), [w0] "=&r"(w0), [w1] "=&r"(w1), [b0] "=&r"(b0), [b1] "=&r"(b1),           \
                   [x0] "=&r"(x0), [x1] "=&r"(x1)                                                                      \
                   : limit, [stride] "n"(2 * stride)                                                                   \
                   : "cc", "memory")

#define OCTAVO_DOT_ASM_TWO(text, limit)                                                                                \
    __asm volatile(text                                                                                                \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->mixed[0]), [l0] "+&r"(sums->low[0]),                 \
                   [m1] "+&r"(sums->mixed[1]), [l1] "+&r"(sums->low[1]), [w0] "=&r"(w0), [w1] "=&r"(w1),               \
                   [b0] "=&r"(b0), [b1] "=&r"(b1), [x0] "=&r"(x0), [x1] "=&r"(x1)                                      \
                   : limit, [stride] "n"(2 * stride)                                                                   \
                   : "cc", "memory")

#define OCTAVO_DOT_ASM_ONE(text, limit)                                                                                \
    __asm volatile(text                                                                                                \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->mixed[0]), [l0] "+&r"(sums->low[0]),                 \
                   [w0] "=&r"(w0), [w1] "=&r"(w1), [x0] "=&r"(x0), [x1] "=&r"(x1)                                      \
                   : limit                                                                                             \
                   : "cc", "memory")

/* All fourteen registers are taken: the end of the loop waits on the stack. */
#define OCTAVO_DOT_LOOP(operands, body)                                                                                \
    operands("1:\n\t" body "ldr %[x0], %[end]\n\tcmp %[w], %[x0]\n\tbne 1b", [end] "m"(end))

/* The body is written out as often as it is unrolled, for the compiler counts lines to know how far it must reach; taps
 * is a constant, so one of the branches is left. */
#define OCTAVO_DOT_UNROLLED(operands, body)                                                                            \
    if (taps == 4) {                                                                                                   \
        operands(body, [end] "n"(0));                                                                                  \
    } else if (taps == 8) {                                                                                            \
        operands(body body, [end] "n"(0));                                                                             \
    } else if (taps == 12) {                                                                                           \
        operands(body body body, [end] "n"(0));                                                                        \
    } else if (taps == 16) {                                                                                           \
        operands(body body body body, [end] "n"(0));                                                                   \
    } else if (taps % 16 == 0) {                                                                                       \
        OCTAVO_DOT_LOOP(operands, body body body body);                                                                \
    } else if (taps % 12 == 0) {                                                                                       \
        OCTAVO_DOT_LOOP(operands, body body body);                                                                     \
    } else if (taps % 8 == 0) {                                                                                        \
        OCTAVO_DOT_LOOP(operands, body body);                                                                          \
    } else {                                                                                                           \
        OCTAVO_DOT_LOOP(operands, body);                                                                               \
    }
#endif

/* Adds taps products of pixels at x, x + stride, ... (int16 elements) to their sums; returns the weights' end. known
 * says that the compiler sees taps and stride as constants. */
OCTAVO_INLINE const octavo_word *octavo_dot(octavo_dot_sums *sums, int32_t pixels, const int16_t *x, int32_t stride,
    const octavo_word *w, int32_t taps, int32_t known)
{
    const octavo_word *const end = w + taps / 2;
#if OCTAVO_DSP_ASM
    if (known) {
        uint32_t w0, w1, b0, b1, x0, x1;
        if (pixels == 3) {
            x += stride;
            OCTAVO_DOT_UNROLLED(OCTAVO_DOT_ASM_THREE, OCTAVO_DOT_THREE)
        } else if (pixels == 2) {
            OCTAVO_DOT_UNROLLED(OCTAVO_DOT_ASM_TWO, OCTAVO_DOT_TWO)
        } else {
            OCTAVO_DOT_UNROLLED(OCTAVO_DOT_ASM_ONE, OCTAVO_DOT_ONE)
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
            octavo_dot_four(sums, i, x + i * stride, w0, w1);
        }
    }
    return w;
}

#endif /* OCTAVO_DSP_DOT_H */
