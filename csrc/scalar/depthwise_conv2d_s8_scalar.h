/* Depthwise convolution for cores without SIMD, one output a channel: x [H, W, C], weights [C, kernel_h, taps], taps >=
 * kernel_w; out [out_h, out_w, C], pixels out_stride bytes apart; records as in dot.h, a segment a kernel row.
 *
 * Channel after channel, the rows of its plane become words of two pixels (quarters.h) in a band of scratch: band_h
 * rows of columns, for band_out rows of the output. Its last rows are carried to the top of the next band.
 *
 * A channel reads and writes only that channel's bytes of each pixel, and rows are read before they are written: out
 * may be x.
 */
#ifndef OCTAVO_DEPTHWISE_CONV2D_S8_SCALAR_H
#define OCTAVO_DEPTHWISE_CONV2D_S8_SCALAR_H

#include "quarters.h"

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
    int32_t columns;
    int32_t band_h;
    int32_t band_out;
    int32_t band_size;
    int32_t taps;
    int32_t chunk;
    int32_t shift_only;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t negative_ties;
    int32_t act_min;
    int32_t act_max;
    int32_t out_stride;
} octavo_depthwise_conv2d_s8_scalar_params;

/* The rows of the plane x that rows of the output from first on need, into the band. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s8_scalar_fill(const octavo_depthwise_conv2d_s8_scalar_params *p,
    const octavo_scalar_quarters *quarters, const int8_t *x, int32_t first, int32_t rows, uint32_t *band)
{
    const int32_t row = OCTAVO_SCALAR_PAIRS * p->columns;
    const int32_t carried = p->kernel_h - p->stride_h;
    int32_t have = 0;
    if (first > 0 && carried > 0) {
        memmove(band, band + p->band_out * p->stride_h * row, (uint32_t)(carried * row) * sizeof *band);
        have = carried;
    }
    for (; have < (rows - 1) * p->stride_h + p->kernel_h; ++have) {
        const int32_t y = first * p->stride_h - p->pad_top + have;
        octavo_scalar_load(quarters, y >= 0 && y < p->in_h ? x + y * p->in_w * p->channels : 0, band + have * row);
    }
}

/* The layer; known says that the compiler sees the parameters. */
OCTAVO_INLINE void octavo_depthwise_conv2d_s8_scalar_planes(const octavo_depthwise_conv2d_s8_scalar_params *p,
    const int8_t *x, const int8_t *weights, const int32_t *records, int8_t *out, void *scratch, int32_t known)
{
    const octavo_scalar_layer layer = {known, 1, p->kernel_h, OCTAVO_SCALAR_PAIRS * p->columns, p->taps, p->chunk,
        p->shift_only, p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    const int32_t start[OCTAVO_SCALAR_PIXELS] = {0, octavo_scalar_start(p->out_w, 1), octavo_scalar_start(p->out_w, 2),
        octavo_scalar_start(p->out_w, 3)};
    const octavo_scalar_quarters quarters = {p->in_w, p->channels, 1, p->columns, p->pad_left, p->input_zero_point,
        {0, start[1] * p->stride_w, start[2] * p->stride_w, start[3] * p->stride_w}};
    const int32_t apart[OCTAVO_SCALAR_PIXELS] = {
        0, start[1] * p->out_stride, start[2] * p->out_stride, start[3] * p->out_stride};
    uint32_t *const band = (uint32_t *)scratch;
    for (int32_t channel = 0; channel < p->channels; ++channel) {
        const octavo_scalar_channel scale = octavo_scalar_read(&layer, records);
        for (int32_t first = 0; first < p->out_h; first += p->band_out) {
            const int32_t rows = octavo_min(p->band_out, p->out_h - first);
            octavo_depthwise_conv2d_s8_scalar_fill(p, &quarters, x + channel, first, rows, band);
            for (int32_t i = 0; i < rows; ++i) {
                const uint32_t *window[1] = {band + i * p->stride_h * layer.pitch};
                int8_t *to = out + channel + (first + i) * p->out_w * p->out_stride;
                const int8_t *const end = to + (p->out_w - start[3]) * p->out_stride;
                for (; to != end; to += p->out_stride, window[0] += OCTAVO_SCALAR_PAIRS * p->stride_w) {
                    octavo_scalar_sums sums;
                    octavo_scalar_window(&layer, 1, weights, window, &sums);
                    octavo_scalar_add_extras(&layer, &scale, window, &sums);
                    octavo_scalar_write(&layer, &scale, &sums, to, apart);
                }
            }
        }
        records = scale.next;
        weights += p->kernel_h * p->taps;
    }
}

OCTAVO_KERNEL void octavo_depthwise_conv2d_s8_scalar(const octavo_depthwise_conv2d_s8_scalar_params *p, const int8_t *x,
    const int8_t *weights, const int32_t *records, int8_t *out, void *scratch)
{
    octavo_depthwise_conv2d_s8_scalar_planes(p, x, weights, records, out, scratch, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_depthwise_conv2d_s8_scalar_any(const octavo_depthwise_conv2d_s8_scalar_params *p,
    const int8_t *x, const int8_t *weights, const int32_t *records, int8_t *out, void *scratch)
{
    octavo_depthwise_conv2d_s8_scalar_planes(p, x, weights, records, out, scratch, 0);
}

#endif /* OCTAVO_DEPTHWISE_CONV2D_S8_SCALAR_H */
