/* Rows of four channels of a depthwise convolution, from a strip of these channels as in strip.h.
 *
 * A window is taps pixels of four bytes in one piece of memory. The instruction that loads four interleaved vectors
 * turns it into vectors of 16 taps of each channel, and one instruction multiplies all of them; beyond the window the
 * weights are zero, so what is read there does not matter. The stream is that of block.h.
 */
#ifndef OCTAVO_MVE_WINDOW_H
#define OCTAVO_MVE_WINDOW_H

#include "block.h"

/* What a row needs to know of its layer: the output's pixels are out_stride bytes apart, windows stride bytes in the
 * strip. known says that the compiler sees all of it as constants. */
typedef struct {
    int32_t known;
    int32_t out_stride;
    int32_t taps;
    int32_t stride;
    octavo_mve_ends ends;
} octavo_mve_windows;

#if OCTAVO_MVE_ASM
#define OCTAVO_MVE_FOUR_WINDOWS                                                                                        \
    "vld40.8 {q4, q5, q6, q7}, [%[x]]\n\t"                                                                             \
    "vld41.8 {q4, q5, q6, q7}, [%[x]]\n\t"                                                                             \
    "vld42.8 {q4, q5, q6, q7}, [%[x]]\n\t"                                                                             \
    "vld43.8 {q4, q5, q6, q7}, [%[x]]\n\t"                                                                             \
    "add %[x], %[x], #%c[stride]\n\t"
#define OCTAVO_MVE_BOTH(text) text("q4") OCTAVO_MVE_IF("%c[pixels] > 1", text("q5"))
#define OCTAVO_MVE_ADD_BIAS(sum) "vadd.i32 " sum ", " sum ", q6\n\t"
#define OCTAVO_MVE_MULTIPLY(sum) "vqrdmulh.s32 " sum ", " sum ", q6\n\t"
#define OCTAVO_MVE_TIE(sum)                                                                                            \
    OCTAVO_MVE_IF("%c[ties]", "vand q6, " sum ", q7\n\tvshr.s32 q6, q6, #31\n\tvadd.i32 " sum ", " sum ", q6\n\t")
#define OCTAVO_MVE_SHIFT(sum) OCTAVO_MVE_TIE(sum) "vrshl.s32 " sum ", " sum ", q7\n\t"
#define OCTAVO_MVE_ADD_ZERO_POINT(sum) "vadd.i32 " sum ", " sum ", %[zero_point]\n\t"
#define OCTAVO_MVE_RAISE(sum) "vmax.s32 " sum ", " sum ", q6\n\t"
#define OCTAVO_MVE_LOWER(sum) "vmin.s32 " sum ", " sum ", q7\n\t"
#define OCTAVO_MVE_STORE(sum)                                                                                          \
    OCTAVO_MVE_IF("%c[lanes] < 4", "vpst\n\tvstrbt.32 " sum ", [%[out]]\n\tadd %[out], %[out], #%c[out_stride]\n\t")   \
    OCTAVO_MVE_IF("(%c[lanes] == 4) && (%c[out_stride] < 128)", "vstrb.32 " sum ", [%[out]], #%c[out_stride]\n\t")     \
    OCTAVO_MVE_IF("(%c[lanes] == 4) && (%c[out_stride] >= 128)",                                                       \
        "vstrb.32 " sum ", [%[out]]\n\tadd %[out], %[out], #%c[out_stride]\n\t")
#define OCTAVO_MVE_WEIGHTS(weights, channel)                                                                           \
    OCTAVO_MVE_IF("%c[lanes] > " channel, "vpst\n\tvldrbt.8 " weights ", [%[stream], #16 + " channel " * %c[taps]]\n\t")

