/* A 3 x 3 convolution of stride 1 by Winograd's minimal filtering F(2 x 2, 3 x 3) for the DSP extension: four outputs of
 * a channel take 16 products an input channel instead of 36 (Lavin and Gray 2016, arXiv 1509.09308).
 *
 *     4 y = A' (G w G' . B' x B) A,   G scaled by 2, so that everything is an integer: exact
 *
 * x [H, W, C], C a multiple of 4, out [out_h, out_w, O], pixels out_stride bytes apart. stream holds for each pair of channels the 16 transformed
 * weights, C elements each, as words of two int16: the first channel's four taps in the order of dsp/widen.h, then the
 * second's, and so on; then the pair's record as in dsp/finish.h, for sums of 2 y.
 *
 * Four rows of the image wait in a ring of scratch between pixels of the zero point, behind it two tiles' transformed
 * input. All input that rows oy and oy + 1 of the output need is read before they are written.
 */
#ifndef OCTAVO_CONV2D_S8_WINOGRAD_H
#define OCTAVO_CONV2D_S8_WINOGRAD_H

#include "../dsp/dot.h"
#include "../dsp/finish.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t in_c;
    int32_t out_h;
    int32_t out_w;
    int32_t out_c;
    int32_t pad_top;
    int32_t pad_left;
    int32_t ring_w;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_conv2d_s8_winograd_params;

/* Row y of the image to its place in the ring; rows outside the image are zero points. */
OCTAVO_INLINE void octavo_winograd_load(
    const octavo_conv2d_s8_winograd_params *p, const int8_t *x, int32_t y, int8_t *ring)
{
    const int32_t bytes = p->in_w * p->in_c;
    int8_t *const row = ring + (((y + p->pad_top) & 3) * p->ring_w + p->pad_left) * p->in_c;
    if (y < 0 || y >= p->in_h) {
        memset(row, p->input_zero_point, (size_t)bytes);
        return;
    }
    for (int32_t i = 0; i < bytes; i += 4) {
        octavo_store_word(row + i, octavo_load_word(x + y * bytes + i));
    }
}

/* Four channels of one row of B' x B, from two rows of four pixels: a - b, or a + b if plus. v goes from one of the 16
 * places to the next by plane elements. */
OCTAVO_INLINE void octavo_winograd_row(
    const int8_t *a, const int8_t *b, int32_t pixel, int32_t plus, int16_t *v, int32_t plane)
{
    uint32_t even[4];
    uint32_t odd[4];
    OCTAVO_UNROLL_FOUR
    for (int32_t j = 0; j < 4; ++j) {
        const uint32_t above = octavo_load_word(a + j * pixel);
        const uint32_t below = octavo_load_word(b + j * pixel);
        const uint32_t even0 = octavo_sxtb16(above);
        const uint32_t odd0 = octavo_sxtb16_odd(above);
        const uint32_t even1 = octavo_sxtb16(below);
        const uint32_t odd1 = octavo_sxtb16_odd(below);
        even[j] = plus ? octavo_add_lanes(even0, even1) : octavo_sub_lanes(even0, even1);
        odd[j] = plus ? octavo_add_lanes(odd0, odd1) : octavo_sub_lanes(odd0, odd1);
    }
    octavo_store_word(v, octavo_sub_lanes(even[0], even[2]));
    octavo_store_word(v + 2, octavo_sub_lanes(odd[0], odd[2]));
    octavo_store_word(v + plane, octavo_add_lanes(even[1], even[2]));
    octavo_store_word(v + plane + 2, octavo_add_lanes(odd[1], odd[2]));
    octavo_store_word(v + 2 * plane, octavo_sub_lanes(even[2], even[1]));
    octavo_store_word(v + 2 * plane + 2, octavo_sub_lanes(odd[2], odd[1]));
    octavo_store_word(v + 3 * plane, octavo_sub_lanes(even[1], even[3]));
    octavo_store_word(v + 3 * plane + 2, octavo_sub_lanes(odd[1], odd[3]));
}

