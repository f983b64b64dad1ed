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
    OCTAVO_UNROLL
    for (int32_t i = 0; i < channels; ++i) {
        acc[i] = octavo_f16_float(bias[i]);
    }
}

/* Adds x[t] * weights[t * stride + i] to channel i, tap after tap. */
OCTAVO_INLINE void octavo_taps_f16_add(
    float *acc, const int16_t *x, const int16_t *weights, int32_t taps, int32_t stride, int32_t channels)
{
    for (int32_t t = 0; t < taps; ++t) {
        const float value = octavo_f16_float(x[t]);
        OCTAVO_UNROLL
        for (int32_t i = 0; i < channels; ++i) {
            acc[i] += value * octavo_f16_float(weights[i]);
        }
        weights += stride;
    }
}

/* Clamped and rounded. */
OCTAVO_INLINE void octavo_taps_f16_end(const float *acc, float low, float high, int32_t channels, int16_t *out)
{
    OCTAVO_UNROLL
    for (int32_t i = 0; i < channels; ++i) {
        out[i] = octavo_f16_rounded(acc[i], low, high);
    }
}

#endif /* OCTAVO_TAPS_F16_H */
