/* Rows of an image as words of two pixels, for dot.h: conv2d_s8_scalar.h and depthwise_conv2d_s8_scalar.h.
 *
 * A row of the output is computed in four parts at once, which begin at the pixels start[0] = 0 to start[3]; where its
 * width is no multiple of four, parts overlap and some pixels are computed twice. So a row of words has columns for one
 * part only: column i holds what the four parts have i pixels behind their beginning.
 */
#ifndef OCTAVO_SCALAR_QUARTERS_H
#define OCTAVO_SCALAR_QUARTERS_H

#include "dot.h"

/* in_w pixels of pixel bytes, of which all channels go into the words, or one. start is in pixels of the image. */
typedef struct {
    int32_t in_w;
    int32_t pixel;
    int32_t channels;
    int32_t columns;
    int32_t pad_left;
    int32_t zero_point;
    int32_t start[OCTAVO_SCALAR_PIXELS];
} octavo_scalar_quarters;

/* Where the parts of out_w pixels begin. */
OCTAVO_INLINE int32_t octavo_scalar_start(int32_t out_w, int32_t part)
{
    const int32_t size = (out_w + OCTAVO_SCALAR_PIXELS - 1) / OCTAVO_SCALAR_PIXELS;
    return octavo_min(part * size, out_w - size);
}

OCTAVO_INLINE uint32_t octavo_scalar_two(int32_t low, int32_t high)
{
    return (uint32_t)low + ((uint32_t)high << 16);
}

/* count elements, step bytes apart, of four places. */
OCTAVO_INLINE uint32_t *octavo_scalar_gather(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *x3,
    int32_t count, int32_t step, uint32_t *words)
{
    OCTAVO_UNROLL_FOUR
    for (int32_t i = 0; i < count; ++i) {
        *words++ = octavo_scalar_two(*x0, *x1);
        *words++ = octavo_scalar_two(*x2, *x3);
        x0 += step;
        x1 += step;
        x2 += step;
        x3 += step;
    }
    return words;
}

OCTAVO_INLINE int32_t octavo_scalar_element(
    const octavo_scalar_quarters *p, const int8_t *row, int32_t column, int32_t channel)
{
    return column >= 0 && column < p->in_w ? row[column * p->pixel + channel] : p->zero_point;
}

/* Columns from first to end, some of which are outside the image. */
OCTAVO_INLINE uint32_t *octavo_scalar_edge(
    const octavo_scalar_quarters *p, const int8_t *row, int32_t first, int32_t end, uint32_t *words)
{
    for (int32_t column = first - p->pad_left; column < end - p->pad_left; ++column) {
        for (int32_t c = 0; c < p->channels; ++c) {
            int32_t x[OCTAVO_SCALAR_PIXELS];
            OCTAVO_UNROLL
            for (int32_t i = 0; i < OCTAVO_SCALAR_PIXELS; ++i) {
                x[i] = octavo_scalar_element(p, row, column + p->start[i], c);
            }
            *words++ = octavo_scalar_two(x[0], x[1]);
            *words++ = octavo_scalar_two(x[2], x[3]);
        }
    }
    return words;
}

/* A row of the image; for 0 zero points. */
OCTAVO_INLINE void octavo_scalar_load(const octavo_scalar_quarters *p, const int8_t *row, uint32_t *words)
{
    if (row == 0) {
        const uint32_t two = octavo_scalar_two(p->zero_point, p->zero_point);
        for (uint32_t *const end = words + OCTAVO_SCALAR_PAIRS * p->columns * p->channels; words != end; ++words) {
            *words = two;
        }
        return;
    }
    const int32_t first = octavo_min(p->pad_left, p->columns);
    const int32_t end = octavo_min(octavo_max(p->pad_left + p->in_w - p->start[3], first), p->columns);
    words = octavo_scalar_edge(p, row, 0, first, words);
    if (end > first) {
        const int8_t *const x = row + (first - p->pad_left) * p->pixel;
        words = octavo_scalar_gather(x + p->start[0] * p->pixel, x + p->start[1] * p->pixel,
            x + p->start[2] * p->pixel, x + p->start[3] * p->pixel, (end - first) * p->channels,
            p->channels == 1 ? p->pixel : 1, words);
    }
    octavo_scalar_edge(p, row, end, p->columns, words);
}

#endif /* OCTAVO_SCALAR_QUARTERS_H */
