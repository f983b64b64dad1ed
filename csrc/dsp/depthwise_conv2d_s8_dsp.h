/* Depthwise convolution for the DSP extension, one output a channel: x [H, W, C], out [out_h, out_w, C], pixels
 * out_stride bytes apart; weights [C, KH, KW]; scale [C, 2] is 2 (bias - zero_point * sum of weights) and the multiplier; shift [C] counts to the right.
 *
 * Channel after channel, the rows of its plane are widened to int16 into a band of scratch between columns of the zero
 * point, so that a word holds two neighbours and one instruction multiplies both. A band has band_h rows of row
 * elements; its last rows are carried to the top of the next band. Weights are doubled, for finish.h.
 *
 * A channel reads and writes only that channel's bytes of each pixel, and rows are read before they are written: out may
 * be x.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S8_DSP_H
#define OCTAVO_DEPTHWISE_CONV2D_S8_DSP_H

#include "finish.h"
#include "log2.h"
#include "widen.h"

/* Words of a kernel row: pairs of taps for a window that starts at a word, and for one that starts inside a word. */
#define OCTAVO_DEPTHWISE_CONV2D_S8_DSP_PAIRS 9
#define OCTAVO_DEPTHWISE_CONV2D_S8_DSP_ROWS 16

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
    int32_t row;
    int32_t band_h;
    int32_t band_out;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_depthwise_conv2d_s8_dsp_params;

/* What one channel needs: kernel rows as words, whose second pair starts a tap later (3 x 3), or as phases. */
typedef struct {
    uint32_t first[OCTAVO_DEPTHWISE_CONV2D_S8_DSP_ROWS][OCTAVO_DEPTHWISE_CONV2D_S8_DSP_PAIRS];
    uint32_t second[OCTAVO_DEPTHWISE_CONV2D_S8_DSP_ROWS][OCTAVO_DEPTHWISE_CONV2D_S8_DSP_PAIRS];
    int32_t bias;
    int32_t multiplier;
    int32_t round;
    uint32_t shift;
} octavo_depthwise_conv2d_s8_dsp_channel;

/* Whether windows are 3 x 3 and all, or all pairs of them, start at a word. */
OCTAVO_INLINE int32_t octavo_depthwise_conv2d_s8_dsp_is_three(const octavo_depthwise_conv2d_s8_dsp_params *p)
{
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_w <= 2;
}

OCTAVO_INLINE int8_t octavo_depthwise_conv2d_s8_dsp_finish(
    const octavo_depthwise_conv2d_s8_dsp_params *p, const octavo_depthwise_conv2d_s8_dsp_channel *c, int32_t twice)
{
    return octavo_dsp_finish(twice, c->multiplier, c->round, c->shift, p->negative_ties, p->act_min, p->act_max);
}

/* Row y of the plane to a row of the band; rows outside the image are zero points, and stay so in a band of the
 * whole plane. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s8_dsp_load(
    const octavo_depthwise_conv2d_s8_dsp_params *p, const int8_t *plane, int32_t y, int16_t *row)
{
    int16_t *wide = row + p->pad_left;
    if (y < 0 || y >= p->in_h) {
        if (p->band_out < p->out_h) {
            octavo_fill_s16(wide, p->in_w, p->input_zero_point);
        }
        return;
    }
    const int8_t *x = plane + y * p->in_w * p->channels;
    if (p->in_w <= 12) {
        OCTAVO_UNROLL
        for (int32_t i = 0; i < p->in_w; ++i) {
            wide[i] = x[i * p->channels];
        }
    } else {
        OCTAVO_UNROLL_FOUR
        for (int32_t i = 0; i < p->in_w; ++i) {
            *wide++ = *x;
            x += p->channels;
        }
    }
}

/* A row of the output from 3 x 3 windows: pairs (w0, w1) and (w1, w2) of each kernel row stay in registers. */
OCTAVO_INLINE int8_t *octavo_depthwise_conv2d_s8_dsp_three(const octavo_depthwise_conv2d_s8_dsp_params *p,
    const octavo_depthwise_conv2d_s8_dsp_channel *c, const int16_t *x, int8_t *out)
{
    int32_t left = p->out_w;
    for (; p->stride_w == 1 && left >= 2; left -= 2) {
        int32_t one = c->bias;
        int32_t two = c->bias;
        OCTAVO_UNROLL
        for (int32_t ky = 0; ky < 3; ++ky) {
            const uint32_t x01 = octavo_load_word(x + ky * p->row);
            const uint32_t x23 = octavo_load_word(x + ky * p->row + 2);
            one = octavo_smlad(x01, c->first[ky][0], one);
            two = octavo_smlatb(x01, c->first[ky][0], two);
            one = octavo_smlabt(x23, c->first[ky][1], one);
            two = octavo_smlad(x23, c->first[ky][1], two);
        }
        x += 2;
        out[0] = octavo_depthwise_conv2d_s8_dsp_finish(p, c, one);
        out[p->out_stride] = octavo_depthwise_conv2d_s8_dsp_finish(p, c, two);
        out += 2 * p->out_stride;
    }
    for (; left > 0; --left) {
        int32_t one = c->bias;
        OCTAVO_UNROLL
        for (int32_t ky = 0; ky < 3; ++ky) {
            one = octavo_smlad(octavo_load_word(x + ky * p->row), c->first[ky][0], one);
            one = octavo_smlabt(octavo_load_word(x + ky * p->row + 2), c->first[ky][1], one);
        }
        x += p->stride_w;
        *out = octavo_depthwise_conv2d_s8_dsp_finish(p, c, one);
        out += p->out_stride;
    }
    return out;
}