/* B' x B of the tile whose first row is row top of the ring, all channels. */
OCTAVO_INLINE void octavo_winograd_tile(
    const octavo_conv2d_s8_winograd_params *p, const int8_t *ring, int32_t top, int32_t column, int16_t *v)
{
    const int32_t c = p->in_c;
    const int8_t *rows[4];
    for (int32_t i = 0; i < 4; ++i) {
        rows[i] = ring + (((top + i) & 3) * p->ring_w + column) * c;
    }
    for (int32_t k = 0; k < c; k += 4) {
        octavo_winograd_row(rows[0] + k, rows[2] + k, c, 0, v + k, 2 * c);
        octavo_winograd_row(rows[1] + k, rows[2] + k, c, 1, v + 8 * c + k, 2 * c);
        octavo_winograd_row(rows[2] + k, rows[1] + k, c, 0, v + 16 * c + k, 2 * c);
        octavo_winograd_row(rows[1] + k, rows[3] + k, c, 0, v + 24 * c + k, 2 * c);
    }
}

#if OCTAVO_DSP_ASM
/* Four channels of two tiles with two channels of the output: 11 instructions for 16 products. */
#define OCTAVO_WINOGRAD_FOUR(first, second, third, fourth)                                                             \
    "ldm %[w]!, {%[w0], %[w1], %[w2], %[w3]}\n\t"                                                                      \
    "ldrd %[x0], %[x1], [%[x], #%c[step]]\n\t" third fourth                                                           \
    "smlad %[m2], %[x1], %[w1], %[m2]\n\t"                                                                            \
    "smlad %[m3], %[x1], %[w3], %[m3]\n\t"                                                                            \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t" first second                                                                  \
    "smlad %[m0], %[x1], %[w1], %[m0]\n\t"                                                                            \
    "smlad %[m1], %[x1], %[w3], %[m1]"
#define OCTAVO_WINOGRAD_FIRST                                                                                          \
    OCTAVO_WINOGRAD_FOUR("smuad %[m0], %[x0], %[w0]\n\t", "smuad %[m1], %[x0], %[w2]\n\t",                           \
        "smuad %[m2], %[x0], %[w0]\n\t", "smuad %[m3], %[x0], %[w2]\n\t")
#define OCTAVO_WINOGRAD_NEXT                                                                                           \
    OCTAVO_WINOGRAD_FOUR("smlad %[m0], %[x0], %[w0], %[m0]\n\t", "smlad %[m1], %[x0], %[w2], %[m1]\n\t",             \
        "smlad %[m2], %[x0], %[w0], %[m2]\n\t", "smlad %[m3], %[x0], %[w2], %[m3]\n\t")
#define OCTAVO_WINOGRAD_ASM(text, sums)                                                                                \
    __asm(text                                                                                                         \
          : [w] "+&r"(w), [x] "+&r"(x), [m0] sums(m0), [m1] sums(m1), [m2] sums(m2), [m3] sums(m3), [w0] "=&r"(w0),    \
          [w1] "=&r"(w1), [w2] "=&r"(w2), [w3] "=&r"(w3), [x0] "=&r"(x0), [x1] "=&r"(x1)                               \
          : [step] "n"(2 * c)                                                                                          \
          : "memory")
#endif

/* Sums of two tiles (c elements apart) with two channels: m[0], m[1] of the first tile. Returns the weights' end. */
OCTAVO_INLINE const octavo_word *octavo_winograd_dot(const int16_t *x, int32_t c, const octavo_word *w, int32_t *m)
{
#if OCTAVO_DSP_ASM
    /* Registers that rise in number, as a load of several wants them. */
    register uint32_t w0 __asm("r4");
    register uint32_t w1 __asm("r5");
    register uint32_t w2 __asm("r6");
    register uint32_t w3 __asm("r8");
    uint32_t x0;
    uint32_t x1;
    int32_t m0;
    int32_t m1;
    int32_t m2;
    int32_t m3;
    OCTAVO_WINOGRAD_ASM(OCTAVO_WINOGRAD_FIRST, "=&r");
    OCTAVO_UNROLL_FOUR
    for (int32_t k = 4; k < c; k += 4) {
        OCTAVO_WINOGRAD_ASM(OCTAVO_WINOGRAD_NEXT, "+&r");
    }
#else
    int32_t m0 = 0;
    int32_t m1 = 0;
    int32_t m2 = 0;
    int32_t m3 = 0;
    for (int32_t k = 0; k < c; k += 4, w += 4) {
        const uint32_t x0 = octavo_load_word(x + k);
        const uint32_t x1 = octavo_load_word(x + k + 2);
        const uint32_t x2 = octavo_load_word(x + c + k);
        const uint32_t x3 = octavo_load_word(x + c + k + 2);
        m0 = octavo_smlad(x1, w[1], octavo_smlad(x0, w[0], m0));
        m1 = octavo_smlad(x1, w[3], octavo_smlad(x0, w[2], m1));
        m2 = octavo_smlad(x3, w[1], octavo_smlad(x2, w[0], m2));
        m3 = octavo_smlad(x3, w[3], octavo_smlad(x2, w[2], m3));
    }
#endif
    m[0] = m0;
    m[1] = m1;
    m[2] = m2;
    m[3] = m3;
    return w;
}

