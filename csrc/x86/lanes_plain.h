/* lanes.h for any machine. Inlining is left to the compiler, so that much C does not become much more code. Each
 * function's meaning is here; the other files say it in instructions.
 */
#ifndef OCTAVO_X86_LANES_PLAIN_H
#define OCTAVO_X86_LANES_PLAIN_H

typedef struct {
    int32_t at[OCTAVO_X86_LANES];
} octavo_x86_lanes;

#define OCTAVO_X86_TILE 4

/* 64 bytes. */
static inline octavo_x86_lanes octavo_x86_load(const void *from)
{
    octavo_x86_lanes lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

/* The same four bytes, or the same number, in every lane. */
static inline octavo_x86_lanes octavo_x86_spread(int32_t x)
{
    octavo_x86_lanes lanes;
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        lanes.at[i] = x;
    }
    return lanes;
}

static inline octavo_x86_lanes octavo_x86_load_four(const uint8_t *from)
{
    int32_t four;
    memcpy(&four, from, sizeof four);
    return octavo_x86_spread(four);
}

/* Four times 16 bytes; lane i gets byte i of each. */
static inline octavo_x86_lanes octavo_x86_load_columns(const uint8_t *from)
{
    uint8_t bytes[4 * OCTAVO_X86_LANES];
    for (int32_t i = 0; i < 4 * OCTAVO_X86_LANES; ++i) {
        bytes[i] = from[i % 4 * OCTAVO_X86_LANES + i / 4];
    }
    return octavo_x86_load(bytes);
}

/* Sixteen int8, widened. */
static inline octavo_x86_lanes octavo_x86_load_bytes(const int8_t *from)
{
    octavo_x86_lanes lanes;
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        lanes.at[i] = from[i];
    }
    return lanes;
}

/* acc + the sum of four products of a uint8 of x and an int8 of w, modulo 2^32: with w + 128, less what that adds. The
 * order of the bytes in a lane is the same in x and w, whatever it is. */
static inline octavo_x86_lanes octavo_x86_dot(octavo_x86_lanes acc, octavo_x86_lanes x, octavo_x86_lanes w)
{
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        const uint32_t a = (uint32_t)x.at[i];
        const uint32_t b = (uint32_t)w.at[i] ^ 0x80808080u;
        const uint32_t sum = (a & 0xffu) * (b & 0xffu) + (a >> 8 & 0xffu) * (b >> 8 & 0xffu)
            + (a >> 16 & 0xffu) * (b >> 16 & 0xffu) + (a >> 24) * (b >> 24);
        const uint32_t lift = (a & 0xffu) + (a >> 8 & 0xffu) + (a >> 16 & 0xffu) + (a >> 24);
        acc.at[i] = octavo_from_bits((uint32_t)acc.at[i] + sum - 128u * lift);
    }
    return acc;
}

static inline octavo_x86_lanes octavo_x86_add(octavo_x86_lanes a, octavo_x86_lanes b)
{
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        a.at[i] = octavo_add_wrap(a.at[i], b.at[i]);
    }
    return a;
}

/* -1 where x is negative, else 0. */
static inline octavo_x86_lanes octavo_x86_sign(octavo_x86_lanes x)
{
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        x.at[i] = x.at[i] < 0 ? -1 : 0;
    }
    return x;
}

static inline octavo_x86_lanes octavo_x86_shift_left(octavo_x86_lanes x, octavo_x86_lanes n)
{
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        x.at[i] = octavo_shift_left(x.at[i], n.at[i]);
    }
    return x;
}

static inline octavo_x86_lanes octavo_x86_shift_right(octavo_x86_lanes x, octavo_x86_lanes n)
{
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        x.at[i] = octavo_shift_right(x.at[i], n.at[i]);
    }
    return x;
}

/* (a * b + 2^31) / 2^32, rounded down, + c; the sum lies above -2^62, so adding 2^63 makes it an unsigned number. */
static inline octavo_x86_lanes octavo_x86_multiply_high(octavo_x86_lanes a, octavo_x86_lanes b, octavo_x86_lanes c)
{
    for (int32_t i = 0; i < OCTAVO_X86_LANES; ++i) {
        const int64_t sum = (int64_t)a.at[i] * b.at[i] + ((int64_t)1 << 31);
        const uint64_t lifted = (uint64_t)sum + ((uint64_t)1 << 63);
        c.at[i] = octavo_add_wrap(c.at[i], (int32_t)((int64_t)(lifted >> 32) - ((int64_t)1 << 31)));
    }
    return c;
}

/* The first count lanes as int8, clamped. */
static inline void octavo_x86_store_bytes(int8_t *to, octavo_x86_lanes x, int32_t low, int32_t high, int32_t count)
{
    for (int32_t i = 0; i < octavo_min(count, OCTAVO_X86_LANES); ++i) {
        to[i] = (int8_t)octavo_clamp(x.at[i], low, high);
    }
}

#endif /* OCTAVO_X86_LANES_PLAIN_H */
