/* Fully connected layer for the DSP extension: x int16 [rows, I], out [rows, O]; a stream of words holds for each group of
 * two pairs of channels (the last may have one) the biases of its pairs, its weights [I / 4, pairs, 2] and the scales of its
 * pairs, as in dot_s16.h.
 */
#ifndef OCTAVO_FULLY_CONNECTED_S16_DSP_H
#define OCTAVO_FULLY_CONNECTED_S16_DSP_H

#include "dot_s16.h"

typedef struct {
    int32_t rows;
    int32_t in_features;
    int32_t out_features;
    int32_t wide;
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_fully_connected_s16_dsp_params;

#if OCTAVO_DSP_ASM
/* 15 instructions for 16 products. */
#define OCTAVO_FULLY_CONNECTED_S16_PAIR(m, h, l)                                                                       \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "smlald %[" m "], %[" h "], %[x0], %[w0]\n\t"                                                                      \
    "sxtb16 %[w0], %[w0]\n\t"                                                                                          \
    "smlald %[" m "], %[" h "], %[x1], %[w1]\n\t"                                                                      \
    "sxtb16 %[w1], %[w1]\n\t"                                                                                          \
    "smlad %[" l "], %[x0], %[w0], %[" l "]\n\t"                                                                       \
    "smlad %[" l "], %[x1], %[w1], %[" l "]\n\t"
#define OCTAVO_FULLY_CONNECTED_S16_ONE                                                                                 \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t" OCTAVO_FULLY_CONNECTED_S16_PAIR("m0", "h0", "l0")
#define OCTAVO_FULLY_CONNECTED_S16_TWO                                                                                 \
    OCTAVO_FULLY_CONNECTED_S16_ONE OCTAVO_FULLY_CONNECTED_S16_PAIR("m1", "h1", "l1")

/* Twelve registers are taken, so that the end of the loop waits on the stack. */
#define OCTAVO_FULLY_CONNECTED_S16_LOOP(body)                                                                          \
    __asm volatile("1:\n\t" body "ldr %[x0], %[end]\n\tcmp %[x], %[x0]\n\t"                                            \
                   "bne 1b"                                                                                            \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->mixed[0]), [h0] "+&r"(sums->above[0]),               \
                   [l0] "+&r"(sums->low[0]), [m1] "+&r"(sums->mixed[1]), [h1] "+&r"(sums->above[1]),                   \
                   [l1] "+&r"(sums->low[1]), [w0] "=&r"(w0), [w1] "=&r"(w1), [x0] "=&r"(x0), [x1] "=&r"(x1)            \
                   : [end] "m"(end)                                                                                    \
                   : "cc", "memory")
#endif

