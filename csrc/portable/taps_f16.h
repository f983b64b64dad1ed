/* Sums over taps in float: the products of halves are exact in it, so that only the order of a sum matters, and not
 * whether a product and a sum are fused. Neighbouring output channels are summed side by side. No sum is -0, for none
 * begins as such.
 */
#ifndef OCTAVO_TAPS_F16_H
#define OCTAVO_TAPS_F16_H

#include "../float16.h"
#include "../inline.h"
#include "../octavo.h"

/* Output channels that are summed at once. */
#define OCTAVO_TAPS_F16_BLOCK 8

/* A block's sums begin as its biases. */
OCTAVO_INLINE void octavo_taps_f16_begin(float *acc, const int16_t *bias, int32_t channels)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < channels / 2; ++i) {
        octavo_f16_pair(bias + 2 * i, acc + 2 * i);
    }
    if (channels % 2 > 0) {
        acc[channels - 1] = octavo_f16_float(bias[channels - 1]);
    }
}

/* Adds x[t] * weights[t * stride + i] to channel i, tap after tap. */
OCTAVO_INLINE void octavo_taps_f16_add(
    float *acc, const int16_t *x, const int16_t *weights, int32_t taps, int32_t stride, int32_t channels)
{
    for (int32_t t = 0; t < taps; ++t) {
        const float value = octavo_f16_float(x[t]);
        OCTAVO_UNROLL_FOUR
        for (int32_t i = 0; i < channels / 2; ++i) {
            float pair[2];
            octavo_f16_pair(weights + 2 * i, pair);
            acc[2 * i] = octavo_f16_add(acc[2 * i], value, pair[0]);
            acc[2 * i + 1] = octavo_f16_add(acc[2 * i + 1], value, pair[1]);
        }
        if (channels % 2 > 0) {
            acc[channels - 1] = octavo_f16_add(acc[channels - 1], value, octavo_f16_float(weights[channels - 1]));
        }
        weights += stride;
    }
}

/* The same for two pixels, the second apart elements behind the first: weights are converted once. */
OCTAVO_INLINE void octavo_taps_f16_add_two(float *acc, float *next, const int16_t *x, int32_t apart,
    const int16_t *weights, int32_t taps, int32_t stride, int32_t channels)
{
    for (int32_t t = 0; t < taps; ++t) {
        const float value = octavo_f16_float(x[t]);
        const float other = octavo_f16_float(x[t + apart]);
        OCTAVO_UNROLL_FOUR
        for (int32_t i = 0; i < channels / 2; ++i) {
            float pair[2];
            octavo_f16_pair(weights + 2 * i, pair);
            acc[2 * i] = octavo_f16_add(acc[2 * i], value, pair[0]);
            acc[2 * i + 1] = octavo_f16_add(acc[2 * i + 1], value, pair[1]);
            next[2 * i] = octavo_f16_add(next[2 * i], other, pair[0]);
            next[2 * i + 1] = octavo_f16_add(next[2 * i + 1], other, pair[1]);
        }
        if (channels % 2 > 0) {
            const float last = octavo_f16_float(weights[channels - 1]);
            acc[channels - 1] = octavo_f16_add(acc[channels - 1], value, last);
            next[channels - 1] = octavo_f16_add(next[channels - 1], other, last);
        }
        weights += stride;
    }
}

/* Adds x[i] * weights[i] to channel i. */
OCTAVO_INLINE void octavo_taps_f16_add_each(float *acc, const int16_t *x, const int16_t *weights, int32_t channels)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < channels / 2; ++i) {
        float values[2];
        float pair[2];
        octavo_f16_pair(x + 2 * i, values);
        octavo_f16_pair(weights + 2 * i, pair);
        acc[2 * i] = octavo_f16_add(acc[2 * i], values[0], pair[0]);
        acc[2 * i + 1] = octavo_f16_add(acc[2 * i + 1], values[1], pair[1]);
    }
    if (channels % 2 > 0) {
        const int32_t i = channels - 1;
        acc[i] = octavo_f16_add(acc[i], octavo_f16_float(x[i]), octavo_f16_float(weights[i]));
    }
}

/* Clamped and rounded. */
OCTAVO_INLINE void octavo_taps_f16_end(const float *acc, float low, float high, int32_t channels, int16_t *out)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < channels / 2; ++i) {
        out[2 * i] = octavo_f16_rounded(acc[2 * i], low, high);
        out[2 * i + 1] = octavo_f16_rounded(acc[2 * i + 1], low, high);
    }
    if (channels % 2 > 0) {
        out[channels - 1] = octavo_f16_rounded(acc[channels - 1], low, high);
    }
}

#endif /* OCTAVO_TAPS_F16_H */
