/* The instructions of the DSP extension that the kernels of this folder use: two 16-bit lanes in a word.
 *
 * On a core that has them (Cortex-M4, M7, M33) each is one instruction; elsewhere it is plain C with the same result, so
 * that a model laid out for the DSP extension also runs, and is tested, on any machine.
 */
#ifndef OCTAVO_DSP_SIMD_H
#define OCTAVO_DSP_SIMD_H

#include "../inline.h"
#include "../octavo.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__ARM_FEATURE_SIMD32) && __ARM_FEATURE_SIMD32
#include <arm_acle.h>
#define OCTAVO_DSP 1
#else
#define OCTAVO_DSP 0
#endif

/* A word of memory at an address that is a multiple of 4; its bytes may belong to elements of any type. */
#if defined(__GNUC__)
typedef uint32_t __attribute__((may_alias)) octavo_word;
#else
typedef uint32_t octavo_word;
#endif

/* The word at an address that is a multiple of 4. */
static inline uint32_t octavo_load_word(const void *address)
{
#if defined(__GNUC__)
    return *(const octavo_word *)address;
#else
    uint32_t word;
    memcpy(&word, address, sizeof word);
    return word;
#endif
}

/* The word at any address. */
static inline uint32_t octavo_load_bytes(const void *address)
{
    uint32_t word;
    memcpy(&word, address, sizeof word);
    return word;
}

static inline void octavo_store_word(void *address, uint32_t word)
{
#if defined(__GNUC__)
    *(octavo_word *)address = word;
#else
    memcpy(address, &word, sizeof word);
#endif
}

static inline uint32_t octavo_lanes(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xffffu) | ((uint32_t)high << 16);
}

static inline int32_t octavo_low_lane(uint32_t lanes)
{
    return (int32_t)(int16_t)(uint16_t)lanes;
}

static inline int32_t octavo_high_lane(uint32_t lanes)
{
    return (int32_t)(int16_t)(uint16_t)(lanes >> 16);
}

#if OCTAVO_DSP

/* The low lanes of two words, and the high ones. */
static inline uint32_t octavo_low_lanes(uint32_t a, uint32_t b)
{
    uint32_t lanes;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(lanes) : "r"(a), "r"(b));
    return lanes;
}

static inline uint32_t octavo_high_lanes(uint32_t a, uint32_t b)
{
    uint32_t lanes;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(lanes) : "r"(b), "r"(a));
    return lanes;
}

static inline int32_t octavo_smlad(uint32_t a, uint32_t b, int32_t acc)
{
    return __smlad((int16x2_t)a, (int16x2_t)b, acc);
}

static inline int64_t octavo_smlald(uint32_t a, uint32_t b, int64_t acc)
{
    return __smlald((int16x2_t)a, (int16x2_t)b, acc);
}

/* Sums and differences of the lanes, each modulo 2^16. */
static inline uint32_t octavo_add_lanes(uint32_t a, uint32_t b)
{
    return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b);
}

static inline uint32_t octavo_sub_lanes(uint32_t a, uint32_t b)
{
    return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b);
}

static inline uint32_t octavo_sxtb16(uint32_t bytes)
{
    return (uint32_t)__sxtb16((int8x4_t)bytes);
}

static inline uint32_t octavo_sxtb16_odd(uint32_t bytes)
{
    uint32_t lanes;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(lanes) : "r"(bytes));
    return lanes;
}

static inline int32_t octavo_smlabb(uint32_t a, uint32_t b, int32_t acc)
{
    return __smlabb((int32_t)a, (int32_t)b, acc);
}

static inline int32_t octavo_smlabt(uint32_t a, uint32_t b, int32_t acc)
{
    return __smlabt((int32_t)a, (int32_t)b, acc);
}

static inline int32_t octavo_smlatb(uint32_t a, uint32_t b, int32_t acc)
{
    return __smlatb((int32_t)a, (int32_t)b, acc);
}