/* Adds the products of count taps, a multiple of 4, to the sums of one or two pairs; words says that x is at a word. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_s16_dsp_dot(octavo_dot_s16_sums *sums, int32_t pairs,
    const int16_t *x, int32_t count, const octavo_word *w, int32_t words)
{
    const int16_t *const end = x + count;
#if OCTAVO_DSP_ASM
    if (words && count > 0) {
        uint32_t w0, w1, x0, x1;
        if (pairs == 1) {
            OCTAVO_FULLY_CONNECTED_S16_LOOP(OCTAVO_FULLY_CONNECTED_S16_ONE);
        } else if (count % 16 == 0) {
            OCTAVO_FULLY_CONNECTED_S16_LOOP(OCTAVO_FULLY_CONNECTED_S16_TWO OCTAVO_FULLY_CONNECTED_S16_TWO
                    OCTAVO_FULLY_CONNECTED_S16_TWO OCTAVO_FULLY_CONNECTED_S16_TWO);
        } else {
            OCTAVO_FULLY_CONNECTED_S16_LOOP(OCTAVO_FULLY_CONNECTED_S16_TWO);
        }
        return w;
    }
#else
    (void)words;
#endif
    for (; x < end; x += 4) {
        const uint32_t x0 = octavo_load_bytes(x);
        const uint32_t x1 = octavo_load_bytes(x + 2);
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pairs; ++i, w += 2) {
            octavo_dot_s16_four(sums, i, x0, x1, octavo_load_word(w), octavo_load_word(w + 1));
        }
    }
    return w;
}

/* Up to two pairs of channels, of which the last may have one; returns the end of their part of the stream. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_s16_dsp_group(const octavo_fully_connected_s16_dsp_params *p,
    int32_t channels, const int16_t *x, const octavo_word *w, int16_t *out)
{
    const octavo_dot_s16_output output = {p->shifted, p->act_min, p->act_max};
    const int32_t pairs = (channels + 1) / 2;
    const int32_t whole = p->in_features / 4 * 4;
    uint32_t rest[2] = {0, 0};
    memcpy(rest, x + whole, (uint32_t)(p->in_features - whole) * sizeof *x);
    octavo_dot_s16_sums sums = {{0, 0}, {0, 0}, {0, 0}};
    OCTAVO_UNROLL
    for (int32_t i = 0; i < pairs; ++i) {
        octavo_dot_s16_begin(&sums, i, w + OCTAVO_DOT_S16_BIASES * i);
    }
    w += OCTAVO_DOT_S16_BIASES * pairs;
    w = octavo_fully_connected_s16_dsp_dot(&sums, pairs, x, whole, w, p->in_features % 2 == 0 || p->rows == 1);
    if (whole < p->in_features) {
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pairs; ++i, w += 2) {
            octavo_dot_s16_four(&sums, i, rest[0], rest[1], octavo_load_word(w), octavo_load_word(w + 1));
        }
    }
    OCTAVO_UNROLL
    for (int32_t i = 0; i < pairs; ++i, w += OCTAVO_DOT_S16_SCALES) {
        octavo_dot_s16_finish(&output, &sums, i, 1, w, out + 2 * i, 0, 2 * i + 1 < channels);
    }
    return w;
}

/* The same with sums in 64 bits. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_s16_dsp_group_wide(
    const octavo_fully_connected_s16_dsp_params *p, int32_t channels, const int16_t *x, const octavo_word *w, int16_t *out)
{
    const octavo_dot_s16_output output = {p->shifted, p->act_min, p->act_max};
    const int32_t pairs = (channels + 1) / 2;
    octavo_dot_s16_wide sums[2];
    for (int32_t i = 0; i < pairs; ++i, w += OCTAVO_DOT_S16_BIASES) {
        octavo_dot_s16_begin_wide(&sums[i], w);
    }
    for (int32_t left = p->in_features; left > 0; left -= 4, x += 4) {
        uint32_t words[2] = {0, 0};
        memcpy(words, x, (uint32_t)octavo_min(left, 4) * sizeof *x);
        for (int32_t i = 0; i < pairs; ++i, w += 2) {
            octavo_dot_s16_four_wide(&sums[i], words[0], words[1], octavo_load_word(w), octavo_load_word(w + 1));
        }
    }
    for (int32_t i = 0; i < pairs; ++i, w += OCTAVO_DOT_S16_SCALES) {
        octavo_dot_s16_finish_wide(&output, &sums[i], w, out + 2 * i, 2 * i + 1 < channels);
    }
    return w;
}

OCTAVO_KERNEL void octavo_fully_connected_s16_dsp(
    const octavo_fully_connected_s16_dsp_params *p, const int16_t *x, const int32_t *stream, int16_t *out)
{
    const int32_t fours = p->out_features / 4 * 4;
    const int32_t rest = p->out_features - fours;
    for (int32_t row = 0; row < p->rows; ++row) {
        const octavo_word *w = (const octavo_word *)stream;
        for (int32_t o = 0; o < p->out_features; o += 4) {
            const int32_t channels = octavo_min(4, p->out_features - o);
            if (p->wide) {
                w = octavo_fully_connected_s16_dsp_group_wide(p, channels, x, w, out + o);
            } else if (o < fours) {
                w = octavo_fully_connected_s16_dsp_group(p, 4, x, w, out + o);
            } else {
                w = octavo_fully_connected_s16_dsp_group(p, rest, x, w, out + o);
            }
        }
        x += p->in_features;
        out += p->out_features;
    }
}

#endif /* OCTAVO_FULLY_CONNECTED_S16_DSP_H */
