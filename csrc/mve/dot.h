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
#define OCTAVO_MVE_FIRST_SUM                                                                                           \
    "vmov %q[sum0][2], %q[sum0][0], r0, r4\n\t"                                                                        \
    "vmov %q[sum0][3], %q[sum0][1], r2, r6\n\t"
#define OCTAVO_MVE_SECOND_SUM                                                                                          \
    "vmov %q[sum1][2], %q[sum1][0], r8, r12\n\t"                                                                       \
    "vmov %q[sum1][3], %q[sum1][1], r10, lr\n\t"
#define OCTAVO_MVE_SUMS OCTAVO_MVE_FIRST_SUM OCTAVO_MVE_IF("%c[pixels] > 1", OCTAVO_MVE_SECOND_SUM)

/* The same of two pixels with four channels and any number of taps: a loop of steps, then the taps that are left. */
#define OCTAVO_MVE_TWO(a, b, w) OCTAVO_MVE_MAC(a, "q0", w) OCTAVO_MVE_MAC(b, "q1", w)
#define OCTAVO_MVE_REST(a, b)                                                                                          \
    "vpst\n\tvldrbt.8 q2, [%[w]]\n\tadd %[w], %[w], %[taps]\n\t" OCTAVO_MVE_TWO(a, b, "q2")
#define OCTAVO_MVE_ANY                                                                                                 \
    "ldrd r8, r10, [%[w]]\n\tldrd r12, lr, [%[w], #8]\n\tldrd r0, r2, [%[w]], #8\n\tldrd r4, r6, [%[w]], #8\n\t"       \
    "subs %[taps], %[taps], #16\n\tblo 2f\n\t"                                                                         \
    "1:\n\tvldrb.8 q0, [%[x]], #16\n\tvldrb.8 q1, [%[y]], #16\n\t"                                                     \
    "vldrb.8 q2, [%[w]]\n\tvldrb.8 q3, [%[w], #16]\n\t" OCTAVO_MVE_TWO("r0", "r8", "q2")                               \
    "vldrb.8 q2, [%[w], #32]\n\t" OCTAVO_MVE_TWO("r2", "r10", "q3") "vldrb.8 q3, [%[w], #48]\n\t"                      \
    OCTAVO_MVE_TWO("r4", "r12", "q2") OCTAVO_MVE_TWO("r6", "lr", "q3") "add %[w], %[w], #64\n\t"                       \
    "subs %[taps], %[taps], #16\n\tbhs 1b\n\t"                                                                         \
    "2:\n\tadds %[taps], %[taps], #16\n\tbeq 3f\n\tvctp.8 %[taps]\n\t"                                                 \
    "vpstt\n\tvldrbt.8 q0, [%[x]]\n\tvldrbt.8 q1, [%[y]]\n\t"                                                          \
    OCTAVO_MVE_REST("r0", "r8") OCTAVO_MVE_REST("r2", "r10") OCTAVO_MVE_REST("r4", "r12") OCTAVO_MVE_REST("r6", "lr")  \
    "3:\n\t"

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

#if OCTAVO_MVE_ASM
/* Adds the products of pixels at x and y with channel c of fewer than four to two sums; w are the weights of all. */
OCTAVO_INLINE void octavo_mve_dot_lone(int32_t *first, int32_t *second, int32_t channels, int32_t c, const int8_t *x,
    const int8_t *y, const int8_t *w, int32_t taps)
{
    for (int32_t left = taps; left > 0; left -= 16) {
        const int32_t count = octavo_min(left, 16);
        const mve_pred16_t some = vctp8q((uint32_t)count);
        const int8x16_t weights = vldrbq_z_s8(w + c * count, some);
        *first = vmladavaq_s8(*first, weights, vldrbq_z_s8(x, some));
        *second = vmladavaq_s8(*second, weights, vldrbq_z_s8(y, some));
        w += channels * count;
        x += 16;
        y += 16;
    }
}
#endif

/* The sums of pixels at x and y, for channels and taps that the compiler does not know. */
OCTAVO_INLINE const int8_t *octavo_mve_dot_any(octavo_four *sums, int32_t channels, const int8_t *x, const int8_t *y,
    const int8_t *w, int32_t taps)
{
    const int8_t *const end = w + 16 + channels * taps;
#if OCTAVO_MVE_ASM
    if (channels == 4) {
        __asm volatile(OCTAVO_MVE_ANY OCTAVO_MVE_FIRST_SUM OCTAVO_MVE_SECOND_SUM
                       : [sum0] "=&w"(sums[0]), [sum1] "=&w"(sums[1]), [w] "+&r"(w), [x] "+&r"(x), [y] "+&r"(y),
                       [taps] "+&r"(taps)
                       :
                       : "q0", "q1", "q2", "q3", "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "p0", "cc",
                       "memory");
        return end;
    }
    int32_t all[2][4];
    memcpy(all[0], w, sizeof all[0]);
    memcpy(all[1], w, sizeof all[1]);
    for (int32_t c = 0; c < channels; ++c) {
        octavo_mve_dot_lone(&all[0][c], &all[1][c], channels, c, x, y, w + 16, taps);
    }
    sums[0] = octavo_four_words(all[0]);
    sums[1] = octavo_four_words(all[1]);
#else
    octavo_mve_dot(sums, 1, channels, x, 0, w, taps);
    octavo_mve_dot(sums + 1, 1, channels, y, 0, w, taps);
#endif
    return end;
}

#endif /* OCTAVO_MVE_DOT_H */
