/* Products of a chunk of taps with four pixels: the inner loop of the convolutions of this folder.
 *
 * A word holds two pixels, x0 + 65536 x1, so one multiplication by a weight makes both products. Over a chunk
 *
 *     sum = 2^15 + sum word * w = 65536 sum x1 w + (2^15 + sum x0 w)
 *
 * and floor(sum / 65536) is sum x1 w, exact while |sum x w| < 2^15 for both: 128 sum |w| of a chunk proves it, as the
 * weights are laid out. Chunks are added up in two registers, their high halves in high, and as they are in all: then
 * all - 65536 high is what the low halves sum up to, modulo 2^32.
 */
#ifndef OCTAVO_SCALAR_CHUNK_H
#define OCTAVO_SCALAR_CHUNK_H

#include "finish.h"

/* Four pixels are two words: tap by tap (0, 1) and (2, 3). */
#define OCTAVO_SCALAR_PIXELS 4
#define OCTAVO_SCALAR_PAIRS 2

/* Channels that share the loads of a word: two where registers are many. */
#if defined(__arm__)
#define OCTAVO_SCALAR_CHANNELS 1
#else
#define OCTAVO_SCALAR_CHANNELS 2
#endif

#if defined(__arm__) && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#define OCTAVO_SCALAR_ASM 1
#else
#define OCTAVO_SCALAR_ASM 0
#endif

/* Of one channel and two pairs of pixels. */
typedef struct {
    uint32_t all[OCTAVO_SCALAR_PAIRS];
    int32_t high[OCTAVO_SCALAR_PAIRS];
} octavo_scalar_sums;

OCTAVO_INLINE void octavo_scalar_add_sum(octavo_scalar_sums *sums, const uint32_t *sum)
{
    OCTAVO_UNROLL
    for (int32_t i = 0; i < OCTAVO_SCALAR_PAIRS; ++i) {
        sums->all[i] += sum[i];
        sums->high[i] += octavo_scalar_asr(octavo_from_bits(sum[i]), 16);
    }
}

/* Tap i of a chunk of one or two channels, whose weights lie apart bytes from each other. */
OCTAVO_INLINE void octavo_scalar_tap(
    uint32_t (*sum)[OCTAVO_SCALAR_PAIRS], int32_t channels, const uint32_t *x, const int8_t *w, int32_t apart, int32_t i)
{
    OCTAVO_UNROLL
    for (int32_t c = 0; c < channels; ++c) {
        const uint32_t weight = (uint32_t)(int32_t)w[i + c * apart];
        sum[c][0] += x[OCTAVO_SCALAR_PAIRS * i] * weight;
        sum[c][1] += x[OCTAVO_SCALAR_PAIRS * i + 1] * weight;
    }
}

#if OCTAVO_SCALAR_ASM
#if OCTAVO_SHORT_PRODUCTS
/* 7 instructions for 4 products. A multiplication overwrites an operand: two loaded words are multiplied where they are. */
#define OCTAVO_SCALAR_TAP(i)                                                                                           \
    "ldmia %[x]!, {r2, r3}\n\t"                                                                                        \
    "ldrb %[t], [%[w], #" #i "]\n\t"                                                                                   \
    "sxtb %[t], %[t]\n\t"                                                                                              \
    "muls r2, %[t], r2\n\t"                                                                                            \
    "muls r3, %[t], r3\n\t"                                                                                            \
    "adds r4, r4, r2\n\t"                                                                                              \
    "adds r5, r5, r3\n\t"
#define OCTAVO_SCALAR_CHUNKS_OF(count, taps)                                                                           \
    __asm volatile(".syntax unified\n"                                                                                 \
                   "1:\n\t"                                                                                            \
                   "ldmia %[x]!, {r4, r5}\n\t"                                                                         \
                   "ldrb %[t], [%[w], #0]\n\t"                                                                         \
                   "sxtb %[t], %[t]\n\t"                                                                               \
                   "muls r4, %[t], r4\n\t"                                                                             \
                   "muls r5, %[t], r5\n\t"                                                                             \
                   "add r4, %[half]\n\t"                                                                               \
                   "add r5, %[half]\n\t" taps "adds %[w], #" #count "\n\t"                                             \
                   "add %[a0], r4\n\t"                                                                                 \
                   "add %[a1], r5\n\t"                                                                                 \
                   "asrs r4, r4, #16\n\t"                                                                              \
                   "asrs r5, r5, #16\n\t"                                                                              \
                   "add %[h0], r4\n\t"                                                                                 \
                   "add %[h1], r5\n\t"                                                                                 \
                   "cmp %[x], %[end]\n\t"                                                                              \
                   "bne 1b"                                                                                            \
                   : [x] "+&l"(x), [w] "+&l"(w), [a0] "+&h"(sums->all[0]), [a1] "+&h"(sums->all[1]),                   \
                   [h0] "+&h"(sums->high[0]), [h1] "+&h"(sums->high[1]), [t] "=&l"(t)                                  \
                   : [end] "r"(end), [half] "h"(0x8000)                                                                \
                   : "r2", "r3", "r4", "r5", "cc", "memory")
#else
/* 5 instructions for 4 products; loads that follow each other take a cycle less. */
#define OCTAVO_SCALAR_LOADS                                                                                            \
    "ldrsb %[t], [%[w]], #1\n\t"                                                                                       \
    "ldr %[x1], [%[x], #4]\n\t"                                                                                        \
    "ldr %[x0], [%[x]], #8\n\t"
#define OCTAVO_SCALAR_TAP(i)                                                                                           \
    OCTAVO_SCALAR_LOADS                                                                                                \
    "mla %[m0], %[x0], %[t], %[m0]\n\t"                                                                                \
    "mla %[m1], %[x1], %[t], %[m1]\n\t"