/* count times pixels windows of up to 16 taps. */
OCTAVO_INLINE int8_t *octavo_mve_few_taps(const octavo_mve_windows *p, int32_t lanes, int32_t pixels, int32_t count,
    const int8_t *x, const int8_t *stream, const int32_t *limits, int8_t *out)
{
    __asm volatile("mov r0, #%c[taps]\n\tvctp.8 r0\n\t" OCTAVO_MVE_WEIGHTS("q0", "0") OCTAVO_MVE_WEIGHTS("q1", "1")
                       OCTAVO_MVE_WEIGHTS("q2", "2") OCTAVO_MVE_WEIGHTS("q3", "3")
                           OCTAVO_MVE_IF("%c[lanes] < 4", "mov r0, #%c[lanes]\n\tvctp.32 r0\n\t")
                               OCTAVO_MVE_IF("%c[count] > 1", "movw lr, #%c[count]\n\tdls lr, lr\n\t")
        "1:\n\t" OCTAVO_MVE_FOUR_WINDOWS
        "vmladav.s8 r0, q4, q0\n\t"
        "vmladav.s8 r2, q5, q1\n\t"
        "vmladav.s8 r4, q6, q2\n\t"
        "vmladav.s8 r6, q7, q3\n\t"
        ".if %c[pixels] > 1\n\t" OCTAVO_MVE_FOUR_WINDOWS
        "vmladav.s8 r8, q4, q0\n\t"
        "vmladav.s8 r10, q5, q1\n\t"
        "vmladav.s8 r12, q6, q2\n\t"
        ".endif\n\t"
        "vmov q4[2], q4[0], r0, r4\n\t"
        "vmov q4[3], q4[1], r2, r6\n\t"
        ".if %c[pixels] > 1\n\t"
        "vmladav.s8 r0, q7, q3\n\t"
        "vmov q5[2], q5[0], r8, r12\n\t"
        "vmov q5[3], q5[1], r10, r0\n\t"
        ".endif\n\t"
        "vldrw.32 q6, [%[stream]]\n\t" OCTAVO_MVE_BOTH(OCTAVO_MVE_ADD_BIAS)
        "vldrw.32 q6, [%[stream], #%c[record]]\n\t" OCTAVO_MVE_BOTH(OCTAVO_MVE_MULTIPLY)
        "vldrb.s32 q7, [%[stream], #%c[record] + 16]\n\t" OCTAVO_MVE_BOTH(OCTAVO_MVE_SHIFT)
            OCTAVO_MVE_BOTH(OCTAVO_MVE_ADD_ZERO_POINT)
        "vldrw.32 q6, [%[limits]]\n\t" OCTAVO_MVE_BOTH(OCTAVO_MVE_RAISE)
        "vldrw.32 q7, [%[limits], #16]\n\t" OCTAVO_MVE_BOTH(OCTAVO_MVE_LOWER) OCTAVO_MVE_BOTH(OCTAVO_MVE_STORE)
            OCTAVO_MVE_IF("%c[count] > 1", "le lr, 1b\n\t")
                   : [x] "+&r"(x), [out] "+&l"(out)
                   : [stream] "l"(stream), [limits] "r"(limits), [zero_point] "r"(p->ends.zero_point),
                   [ties] "n"(p->ends.negative_ties), [taps] "n"(p->taps), [stride] "n"(p->stride),
                   [out_stride] "n"(p->out_stride), [record] "n"(16 + (lanes * p->taps + 3) / 4 * 4), [lanes] "n"(lanes),
                   [pixels] "n"(pixels), [count] "n"(count)
                   : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr",
                   "p0", "cc", "memory");
    return out;
}
#endif

/* The sums of one window of any size; w are its weights. */
OCTAVO_INLINE octavo_four octavo_mve_window(
    const octavo_mve_windows *p, int32_t lanes, const int8_t *x, const int8_t *w, const int32_t *start)
{
    int32_t sums[4];
    memcpy(sums, start, sizeof sums);
    for (int32_t tap = 0; tap < p->taps; tap += 16) {
        const int32_t count = octavo_min(p->taps - tap, 16);
#if OCTAVO_MVE
        const mve_pred16_t some = vctp8q((uint32_t)count);
        const int8x16x4_t four = vld4q_s8(x + 4 * tap);
        OCTAVO_UNROLL
        for (int32_t c = 0; c < 4; ++c) {
            if (c < lanes) {
                sums[c] = vmladavaq_s8(sums[c], four.val[c], vldrbq_z_s8(w, some));
                w += count;
            }
        }
#else
        for (int32_t c = 0; c < lanes; ++c) {
            for (int32_t i = 0; i < count; ++i) {
                sums[c] = octavo_add_wrap(sums[c], x[4 * (tap + i) + c] * *w++);
            }
        }
#endif
    }
    return octavo_four_words(sums);
}

/* A row of pixels windows from the strip at x: the first lanes channels at out. */
OCTAVO_INLINE void octavo_mve_window_row(const octavo_mve_windows *p, int32_t lanes, int32_t pixels, const int8_t *x,
    const int8_t *stream, const int32_t *limits, int8_t *out)
{
#if OCTAVO_MVE_ASM
    if (p->known && p->taps <= 16) {
        if (pixels > 1) {
            out = octavo_mve_few_taps(p, lanes, 2, pixels / 2, x, stream, limits, out);
        }
        if (pixels % 2 > 0) {
            octavo_mve_few_taps(p, lanes, 1, 1, x + (pixels - 1) * p->stride, stream, limits, out);
        }
        return;
    }
#endif
    (void)limits;
    const int8_t *const record = stream + 16 + (lanes * p->taps + 3) / 4 * 4;
    const octavo_four multiplier = octavo_four_words((const int32_t *)(const void *)record);
    const octavo_four shift = octavo_four_bytes(record + 16);
    for (int32_t i = 0; i < pixels; ++i) {
        const octavo_four sums = octavo_mve_window(p, lanes, x, stream + 16, (const int32_t *)(const void *)stream);
        octavo_four_store(out, octavo_four_finish(sums, multiplier, shift, &p->ends), lanes);
        x += p->stride;
        out += p->out_stride;
    }
}

#endif /* OCTAVO_MVE_WINDOW_H */
