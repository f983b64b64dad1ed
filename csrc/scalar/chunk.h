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

/* Whether the inner loops are in the instructions of this core; elsewhere they are plain C with the same result. */
#if !defined(__GNUC__) || defined(__clang__) || !defined(__OPTIMIZE__) || defined(OCTAVO_NO_ASM)
#define OCTAVO_SCALAR_ASM 0
#elif (defined(__thumb__) && __ARM_ARCH >= 6) || (defined(__riscv_mul) && __riscv_xlen == 32 && !defined(__riscv_32e))
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
OCTAVO_INLINE void octavo_scalar_tap(uint32_t (*sum)[OCTAVO_SCALAR_PAIRS], int32_t channels, const uint32_t *x,
    const int8_t *w, int32_t apart, int32_t i)
{
    OCTAVO_UNROLL
    for (int32_t c = 0; c < channels; ++c) {
        const uint32_t weight = (uint32_t)(int32_t)w[i + c * apart];
        sum[c][0] += x[OCTAVO_SCALAR_PAIRS * i] * weight;
        sum[c][1] += x[OCTAVO_SCALAR_PAIRS * i + 1] * weight;
    }
}

#if OCTAVO_SCALAR_ASM && defined(__riscv)
#include "chunk_riscv.h"
#elif OCTAVO_SCALAR_ASM
#include "chunk_thumb.h"
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
    if (known && octavo_scalar_asm_chunks(sums, channels, x, end, w, apart, taps)) {
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
