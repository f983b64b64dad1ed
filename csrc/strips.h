/* Layers that run strip by strip: windows of rows that move down the image. Bytes throughout; a window is kept rows, then
 * the rows that a step makes. Rows outside the image hold the value that padding stands for.
 */
#ifndef OCTAVO_STRIPS_H
#define OCTAVO_STRIPS_H

#include "octavo.h"

/* Copies to lower addresses or elsewhere, four bytes at a time: libraries for small chips go byte by byte. */
static inline void octavo_strip_copy(int8_t *to, const int8_t *from, int32_t bytes)
{
    int32_t i = 0;
    for (; i + 16 <= bytes; i += 16) {
        for (int32_t j = 0; j < 16; j += 4) {
            uint32_t word;
            memcpy(&word, from + i + j, sizeof word);
            memcpy(to + i + j, &word, sizeof word);
        }
    }
    for (; i < bytes; ++i) {
        to[i] = from[i];
    }
}

/* The rows first ... first + made - 1 that lie above or below an image of ``height`` rows get its value outside. */
static inline void octavo_strip_outside(
    int8_t *rows, int32_t first, int32_t made, int32_t height, int32_t row_bytes, int32_t value)
{
    const int32_t above = octavo_clamp(-first, 0, made);
    const int32_t below = octavo_clamp(first + made - height, 0, made);
    memset(rows, value, (size_t)(above * row_bytes));
    memset(rows + (made - below) * row_bytes, value, (size_t)(below * row_bytes));
}

/* Whether any of these rows lies in the image. */
static inline int octavo_strip_inside(int32_t first, int32_t made, int32_t height)
{
    return first < height && first + made > 0;
}

/* The rows of an image that lie in it, to their places among those of a step. */
static inline void octavo_strip_take(
    int8_t *rows, const int8_t *image, int32_t first, int32_t made, int32_t height, int32_t row_bytes)
{
    const int32_t low = octavo_clamp(first, 0, height);
    const int32_t high = octavo_clamp(first + made, low, height);
    octavo_strip_copy(rows + (low - first) * row_bytes, image + low * row_bytes, (high - low) * row_bytes);
}

#endif /* OCTAVO_STRIPS_H */
