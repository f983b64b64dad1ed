/* Nearest pixel of x [H, W, C]: rows [out_h] and columns [out_w] are the source indices. */
#ifndef OCTAVO_RESIZE_NEAREST_S8_H
#define OCTAVO_RESIZE_NEAREST_S8_H

#include "../octavo.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t channels;
    int32_t out_h;
    int32_t out_w;
} octavo_resize_nearest_s8_params;

static inline void octavo_resize_nearest_s8(
    const octavo_resize_nearest_s8_params *p, const int8_t *x, const int32_t *rows, const int32_t *columns, int8_t *out)
{
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
        const int8_t *row = x + rows[oy] * p->in_w * p->channels;
        for (int32_t ox = 0; ox < p->out_w; ++ox) {
            memcpy(out, row + columns[ox] * p->channels, (uint32_t)p->channels);
            out += p->channels;
        }
    }
}

#endif /* OCTAVO_RESIZE_NEAREST_S8_H */
