/* Depthwise convolution for x86-64, one output a channel: x [H, W, C], out [out_h, out_w, C]; weights [blocks, KH,
 * fours, 16, 4] of blocks of 16 channels and four neighbouring taps of a kernel row (then zeros); records [blocks] as
 * in finish.h.
 *
 * Block after block, the planes of 16 channels wait between their padding in scratch, a pixel in 16 bytes: four
 * neighbours are 64 bytes, transposed so that each lane has four taps of its channel.
 *
 * A block reads and writes only its own bytes of each pixel, and reads them all first: out may be x.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S8_X86_H
#define OCTAVO_DEPTHWISE_CONV2D_S8_X86_H

#include "finish.h"
#include "image.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t channels;
    int32_t out_h;
    int32_t out_w;
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
} octavo_depthwise_conv2d_s8_x86_params;

/* count channels of all pixels. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s8_x86_block(const octavo_depthwise_conv2d_s8_x86_params *p, int32_t count,
    const int8_t *x, const int8_t *weights, const int32_t *record, int8_t *out, uint8_t *plane)
{
    const octavo_x86_output output = {p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    const octavo_x86_image image = {
        p->image_h, p->image_w, p->in_h, p->in_w, p->pad_top, p->pad_left, p->input_zero_point};
    const int32_t pitch = p->image_w * OCTAVO_X86_LANES;
    octavo_x86_load_plane(&image, x, p->channels, count, plane);
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const uint8_t *window = plane + oy * p->stride_h * pitch;
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            octavo_x86_lanes acc = octavo_x86_load(record);
            const int8_t *w = weights;
            OCTAVO_X86_UNROLL
            for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
                OCTAVO_X86_UNROLL
                for (int32_t four = 0; four < p->fours; ++four) {
                    acc = octavo_x86_dot(acc,
                        octavo_x86_load_columns(window + ky * pitch + 4 * OCTAVO_X86_LANES * four),
                        octavo_x86_load(w));
                    w += 4 * OCTAVO_X86_LANES;
                }
            }
            octavo_x86_finish(&output, record, acc, count, out + (oy * p->out_w + ox) * p->channels);
            window += p->stride_w * OCTAVO_X86_LANES;
        }
    }
}

OCTAVO_INLINE void octavo_depthwise_conv2d_s8_x86(const octavo_depthwise_conv2d_s8_x86_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch)
{
    uint8_t *const plane = octavo_x86_aligned(scratch);
    const int32_t block = p->kernel_h * p->fours * 4 * OCTAVO_X86_LANES;
    const int32_t whole = p->channels / OCTAVO_X86_LANES * OCTAVO_X86_LANES;
    for (int32_t c = 0; c < whole; c += OCTAVO_X86_LANES) {
        octavo_depthwise_conv2d_s8_x86_block(
            p, OCTAVO_X86_LANES, x + c, weights, records, out + c, plane);
        weights += block;
        records += OCTAVO_X86_RECORD;
    }
    if (whole < p->channels) {
        octavo_depthwise_conv2d_s8_x86_block(
            p, p->channels - whole, x + whole, weights, records, out + whole, plane);
    }
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S8_X86_H */
