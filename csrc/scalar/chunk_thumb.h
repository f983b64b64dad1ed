/* The loop of chunk.h in the instructions of Thumb. */
#ifndef OCTAVO_SCALAR_CHUNK_THUMB_H
#define OCTAVO_SCALAR_CHUNK_THUMB_H

#if OCTAVO_SHORT_PRODUCTS
/* 7 instructions for 4 products. A multiplication overwrites an operand: loaded words are multiplied where they are.
 * The sums lie in r8 to r11, the end in r12 and 2^15 in lr, whatever registers the compiler has to give. */
#define OCTAVO_SCALAR_TAP(i)                                                                                           \
    "ldmia %[x]!, {r2, r3}\n\t"                                                                                        \
    "ldrb %[t], [%[s], #" #i "]\n\t"                                                                                   \
    "sxtb %[t], %[t]\n\t"                                                                                              \
    "muls r2, %[t], r2\n\t"                                                                                            \
    "muls r3, %[t], r3\n\t"                                                                                            \
    "adds r4, r4, r2\n\t"                                                                                              \
    "adds r5, r5, r3\n\t"
#define OCTAVO_SCALAR_CHUNKS_OF(count, taps, loop)                                                                     \
    __asm volatile(".syntax unified\n\t"                                                                               \
                   "push {%[s]}\n\t"                                                                                   \
                   "ldr r2, [%[s], #4]\n\t"                                                                            \
                   "mov r12, r2\n\t"                                                                                   \
                   "ldr r5, [%[s], #8]\n\t"                                                                            \
                   "ldmia r5!, {r2, r3}\n\t"                                                                           \
                   "mov r8, r2\n\t"                                                                                    \
                   "mov r9, r3\n\t"                                                                                    \
                   "ldmia r5!, {r2, r3}\n\t"                                                                           \
                   "mov r10, r2\n\t"                                                                                   \
                   "mov r11, r3\n\t"                                                                                   \
                   "movs r2, #128\n\t"                                                                                 \
                   "lsls r2, r2, #8\n\t"                                                                               \
                   "mov lr, r2\n\t"                                                                                    \
                   "ldr %[s], [%[s]]\n\t"                                                                              \
                   "1:\n\t"                                                                                            \
                   "ldmia %[x]!, {r4, r5}\n\t"                                                                         \
                   "ldrb %[t], [%[s], #0]\n\t"                                                                         \
                   "sxtb %[t], %[t]\n\t"                                                                               \
                   "muls r4, %[t], r4\n\t"                                                                             \
                   "muls r5, %[t], r5\n\t"                                                                             \
                   "add r4, lr\n\t"                                                                                    \
                   "add r5, lr\n\t" taps "adds %[s], #" #count "\n\t"                                                  \
                   "add r8, r4\n\t"                                                                                    \
                   "add r9, r5\n\t"                                                                                    \
                   "asrs r4, r4, #16\n\t"                                                                              \
                   "asrs r5, r5, #16\n\t"                                                                              \
                   "add r10, r4\n\t"                                                                                   \
                   "add r11, r5\n\t" loop                                                                              \
                   "pop {r5}\n\t"                                                                                      \
                   "ldr r5, [r5, #8]\n\t"                                                                              \
                   "mov r2, r8\n\t"                                                                                    \
                   "mov r3, r9\n\t"                                                                                    \
                   "stmia r5!, {r2, r3}\n\t"                                                                           \
                   "mov r2, r10\n\t"                                                                                   \
                   "mov r3, r11\n\t"                                                                                   \
                   "stmia r5!, {r2, r3}"                                                                               \
                   : [x] "+&l"(x), [s] "+&l"(state), [t] "=&l"(t)                                                      \
                   :                                                                                                   \
                   : "r2", "r3", "r4", "r5", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")
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
#define OCTAVO_SCALAR_CHUNKS_OF(count, taps, loop)                                                                     \
    __asm volatile("1:\n\t" OCTAVO_SCALAR_LOADS                                                                        \
                   "mla %[m0], %[x0], %[t], %[half]\n\t"                                                               \
                   "mla %[m1], %[x1], %[t], %[half]\n\t" taps                                                          \
                   "add %[a0], %[a0], %[m0]\n\t"                                                                       \
                   "add %[a1], %[a1], %[m1]\n\t"                                                                       \
                   "add %[h0], %[h0], %[m0], asr #16\n\t"                                                              \
                   "add %[h1], %[h1], %[m1], asr #16\n\t" loop                                                         \
                   : [x] "+&r"(x), [w] "+&r"(w), [a0] "+&r"(sums->all[0]), [a1] "+&r"(sums->all[1]),                   \
                   [h0] "+&r"(sums->high[0]), [h1] "+&r"(sums->high[1]), [t] "=&r"(t), [x0] "=&r"(x0),                 \
                   [x1] "=&r"(x1), [m0] "=&r"(m0), [m1] "=&r"(m1)                                                      \
                   : [end] "r"(end), [half] "r"(0x8000)                                                                \
                   : "cc", "memory")
#endif
#define OCTAVO_SCALAR_TAPS1
#define OCTAVO_SCALAR_TAPS2 OCTAVO_SCALAR_TAPS1 OCTAVO_SCALAR_TAP(1)
#define OCTAVO_SCALAR_TAPS3 OCTAVO_SCALAR_TAPS2 OCTAVO_SCALAR_TAP(2)
#define OCTAVO_SCALAR_TAPS4 OCTAVO_SCALAR_TAPS3 OCTAVO_SCALAR_TAP(3)
#define OCTAVO_SCALAR_TAPS5 OCTAVO_SCALAR_TAPS4 OCTAVO_SCALAR_TAP(4)
#define OCTAVO_SCALAR_TAPS6 OCTAVO_SCALAR_TAPS5 OCTAVO_SCALAR_TAP(5)
#define OCTAVO_SCALAR_TAPS7 OCTAVO_SCALAR_TAPS6 OCTAVO_SCALAR_TAP(6)
#define OCTAVO_SCALAR_TAPS8 OCTAVO_SCALAR_TAPS7 OCTAVO_SCALAR_TAP(7)

#if OCTAVO_SHORT_PRODUCTS
#define OCTAVO_SCALAR_LOOP "cmp %[x], r12\n\tbne 1b\n\t"
#else
#define OCTAVO_SCALAR_LOOP "cmp %[x], %[end]\n\tbne 1b\n\t"
#endif
#define OCTAVO_SCALAR_CASE(taps)                                                                                       \
    if (once) {                                                                                                        \
        OCTAVO_SCALAR_CHUNKS_OF(taps, OCTAVO_SCALAR_TAPS##taps, "");                                                   \
    } else {                                                                                                           \
        OCTAVO_SCALAR_CHUNKS_OF(taps, OCTAVO_SCALAR_TAPS##taps, OCTAVO_SCALAR_LOOP);                                   \
    }

#if OCTAVO_SHORT_PRODUCTS
/* What the instructions read. */
typedef struct {
    const int8_t *w;
    const uint32_t *end;
    octavo_scalar_sums *sums;
} octavo_scalar_state;
#endif

/* Chunks of 1 to 8 taps of one channel, up to the end of the words; false where there is no such loop. */
OCTAVO_INLINE int32_t octavo_scalar_asm_chunks(octavo_scalar_sums *sums, int32_t channels, const uint32_t *x,
    const uint32_t *end, const int8_t *w, int32_t apart, int32_t taps)
{
    const int32_t once = end == x + OCTAVO_SCALAR_PAIRS * taps;
    uint32_t t;
#if OCTAVO_SHORT_PRODUCTS
    const octavo_scalar_state words = {w, end, sums};
    const octavo_scalar_state *state = &words;
#else
    uint32_t x0, x1, m0, m1;
#endif
    (void)apart;
    if (channels != 1) {
        return 0;
    }
    switch (taps) {
    case 1: OCTAVO_SCALAR_CASE(1); break;
    case 2: OCTAVO_SCALAR_CASE(2); break;
    case 3: OCTAVO_SCALAR_CASE(3); break;
    case 4: OCTAVO_SCALAR_CASE(4); break;
    case 5: OCTAVO_SCALAR_CASE(5); break;
    case 6: OCTAVO_SCALAR_CASE(6); break;
    case 7: OCTAVO_SCALAR_CASE(7); break;
    default: OCTAVO_SCALAR_CASE(8); break;
    }
    return 1;
}


#endif /* OCTAVO_SCALAR_CHUNK_THUMB_H */
