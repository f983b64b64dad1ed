/* Sixteen lanes of int32: what the kernels of this folder are written in. One register of AVX-512, two of AVX2, an
 * array of plain C on any other machine; every function has the same result everywhere, bit for bit.
 *
 * A lane also holds four bytes. octavo_x86_dot multiplies them as uint8 by int8 and adds to 32 bits, modulo 2^32: one
 * instruction where the compiler's macros tell of VNNI, widened to int16 on AVX2 (pmaddubsw would saturate).
 */
#ifndef OCTAVO_X86_LANES_H
#define OCTAVO_X86_LANES_H

#include "../inline.h"
#include "../octavo.h"

#define OCTAVO_X86_LANES 16

#if defined(__AVX512VNNI__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "lanes_avx512.h"
#elif defined(__AVX2__)
#include "lanes_avx2.h"
#else
#include "lanes_plain.h"
#endif

/* Before a loop of few iterations: written out, so that arrays it indexes become registers, if lanes are registers. */
#if defined(OCTAVO_X86_LANES_PLAIN_H)
#define OCTAVO_X86_UNROLL
#elif defined(__clang__)
#define OCTAVO_X86_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define OCTAVO_X86_UNROLL _Pragma("GCC unroll 32")
#else
#define OCTAVO_X86_UNROLL
#endif

/* (twice * multiplier / 2^32, half up, + round - (twice < 0 with ties)) >> shift, one step of octavo_requantize: see
 * csrc/dsp/finish.h for the proof. shift and round, (2 zero_point + 1) << (shift - 1), are those of the lanes. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_scaled(octavo_x86_lanes twice, octavo_x86_lanes multiplier,
    octavo_x86_lanes round, octavo_x86_lanes shift, int32_t negative_ties)
{
    octavo_x86_lanes high = octavo_x86_multiply_high(twice, multiplier, round);
    if (negative_ties) {
        high = octavo_x86_add(high, octavo_x86_sign(twice));
    }
    return octavo_x86_shift_right(high, shift);
}

#endif /* OCTAVO_X86_LANES_H */
