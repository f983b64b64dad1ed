/* Fully connected layer for the DSP extension: x [rows, I], out [rows, O]; a stream of words holds for each group of two
 * pairs of channels (the last may have one) its weights [I / 4, pairs, 2] and then the records of its pairs as in
 * finish.h; two words hold the taps (0, 2) and (1, 3) of four as in dot.h.
 *
 * After every segment of taps the sums are taken apart: those of one segment stay below 2^23.
 */
#ifndef OCTAVO_FULLY_CONNECTED_S8_DSP_H
#define OCTAVO_FULLY_CONNECTED_S8_DSP_H

#include "dot.h"
#include "finish.h"
#include "log2.h"

typedef struct {
    int32_t rows;
    int32_t in_features;
    int32_t out_features;
    int32_t segment;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_fully_connected_s8_dsp_params;

/* mixed and low of two pairs. */
typedef struct {
    int32_t mixed[2];
    int32_t low[2];
} octavo_fully_connected_s8_dsp_sums;

/* Four taps of x; a pair's weights are two words, or with 4 bits one of codes as in log2.h. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_s8_dsp_four(
    octavo_fully_connected_s8_dsp_sums *sums, int32_t pairs, int32_t bits, uint32_t bytes, const octavo_word *w)
{
    const uint32_t even = octavo_sxtb16(bytes);
    const uint32_t odd = octavo_sxtb16_odd(bytes);
    OCTAVO_UNROLL
    for (int32_t i = 0; i < pairs; ++i, w += bits / 4) {
        const uint32_t w0 = bits == 4 ? octavo_log2_lanes(octavo_load_word(w), 0) : octavo_load_word(w);
        const uint32_t w1 = bits == 4 ? octavo_log2_lanes(octavo_load_word(w), 2) : octavo_load_word(w + 1);
        sums->mixed[i] = octavo_smlad(odd, w1, octavo_smlad(even, w0, sums->mixed[i]));
        sums->low[i] = octavo_smlad(odd, octavo_sxtb16(w1), octavo_smlad(even, octavo_sxtb16(w0), sums->low[i]));
    }
    return w;
}

#if OCTAVO_DSP_ASM
/* 10 instructions for 8 products. */
#define OCTAVO_FULLY_CONNECTED_PAIR(m, l)                                                                              \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"                                                                                \
    "smlad %[" m "], %[x0], %[w0], %[" m "]\n\t"                                                                       \
    "sxtb16 %[w0], %[w0]\n\t"                                                                                          \
    "smlad %[" m "], %[x1], %[w1], %[" m "]\n\t"                                                                       \
    "sxtb16 %[w1], %[w1]\n\t"                                                                                          \
    "smlad %[" l "], %[x0], %[w0], %[" l "]\n\t"                                                                       \
    "smlad %[" l "], %[x1], %[w1], %[" l "]\n\t"
#define OCTAVO_FULLY_CONNECTED_TAPS                                                                                    \
    "ldr %[x0], [%[x]], #4\n\t"                                                                                        \
    "sxtb16 %[x1], %[x0], ror #8\n\t"                                                                                  \
    "sxtb16 %[x0], %[x0]\n\t"
/* 17 instructions for 16 products. */
#define OCTAVO_FULLY_CONNECTED_TWO                                                                                     \
    OCTAVO_FULLY_CONNECTED_TAPS OCTAVO_FULLY_CONNECTED_PAIR("m0", "l0") OCTAVO_FULLY_CONNECTED_PAIR("m1", "l1")
#define OCTAVO_FULLY_CONNECTED_ONE OCTAVO_FULLY_CONNECTED_TAPS OCTAVO_FULLY_CONNECTED_PAIR("m0", "l0")

#define OCTAVO_FULLY_CONNECTED_LOOP(body)                                                                              \
    __asm volatile("1:\n\t" body "cmp %[x], %[end]\n\t"                                                                \
                   "bne 1b"                                                                                            \
                   : [w] "+&r"(w), [x] "+&r"(x), [m0] "+&r"(sums->mixed[0]), [l0] "+&r"(sums->low[0]),                 \
                   [m1] "+&r"(sums->mixed[1]), [l1] "+&r"(sums->low[1]), [w0] "=&r"(w0), [w1] "=&r"(w1),               \
                   [x0] "=&r"(x0), [x1] "=&r"(x1)                                                                      \
                   : [end] "r"(end)                                                                                    \
                   : "cc", "memory")
#endif

/* Adds the products of count taps, a multiple of 4. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_s8_dsp_dot(octavo_fully_connected_s8_dsp_sums *sums,
    int32_t pairs, int32_t bits, const int8_t *x, int32_t count, const octavo_word *w)
{
    const int8_t *const end = x + count;
#if OCTAVO_DSP_ASM
    uint32_t w0, w1, x0, x1;
    if (bits == 8 && count > 0) {
        if (pairs == 1) {
            OCTAVO_FULLY_CONNECTED_LOOP(OCTAVO_FULLY_CONNECTED_ONE);
        } else if (count % 16 == 0) {
            OCTAVO_FULLY_CONNECTED_LOOP(OCTAVO_FULLY_CONNECTED_TWO OCTAVO_FULLY_CONNECTED_TWO
                    OCTAVO_FULLY_CONNECTED_TWO OCTAVO_FULLY_CONNECTED_TWO);
        } else {
            OCTAVO_FULLY_CONNECTED_LOOP(OCTAVO_FULLY_CONNECTED_TWO);
        }
        return w;
    }
#endif
    for (; x < end; x += 4) {
        w = octavo_fully_connected_s8_dsp_four(sums, pairs, bits, octavo_load_bytes(x), w);
    }
    return w;
}

/* Up to two pairs of channels, of which the last may have one; returns the end of their part of the stream. */
OCTAVO_INLINE const octavo_word *octavo_fully_connected_s8_dsp_group(const octavo_fully_connected_s8_dsp_params *p,
    int32_t channels, int32_t bits, const int8_t *x, const octavo_word *w, int8_t *out)
{
    const int32_t pairs = (channels + 1) / 2;
    const int32_t whole = p->in_features / 4 * 4;
    int32_t first[2] = {0, 0};
    int32_t second[2] = {0, 0};
    for (int32_t start = 0; start < p->in_features; start += p->segment) {
        octavo_fully_connected_s8_dsp_sums sums = {{0, 0}, {0, 0}};
        const int32_t stop = octavo_min(start + p->segment, whole);
        w = octavo_fully_connected_s8_dsp_dot(&sums, pairs, bits, x + start, octavo_max(stop - start, 0), w);
        if (whole < p->in_features && start + p->segment > whole) {
            uint32_t bytes = 0;
            memcpy(&bytes, x + whole, (uint32_t)(p->in_features - whole));
            w = octavo_fully_connected_s8_dsp_four(&sums, pairs, bits, bytes, w);
        }
        OCTAVO_UNROLL
        for (int32_t i = 0; i < pairs; ++i) {
            first[i] += 2 * octavo_asr(octavo_sub_wrap(sums.mixed[i], sums.low[i]), 8);
            second[i] += 2 * sums.low[i];
        }
    }
    OCTAVO_UNROLL
    for (int32_t i = 0; i < pairs; ++i) {
        octavo_dsp_finish_pair(w, 1, first + i, second + i, p->output_zero_point, p->negative_ties, p->act_min,
            p->act_max, out + 2 * i, 1, 2 * i + 1 < channels);
        w += OCTAVO_DSP_RECORD;
    }
    return w;
}

/* The layer with weights of 8 bits, or 4-bit codes of powers of two. */
OCTAVO_INLINE void octavo_fully_connected_s8_dsp_rows(const octavo_fully_connected_s8_dsp_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, int32_t bits)
{
    const int32_t fours = p->out_features / 4 * 4;
    const int32_t rest = p->out_features - fours;
    for (int32_t row = 0; row < p->rows; ++row) {
        const octavo_word *w = (const octavo_word *)stream;
        for (int32_t o = 0; o < fours; o += 4) {
            w = octavo_fully_connected_s8_dsp_group(p, 4, bits, x, w, out + o);
        }
        if (rest > 0) {
            octavo_fully_connected_s8_dsp_group(p, rest, bits, x, w, out + fours);
        }
        x += p->in_features;
        out += p->out_features;
    }
}

OCTAVO_KERNEL void octavo_fully_connected_s8_dsp(
    const octavo_fully_connected_s8_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out)
{
    octavo_fully_connected_s8_dsp_rows(p, x, stream, out, 8);
}

#endif /* OCTAVO_FULLY_CONNECTED_S8_DSP_H */
