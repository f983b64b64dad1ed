/* The loop of every operator of two broadcast inputs: p has shape[5], stride1[5] and stride2[5] (element strides, 0 where
 * an input is broadcast); out[i] = one(p, a[...], b[...]) in the order of the output, so that out may be the memory of an
 * input that is not broadcast. type is that of the elements; one gives a value that it holds.
 */
#ifndef OCTAVO_BROADCAST_H
#define OCTAVO_BROADCAST_H

#define OCTAVO_BROADCAST(type, p, a, b, out, one)                                                                      \
    for (int32_t i0 = 0; i0 < (p)->shape[0]; ++i0) {                                                                   \
        for (int32_t i1 = 0; i1 < (p)->shape[1]; ++i1) {                                                               \
            for (int32_t i2 = 0; i2 < (p)->shape[2]; ++i2) {                                                           \
                for (int32_t i3 = 0; i3 < (p)->shape[3]; ++i3) {                                                       \
                    const type *row1 = (a) + (i0 * (p)->stride1[0] + i1 * (p)->stride1[1] + i2 * (p)->stride1[2] +     \
                                                i3 * (p)->stride1[3]);                                                 \
                    const type *row2 = (b) + (i0 * (p)->stride2[0] + i1 * (p)->stride2[1] + i2 * (p)->stride2[2] +     \
                                                i3 * (p)->stride2[3]);                                                 \
                    for (int32_t i4 = 0; i4 < (p)->shape[4]; ++i4) {                                                   \
                        *(out)++ = (type)one((p), row1[i4 * (p)->stride1[4]], row2[i4 * (p)->stride2[4]]);             \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif /* OCTAVO_BROADCAST_H */