/* 2 y of a tile from every fourth of the sums m: the first row's two to upper, the second row's to lower. */
OCTAVO_INLINE void octavo_winograd_outputs(const int32_t *m, int32_t *upper, int32_t *lower)
{
    int32_t left[4];
    int32_t right[4];
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < 4; ++i) {
        const int32_t *const row = m + 16 * i;
        left[i] = octavo_add_wrap(octavo_add_wrap(row[0], row[4]), row[8]);
        right[i] = octavo_sub_wrap(octavo_sub_wrap(row[4], row[8]), row[12]);
    }
    upper[0] = octavo_asr(octavo_add_wrap(octavo_add_wrap(left[0], left[1]), left[2]), 1);
    upper[1] = octavo_asr(octavo_add_wrap(octavo_add_wrap(right[0], right[1]), right[2]), 1);
    lower[0] = octavo_asr(octavo_sub_wrap(octavo_sub_wrap(left[1], left[2]), left[3]), 1);
    lower[1] = octavo_asr(octavo_sub_wrap(octavo_sub_wrap(right[1], right[2]), right[3]), 1);
}

/* Up to four neighbours of a row, of two channels. */
OCTAVO_INLINE void octavo_winograd_finish(const octavo_conv2d_s8_winograd_params *p, const octavo_word *record,
    int32_t count, const int32_t *first, const int32_t *second, int8_t *out)
{
    if (count >= 4) {
        octavo_dsp_finish_pair(record, 4, first, second, p->output_zero_point, p->negative_ties, p->act_min, p->act_max,
            out, p->out_stride, 1);
        return;
    }
    for (int32_t i = 0; i < count; ++i) {
        octavo_dsp_finish_pair(record, 1, first + i, second + i, p->output_zero_point, p->negative_ties, p->act_min,
            p->act_max, out + i * p->out_stride, p->out_stride, 1);
    }
}

OCTAVO_KERNEL void octavo_conv2d_s8_winograd(
    const octavo_conv2d_s8_winograd_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    const int32_t c = p->in_c;
    int8_t *const ring = (int8_t *)scratch;
    int16_t *const v = (int16_t *)(void *)(ring + 4 * p->ring_w * c);
    memset(ring, p->input_zero_point, (size_t)(4 * p->ring_w * c));
    int32_t next = -p->pad_top;
    for (int32_t oy = 0; oy < p->out_h; oy += 2) {
        for (; next < oy - p->pad_top + 4; ++next) {
            octavo_winograd_load(p, x, next, ring);
        }
        for (int32_t ox = 0; ox < p->out_w; ox += 4) {
            const octavo_word *w = (const octavo_word *)stream;
            octavo_winograd_tile(p, ring, oy, ox, v);
            octavo_winograd_tile(p, ring, oy, ox + 2, v + c);
            for (int32_t o = 0; o < p->out_c; o += 2) {
                int32_t m[64];
                int32_t first[2][4];
                int32_t second[2][4];
                for (int32_t place = 0; place < 16; ++place) {
                    w = octavo_winograd_dot(v + 2 * c * place, c, w, m + 4 * place);
                }
                OCTAVO_UNROLL_FOUR
                for (int32_t tile = 0; tile < 2; ++tile) {
                    octavo_winograd_outputs(m + 2 * tile, first[0] + 2 * tile, first[1] + 2 * tile);
                    octavo_winograd_outputs(m + 2 * tile + 1, second[0] + 2 * tile, second[1] + 2 * tile);
                }
                int8_t *const y = out + (oy * p->out_w + ox) * p->out_stride + o;
                octavo_winograd_finish(p, w, p->out_w - ox, first[0], second[0], y);
                if (oy + 1 < p->out_h) {
                    octavo_winograd_finish(p, w, p->out_w - ox, first[1], second[1], y + p->out_w * p->out_stride);
                }
                w += OCTAVO_DSP_RECORD;
            }
        }
    }
}

#endif /* OCTAVO_CONV2D_S8_WINOGRAD_H */
