/* Dot products of up to two pixels with up to four output channels of 4-bit weights: dot.h for packed weights.
 *
 * A byte holds two weights: of 32 taps, tap i in the lower half of byte i and tap 16 + i in the upper. Shifted up by
 * four and masked, both become int8 that are 16 times the weight, so one vector of weights is taken apart by two
 * instructions for two multiplications a pixel. Sums begin with zero and are 16 times too large, which the layout of a
 * layer proves to fit; then they are divided without a remainder and the starting sums are added.
 *
 * The stream is that of dot.h, but for every 32 taps 16 bytes of each channel; what is left of the taps, up to 31,
 * takes up to 16 bytes of each channel, whose upper halves are zero beyond the last tap.
 */
#ifndef OCTAVO_MVE_DOT_W4_H
#define OCTAVO_MVE_DOT_W4_H

#include "dot.h"

/* Bytes of the weights of a channel. */
OCTAVO_INLINE int32_t octavo_mve_w4_bytes(int32_t taps)
{
    return taps / 32 * 16 + octavo_min(taps % 32, 16);
}

#if OCTAVO_MVE_ASM
/* Sums are the registers of dot.h; taps of the first pixel are in the registers that the
 * vectors of sums get at last, those of the second in q2 and q3; q6 is the mask. */
#define OCTAVO_MVE_W4_CHANNEL(a, b, step, upper)                                                                       \
    "vldrb.8 q4, [%[w]], " step "\n\tvshl.i8 q5, q4, #4\n\t" OCTAVO_MVE_MAC(a, "%q[sum0]", "q5")                       \
    OCTAVO_MVE_IF(upper, "vand q4, q4, q6\n\t" OCTAVO_MVE_MAC(a, "%q[sum1]", "q4"))                                    \
    OCTAVO_MVE_IF("%c[pixels] > 1", OCTAVO_MVE_MAC(b, "q2", "q5"))                                                     \
    OCTAVO_MVE_IF("(%c[pixels] > 1) && (" upper ")", OCTAVO_MVE_MAC(b, "q3", "q4"))
#define OCTAVO_MVE_W4_STEP(step, upper)                                                                                \
    OCTAVO_MVE_W4_CHANNEL("r0", "r8", step, upper)                                                                     \
    OCTAVO_MVE_IF("%c[channels] > 1", OCTAVO_MVE_W4_CHANNEL("r2", "r10", step, upper))                                 \
    OCTAVO_MVE_IF("%c[channels] > 2", OCTAVO_MVE_W4_CHANNEL("r4", "r12", step, upper))                                 \
    OCTAVO_MVE_IF("%c[channels] > 3", OCTAVO_MVE_W4_CHANNEL("r6", "lr", step, upper))

/* 32 taps; and those that are left, of which only the first 16, or only the others, are fewer. */
#define OCTAVO_MVE_W4_TAPS                                                                                             \
    "vldrb.8 %q[sum0], [%[x]], #16\n\tvldrb.8 %q[sum1], [%[x]], #16\n\t"                                               \
    OCTAVO_MVE_IF("%c[pixels] > 1", "vldrb.8 q2, [%[y]], #16\n\tvldrb.8 q3, [%[y]], #16\n\t")                          \
    OCTAVO_MVE_W4_STEP("#16", "1")
#define OCTAVO_MVE_W4_LAST_TAPS                                                                                        \
    OCTAVO_MVE_IF("%c[rest] > 16", "vldrb.8 %q[sum0], [%[x]], #16\n\tvpst\n\tvldrbt.8 %q[sum1], [%[x]]\n\t")           \
    OCTAVO_MVE_IF("(%c[rest] > 16) && (%c[pixels] > 1)", "vldrb.8 q2, [%[y]], #16\n\tvpst\n\tvldrbt.8 q3, [%[y]]\n\t") \
    OCTAVO_MVE_IF("%c[rest] <= 16", "vpst\n\tvldrbt.8 %q[sum0], [%[x]]\n\t")                                           \
    OCTAVO_MVE_IF("(%c[rest] <= 16) && (%c[pixels] > 1)", "vpst\n\tvldrbt.8 q2, [%[y]]\n\t")                           \
    OCTAVO_MVE_W4_STEP("#%c[bytes]", "%c[rest] > 16")