/* A row of the output from windows of any size; one that starts inside a word uses the second phase. */
OCTAVO_INLINE int8_t *octavo_depthwise_conv2d_s8_dsp_any(const octavo_depthwise_conv2d_s8_dsp_params *p,
    const octavo_depthwise_conv2d_s8_dsp_channel *c, const int16_t *x, int8_t *out)
{
    for (int32_t ox = 0; ox < p->out_w; ++ox) {
        const int32_t start = ox * p->stride_w;
        const int32_t odd = start & 1;
        const int16_t *window = x + start - odd;
        int32_t acc = c->bias;
        for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
            const uint32_t *taps = odd ? c->second[ky] : c->first[ky];
            for (int32_t i = 0; i < p->kernel_w / 2 + 1; ++i) {
                acc = octavo_smlad(octavo_load_word(window + 2 * i), taps[i], acc);
            }
            window += p->row;
        }
        *out = octavo_depthwise_conv2d_s8_dsp_finish(p, c, acc);
        out += p->out_stride;
    }
    return out;
}

/* Twice the weight of a tap: a byte, or a 4-bit code of a power of two. */
OCTAVO_INLINE int32_t octavo_depthwise_conv2d_s8_dsp_twice(const int8_t *w, int32_t tap, int32_t bits)
{
    return 2 * (bits == 4 ? octavo_log2_level(w, tap) : w[tap]);
}

/* A channel's doubled taps in words; taps outside the kernel are 0. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s8_dsp_taps(const octavo_depthwise_conv2d_s8_dsp_params *p, const int8_t *w,
    int32_t bits, octavo_depthwise_conv2d_s8_dsp_channel *c)
{
    if (octavo_depthwise_conv2d_s8_dsp_is_three(p)) {
        OCTAVO_UNROLL
        for (int32_t ky = 0; ky < 3; ++ky) {
            const int32_t middle = octavo_depthwise_conv2d_s8_dsp_twice(w, 3 * ky + 1, bits);
            c->first[ky][0] = octavo_lanes(octavo_depthwise_conv2d_s8_dsp_twice(w, 3 * ky, bits), middle);
            c->first[ky][1] = octavo_lanes(middle, octavo_depthwise_conv2d_s8_dsp_twice(w, 3 * ky + 2, bits));
        }
        return;
    }
    for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        int32_t before = 0;
        for (int32_t i = 0; i < p->kernel_w; i += 2) {
            const int32_t tap = ky * p->kernel_w + i;
            const int32_t even = octavo_depthwise_conv2d_s8_dsp_twice(w, tap, bits);
            const int32_t odd = i + 1 < p->kernel_w ? octavo_depthwise_conv2d_s8_dsp_twice(w, tap + 1, bits) : 0;
            c->first[ky][i / 2] = octavo_lanes(even, odd);
            c->second[ky][i / 2] = octavo_lanes(before, even);
            before = odd;
        }
        if (p->kernel_w % 2 == 0) {
            c->first[ky][p->kernel_w / 2] = 0;
            c->second[ky][p->kernel_w / 2] = octavo_lanes(before, 0);
        }
    }
}

OCTAVO_INLINE void octavo_depthwise_conv2d_s8_dsp_channels(const octavo_depthwise_conv2d_s8_dsp_params *p,
    const int8_t *x, const int8_t *weights, const int32_t *scale, const int8_t *shift, int8_t *out, void *scratch,
    int32_t bits)
{
    int16_t *const band = (int16_t *)scratch;
    const int32_t carried = p->kernel_h - p->stride_h;
    const int32_t row = (p->kernel_h * p->kernel_w * bits + 7) / 8;
    octavo_fill_s16(band, p->band_h * p->row, p->input_zero_point);
    for (int32_t channel = 0; channel < p->channels; ++channel) {
        octavo_depthwise_conv2d_s8_dsp_channel c;
        octavo_depthwise_conv2d_s8_dsp_taps(p, weights + channel * row, bits, &c);
        c.bias = scale[2 * channel];
        c.multiplier = scale[2 * channel + 1];
        c.shift = (uint32_t)shift[channel];
        c.round = octavo_lsl_byte(2 * p->output_zero_point + 1, c.shift - 1u);
        int8_t *to = out + channel;
        for (int32_t first = 0; first < p->out_h; first += p->band_out) {
            const int32_t rows = octavo_min(p->band_out, p->out_h - first);
            const int32_t top = first * p->stride_h - p->pad_top;
            int32_t have = 0;
            if (first > 0 && carried > 0) {
                memmove(band, band + p->band_out * p->stride_h * p->row, (uint32_t)(carried * p->row) * sizeof *band);
                have = carried;
            }
            for (; have < (rows - 1) * p->stride_h + p->kernel_h; ++have) {
                octavo_depthwise_conv2d_s8_dsp_load(p, x + channel, top + have, band + have * p->row);
            }
            for (int32_t i = 0; i < rows; ++i) {
                const int16_t *const window = band + i * p->stride_h * p->row;
                if (octavo_depthwise_conv2d_s8_dsp_is_three(p)) {
                    to = octavo_depthwise_conv2d_s8_dsp_three(p, &c, window, to);
                } else {
                    to = octavo_depthwise_conv2d_s8_dsp_any(p, &c, window, to);
                }
            }
        }
    }
}

OCTAVO_KERNEL void octavo_depthwise_conv2d_s8_dsp(const octavo_depthwise_conv2d_s8_dsp_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *scale, const int8_t *shift, int8_t *out, void *scratch)
{
    octavo_depthwise_conv2d_s8_dsp_channels(p, x, weights, scale, shift, out, scratch, 8);
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S8_DSP_H */
