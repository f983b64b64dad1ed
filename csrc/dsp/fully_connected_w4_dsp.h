/* Fully connected layer for the DSP extension with 4-bit weights: x [rows, I], out [rows, O]; a stream of words holds for
 * each four channels their weights [I / 4, 2] as in nibbles.h, a four's taps in the order (0, 2), (1, 3), then the
 * records of both pairs as in finish.h.
 *
 * After every segment of taps the first channel's sum is taken apart.
 */
#ifndef OCTAVO_FULLY_CONNECTED_W4_DSP_H
#define OCTAVO_FULLY_CONNECTED_W4_DSP_H

#include "finish.h"
#include "fully_connected_s8_dsp.h"
#include "nibbles.h"

typedef octavo_fully_connected_s8_dsp_params octavo_fully_connected_w4_dsp_params;

#if OCTAVO_DSP_ASM
/* 18 instructions for 16 products. */
#define OCTAVO_FULLY_CONNECTED_W4_FOUR                                                                                 \
    "ldr %[x0], [%[x]], #4\n\t"                                                                                        \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "sxtb16 %[x1], %[x0], ror #8\n\t"                                                                                  \
    "sxtb16 %[x0], %[x0]\n\t" OCTAVO_NIBBLE_FIELDS("x0", "w0") OCTAVO_NIBBLE_FIELDS("x1", "w1")
#define OCTAVO_FULLY_CONNECTED_W4_LOOP(body)                                                                           \
    __asm volatile("1:\n\t" body "cmp %[x], %[end]\n\t"                                                                \
                   "bne 1b"                                                                                            \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->whole[0]), [b0] "+&r"(sums->field[0][0]),            \
                   [c0] "+&r"(sums->field[0][1]), [d0] "+&r"(sums->field[0][2]), [w0] "=&r"(w0), [w1] "=&r"(w1),       \
                   [t] "=&r"(t), [x0] "=&r"(x0), [x1] "=&r"(x1)                                                        \
                   : [end] "r"(end)                                                                                    \
                   : "cc", "memory")
#endif

/* Four taps of x. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_w4_dsp_four(
    octavo_nibble_sums *sums, uint32_t bytes, const octavo_word *w)
{
    octavo_nibble_two(sums, 0, octavo_sxtb16(bytes), octavo_load_word(w));
    octavo_nibble_two(sums, 0, octavo_sxtb16_odd(bytes), octavo_load_word(w + 1));
    return w + 2;
}

/* Adds the products of count taps, a multiple of 4. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_w4_dsp_dot(
    octavo_nibble_sums *sums, const int8_t *x, int32_t count, const octavo_word *w)
{
    const int8_t *const end = x + count;
#if OCTAVO_DSP_ASM
    uint32_t w0, w1, t, x0, x1;
    if (count == 0) {
        return w;
    }
    if (count % 16 == 0) {
        OCTAVO_FULLY_CONNECTED_W4_LOOP(OCTAVO_FULLY_CONNECTED_W4_FOUR OCTAVO_FULLY_CONNECTED_W4_FOUR
                OCTAVO_FULLY_CONNECTED_W4_FOUR OCTAVO_FULLY_CONNECTED_W4_FOUR);
    } else {
        OCTAVO_FULLY_CONNECTED_W4_LOOP(OCTAVO_FULLY_CONNECTED_W4_FOUR);
    }
#else
    for (; x < end; x += 4) {
        w = octavo_fully_connected_w4_dsp_four(sums, octavo_load_bytes(x), w);
    }
#endif
    return w;
}

/* Up to four channels; total is the sum of the row. Returns the end of their part of the stream. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_w4_dsp_group(const octavo_fully_connected_w4_dsp_params *p,
    int32_t channels, const int8_t *x, int32_t total, const octavo_word *w, int8_t *out)
{
    const int32_t whole = p->in_features / 4 * 4;
    octavo_nibble_sums sums = {{0, 0}, {{0, 0, 0}, {0, 0, 0}}};
    int32_t twice[4] = {0, 0, 0, 0};
    for (int32_t start = 0; start < p->in_features; start += p->segment) {
        const int32_t stop = octavo_min(start + p->segment, whole);
        w = octavo_fully_connected_w4_dsp_dot(&sums, x + start, octavo_max(stop - start, 0), w);
        if (whole < p->in_features && start + p->segment > whole) {
            uint32_t bytes = 0;
            memcpy(&bytes, x + whole, (uint32_t)(p->in_features - whole));
            w = octavo_fully_connected_w4_dsp_four(&sums, bytes, w);
        }
        octavo_nibble_settle(&sums, 0, twice);
    }
    octavo_nibble_fields(&sums, 0, total, twice + 1);
    OCTAVO_UNROLL
    for (int32_t pair = 0; pair < 2; ++pair) {
        if (2 * pair < channels) {
            octavo_dsp_finish_pair(w, 1, twice + 2 * pair, twice + 2 * pair + 1, p->output_zero_point,
                p->negative_ties, p->act_min, p->act_max, out + 2 * pair, 1, 2 * pair + 1 < channels);
        }
        w += OCTAVO_DSP_RECORD;
    }
    return w;
}

OCTAVO_KERNEL void octavo_fully_connected_w4_dsp(
    const octavo_fully_connected_w4_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out)
{
    const int32_t fours = p->out_features / 4 * 4;
    const int32_t rest = p->out_features - fours;
    for (int32_t row = 0; row < p->rows; ++row) {
        const octavo_word *w = (const octavo_word *)stream;
        int32_t total = 0;
        for (int32_t i = 0; i < p->in_features; ++i) {
            total += x[i];
        }
        for (int32_t o = 0; o < fours; o += 4) {
            w = octavo_fully_connected_w4_dsp_group(p, 4, x, total, w, out + o);
        }
        if (rest > 0) {
            octavo_fully_connected_w4_dsp_group(p, rest, x, total, w, out + fours);
        }
        x += p->in_features;
        out += p->out_features;
    }
}

#endif /* OCTAVO_FULLY_CONNECTED_W4_DSP_H */
