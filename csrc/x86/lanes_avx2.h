/* lanes.h for AVX2, with AVX-VNNI where there is: lanes 0 to 7 and 8 to 15. */
#ifndef OCTAVO_X86_LANES_AVX2_H
#define OCTAVO_X86_LANES_AVX2_H

#include <immintrin.h>

typedef struct {
    __m256i low;
    __m256i high;
} octavo_x86_lanes;

/* Accumulators that fit into the registers beside what a step of a convolution loads. */
#define OCTAVO_X86_TILE 4

OCTAVO_INLINE octavo_x86_lanes octavo_x86_both(__m256i low, __m256i high)
{
    const octavo_x86_lanes lanes = {low, high};
    return lanes;
}

/* 64 bytes. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_load(const void *from)
{
    const __m256i *halves = (const __m256i *)from;
    return octavo_x86_both(_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1));
}

/* The same four bytes, or the same number, in every lane. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_spread(int32_t x)
{
    const __m256i all = _mm256_set1_epi32(x);
    return octavo_x86_both(all, all);
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_load_four(const uint8_t *from)
{
    int32_t four;
    memcpy(&four, from, sizeof four);
    return octavo_x86_spread(four);
}

/* Four times 16 bytes; lane i gets byte i of each. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_load_columns(const uint8_t *from)
{
    const __m128i *columns = (const __m128i *)(const void *)from;
    const __m128i a = _mm_loadu_si128(columns);
    const __m128i b = _mm_loadu_si128(columns + 1);
    const __m128i c = _mm_loadu_si128(columns + 2);
    const __m128i d = _mm_loadu_si128(columns + 3);
    const __m128i first = _mm_unpacklo_epi8(a, b);
    const __m128i second = _mm_unpacklo_epi8(c, d);
    const __m128i third = _mm_unpackhi_epi8(a, b);
    const __m128i fourth = _mm_unpackhi_epi8(c, d);
    return octavo_x86_both(
        _mm256_set_m128i(_mm_unpackhi_epi16(first, second), _mm_unpacklo_epi16(first, second)),
        _mm256_set_m128i(_mm_unpackhi_epi16(third, fourth), _mm_unpacklo_epi16(third, fourth)));
}

/* Sixteen int8, widened. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_load_bytes(const int8_t *from)
{
    return octavo_x86_both(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)),
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(from + 8))));
}

/* Even bytes and odd bytes as int16: sums of two products are exact. */
OCTAVO_INLINE __m256i octavo_x86_dot_half(__m256i acc, __m256i x, __m256i w)
{
#if defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(acc, x, w);
#else
    const __m256i even = _mm256_madd_epi16(
        _mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(w, 8));
    return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
#endif
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_dot(octavo_x86_lanes acc, octavo_x86_lanes x, octavo_x86_lanes w)
{
    return octavo_x86_both(
        octavo_x86_dot_half(acc.low, x.low, w.low), octavo_x86_dot_half(acc.high, x.high, w.high));
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_add(octavo_x86_lanes a, octavo_x86_lanes b)
{
    return octavo_x86_both(_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high));
}

/* -1 where x is negative, else 0. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_sign(octavo_x86_lanes x)
{
    return octavo_x86_both(_mm256_srai_epi32(x.low, 31), _mm256_srai_epi32(x.high, 31));
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_shift_left(octavo_x86_lanes x, octavo_x86_lanes n)
{
    return octavo_x86_both(_mm256_sllv_epi32(x.low, n.low), _mm256_sllv_epi32(x.high, n.high));
}

OCTAVO_INLINE octavo_x86_lanes octavo_x86_shift_right(octavo_x86_lanes x, octavo_x86_lanes n)
{
    return octavo_x86_both(_mm256_srav_epi32(x.low, n.low), _mm256_srav_epi32(x.high, n.high));
}

OCTAVO_INLINE __m256i octavo_x86_multiply_high_half(__m256i a, __m256i b, __m256i c)
{
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 31);
    const __m256i first = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    const __m256i second =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
    return _mm256_add_epi32(_mm256_blend_epi32(_mm256_srli_epi64(first, 32), second, 0xaa), c);
}

/* (a * b + 2^31) / 2^32, rounded down, + c. */
OCTAVO_INLINE octavo_x86_lanes octavo_x86_multiply_high(octavo_x86_lanes a, octavo_x86_lanes b, octavo_x86_lanes c)
{
    return octavo_x86_both(octavo_x86_multiply_high_half(a.low, b.low, c.low),
        octavo_x86_multiply_high_half(a.high, b.high, c.high));
}

/* The first count lanes as int8, clamped. */
OCTAVO_INLINE void octavo_x86_store_bytes(int8_t *to, octavo_x86_lanes x, int32_t low, int32_t high, int32_t count)
{
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.low, x.high), 0xd8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (low > -128) {
        bytes = _mm_max_epi8(bytes, _mm_set1_epi8((char)low));
    }
    if (high < 127) {
        bytes = _mm_min_epi8(bytes, _mm_set1_epi8((char)high));
    }
    if (count >= OCTAVO_X86_LANES) {
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else {
        int8_t sixteen[OCTAVO_X86_LANES];
        _mm_storeu_si128((__m128i *)(void *)sixteen, bytes);
        memcpy(to, sixteen, (uint32_t)count);
    }
}

#endif /* OCTAVO_X86_LANES_AVX2_H */
