/* Convolution for x86-64: x [H, W, C], out [out_h, out_w, O]; weights [blocks, KH, fours, 16, 4] of blocks of 16
 * channels and four neighbouring taps of a kernel row (KW * C of them, then zeros); records [blocks] as in finish.h.
 *
 * The image waits between its padding in scratch, so that a kernel row of any window is contiguous. A tile of the
 * output, some neighbouring pixels by some blocks, accumulates in registers: a step loads four taps of each pixel and
 * of each block and multiplies all with all.
 *
 * All input is read before anything is written.
 */
#ifndef OCTAVO_CONV2D_S8_X86_H
#define OCTAVO_CONV2D_S8_X86_H

#include "finish.h"
#include "image.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t in_c;
    int32_t out_h;
    int32_t out_w;
    int32_t out_c;
    int32_t kernel_h;
    int32_t stride_h;
    int32_t stride_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t image_h;
    int32_t image_w;
    int32_t fours;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
} octavo_conv2d_s8_x86_params;

/* Channels of some blocks, of which the last may be partly filled, of some pixels. */
OCTAVO_INLINE void octavo_conv2d_s8_x86_tile(const octavo_conv2d_s8_x86_params *p, int32_t pixels, int32_t blocks,
    int32_t channels, const uint8_t *x, const int8_t *w, const int32_t *records, int8_t *out)
{
    const octavo_x86_output output = {p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    const int32_t block = p->kernel_h * p->fours * 4 * OCTAVO_X86_LANES;
    const int32_t stride = p->stride_w * p->in_c;
    octavo_x86_lanes acc[OCTAVO_X86_TILE];
    OCTAVO_X86_UNROLL
    for (int32_t i = 0; i < pixels * blocks; ++i) {
        acc[i] = octavo_x86_load(records + i % blocks * OCTAVO_X86_RECORD);
    }
    for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        for (int32_t four = 0; four < p->fours; ++four) {
            octavo_x86_lanes taps[OCTAVO_X86_TILE];
            OCTAVO_X86_UNROLL
            for (int32_t n = 0; n < blocks; ++n) {
                taps[n] = octavo_x86_load(w + n * block);
            }
            OCTAVO_X86_UNROLL
            for (int32_t i = 0; i < pixels; ++i) {
                const octavo_x86_lanes fours = octavo_x86_load_four(x + i * stride + 4 * four);
                OCTAVO_X86_UNROLL
                for (int32_t n = 0; n < blocks; ++n) {
                    acc[i * blocks + n] = octavo_x86_dot(acc[i * blocks + n], fours, taps[n]);
                }
            }
            w += 4 * OCTAVO_X86_LANES;
        }
        x += p->image_w * p->in_c;
    }
    OCTAVO_X86_UNROLL
    for (int32_t i = 0; i < pixels * blocks; ++i) {
        const int32_t first = i % blocks * OCTAVO_X86_LANES;
        octavo_x86_finish(&output, records + i % blocks * OCTAVO_X86_RECORD, acc[i], channels - first,
            out + i / blocks * p->out_c + first);
    }
}

/* Blocks of a tile and its pixels: pixels share weights and blocks share pixels, all in OCTAVO_X86_TILE accumulators;
 * pixels such that the tiles of a row are of about one size. */
OCTAVO_INLINE int32_t octavo_conv2d_s8_x86_blocks(const octavo_conv2d_s8_x86_params *p)
{
    const int32_t blocks = (p->out_c + OCTAVO_X86_LANES - 1) / OCTAVO_X86_LANES;
    return octavo_min(blocks, octavo_max(2, octavo_min(8, OCTAVO_X86_TILE) / p->out_w));
}

OCTAVO_INLINE int32_t octavo_conv2d_s8_x86_pixels(const octavo_conv2d_s8_x86_params *p)
{
    const int32_t most = octavo_min(OCTAVO_X86_TILE / octavo_conv2d_s8_x86_blocks(p), 16);
    const int32_t tiles = (p->out_w + most - 1) / most;
    return (p->out_w + tiles - 1) / tiles;
}

/* The row of the output whose first window is at x, for some blocks. */
OCTAVO_INLINE void octavo_conv2d_s8_x86_row(const octavo_conv2d_s8_x86_params *p, int32_t blocks, int32_t channels,
    const uint8_t *x, const int8_t *w, const int32_t *records, int8_t *out)
{
    const int32_t pixels = octavo_conv2d_s8_x86_pixels(p);
    const int32_t rest = p->out_w % pixels;
    for (int32_t left = p->out_w; left >= pixels; left -= pixels) {
        octavo_conv2d_s8_x86_tile(p, pixels, blocks, channels, x, w, records, out);
        x += pixels * p->stride_w * p->in_c;
        out += pixels * p->out_c;
    }
    if (rest > 0) {
        octavo_conv2d_s8_x86_tile(p, rest, blocks, channels, x, w, records, out);
    }
}

OCTAVO_INLINE void octavo_conv2d_s8_x86(const octavo_conv2d_s8_x86_params *p, const int8_t *x, const int8_t *weights,
    const int32_t *records, int8_t *out, void *scratch)
{
    const octavo_x86_image image = {
        p->image_h, p->image_w, p->in_h, p->in_w, p->pad_top, p->pad_left, p->input_zero_point};
    uint8_t *const rows = octavo_x86_aligned(scratch);
    octavo_x86_load_image(&image, x, p->in_c, rows);
    const int32_t blocks = octavo_conv2d_s8_x86_blocks(p);
    const int32_t block = p->kernel_h * p->fours * 4 * OCTAVO_X86_LANES;
    const int32_t step = blocks * OCTAVO_X86_LANES;
    const int32_t row = p->stride_h * p->image_w * p->in_c;
    const int32_t whole = p->out_c / step * step;
    for (int32_t o = 0; o < whole; o += step) {
        const int8_t *w = weights + o / OCTAVO_X86_LANES * block;
        const int32_t *ends = records + o / OCTAVO_X86_LANES * OCTAVO_X86_RECORD;
        for (int32_t oy = 0; oy < p->out_h; ++oy) {
            octavo_conv2d_s8_x86_row(p, blocks, step, rows + oy * row, w, ends, out + oy * p->out_w * p->out_c + o);
        }
    }
    if (whole < p->out_c) {
        const int32_t left = p->out_c - whole;
        const int8_t *w = weights + whole / OCTAVO_X86_LANES * block;
        const int32_t *ends = records + whole / OCTAVO_X86_LANES * OCTAVO_X86_RECORD;
        for (int32_t oy = 0; oy < p->out_h; ++oy) {
            octavo_conv2d_s8_x86_row(p, (left + OCTAVO_X86_LANES - 1) / OCTAVO_X86_LANES, left, rows + oy * row, w,
                ends, out + oy * p->out_w * p->out_c + whole);
        }
    }
}

#endif /* OCTAVO_CONV2D_S8_X86_H */
