/* Working memory of the kernels of this folder: an image between its padding, as uint8.
 *
 * A pixel x is kept as x + 128, so that VNNI can multiply it; the bias of a layer carries what that adds to the sums.
 */
#ifndef OCTAVO_X86_IMAGE_H
#define OCTAVO_X86_IMAGE_H

#include "lanes.h"

/* What lanes load best starts at such an address; scratch has as many bytes to spare. */
#define OCTAVO_X86_ALIGNMENT 64

/* rows of width pixels with in_h rows of in_w pixels inside; all other pixels are zero points. */
typedef struct {
    int32_t rows;
    int32_t width;
    int32_t in_h;
    int32_t in_w;
    int32_t top;
    int32_t left;
    int32_t zero_point;
} octavo_x86_image;

OCTAVO_INLINE uint8_t *octavo_x86_aligned(void *scratch)
{
    return (uint8_t *)scratch + (OCTAVO_X86_ALIGNMENT - (uintptr_t)scratch % OCTAVO_X86_ALIGNMENT);
}

/* count bytes. */
OCTAVO_INLINE void octavo_x86_lift(uint8_t *restrict to, const int8_t *restrict from, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = (uint8_t)((uint8_t)from[i] ^ 0x80u);
    }
}

/* The padding beside row y, or the whole row outside the image; whether it is inside. bytes are those of a pixel. */
OCTAVO_INLINE int32_t octavo_x86_pad_row(const octavo_x86_image *p, int32_t y, int32_t bytes, uint8_t *row)
{
    const int32_t inside = y >= 0 && y < p->in_h;
    const int32_t before = inside ? p->left : p->width;
    const int32_t right = p->left + p->in_w;
    memset(row, p->zero_point + 128, (uint32_t)(before * bytes));
    memset(row + right * bytes, p->zero_point + 128, (uint32_t)((p->width - right) * bytes));
    return inside;
}

/* x [H, W, C] to an image whose pixels are the same channels bytes. */
OCTAVO_INLINE void octavo_x86_load_image(const octavo_x86_image *p, const int8_t *x, int32_t channels, uint8_t *image)
{
    const int32_t count = p->in_w * channels;
    for (int32_t row = 0; row < p->rows; ++row, image += p->width * channels) {
        const int32_t y = row - p->top;
        if (octavo_x86_pad_row(p, y, channels, image)) {
            octavo_x86_lift(image + p->left * channels, x + y * p->in_w * channels, count);
        }
    }
}

/* count <= 16 channels of x to an image whose pixels are 16 bytes; bytes beyond count are left as they are. */
OCTAVO_INLINE void octavo_x86_load_plane(
    const octavo_x86_image *p, const int8_t *x, int32_t channels, int32_t count, uint8_t *image)
{
    for (int32_t row = 0; row < p->rows; ++row, image += p->width * OCTAVO_X86_LANES) {
        const int32_t y = row - p->top;
        if (octavo_x86_pad_row(p, y, OCTAVO_X86_LANES, image)) {
            for (int32_t i = 0; i < p->in_w; ++i) {
                octavo_x86_lift(image + (p->left + i) * OCTAVO_X86_LANES, x + (y * p->in_w + i) * channels, count);
            }
        }
    }
}

#endif /* OCTAVO_X86_IMAGE_H */
