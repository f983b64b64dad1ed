/* pointwise_s8_dsp with weights that are powers of two; the stream of words as in log2.h, one segment.
 *
 * A block has more pixels here: a pair of channels is written out behind them and computed for all of them.
 */
#ifndef OCTAVO_POINTWISE_LOG2_DSP_H
#define OCTAVO_POINTWISE_LOG2_DSP_H

#include "log2.h"
#include "pointwise_s8_dsp.h"

typedef octavo_pointwise_s8_dsp_params octavo_pointwise_log2_dsp_params;

/* The layer; known says that the compiler sees the parameters. Pixels are computed in groups of as many as the inner loop
 * takes and reaches; blocks end with a group, but for the last one. */
OCTAVO_INLINE void octavo_pointwise_log2_dsp_blocks(const octavo_pointwise_log2_dsp_params *p, const int8_t *x,
    const int32_t *stream, int8_t *out, void *scratch, int32_t known)
{
    const octavo_dsp_layer whole = {known, 8, p->out_c, p->out_stride, 1, p->taps, p->taps, p->exact_segments,
        p->output_zero_point, p->negative_ties, p->act_min, p->act_max};
    int16_t *const wide = (int16_t *)scratch;
    int32_t *const pair = (int32_t *)scratch + p->block * p->taps / 2;
    const int32_t group = known ? octavo_dot_group(p->pixels, p->taps) : 2;
    const int32_t rest = known ? p->pixels % group : 1;
    const int32_t step = p->backward ? -p->block : p->block;
    int32_t first = p->backward ? (p->pixels - 1) / p->block * p->block : 0;
    for (; first >= 0 && first < p->pixels; first += step) {
        const int32_t count = octavo_min(p->block, p->pixels - first);
        const octavo_word *codes = (const octavo_word *)stream;
        octavo_widen_pixels(x + first * p->in_c, count, p->in_c, p->taps, 1, wide);
        for (int32_t o = 0; o < p->out_c; o += 2) {
            const octavo_dsp_layer layer = octavo_log2_layer(&whole, o);
            codes = octavo_log2_pair(codes, p->taps / 4, pair);
            for (int32_t i = 0; i < count; i += group) {
                const int16_t *const window[1] = {wide + i * p->taps};
                int8_t *const to = out + (first + i) * p->out_stride + o;
                if (rest == 0 || count - i >= group) {
                    octavo_dsp_block(&layer, pair, group, window, to);
                } else {
                    octavo_dsp_block(&layer, pair, rest, window, to);
                }
            }
        }
    }
}

OCTAVO_KERNEL void octavo_pointwise_log2_dsp(
    const octavo_pointwise_log2_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_log2_dsp_blocks(p, x, stream, out, scratch, 1);
}

/* The same, for parameters that differ from call to call. */
OCTAVO_KERNEL void octavo_pointwise_log2_dsp_any(
    const octavo_pointwise_log2_dsp_params *p, const int8_t *x, const int32_t *stream, int8_t *out, void *scratch)
{
    octavo_pointwise_log2_dsp_blocks(p, x, stream, out, scratch, 0);
}

#endif /* OCTAVO_POINTWISE_LOG2_DSP_H */
