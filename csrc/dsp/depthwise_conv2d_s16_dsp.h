/* Depthwise convolution for the DSP extension, one output a channel: x int16 [H, W, C], out [out_h, out_w, C]; weights [C,
 * KH, KW]; finish [C, 2] is the bias and the scale as in finish_s16.h.
 *
 * Two channels after two, their planes are drawn from the words of the image into a band of scratch each, between columns
 * of zeros, so that a word holds two neighbours and one instruction multiplies both. A band has band_h rows of row
 * elements; its last rows are carried to the top of the next band.
 *
 * A pair reads and writes only its own channels of each pixel, and rows are read before they are written: out may be x.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S16_DSP_H
#define OCTAVO_DEPTHWISE_CONV2D_S16_DSP_H

#include "dot.h"
#include "finish_s16.h"

/* Words of a kernel row: pairs of taps for a window that starts at a word, and for one that starts inside a word. */
#define OCTAVO_DEPTHWISE_CONV2D_S16_DSP_PAIRS 9
#define OCTAVO_DEPTHWISE_CONV2D_S16_DSP_ROWS 16

/* The elements of a row of which an LDRD reaches two. */
#define OCTAVO_DEPTHWISE_CONV2D_S16_DSP_NEAR 255

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
    int32_t shifted;
    int32_t act_min;
    int32_t act_max;
} octavo_depthwise_conv2d_s16_dsp_params;

/* What one channel needs: kernel rows as words, whose second pair starts a tap later (3 x 3), or as phases. */
typedef struct {
    uint32_t first[OCTAVO_DEPTHWISE_CONV2D_S16_DSP_ROWS][OCTAVO_DEPTHWISE_CONV2D_S16_DSP_PAIRS];
    uint32_t second[OCTAVO_DEPTHWISE_CONV2D_S16_DSP_ROWS][OCTAVO_DEPTHWISE_CONV2D_S16_DSP_PAIRS];
    int32_t bias;
    uint32_t scale;
} octavo_depthwise_conv2d_s16_dsp_channel;

/* Whether windows are 3 x 3 and all, or all pairs of them, start at a word. */
OCTAVO_INLINE int32_t octavo_depthwise_conv2d_s16_dsp_is_three(const octavo_depthwise_conv2d_s16_dsp_params *p)
{
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_w <= 2;
}

/* Row y of the image, of one channel or two, to rows of their bands; rows outside the image are zeros, and stay so in
 * a band of the whole plane. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_load(
    const octavo_depthwise_conv2d_s16_dsp_params *p, const int16_t *x, int32_t lone, int32_t y, int16_t *row)
{
    const int32_t plane = p->band_h * p->row;
    if (y < 0 || y >= p->in_h) {
        if (p->band_out < p->out_h) {
            memset(row, 0, (uint32_t)p->row * sizeof *row);
            memset(row + plane, 0, (uint32_t)p->row * sizeof *row);
        }
        return;
    }
    x += y * p->in_w * p->channels;
    row += p->pad_left;
    int32_t left = p->in_w;
    if (lone) {
        for (; left > 0; --left, x += p->channels) {
            *row++ = *x;
        }
        return;
    }
    if (p->pad_left % 2 == 1) {
        row[0] = x[0];
        row[plane] = x[1];
        ++row;
        x += p->channels;
        --left;
    }
    OCTAVO_UNROLL_FOUR
    for (; left >= 2; left -= 2, row += 2, x += 2 * p->channels) {
        const uint32_t before = octavo_load_bytes(x);
        const uint32_t after = octavo_load_bytes(x + p->channels);
        octavo_store_word(row, octavo_low_lanes(before, after));
        octavo_store_word(row + plane, octavo_high_lanes(before, after));
    }
    if (left > 0) {
        row[0] = x[0];
        row[plane] = x[1];
    }
}

#if OCTAVO_DSP_ASM
/* Three words of the first tap of a kernel row, (w0, w1), then three of its second, (w1, w2). */
#define OCTAVO_DEPTHWISE_CONV2D_S16_WEIGHTS                                                                            \
    [w0] "r"(c->first[0][0]), [w1] "r"(c->first[1][0]), [w2] "r"(c->first[2][0]), [v0] "r"(c->first[0][1]),            \
        [v1] "r"(c->first[1][1]), [v2] "r"(c->first[2][1]), [bias] "r"(c->bias), [row] "n"(2 * p->row),                \
        [rows] "n"(4 * p->row)
#endif