/* c + a * b / 2^32 to nearest, ties up. */
static inline int32_t octavo_smmlar(int32_t a, int32_t b, int32_t c)
{
    int32_t result;
    __asm("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
}

/* a * b / 2^32 to nearest, ties up. */
static inline int32_t octavo_smmulr(int32_t a, int32_t b)
{
    int32_t result;
    __asm("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* c + floor(a * b's high lane / 2^16). */
static inline int32_t octavo_smlawt(int32_t a, uint32_t b, int32_t c)
{
    return __smlawt(a, (int32_t)b, c);
}

/* floor(x / 2^n): >> of a negative number is what this compiler's manual says, an arithmetic shift. */
static inline int32_t octavo_asr(int32_t x, int32_t n)
{
    return x >> n;
}

/* The same by the low byte of a word, and 2^n times x: what the instructions themselves read. */
static inline int32_t octavo_asr_byte(int32_t x, uint32_t n)
{
    int32_t result;
    __asm("asr %0, %1, %2" : "=r"(result) : "r"(x), "r"(n));
    return result;
}

static inline int32_t octavo_lsl_byte(int32_t x, uint32_t n)
{
    int32_t result;
    __asm("lsl %0, %1, %2" : "=r"(result) : "r"(x), "r"(n));
    return result;
}

#else

static inline uint32_t octavo_low_lanes(uint32_t a, uint32_t b)
{
    return (a & 0xffffu) | b << 16;
}

static inline uint32_t octavo_high_lanes(uint32_t a, uint32_t b)
{
    return a >> 16 | (b & 0xffff0000u);
}

static inline int32_t octavo_asr_byte(int32_t x, uint32_t n)
{
    return octavo_shift_right(x, (int32_t)(n & 0xffu));
}

static inline int32_t octavo_lsl_byte(int32_t x, uint32_t n)
{
    return octavo_shift_left(x, (int32_t)(n & 0xffu));
}

static inline int32_t octavo_asr(int32_t x, int32_t n)
{
    return octavo_shift_right(x, n);
}

static inline uint32_t octavo_add_lanes(uint32_t a, uint32_t b)
{
    return ((a + b) & 0xffffu) | ((a >> 16) + (b >> 16)) << 16;
}

static inline uint32_t octavo_sub_lanes(uint32_t a, uint32_t b)
{
    return ((a - b) & 0xffffu) | ((a >> 16) - (b >> 16)) << 16;
}

/* The halves of a word as 16-bit products: |sum of both| is below 2^31 but for -32768 four times. */
static inline int32_t octavo_smlad(uint32_t a, uint32_t b, int32_t acc)
{
    const int32_t low = octavo_low_lane(a) * octavo_low_lane(b);
    const int32_t high = octavo_high_lane(a) * octavo_high_lane(b);
    return octavo_add_wrap(octavo_add_wrap(acc, low), high);
}

static inline int64_t octavo_smlald(uint32_t a, uint32_t b, int64_t acc)
{
    const int64_t low = octavo_low_lane(a) * octavo_low_lane(b);
    return acc + low + octavo_high_lane(a) * octavo_high_lane(b);
}

static inline uint32_t octavo_sxtb16(uint32_t bytes)
{
    return octavo_lanes((int8_t)(uint8_t)bytes, (int8_t)(uint8_t)(bytes >> 16));
}

static inline uint32_t octavo_sxtb16_odd(uint32_t bytes)
{
    return octavo_lanes((int8_t)(uint8_t)(bytes >> 8), (int8_t)(uint8_t)(bytes >> 24));
}

static inline int32_t octavo_smlabb(uint32_t a, uint32_t b, int32_t acc)
{
    return octavo_add_wrap(acc, octavo_low_lane(a) * octavo_low_lane(b));
}

static inline int32_t octavo_smlabt(uint32_t a, uint32_t b, int32_t acc)
{
    return octavo_add_wrap(acc, octavo_low_lane(a) * octavo_high_lane(b));
}

static inline int32_t octavo_smlatb(uint32_t a, uint32_t b, int32_t acc)
{
    return octavo_add_wrap(acc, octavo_high_lane(a) * octavo_low_lane(b));
}

static inline int32_t octavo_smmlar(int32_t a, int32_t b, int32_t c)
{
    const int64_t sum = (int64_t)a * b + ((int64_t)1 << 31);
    const uint64_t lifted = (uint64_t)sum + ((uint64_t)1 << 63);
    return octavo_add_wrap(c, (int32_t)((int64_t)(lifted >> 32) - ((int64_t)1 << 31)));
}

static inline int32_t octavo_smmulr(int32_t a, int32_t b)
{
    return octavo_smmlar(a, b, 0);
}

static inline int32_t octavo_smlawt(int32_t a, uint32_t b, int32_t c)
{
    const uint64_t lifted = (uint64_t)((int64_t)a * octavo_high_lane(b)) + ((uint64_t)1 << 47);
    return octavo_add_wrap(c, (int32_t)((int64_t)(lifted >> 16) - ((int64_t)1 << 31)));
}

#endif

/* An int32_t clamped: one instruction where the limits are those of an int8 or int16, or their positive half. */
static inline int32_t octavo_dsp_clamp(int32_t x, int32_t low, int32_t high)
{
#if OCTAVO_DSP
    if (low == -128 && high == 127) {
        int32_t result;
        __asm("ssat %0, #8, %1" : "=r"(result) : "r"(x));
        return result;
    }
    if (low == 0 && high == 127) {
        int32_t result;
        __asm("usat %0, #7, %1" : "=r"(result) : "r"(x));
        return result;
    }
    if (low == -32768 && high == 32767) {
        int32_t result;
        __asm("ssat %0, #16, %1" : "=r"(result) : "r"(x));
        return result;
    }
    if (low == 0 && high == 32767) {
        int32_t result;
        __asm("usat %0, #15, %1" : "=r"(result) : "r"(x));
        return result;
    }
#endif
    return octavo_clamp(x, low, high);
}

#endif /* OCTAVO_DSP_SIMD_H */
