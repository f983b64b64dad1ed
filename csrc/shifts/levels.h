/* Dot products of two pixels with 4-bit weights, without multiplications.
 *
 * A weight is a code: bit 3 its sign, the other three its level l of 0 to 7, which stands for l or, where weights are
 * powers of two, for 0 and 2^(l - 1). A tap adds its input to one of 16 sums, that of its code; so
 *
 *     sum x w = sum over l of size(l) * (sum of x with code l - sum of x with code l + 8)
 *
 * and only seven differences are shifted, or added up as often as their size says. Both pixels share a word,
 * X = x0 + 65536 x1, so one addition serves both: a sum of 248 inputs and a difference of such sums stay below 2^15.
 */
#ifndef OCTAVO_SHIFTS_LEVELS_H
#define OCTAVO_SHIFTS_LEVELS_H

#include "../inline.h"
#include "../octavo.h"

#define OCTAVO_LEVELS_CODES 16
#define OCTAVO_LEVELS_TAPS 248

/* Eight taps; sums are 4 bytes, so a code's place is 4 times its code, which needs no shift of its own. */
OCTAVO_INLINE void octavo_levels_eight(uint32_t *sums, const uint32_t *x, uint32_t codes)
{
    uint8_t *const bytes = (uint8_t *)sums;
    OCTAVO_UNROLL
    for (int32_t i = 0; i < 8; ++i) {
        const uint32_t place = (i == 0 ? codes << 2 : codes >> (4 * i - 2)) & 60u;
        uint32_t *const sum = (uint32_t *)(void *)(bytes + place);
        *sum += x[i];
    }
}

/* What the sums of all codes make of each pixel is added to its accumulator. */
OCTAVO_INLINE void octavo_levels_add(const uint32_t *sums, int32_t powers_of_two, int32_t *first, int32_t *second)
{
    int32_t total[2] = {0, 0};
    int32_t rising[2] = {0, 0};
    for (int32_t level = 7; level > 0; --level) {
        const uint32_t both = sums[level] - sums[level + 8];
        const int32_t x0 = (int16_t)(uint16_t)both;
        const int32_t x1 = (int16_t)(uint16_t)((both - (uint32_t)x0) >> 16);
        if (powers_of_two) {
            total[0] += total[0] + x0;
            total[1] += total[1] + x1;
        } else {
            rising[0] += x0;
            rising[1] += x1;
            total[0] += rising[0];
            total[1] += rising[1];
        }
    }
    *first += total[0];
    *second += total[1];
}

/* The sums of both pixels over taps, a multiple of 8; codes are eight a word, the first in the lowest bits. */
OCTAVO_INLINE void octavo_levels_dot(const uint32_t *x, const int32_t *codes, int32_t taps, int32_t powers_of_two,
    int32_t *first, int32_t *second)
{
    for (int32_t left = taps; left > 0; left -= OCTAVO_LEVELS_TAPS) {
        uint32_t sums[OCTAVO_LEVELS_CODES] = {0};
        for (int32_t i = octavo_min(left, OCTAVO_LEVELS_TAPS); i > 0; i -= 8) {
            octavo_levels_eight(sums, x, (uint32_t)*codes++);
            x += 8;
        }
        octavo_levels_add(sums, powers_of_two, first, second);
    }
}

#endif /* OCTAVO_SHIFTS_LEVELS_H */
