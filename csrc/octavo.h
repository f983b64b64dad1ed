/* Fixed-point arithmetic that every Octavo kernel uses, and the hooks of generated models.
 *
 * C99, no libc but memcpy, memmove and memset. No undefined behaviour: overflow wraps through uint32_t where it can
 * happen at all, and nothing depends on how the compiler shifts negative numbers.
 */
#ifndef OCTAVO_H
#define OCTAVO_H

#include <stdint.h>
#include <string.h>

/* OCTAVO_MARK(i) stands before layer i of a model. With -DOCTAVO_PROFILE it calls a function that you provide. */
#ifndef OCTAVO_MARK
#ifdef OCTAVO_PROFILE
void octavo_mark(uint32_t layer);
#define OCTAVO_MARK(layer) octavo_mark(layer)
#else
#define OCTAVO_MARK(layer) ((void)0)
#endif
#endif

/* OCTAVO_RODATA stands at a model's constants. With -DOCTAVO_DATA_SECTION they go to the section ".model_data". */
#ifndef OCTAVO_RODATA
#ifdef OCTAVO_DATA_SECTION
#define OCTAVO_RODATA __attribute__((section(".model_data")))
#else
#define OCTAVO_RODATA
#endif
#endif

/* What must hold when a file is compiled, outside of functions: an array of negative size is an error. */
#define OCTAVO_CHECK(name, condition) typedef char octavo_check_##name[(condition) ? 1 : -1]

static inline int32_t octavo_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t octavo_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t octavo_clamp(int32_t x, int32_t low, int32_t high)
{
    return octavo_min(octavo_max(x, low), high);
}

/* The int32_t with the bits of u (two's complement): defined for every u, compiled to nothing. */
static inline int32_t octavo_from_bits(uint32_t u)
{
    return u <= 0x7fffffffu ? (int32_t)u : -(int32_t)(~u) - 1;
}

/* a + b and a - b modulo 2^32. */
static inline int32_t octavo_add_wrap(int32_t a, int32_t b)
{
    return octavo_from_bits((uint32_t)a + (uint32_t)b);
}

static inline int32_t octavo_sub_wrap(int32_t a, int32_t b)
{
    return octavo_from_bits((uint32_t)a - (uint32_t)b);
}

/* x * 2^n modulo 2^32, n in 0..31. */
static inline int32_t octavo_shift_left(int32_t x, int32_t n)
{
    return octavo_from_bits((uint32_t)x << n);
}

/* floor(x / 2^n), n in 0..31: C leaves >> of a negative number to the implementation, so the complement is shifted. */
static inline int32_t octavo_shift_right(int32_t x, int32_t n)
{
    return x >= 0 ? (int32_t)((uint32_t)x >> n) : ~(int32_t)(~(uint32_t)x >> n);
}

/* Saturating rounding doubling high multiply: a * b / 2^31 to nearest, ties up; only INT32_MIN squared saturates.
 * The product plus 2^30 lies in [-2^62, 2^62 + 2^30]; adding 2^62 makes it an unsigned number for an exact floor.
 */
static inline int32_t octavo_srdhm(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    const int64_t sum = (int64_t)a * b + ((int64_t)1 << 30);
    const uint64_t lifted = (uint64_t)sum + ((uint64_t)1 << 62);
    return (int32_t)((int64_t)(lifted >> 31) - ((int64_t)1 << 31));
}

/* x / 2^n to nearest, ties away from zero, n in 0..31. */
static inline int32_t octavo_rdbp(int32_t x, int32_t n)
{
    const uint32_t mask = ((uint32_t)1 << n) - 1u;
    const uint32_t threshold = (mask >> 1) + (x < 0 ? 1u : 0u);
    return octavo_shift_right(x, n) + (((uint32_t)x & mask) > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31) with two roundings; a positive shift goes left, before the multiplication. */
static inline int32_t octavo_requantize(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = octavo_max(shift, 0);
    const int32_t right = octavo_max(-shift, 0);
    return octavo_rdbp(octavo_srdhm(octavo_shift_left(x, left), multiplier), right);
}

/* The last step of most kernels: requantize, move to the output's zero point, clamp. */
static inline int32_t octavo_scaled(
    int32_t acc, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low, int32_t high)
{
    return octavo_clamp(octavo_add_wrap(octavo_requantize(acc, multiplier, shift), zero_point), low, high);
}

/* The same where low and high are inside int8. */
static inline int8_t octavo_finish(
    int32_t acc, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low, int32_t high)
{
    return (int8_t)octavo_scaled(acc, multiplier, shift, zero_point, low, high);
}

/* The same where low and high are inside int16. */
static inline int16_t octavo_finish_s16(
    int32_t acc, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low, int32_t high)
{
    return (int16_t)octavo_scaled(acc, multiplier, shift, zero_point, low, high);
}

/* x * multiplier * 2^(shift - 31) of a 48-bit x, clamped. The multiplier is rounded to 16 bits, the product once, half
 * up; what leaves 32 bits wraps. shift is at most 7, x is of an int16 layer, whose zero points are 0.
 */
static inline int16_t octavo_finish64(int64_t x, int32_t multiplier, int32_t shift, int32_t low, int32_t high)
{
    const int32_t reduced = multiplier < 0x7fff0000 ? (multiplier + (1 << 15)) >> 16 : 0x7fff;
    const int32_t right = 15 - shift;
    const int64_t sum = x * reduced + ((int64_t)1 << (right - 1));
    const uint64_t quotient = sum >= 0 ? (uint64_t)sum >> right : ~(~(uint64_t)sum >> right);
    return (int16_t)octavo_clamp(octavo_from_bits((uint32_t)quotient), low, high);
}

#endif /* OCTAVO_H */
