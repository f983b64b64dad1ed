/* Where the windows of a pool lie on its image: what the pools of the variants have in common. */
#ifndef OCTAVO_POOL_H
#define OCTAVO_POOL_H

#include "inline.h"
#include "octavo.h"

typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t out_h;
    int32_t out_w;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t pad_top;
    int32_t pad_left;
} octavo_pool_shape;

/* The shape in the parameters of a pool. */
#define OCTAVO_POOL_SHAPE(p)                                                                                           \
    {                                                                                                                  \
        (p)->in_h, (p)->in_w, (p)->out_h, (p)->out_w, (p)->kernel_h, (p)->kernel_w, (p)->stride_h, (p)->stride_w,      \
            (p)->pad_top, (p)->pad_left                                                                                \
    }

/* The part of a window that is inside the image: its first pixel, and how many there are. */
typedef struct {
    int32_t pixel;
    int32_t rows;
    int32_t columns;
} octavo_pool_window;

OCTAVO_INLINE octavo_pool_window octavo_pool_window_at(const octavo_pool_shape *p, int32_t oy, int32_t ox)
{
    const int32_t y0 = oy * p->stride_h - p->pad_top;
    const int32_t x0 = ox * p->stride_w - p->pad_left;
    const int32_t top = octavo_clamp(y0, 0, p->in_h - 1);
    const int32_t left = octavo_clamp(x0, 0, p->in_w - 1);
    const octavo_pool_window window = {top * p->in_w + left,
        octavo_max(octavo_min(y0 + p->kernel_h, p->in_h) - top, 0),
        octavo_max(octavo_min(x0 + p->kernel_w, p->in_w) - left, 0)};
    return window;
}

/* Whether a window is all inside the image. Where all of them are, the compiler sees it. */
OCTAVO_INLINE int32_t octavo_pool_is_whole(const octavo_pool_shape *p, const octavo_pool_window *window)
{
    if (p->pad_top == 0 && p->pad_left == 0 && (p->out_h - 1) * p->stride_h + p->kernel_h <= p->in_h &&
        (p->out_w - 1) * p->stride_w + p->kernel_w <= p->in_w) {
        return 1;
    }
    return window->rows == p->kernel_h && window->columns == p->kernel_w;
}

#endif /* OCTAVO_POOL_H */
