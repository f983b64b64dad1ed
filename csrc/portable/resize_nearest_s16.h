/* As resize_nearest_s8, of int16. */
#ifndef OCTAVO_RESIZE_NEAREST_S16_H
#define OCTAVO_RESIZE_NEAREST_S16_H

#include "resize_nearest_s8.h"

typedef octavo_resize_nearest_s8_params octavo_resize_nearest_s16_params;

static inline void octavo_resize_nearest_s16(
    const octavo_resize_nearest_s16_params *p, const int16_t *x, const int32_t *rows,
    const int32_t *columns, int16_t *out)
{
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int16_t *row = x + rows[oy] * p->in_w * p->channels;
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            memcpy(out, row + columns[ox] * p->channels, (uint32_t)p->channels * sizeof *out);
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_RESIZE_NEAREST_S16_H */