/* Two neighbouring windows of 3 x 3: 15 instructions for 18 products. known says that the compiler sees the parameters,
 * and that a row's end is within reach of an LDRD. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_two(const octavo_depthwise_conv2d_s16_dsp_params *p,
    const octavo_depthwise_conv2d_s16_dsp_channel *c, const int16_t *x, int32_t known, int16_t *out)
{
    int32_t one = c->bias;
    int32_t two = c->bias;
#if OCTAVO_DSP_ASM
    if (known) {
        uint32_t x0, x1;
        __asm("ldrd %[x0], %[x1], [%[x]]\n\t"
              "smlad %[one], %[x0], %[w0], %[bias]\n\t"
              "smlatb %[two], %[x0], %[w0], %[bias]\n\t"
              "smlabt %[one], %[x1], %[v0], %[one]\n\t"
              "smlad %[two], %[x1], %[v0], %[two]\n\t"
              "ldrd %[x0], %[x1], [%[x], #%c[row]]\n\t"
              "smlad %[one], %[x0], %[w1], %[one]\n\t"
              "smlatb %[two], %[x0], %[w1], %[two]\n\t"
              "smlabt %[one], %[x1], %[v1], %[one]\n\t"
              "smlad %[two], %[x1], %[v1], %[two]\n\t"
              "ldrd %[x0], %[x1], [%[x], #%c[rows]]\n\t"
              "smlad %[one], %[x0], %[w2], %[one]\n\t"
              "smlatb %[two], %[x0], %[w2], %[two]\n\t"
              "smlabt %[one], %[x1], %[v2], %[one]\n\t"
              "smlad %[two], %[x1], %[v2], %[two]\n\t"
              : [one] "=&r"(one), [two] "=&r"(two), [x0] "=&r"(x0), [x1] "=&r"(x1)
              : [x] "r"(x), OCTAVO_DEPTHWISE_CONV2D_S16_WEIGHTS
              : "memory");
    }
#endif
    if (!OCTAVO_DSP_ASM || !known) {
        OCTAVO_UNROLL
        for (int32_t ky = 0; ky < 3; ++ky) {
            const uint32_t x01 = octavo_load_word(x + ky * p->row);
            const uint32_t x23 = octavo_load_word(x + ky * p->row + 2);
            one = octavo_smlad(x01, c->first[ky][0], one);
            two = octavo_smlatb(x01, c->first[ky][0], two);
            one = octavo_smlabt(x23, c->first[ky][1], one);
            two = octavo_smlad(x23, c->first[ky][1], two);
        }
    }
    out[0] = octavo_dsp_finish_s16(one, c->scale, p->shifted, p->act_min, p->act_max);
    out[p->channels] = octavo_dsp_finish_s16(two, c->scale, p->shifted, p->act_min, p->act_max);
}

/* One window of 3 x 3. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_one(const octavo_depthwise_conv2d_s16_dsp_params *p,
    const octavo_depthwise_conv2d_s16_dsp_channel *c, const int16_t *x, int32_t known, int16_t *out)
{
    int32_t acc = c->bias;
#if OCTAVO_DSP_ASM
    if (known) {
        uint32_t x0, x1;
        __asm("ldrd %[x0], %[x1], [%[x]]\n\t"
              "smlad %[acc], %[x0], %[w0], %[bias]\n\t"
              "smlabt %[acc], %[x1], %[v0], %[acc]\n\t"
              "ldrd %[x0], %[x1], [%[x], #%c[row]]\n\t"
              "smlad %[acc], %[x0], %[w1], %[acc]\n\t"
              "smlabt %[acc], %[x1], %[v1], %[acc]\n\t"
              "ldrd %[x0], %[x1], [%[x], #%c[rows]]\n\t"
              "smlad %[acc], %[x0], %[w2], %[acc]\n\t"
              "smlabt %[acc], %[x1], %[v2], %[acc]\n\t"
              : [acc] "=&r"(acc), [x0] "=&r"(x0), [x1] "=&r"(x1)
              : [x] "r"(x), OCTAVO_DEPTHWISE_CONV2D_S16_WEIGHTS
              : "memory");
    }
#endif
    if (!OCTAVO_DSP_ASM || !known) {
        OCTAVO_UNROLL
        for (int32_t ky = 0; ky < 3; ++ky) {
            acc = octavo_smlad(octavo_load_word(x + ky * p->row), c->first[ky][0], acc);
            acc = octavo_smlabt(octavo_load_word(x + ky * p->row + 2), c->first[ky][1], acc);
        }
    }
    *out = octavo_dsp_finish_s16(acc, c->scale, p->shifted, p->act_min, p->act_max);
}

/* A row of the output from 3 x 3 windows: pairs (w0, w1) and (w1, w2) of each kernel row stay in registers. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_three(const octavo_depthwise_conv2d_s16_dsp_params *p,
    const octavo_depthwise_conv2d_s16_dsp_channel *c, const int16_t *x, int32_t known, int16_t *out)
{
    const int32_t near = known && p->row <= OCTAVO_DEPTHWISE_CONV2D_S16_DSP_NEAR;
    int32_t left = p->out_w;
    if (p->stride_w == 1) {
        for (; left >= 4; left -= 4, x += 4, out += 4 * p->channels) {
            octavo_depthwise_conv2d_s16_dsp_two(p, c, x, near, out);
            octavo_depthwise_conv2d_s16_dsp_two(p, c, x + 2, near, out + 2 * p->channels);
        }
        if (left >= 2) {
            octavo_depthwise_conv2d_s16_dsp_two(p, c, x, near, out);
            left -= 2;
            x += 2;
            out += 2 * p->channels;
        }
    }
    for (; left > 0; --left, x += p->stride_w, out += p->channels) {
        octavo_depthwise_conv2d_s16_dsp_one(p, c, x, near, out);
    }
}

/* A row of the output from windows of any size; one that starts inside a word uses the second phase. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_general(const octavo_depthwise_conv2d_s16_dsp_params *p,
    const octavo_depthwise_conv2d_s16_dsp_channel *c, const int16_t *x, int16_t *out)
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
        *out = octavo_dsp_finish_s16(acc, c->scale, p->shifted, p->act_min, p->act_max);
        out += p->channels;
    }
}

/* Taps in words; taps outside the kernel are 0. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_taps(
    const octavo_depthwise_conv2d_s16_dsp_params *p, const int8_t *w, octavo_depthwise_conv2d_s16_dsp_channel *c)
{
    if (octavo_depthwise_conv2d_s16_dsp_is_three(p)) {
        OCTAVO_UNROLL
        for (int32_t ky = 0; ky < 3; ++ky, w += 3) {
            c->first[ky][0] = octavo_lanes(w[0], w[1]);
            c->first[ky][1] = octavo_lanes(w[1], w[2]);
        }
        return;
    }
    for (int32_t ky = 0; ky < p->kernel_h; ++ky, w += p->kernel_w) {
        int32_t before = 0;
        for (int32_t i = 0; i < p->kernel_w / 2 + 1; ++i) {
            const int32_t even = 2 * i < p->kernel_w ? w[2 * i] : 0;
            const int32_t odd = 2 * i + 1 < p->kernel_w ? w[2 * i + 1] : 0;
            c->first[ky][i] = octavo_lanes(even, odd);
            c->second[ky][i] = octavo_lanes(before, even);
            before = odd;
        }
    }
}

/* Some rows of the output of one channel, from its band. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_rows(const octavo_depthwise_conv2d_s16_dsp_params *p,
    const int8_t *weights, const int32_t *finish, const int16_t *band, int32_t rows, int32_t known, int16_t *out)
{
    octavo_depthwise_conv2d_s16_dsp_channel c;
    octavo_depthwise_conv2d_s16_dsp_taps(p, weights, &c);
    c.bias = finish[0];
    c.scale = (uint32_t)finish[1];
    for (int32_t i = 0; i < rows; ++i) {
        if (octavo_depthwise_conv2d_s16_dsp_is_three(p)) {
            octavo_depthwise_conv2d_s16_dsp_three(p, &c, band, known, out);
        } else {
            octavo_depthwise_conv2d_s16_dsp_general(p, &c, band, out);
        }
        band += p->stride_h * p->row;
        out += p->out_w * p->channels;
    }
}

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s16_dsp_bands(const octavo_depthwise_conv2d_s16_dsp_params *p,
    const int16_t *x, const int8_t *weights, const int32_t *finish, int16_t *out, void *scratch, int32_t known)
{
    int16_t *const band = (int16_t *)scratch;
    const int32_t plane = p->band_h * p->row;
    const int32_t carried = p->kernel_h - p->stride_h;
    const int32_t filter = p->kernel_h * p->kernel_w;
    memset(band, 0, (uint32_t)(2 * plane) * sizeof *band);
    for (int32_t channel = 0; channel < p->channels; channel += 2) {
        const int32_t lone = channel + 1 == p->channels;
        for (int32_t first = 0; first < p->out_h; first += p->band_out) {
            const int32_t rows = octavo_min(p->band_out, p->out_h - first);
            const int32_t top = first * p->stride_h - p->pad_top;
            int32_t have = 0;
            if (first > 0 && carried > 0) {
                const int16_t *const kept = band + p->band_out * p->stride_h * p->row;
                memmove(band, kept, (uint32_t)(carried * p->row) * sizeof *band);
                memmove(band + plane, kept + plane, (uint32_t)(carried * p->row) * sizeof *band);
                have = carried;
            }
            for (; have < (rows - 1) * p->stride_h + p->kernel_h; ++have) {
                octavo_depthwise_conv2d_s16_dsp_load(p, x + channel, lone, top + have, band + have * p->row);
            }
            int16_t *const to = out + first * p->out_w * p->channels + channel;
            for (int32_t i = 0; i < (lone ? 1 : 2); ++i) {
                octavo_depthwise_conv2d_s16_dsp_rows(p, weights + (channel + i) * filter, finish + 2 * (channel + i),
                    band + i * plane, rows, known, to + i);
            }
        }
    }
}

OCTAVO_KERNEL void octavo_depthwise_conv2d_s16_dsp(const octavo_depthwise_conv2d_s16_dsp_params *p, const int16_t *x,
    const int8_t *weights, const int32_t *finish, int16_t *out, void *scratch)
{
    octavo_depthwise_conv2d_s16_dsp_bands(p, x, weights, finish, out, scratch, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_depthwise_conv2d_s16_dsp_any(const octavo_depthwise_conv2d_s16_dsp_params *p,
    const int16_t *x, const int8_t *weights, const int32_t *finish, int16_t *out, void *scratch)
{
    octavo_depthwise_conv2d_s16_dsp_bands(p, x, weights, finish, out, scratch, 0);
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S16_DSP_H */
