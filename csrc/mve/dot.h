/* Dot products of up to two pixels with up to four output channels: the inner loop of the convolutions of this folder.
 *
 * A stream of bytes holds the channels' four starting sums (int32), then their weights: for every 16 taps those of each
 * channel, at last what is left of the taps of each channel. One instruction multiplies 16 pairs of int8 and adds them
 * to a sum; eight sums use six loads for eight such instructions. Sums wrap, so any weights are exact.
 */
#ifndef OCTAVO_MVE_DOT_H
#define OCTAVO_MVE_DOT_H

#include "four.h"

#if OCTAVO_MVE_ASM
/* Sums are the even registers, as the instruction wants them: r0, r2, r4, r6 those of the first pixel, r8, r10, r12, lr
 * those of the second. What a case does not have is left out by the assembler, so that every case is written once. */
#define OCTAVO_MVE_IF(condition, text) ".if " condition "\n\t" text ".endif\n\t"
#define OCTAVO_MVE_MAC(sum, x, w) "vmladava.s8 " sum ", " x ", " w "\n\t"

/* A channel of a step: its weights are in one of two registers, those of the next channel are loaded before they are
 * multiplied. */
#define OCTAVO_MVE_CHANNEL(a, b, w)                                                                                    \
    OCTAVO_MVE_MAC(a, "q0", w) OCTAVO_MVE_IF("%c[pixels] > 1", OCTAVO_MVE_MAC(b, "q1", w))
#define OCTAVO_MVE_STEP(loads, step)                                                                                   \
    loads "vldrb.8 q2, [%[w]], " step "\n\t"                                                                           \
    OCTAVO_MVE_IF("%c[channels] > 1", "vldrb.8 q3, [%[w]], " step "\n\t") OCTAVO_MVE_CHANNEL("r0", "r8", "q2")         \
    OCTAVO_MVE_IF("%c[channels] > 2", "vldrb.8 q2, [%[w]], " step "\n\t")                                              \
    OCTAVO_MVE_IF("%c[channels] > 1", OCTAVO_MVE_CHANNEL("r2", "r10", "q3"))                                           \
    OCTAVO_MVE_IF("%c[channels] > 3", "vldrb.8 q3, [%[w]], " step "\n\t")                                              \
    OCTAVO_MVE_IF("%c[channels] > 2", OCTAVO_MVE_CHANNEL("r4", "r12", "q2"))                                           \
    OCTAVO_MVE_IF("%c[channels] > 3", OCTAVO_MVE_CHANNEL("r6", "lr", "q3"))

/* 16 taps; and those that are left, where pixels are read as zeros beyond them. */
#define OCTAVO_MVE_TAPS                                                                                                \
    OCTAVO_MVE_STEP("vldrb.8 q0, [%[x]], #16\n\t" OCTAVO_MVE_IF("%c[pixels] > 1", "vldrb.8 q1, [%[y]], #16\n\t"), "#16")
#define OCTAVO_MVE_LAST_TAPS                                                                                           \
    OCTAVO_MVE_STEP(OCTAVO_MVE_IF("%c[pixels] > 1", "vpstt\n\tvldrbt.8 q0, [%[x]]\n\tvldrbt.8 q1, [%[y]]\n\t")         \
                        OCTAVO_MVE_IF("%c[pixels] == 1", "vpst\n\tvldrbt.8 q0, [%[x]]\n\t"),                           \
        "#%c[rest]")

#define OCTAVO_MVE_START                                                                                               \
    OCTAVO_MVE_IF("%c[rest] > 0", "mov r0, #%c[rest]\n\tvctp.8 r0\n\t")                                                \
    OCTAVO_MVE_IF("%c[pixels] > 1", "ldrd r8, r10, [%[w]]\n\tldrd r12, lr, [%[w], #8]\n\t")                            \
    "ldrd r0, r2, [%[w]], #8\n\tldrd r4, r6, [%[w]], #8\n\t"
#define OCTAVO_MVE_SUMS                                                                                                \
    "vmov %q[sum0][2], %q[sum0][0], r0, r4\n\t"                                                                        \
    "vmov %q[sum0][3], %q[sum0][1], r2, r6\n\t"                                                                        \
    OCTAVO_MVE_IF("%c[pixels] > 1", "vmov %q[sum1][2], %q[sum1][0], r8, r12\n\t"                                       \
                                    "vmov %q[sum1][3], %q[sum1][1], r10, lr\n\t")

/* The sums of pixels at x and x + stride; returns where their weights end. */
OCTAVO_INLINE const int8_t *octavo_mve_dot(octavo_four *sums, int32_t pixels, int32_t channels, const int8_t *x,
    int32_t stride, const int8_t *w, int32_t taps)
{
    const int8_t *y = x + stride * (pixels - 1);
    const int8_t *const end = taps >= 128 ? x + taps / 64 * 64 : NULL;
    __asm volatile(OCTAVO_MVE_START OCTAVO_MVE_IF("%c[fours] > 0",
        "1:\n\t" OCTAVO_MVE_TAPS OCTAVO_MVE_TAPS OCTAVO_MVE_TAPS OCTAVO_MVE_TAPS OCTAVO_MVE_IF(
            "%c[fours] > 1", "cmp %[x], %[end]\n\tbne 1b\n\t")) OCTAVO_MVE_IF("%c[ones] > 0", OCTAVO_MVE_TAPS)
                       OCTAVO_MVE_IF("%c[ones] > 1", OCTAVO_MVE_TAPS) OCTAVO_MVE_IF("%c[ones] > 2", OCTAVO_MVE_TAPS)
                           OCTAVO_MVE_IF("%c[rest] > 0", OCTAVO_MVE_LAST_TAPS) OCTAVO_MVE_SUMS
                   : [sum0] "=&w"(sums[0]), [sum1] "=&w"(sums[1]), [w] "+&r"(w), [x] "+&r"(x), [y] "+&r"(y)
                   : [end] "rI"(end), [pixels] "n"(pixels), [channels] "n"(channels), [fours] "n"(taps / 64),
                   [ones] "n"(taps % 64 / 16), [rest] "n"(taps % 16)
                   : "q0", "q1", "q2", "q3", "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "p0", "cc", "memory");
    return w;
}
#else
/* The sums of pixels at x and x + stride; returns where their weights end. */
OCTAVO_INLINE const int8_t *octavo_mve_dot(octavo_four *sums, int32_t pixels, int32_t channels, const int8_t *x,
    int32_t stride, const int8_t *w, int32_t taps)
{
    for (int32_t i = 0; i < pixels; ++i) {
        int32_t sum[4];
        memcpy(sum, w, sizeof sum);
        const int8_t *weights = w + sizeof sum;
        for (int32_t start = 0; start < taps; start += 16) {
            const int32_t count = octavo_min(taps - start, 16);
            for (int32_t c = 0; c < channels; ++c) {
                for (int32_t tap = 0; tap < count; ++tap) {
                    sum[c] = octavo_add_wrap(sum[c], x[start + tap] * *weights++);
                }
            }
        }
        sums[i] = octavo_four_words(sum);
        x += stride;
    }
    return w + 16 + channels * taps;
}
#endif

#endif /* OCTAVO_MVE_DOT_H */
