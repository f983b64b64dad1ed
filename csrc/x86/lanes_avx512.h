/* lanes.h for AVX-512 with VNNI. */
#ifndef OCTAVO_X86_LANES_AVX512_H
#define OCTAVO_X86_LANES_AVX512_H

#include <immintrin.h>

/* Not __m512i, whose lanes are int64: compilers then keep two copies of an accumulator. */
typedef int32_t octavo_x86_lanes __attribute__((vector_size(64)));

/* Accumulators that fit into the registers beside what a step of a convolution loads. */
#define OCTAVO_X86_TILE 24

/* 64 bytes. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_load(const void *from)
{
    return (octavo_x86_lanes)_mm512_loadu_si512(from);
}

/* The same four bytes, or the same number, in every lane. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_load_four(const uint8_t *from)
{
    int32_t four;
    memcpy(&four, from, sizeof four);
    return (octavo_x86_lanes)_mm512_set1_epi32(four);
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_spread(int32_t x)
{
    return (octavo_x86_lanes)_mm512_set1_epi32(x);
}

/* Four times 16 bytes; lane i gets byte i of each. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_load_columns(const uint8_t *from)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return (octavo_x86_lanes)_mm512_shuffle_epi8(
        _mm512_permutexvar_epi32(order, _mm512_loadu_si512(from)), bytes);
}

/* Sixteen int8, widened. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_load_bytes(const int8_t *from)
{
    return (octavo_x86_lanes)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_dot(octavo_x86_lanes acc, octavo_x86_lanes x, octavo_x86_lanes w)
{
    return (octavo_x86_lanes)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, (__m512i)w);
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_add(octavo_x86_lanes a, octavo_x86_lanes b)
{
    return (octavo_x86_lanes)_mm512_add_epi32((__m512i)a, (__m512i)b);
}

/* -1 where x is negative, else 0. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_sign(octavo_x86_lanes x)
{
    return (octavo_x86_lanes)_mm512_srai_epi32((__m512i)x, 31);
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_shift_left(octavo_x86_lanes x, octavo_x86_lanes n)
{
    return (octavo_x86_lanes)_mm512_sllv_epi32((__m512i)x, (__m512i)n);
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_shift_right(octavo_x86_lanes x, octavo_x86_lanes n)
{
    return (octavo_x86_lanes)_mm512_srav_epi32((__m512i)x, (__m512i)n);
}

/* (a * b + 2^31) / 2^32, rounded down, + c. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_multiply_high(octavo_x86_lanes a, octavo_x86_lanes b, octavo_x86_lanes c)
{
    const __m512i half = _mm512_set1_epi64((int64_t)1 << 31);
    const __m512i odd = _mm512_setr_epi32(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    const __m512i first = _mm512_add_epi64(_mm512_mul_epi32((__m512i)a, (__m512i)b),
        _mm512_add_epi64(_mm512_slli_epi64((__m512i)c, 32), half));
    const __m512i second = _mm512_add_epi64(
        _mm512_mul_epi32(_mm512_srli_epi64((__m512i)a, 32), _mm512_srli_epi64((__m512i)b, 32)),
        _mm512_mask_mov_epi32(half, 0xaaaa, (__m512i)c));
    return (octavo_x86_lanes)_mm512_permutex2var_epi32(first, odd, second);
}

/* The first count lanes as int8, clamped. */
OCTAVO_INLINE void octavo_x86_store_bytes(int8_t *to, octavo_x86_lanes x, int32_t low, int32_t high, int32_t count)
{
    __m128i bytes = _mm512_cvtsepi32_epi8((__m512i)x);
    if (low > -128) {
        bytes = _mm_max_epi8(bytes, _mm_set1_epi8((char)low));
    }
    if (high < 127) {
        bytes = _mm_min_epi8(bytes, _mm_set1_epi8((char)high));
    }
    if (count >= OCTAVO_X86_LANES) {
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else {
        _mm_mask_storeu_epi8(to, (__mmask16)((1u << count) - 1u), bytes);
    }
}

#endif /* OCTAVO_X86_LANES_AVX512_H */
