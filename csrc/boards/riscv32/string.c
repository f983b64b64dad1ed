/* Memory functions: words where both sides are aligned alike, bytes elsewhere. */
#include "string.h"

#include <stdint.h>

/* GCC recognises these loops and would replace them by calls of the functions they are in. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef uint32_t word __attribute__((may_alias));

/* Copies upwards, which is also right where `to` lies below `from` in the same region: aligned alike, they are a word
   or more apart. */
static void copy_up(uint8_t *to, const uint8_t *from, size_t count)
{
    if ((((uintptr_t)to ^ (uintptr_t)from) & 3u) == 0u) {
        for (; ((uintptr_t)to & 3u) != 0u && count > 0u; --count) {
            *to++ = *from++;
        }
        for (; count >= 4u; count -= 4u) {
            *(word *)(void *)to = *(const word *)(const void *)from;
            to += 4;
            from += 4;
        }
    }
    for (; count > 0u; --count) {
        *to++ = *from++;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    copy_up(to, from, count);
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    if ((uintptr_t)to - (uintptr_t)from >= count) {
        copy_up(to, from, count);
    } else {
        uint8_t *end = to;
        const uint8_t *source = from;
        for (; count > 0u; --count) {
            end[count - 1u] = source[count - 1u];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *byte = to;
    const uint8_t fill = (uint8_t)value;
    for (; ((uintptr_t)byte & 3u) != 0u && count > 0u; --count) {
        *byte++ = fill;
    }
    for (; count >= 4u; count -= 4u) {
        *(word *)(void *)byte = fill * 0x01010101u;
        byte += 4;
    }
    for (; count > 0u; --count) {
        *byte++ = fill;
    }
    return to;
}
