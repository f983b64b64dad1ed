/* The rows of an image that a row of windows needs, laid out so that every window is one piece of memory.
 *
 * A strip is a row of columns; a column holds its pixels of all kernel rows one after another, so kernel_w columns are
 * a window. The next row of windows begins stride_h pixels further on in the same memory: its new pixels take the place
 * of the oldest ones of the columns to the right, and nothing that both rows need moves.
 */
#ifndef OCTAVO_MVE_STRIP_H
#define OCTAVO_MVE_STRIP_H

#include "four.h"

/* count bytes. */
OCTAVO_INLINE void octavo_mve_copy(int8_t *to, const int8_t *from, int32_t count)
{
#if OCTAVO_MVE
    if (count >= 4) {
        for (int32_t i = 0; i < count / 16; ++i, to += 16, from += 16) {
            vstrbq_s8(to, vldrbq_s8(from));
        }
        if (count % 16 == 4) {
            memcpy(to, from, 4);
        } else if (count % 16 > 0) {
            const mve_pred16_t some = vctp8q((uint32_t)(count % 16));
            vstrbq_p_s8(to, vldrbq_z_s8(from, some), some);
        }
        return;
    }
#endif
    OCTAVO_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        to[i] = from[i];
    }
}

/* Pixels of bytes bytes whose starts are apart bytes apart, their copies step apart at to. */
OCTAVO_INLINE void octavo_mve_spread(
    int8_t *to, int32_t step, const int8_t *from, int32_t apart, int32_t bytes, int32_t pixels)
{
    if (step == bytes && apart == bytes) {
        octavo_mve_copy(to, from, pixels * bytes);
        return;
    }
    for (int32_t i = 0; i < pixels; ++i) {
        octavo_mve_copy(to, from, bytes);
        to += step;
        from += apart;
    }
}

/* Pixels of bytes bytes of one value, their starts step apart. */
OCTAVO_INLINE void octavo_mve_fill(int8_t *to, int32_t step, int32_t value, int32_t bytes, int32_t pixels)
{
    for (int32_t i = 0; i < pixels; ++i) {
        memset(to, value, (uint32_t)bytes);
        to += step;
    }
}

/* count bytes to a lower address; the pieces may overlap. */
OCTAVO_INLINE void octavo_mve_move_down(int8_t *to, const int8_t *from, int32_t count)
{
#if OCTAVO_MVE
    for (; count >= 16; count -= 16, to += 16, from += 16) {
        vstrbq_s8(to, vldrbq_s8(from));
    }
    for (; count > 0; --count) {
        *to++ = *from++;
    }
#else
    memmove(to, from, (uint32_t)count);
#endif
}

/* Where an image is in a strip: of its in_h rows of in_w pixels of channels, bytes channels go to columns of kernel_h
 * pixels of pixel bytes, pad_left of them to the left of the image. */
typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t channels;
    int32_t bytes;
    int32_t pixel;
    int32_t kernel_h;
    int32_t pad_left;
    int32_t strip_w;
    int32_t zero_point;
} octavo_mve_strip;

/* Row y of the image to its place in each column. */
OCTAVO_INLINE void octavo_mve_load(const octavo_mve_strip *p, const int8_t *x, int32_t y, int8_t *to)
{
    const int32_t column = p->kernel_h * p->pixel;
    const int32_t left = octavo_min(p->pad_left, p->strip_w);
    const int32_t inside = octavo_min(p->strip_w - left, p->in_w);
    if (y < 0 || y >= p->in_h) {
        octavo_mve_fill(to, column, p->zero_point, p->bytes, p->strip_w);
        return;
    }
    octavo_mve_fill(to, column, p->zero_point, p->bytes, left);
    to += left * column;
    octavo_mve_spread(to, column, x + y * p->in_w * p->channels, p->channels, p->bytes, inside);
    to += inside * column;
    octavo_mve_fill(to, column, p->zero_point, p->bytes, p->strip_w - left - inside);
}

#endif /* OCTAVO_MVE_STRIP_H */