#define OCTAVO_MVE_W4_START                                                                                            \
    OCTAVO_MVE_IF("%c[rest] > 0", "mov r0, #(%c[rest] - 1) %% 16 + 1\n\tvctp.8 r0\n\t")                                \
    "vmov.i8 q6, #0xf0\n\tmov r0, #0\n\tmov r2, #0\n\tmov r4, #0\n\tmov r6, #0\n\t"                                    \
    OCTAVO_MVE_IF("%c[pixels] > 1", "mov r8, #0\n\tmov r10, #0\n\tmov r12, #0\n\tmov lr, #0\n\t")

/* Sixteen times the sums of products of pixels at x and x + stride; returns where their weights end. */
OCTAVO_INLINE const int8_t *octavo_mve_products_w4(octavo_four *sums, int32_t pixels, int32_t channels, const int8_t *x,
    int32_t stride, const int8_t *w, int32_t taps)
{
    const int8_t *y = x + stride * (pixels - 1);
    const int8_t *const end = taps >= 128 ? x + taps / 64 * 64 : NULL;
    __asm volatile(
        OCTAVO_MVE_W4_START OCTAVO_MVE_IF("%c[twos] > 0",
            "1:\n\t" OCTAVO_MVE_W4_TAPS OCTAVO_MVE_W4_TAPS OCTAVO_MVE_IF("%c[twos] > 1", "cmp %[x], %[end]\n\tbne 1b\n\t"))
            OCTAVO_MVE_IF("%c[ones] > 0", OCTAVO_MVE_W4_TAPS) OCTAVO_MVE_IF("%c[rest] > 0", OCTAVO_MVE_W4_LAST_TAPS)
                OCTAVO_MVE_SUMS
        : [sum0] "=&w"(sums[0]), [sum1] "=&w"(sums[1]), [w] "+&r"(w), [x] "+&r"(x), [y] "+&r"(y)
        : [end] "rI"(end), [pixels] "n"(pixels), [channels] "n"(channels), [twos] "n"(taps / 64),
        [ones] "n"(taps % 64 / 32), [rest] "n"(taps % 32), [bytes] "n"(taps % 32 < 16 ? taps % 32 : 16)
        : "q2", "q3", "q4", "q5", "q6", "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "p0", "cc",
        "memory");
    return w;
}
#else
/* Sixteen times the weight of a tap; w are those of a group of so many channels. */
static inline int32_t octavo_mve_w4_weight(const int8_t *w, int32_t channels, int32_t c, int32_t taps, int32_t tap)
{
    const int32_t first = tap / 32 * 32;
    const int32_t bytes = octavo_min(taps - first, 16);
    const int32_t pair = w[first / 2 * channels + c * bytes + tap % 16];
    const int32_t lower = (int8_t)(uint8_t)((uint32_t)pair << 4);
    return tap % 32 < 16 ? lower : pair - (pair & 15);
}

/* Sixteen times the sums of products of pixels at x and x + stride; returns where their weights end. */
static inline const int8_t *octavo_mve_products_w4(octavo_four *sums, int32_t pixels, int32_t channels,
    const int8_t *x, int32_t stride, const int8_t *w, int32_t taps)
{
    for (int32_t i = 0; i < pixels; ++i) {
        int32_t sum[4] = {0, 0, 0, 0};
        for (int32_t c = 0; c < channels; ++c) {
            for (int32_t tap = 0; tap < taps; ++tap) {
                sum[c] += x[i * stride + tap] * octavo_mve_w4_weight(w, channels, c, taps, tap);
            }
        }
        sums[i] = octavo_four_words(sum);
    }
    return w + channels * octavo_mve_w4_bytes(taps);
}
#endif

/* The sums of pixels at x and x + stride; returns where their weights end. */
OCTAVO_INLINE const int8_t *octavo_mve_dot_w4(octavo_four *sums, int32_t pixels, int32_t channels, const int8_t *x,
    int32_t stride, const int8_t *stream, int32_t taps)
{
    const octavo_four start = octavo_four_words((const int32_t *)(const void *)stream);
    const int8_t *const end = octavo_mve_products_w4(sums, pixels, channels, x, stride, stream + 16, taps);
    sums[0] = octavo_four_add(start, octavo_four_sixteenth(sums[0]));
    if (pixels > 1) {
        sums[1] = octavo_four_add(start, octavo_four_sixteenth(sums[1]));
    }
    return end;
}

#endif /* OCTAVO_MVE_DOT_W4_H */