#define OCTAVO_SCALAR_CHUNKS_OF(count, taps)                                                                           \
    __asm volatile("1:\n\t" OCTAVO_SCALAR_LOADS                                                                        \
                   "mla %[m0], %[x0], %[t], %[half]\n\t"                                                               \
                   "mla %[m1], %[x1], %[t], %[half]\n\t" taps                                                          \
                   "add %[a0], %[a0], %[m0]\n\t"                                                                       \
                   "add %[a1], %[a1], %[m1]\n\t"                                                                       \
                   "add %[h0], %[h0], %[m0], asr #16\n\t"                                                              \
                   "add %[h1], %[h1], %[m1], asr #16\n\t"                                                              \
                   "cmp %[x], %[end]\n\t"                                                                              \
                   "bne 1b"                                                                                            \
                   : [x] "+&r"(x), [w] "+&r"(w), [a0] "+&r"(sums->all[0]), [a1] "+&r"(sums->all[1]),                   \
                   [h0] "+&r"(sums->high[0]), [h1] "+&r"(sums->high[1]), [t] "=&r"(t), [x0] "=&r"(x0),                 \
                   [x1] "=&r"(x1), [m0] "=&r"(m0), [m1] "=&r"(m1)                                                      \
                   : [end] "r"(end), [half] "r"(0x8000)                                                                \
                   : "cc", "memory")
#endif
#define OCTAVO_SCALAR_TAPS2 OCTAVO_SCALAR_TAP(1)
#define OCTAVO_SCALAR_TAPS3 OCTAVO_SCALAR_TAPS2 OCTAVO_SCALAR_TAP(2)
#define OCTAVO_SCALAR_TAPS4 OCTAVO_SCALAR_TAPS3 OCTAVO_SCALAR_TAP(3)
#define OCTAVO_SCALAR_TAPS5 OCTAVO_SCALAR_TAPS4 OCTAVO_SCALAR_TAP(4)
#define OCTAVO_SCALAR_TAPS6 OCTAVO_SCALAR_TAPS5 OCTAVO_SCALAR_TAP(5)
#define OCTAVO_SCALAR_TAPS7 OCTAVO_SCALAR_TAPS6 OCTAVO_SCALAR_TAP(6)
#define OCTAVO_SCALAR_TAPS8 OCTAVO_SCALAR_TAPS7 OCTAVO_SCALAR_TAP(7)

/* Chunks of 1 to 8 taps of one channel, up to the end of the words. */
OCTAVO_INLINE void octavo_scalar_asm_chunks(
    octavo_scalar_sums *sums, const uint32_t *x, const uint32_t *end, const int8_t *w, int32_t taps)
{
    uint32_t t;
#if !OCTAVO_SHORT_PRODUCTS
    uint32_t x0, x1, m0, m1;
#endif
    switch (taps) {
    case 1: OCTAVO_SCALAR_CHUNKS_OF(1, ""); break;
    case 2: OCTAVO_SCALAR_CHUNKS_OF(2, OCTAVO_SCALAR_TAPS2); break;
    case 3: OCTAVO_SCALAR_CHUNKS_OF(3, OCTAVO_SCALAR_TAPS3); break;
    case 4: OCTAVO_SCALAR_CHUNKS_OF(4, OCTAVO_SCALAR_TAPS4); break;
    case 5: OCTAVO_SCALAR_CHUNKS_OF(5, OCTAVO_SCALAR_TAPS5); break;
    case 6: OCTAVO_SCALAR_CHUNKS_OF(6, OCTAVO_SCALAR_TAPS6); break;
    case 7: OCTAVO_SCALAR_CHUNKS_OF(7, OCTAVO_SCALAR_TAPS7); break;
    default: OCTAVO_SCALAR_CHUNKS_OF(8, OCTAVO_SCALAR_TAPS8); break;
    }
}
#endif

/* A chunk of taps of one or two channels; known says that the compiler sees their number. */
OCTAVO_INLINE void octavo_scalar_chunk(octavo_scalar_sums *sums, int32_t channels, const uint32_t *x, const int8_t *w,
    int32_t apart, int32_t taps, int32_t known)
{
    uint32_t sum[2][OCTAVO_SCALAR_PAIRS] = {{0x8000u, 0x8000u}, {0x8000u, 0x8000u}};
    if (known) {
        OCTAVO_UNROLL
        for (int32_t i = 0; i < taps; ++i) {
            octavo_scalar_tap(sum, channels, x, w, apart, i);
        }
    } else {
        for (int32_t i = 0; i < taps; ++i) {
            octavo_scalar_tap(sum, channels, x, w, apart, i);
        }
    }
    OCTAVO_UNROLL
    for (int32_t c = 0; c < channels; ++c) {
        octavo_scalar_add_sum(sums + c, sum[c]);
    }
}

/* All taps from x to end, in chunks of so many. */
OCTAVO_INLINE void octavo_scalar_chunks(octavo_scalar_sums *sums, int32_t channels, const uint32_t *x,
    const uint32_t *end, const int8_t *w, int32_t apart, int32_t taps, int32_t known)
{
#if OCTAVO_SCALAR_ASM
    if (known && channels == 1) {
        octavo_scalar_asm_chunks(sums, x, end, w, taps);
        return;
    }
#endif
    do {
        octavo_scalar_chunk(sums, channels, x, w, apart, taps, known);
        x += OCTAVO_SCALAR_PAIRS * taps;
        w += taps;
    } while (x != end);
}

#endif /* OCTAVO_SCALAR_CHUNK_H */
