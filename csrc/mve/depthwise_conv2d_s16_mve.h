/* Depthwise convolution for Helium, one output a channel: x int16 [H, W, C], out [out_h, out_w, C]. A stream of words
 * holds for each four channels (the last may be fewer, filled up with zeros) their starting sums, their weights [KW,
 * KH, 4] (int8) and their scales as in four_s16.h.
 *
 * Four channels after four channels, through the strip of depthwise_conv2d_s8_mve, whose pixels are four int16. A lane
 * is a channel: two neighbouring windows take a load of weights, two of pixels, two products and two sums a tap. The
 * layout proves that sums have 32 bits.
 *
 * A channel reads and writes only its own elements of each pixel, and rows are read before they are written: out may
 * be x.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S16_MVE_H
#define OCTAVO_DEPTHWISE_CONV2D_S16_MVE_H

#include "dot.h"
#include "four_s16.h"
#include "strip.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t channels;
    int32_t out_h;
    int32_t out_w;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t strip_w;
    int32_t moves;
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_depthwise_conv2d_s16_mve_params;

#if OCTAVO_MVE_ASM
/* A tap of two windows: loads, products and sums in turn, for they are of three units; the next weights are loaded. */
#define OCTAVO_DEPTHWISE_CONV2D_S16_MVE_TAP                                                                            \
    "vldrh.s32 q1, [%[x]], #8\n\tvmul.i32 q1, q1, q0\n\tvldrh.s32 q2, [%[y]], #8\n\t"                                  \
    "vadd.i32 %q[sum0], %q[sum0], q1\n\tvmul.i32 q2, q2, q0\n\tvldrb.s32 q0, [%[w]], #4\n\t"                           \
    "vadd.i32 %q[sum1], %q[sum1], q2\n\t"
#endif

/* Adds the products of windows of count times some taps, at x and y, to their sums; w are the weights. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_mve_windows(
    octavo_four *sums, int32_t count, int32_t some, const int16_t *x, const int16_t *y, const int8_t *w)
{
#if OCTAVO_MVE_ASM
    __asm volatile("vldrb.s32 q0, [%[w]], #4\n\t" OCTAVO_MVE_IF("%c[count] > 1", "mov lr, #%c[count]\n\tdls lr, lr\n\t")
                   "1:\n\t.rept %c[some]\n\t" OCTAVO_DEPTHWISE_CONV2D_S16_MVE_TAP ".endr\n\t"
                   OCTAVO_MVE_IF("%c[count] > 1", "le lr, 1b\n\t")
                   : [sum0] "+&w"(sums[0]), [sum1] "+&w"(sums[1]), [x] "+&l"(x), [y] "+&l"(y), [w] "+&l"(w)
                   : [count] "n"(count), [some] "n"(some)
                   : "q0", "q1", "q2", "lr", "memory");
#else
    for (int32_t tap = 0; tap < count * some; ++tap) {
        const octavo_four weights = octavo_four_bytes(w + 4 * tap);
        sums[0] = octavo_four_add_product(sums[0], octavo_four_some_s16(x + 4 * tap, 4), weights);
        sums[1] = octavo_four_add_product(sums[1], octavo_four_some_s16(y + 4 * tap, 4), weights);
    }
#endif
}

/* Windows of the strip, one or two, to pixels at out. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_mve_pixels(const octavo_depthwise_conv2d_s16_mve_params *p,
    int32_t windows, int32_t lanes, const int16_t *x, const int8_t *stream, int16_t *out)
{
    const int32_t taps = p->kernel_h * p->kernel_w;
    const octavo_mve_ends_s16 ends = {p->shifted, p->act_min, p->act_max};
    const octavo_four start = octavo_four_words((const int32_t *)(const void *)stream);
    const octavo_four scale = octavo_four_words((const int32_t *)(const void *)(stream + 16 + 4 * taps));
    const int16_t *const y = x + (windows - 1) * 4 * p->stride_w * p->kernel_h;
    const int32_t count = taps <= 16 ? 1 : p->kernel_w;
    octavo_four sums[2] = {start, start};
    octavo_depthwise_conv2d_s16_mve_windows(sums, count, taps / count, x, y, stream + 16);
    OCTAVO_UNROLL
    for (int32_t i = 0; i < windows; ++i) {
        octavo_four_store_s16(out + i * p->channels, octavo_four_finish_s16(sums[i], scale, &ends), lanes);
    }
}

/* The first lanes of four channels at x and out. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_mve_four(const octavo_depthwise_conv2d_s16_mve_params *p, int32_t lanes,
    const int16_t *x, const int8_t *stream, int16_t *out, int16_t *start)
{
    const octavo_mve_strip shape = {
        p->in_h, p->in_w, 2 * p->channels, 2 * lanes, 8, p->kernel_h, p->pad_left, p->strip_w, 0};
    const int32_t stride = 4 * p->stride_w * p->kernel_h;
    const int32_t advance = p->stride_h < p->kernel_h ? 4 * p->stride_h : 0;
    int16_t *strip = start;
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int32_t top = oy * p->stride_h - p->pad_top;
        for (next = octavo_max(next, top); next < top + p->kernel_h; ++next) {
            octavo_mve_load(&shape, (const int8_t *)x, next, (int8_t *)(strip + 4 * (next - top)));
        }
        for (int32_t ox = 0; ox < p->out_w / 2; ++ox) {
            octavo_depthwise_conv2d_s16_mve_pixels(p, 2, lanes, strip + 2 * ox * stride, stream, out);
            out += 2 * p->channels;
        }
        if (p->out_w % 2 > 0) {
            octavo_depthwise_conv2d_s16_mve_pixels(p, 1, lanes, strip + (p->out_w - 1) * stride, stream, out);
            out += p->channels;
        }
        strip += advance;
        if (strip == start + p->moves * advance && advance > 0) {
            octavo_mve_move_down(
                (int8_t *)start, (const int8_t *)strip, 2 * (4 * p->strip_w * p->kernel_h - advance));
            strip = start;
        }
    }
}

OCTAVO_KERNEL void octavo_depthwise_conv2d_s16_mve(const octavo_depthwise_conv2d_s16_mve_params *p, const int16_t *x,
    const int32_t *stream, int16_t *out, void *scratch)
{
    const int8_t *part = (const int8_t *)stream;
    for (int32_t c = 0; c < p->channels / 4; ++c) {
        octavo_depthwise_conv2d_s16_mve_four(p, 4, x, part, out, (int16_t *)scratch);
        part += 32 + 4 * p->kernel_h * p->kernel_w;
        x += 4;
        out += 4;
    }
    if (p->channels % 4 > 0) {
        octavo_depthwise_conv2d_s16_mve_four(p, p->channels % 4, x, part, out, (int16_t *)scratch);
    }
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S16_MVE_H */
