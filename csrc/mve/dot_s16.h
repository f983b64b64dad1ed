/* Dot products of up to two int16 pixels with up to four output channels: the inner loop of the 16x8 layers of this
 * folder.
 *
 * A stream of bytes as in dot.h, with the channels' weights for every 8 taps. One instruction multiplies 8 pairs and
 * adds them to a sum of 32 bits; where the layout of a layer does not prove that these are enough, to one of 64 bits,
 * which is saturated at the end: the layout proves that the output is the same.
 */
#ifndef OCTAVO_MVE_DOT_S16_H
#define OCTAVO_MVE_DOT_S16_H

#include "dot.h"
#include "four_s16.h"

#if OCTAVO_MVE_ASM
/* Registers are those of dot.h. */
#define OCTAVO_MVE_S16_CHANNEL(a, b, w)                                                                                \
    "vmladava.s16 " a ", q0, " w "\n\t" OCTAVO_MVE_IF("%c[pixels] > 1", "vmladava.s16 " b ", q1, " w "\n\t")
#define OCTAVO_MVE_S16_STEP(loads, step)                                                                               \
    loads "vldrb.s16 q2, [%[w]], " step "\n\t"                                                                         \
    OCTAVO_MVE_IF("%c[channels] > 1", "vldrb.s16 q3, [%[w]], " step "\n\t") OCTAVO_MVE_S16_CHANNEL("r0", "r8", "q2")   \
    OCTAVO_MVE_IF("%c[channels] > 2", "vldrb.s16 q2, [%[w]], " step "\n\t")                                            \
    OCTAVO_MVE_IF("%c[channels] > 1", OCTAVO_MVE_S16_CHANNEL("r2", "r10", "q3"))                                       \
    OCTAVO_MVE_IF("%c[channels] > 3", "vldrb.s16 q3, [%[w]], " step "\n\t")                                            \
    OCTAVO_MVE_IF("%c[channels] > 2", OCTAVO_MVE_S16_CHANNEL("r4", "r12", "q2"))                                       \
    OCTAVO_MVE_IF("%c[channels] > 3", OCTAVO_MVE_S16_CHANNEL("r6", "lr", "q3"))

/* 8 taps; and those that are left, where pixels are read as zeros beyond them. */
#define OCTAVO_MVE_S16_TAPS                                                                                            \
    OCTAVO_MVE_S16_STEP(                                                                                               \
        "vldrh.16 q0, [%[x]], #16\n\t" OCTAVO_MVE_IF("%c[pixels] > 1", "vldrh.16 q1, [%[y]], #16\n\t"), "#8")
#define OCTAVO_MVE_S16_LAST_TAPS                                                                                       \
    OCTAVO_MVE_S16_STEP(OCTAVO_MVE_IF("%c[pixels] > 1", "vpstt\n\tvldrht.16 q0, [%[x]]\n\tvldrht.16 q1, [%[y]]\n\t")   \
                            OCTAVO_MVE_IF("%c[pixels] == 1", "vpst\n\tvldrht.16 q0, [%[x]]\n\t"),                      \
        "#%c[rest]")
#define OCTAVO_MVE_S16_START                                                                                           \
    OCTAVO_MVE_IF("%c[rest] > 0", "mov r0, #%c[rest]\n\tvctp.16 r0\n\t")                                               \
    OCTAVO_MVE_IF("%c[pixels] > 1", "ldrd r8, r10, [%[w]]\n\tldrd r12, lr, [%[w], #8]\n\t")                            \
    "ldrd r0, r2, [%[w]], #8\n\tldrd r4, r6, [%[w]], #8\n\t"

/* The sums of pixels at x and x + stride; returns where their weights end. */
OCTAVO_INLINE const int8_t *octavo_mve_dot_s16(octavo_four *sums, int32_t pixels, int32_t channels, const int16_t *x,
    int32_t stride, const int8_t *w, int32_t taps)
{
    const int16_t *y = x + stride * (pixels - 1);
    const int16_t *const end = taps >= 64 ? x + taps / 32 * 32 : NULL;
    __asm volatile(OCTAVO_MVE_S16_START OCTAVO_MVE_IF("%c[fours] > 0",
        "1:\n\t" OCTAVO_MVE_S16_TAPS OCTAVO_MVE_S16_TAPS OCTAVO_MVE_S16_TAPS OCTAVO_MVE_S16_TAPS OCTAVO_MVE_IF(
            "%c[fours] > 1", "cmp %[x], %[end]\n\tbne 1b\n\t")) OCTAVO_MVE_IF("%c[ones] > 0", OCTAVO_MVE_S16_TAPS)
                       OCTAVO_MVE_IF("%c[ones] > 1", OCTAVO_MVE_S16_TAPS)
                           OCTAVO_MVE_IF("%c[ones] > 2", OCTAVO_MVE_S16_TAPS)
                               OCTAVO_MVE_IF("%c[rest] > 0", OCTAVO_MVE_S16_LAST_TAPS) OCTAVO_MVE_SUMS
                   : [sum0] "=&w"(sums[0]), [sum1] "=&w"(sums[1]), [w] "+&l"(w), [x] "+&r"(x), [y] "+&r"(y)
                   : [end] "rI"(end), [pixels] "n"(pixels), [channels] "n"(channels), [fours] "n"(taps / 32),
                   [ones] "n"(taps % 32 / 8), [rest] "n"(taps % 8)
                   : "q0", "q1", "q2", "q3", "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "p0", "cc", "memory");
    return w;
}
#else
/* The sums of pixels at x and x + stride; returns where their weights end. */
OCTAVO_INLINE const int8_t *octavo_mve_dot_s16(octavo_four *sums, int32_t pixels, int32_t channels, const int16_t *x,
    int32_t stride, const int8_t *w, int32_t taps)
{
    for (int32_t i = 0; i < pixels; ++i) {
        int32_t sum[4];
        memcpy(sum, w, sizeof sum);
        const int8_t *weights = w + sizeof sum;
        for (int32_t start = 0; start < taps; start += 8) {
            const int32_t count = octavo_min(taps - start, 8);
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

/* The same of one pixel, in 64 bits. */
OCTAVO_INLINE const int8_t *octavo_mve_dot_s16_wide(
    octavo_four *sums, int32_t channels, const int16_t *x, const int8_t *w, int32_t taps)
{
    int32_t sum[4];
    memcpy(sum, w, sizeof sum);
    w += sizeof sum;
    for (int32_t c = 0; c < channels; ++c) {
        int64_t acc = sum[c];
        for (int32_t start = 0; start < taps; start += 8) {
            const int32_t count = octavo_min(taps - start, 8);
            const int8_t *const weights = w + channels * start + c * count;
#if OCTAVO_MVE
            const mve_pred16_t some = vctp16q((uint32_t)count);
            acc = vmlaldavaq_s16(acc, vldrhq_z_s16(x + start, some), vldrbq_z_s16(weights, some));
#else
            for (int32_t tap = 0; tap < count; ++tap) {
                acc += x[start + tap] * weights[tap];
            }
#endif
        }
        sum[c] = acc > INT32_MAX ? INT32_MAX : acc < INT32_MIN ? INT32_MIN : (int32_t)acc;
    }
    *sums = octavo_four_words(sum);
    return w + channels * taps;
}

#endif /* OCTAVO_MVE_DOT_S16_H */
