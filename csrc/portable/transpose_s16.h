/* As transpose_s8, of int16. */
#ifndef OCTAVO_TRANSPOSE_S16_H
#define OCTAVO_TRANSPOSE_S16_H

#include "strided_s16.h"
#include "transpose_s8.h"

typedef octavo_transpose_s8_params octavo_transpose_s16_params;

static inline void octavo_transpose_s16(const octavo_transpose_s16_params *p, const int16_t *x, int16_t *out)
{
    octavo_strided_s16(p->out_shape, p->in_stride, x, out);
}

#endif /* OCTAVO_TRANSPOSE_S16_H */
