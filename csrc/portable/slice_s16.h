/* As slice_s8, of int16. */
#ifndef OCTAVO_SLICE_S16_H
#define OCTAVO_SLICE_S16_H

#include "slice_s8.h"
#include "strided_s16.h"

typedef octavo_slice_s8_params octavo_slice_s16_params;

static inline void octavo_slice_s16(const octavo_slice_s16_params *p, const int16_t *x, int16_t *out)
{
    octavo_strided_s16(p->out_shape, p->in_stride, x + p->offset, out);
}

#endif /* OCTAVO_SLICE_S16_H */
