/* Four bytes in a word: what the pools of this folder use of the DSP extension. As simd.h, an instruction or two where
 * the core has them and plain C with the same result elsewhere.
 */
#ifndef OCTAVO_DSP_BYTES_H
#define OCTAVO_DSP_BYTES_H

#include "simd.h"

/* The first lanes bytes at any address, then zeros; lanes is a constant of 1 to 4. */
OCTAVO_INLINE uint32_t octavo_load_some(const void *address, int32_t lanes)
{
    uint32_t word = 0;
    memcpy(&word, address, (uint32_t)lanes);
    return word;
}

OCTAVO_INLINE void octavo_store_some(void *address, uint32_t word, int32_t lanes)
{
    memcpy(address, &word, (uint32_t)lanes);
}

/* A byte four times. */
static inline uint32_t octavo_all_bytes(int32_t value)
{
    return ((uint32_t)value & 0xffu) * 0x01010101u;
}

#if OCTAVO_DSP

/* The larger and the smaller of each pair of int8. A difference sets a flag where it is not negative. */
static inline uint32_t octavo_max_bytes(uint32_t a, uint32_t b)
{
    uint32_t best;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(best) : "r"(a), "r"(b) : "cc");
    return best;
}

static inline uint32_t octavo_min_bytes(uint32_t a, uint32_t b)
{
    uint32_t best;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(best) : "r"(a), "r"(b) : "cc");
    return best;
}

/* The larger of each pair of int16. */
static inline uint32_t octavo_max_lanes(uint32_t a, uint32_t b)
{
    uint32_t best;
    __asm("ssub16 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(best) : "r"(a), "r"(b) : "cc");
    return best;
}

/* Adds bytes 0 and 2 (1 and 3) of a word to the lanes of sums, each modulo 2^16. */
static inline uint32_t octavo_sxtab16(uint32_t sums, uint32_t bytes)
{
    return (uint32_t)__sxtab16((int16x2_t)sums, (int8x4_t)bytes);
}

static inline uint32_t octavo_sxtab16_odd(uint32_t sums, uint32_t bytes)
{
    uint32_t result;
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sums), "r"(bytes));
    return result;
}

/* c + floor(a * b's low lane / 2^16). */
static inline int32_t octavo_smlawb(int32_t a, uint32_t b, int32_t c)
{
    return __smlawb(a, (int32_t)b, c);
}

#else

static inline uint32_t octavo_max_bytes(uint32_t a, uint32_t b)
{
    uint32_t best = 0;
    for (int32_t shift = 0; shift < 32; shift += 8) {
        const int32_t first = (int8_t)(uint8_t)(a >> shift);
        const int32_t second = (int8_t)(uint8_t)(b >> shift);
        best |= ((uint32_t)octavo_max(first, second) & 0xffu) << shift;
    }
    return best;
}

/* ~x = -1 - x turns the order round. */
static inline uint32_t octavo_min_bytes(uint32_t a, uint32_t b)
{
    return ~octavo_max_bytes(~a, ~b);
}

static inline uint32_t octavo_max_lanes(uint32_t a, uint32_t b)
{
    return octavo_lanes(octavo_max(octavo_low_lane(a), octavo_low_lane(b)),
        octavo_max(octavo_high_lane(a), octavo_high_lane(b)));
}

static inline uint32_t octavo_sxtab16(uint32_t sums, uint32_t bytes)
{
    return octavo_add_lanes(sums, octavo_sxtb16(bytes));
}

static inline uint32_t octavo_sxtab16_odd(uint32_t sums, uint32_t bytes)
{
    return octavo_add_lanes(sums, octavo_sxtb16_odd(bytes));
}

static inline int32_t octavo_smlawb(int32_t a, uint32_t b, int32_t c)
{
    return octavo_smlawt(a, b << 16, c);
}

#endif

#endif /* OCTAVO_DSP_BYTES_H */
