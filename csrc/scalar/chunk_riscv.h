/* The loop of chunk.h in the instructions of RV32IM. */
#ifndef OCTAVO_SCALAR_CHUNK_RISCV_H
#define OCTAVO_SCALAR_CHUNK_RISCV_H

/* The words and the weights of tap i. */
#define OCTAVO_SCALAR_LOADS_ONE(i)                                                                                     \
    "lb t0, " #i "(%[w0])\n\t"                                                                                         \
    "lw t2, 8 * " #i "(%[x])\n\t"                                                                                      \
    "lw t3, 8 * " #i " + 4(%[x])\n\t"
#define OCTAVO_SCALAR_LOADS_TWO(i)                                                                                     \
    "lb t1, " #i "(%[w1])\n\t"                                                                                         \
    OCTAVO_SCALAR_LOADS_ONE(i)
/* 7 instructions for 4 products, 12 for 8. */
#define OCTAVO_SCALAR_TAP_ONE(i)                                                                                       \
    OCTAVO_SCALAR_LOADS_ONE(i)                                                                                         \
    "mul t2, t2, t0\n\t"                                                                                               \
    "mul t3, t3, t0\n\t"                                                                                               \
    "add %[m0], %[m0], t2\n\t"                                                                                         \
    "add %[m1], %[m1], t3\n\t"
#define OCTAVO_SCALAR_TAP_TWO(i)                                                                                       \
    OCTAVO_SCALAR_LOADS_TWO(i)                                                                                         \
    "mul t4, t2, t1\n\t"                                                                                               \
    "mul t5, t3, t1\n\t"                                                                                               \
    "mul t2, t2, t0\n\t"                                                                                               \
    "mul t3, t3, t0\n\t"                                                                                               \
    "add %[m2], %[m2], t4\n\t"                                                                                         \
    "add %[m3], %[m3], t5\n\t"                                                                                         \
    "add %[m0], %[m0], t2\n\t"                                                                                         \
    "add %[m1], %[m1], t3\n\t"
#define OCTAVO_SCALAR_FIRST_ONE                                                                                        \
    OCTAVO_SCALAR_LOADS_ONE(0)                                                                                         \
    "mul %[m0], t2, t0\n\t"                                                                                            \
    "mul %[m1], t3, t0\n\t"                                                                                            \
    "add %[m0], %[m0], %[half]\n\t"                                                                                    \
    "add %[m1], %[m1], %[half]\n\t"
#define OCTAVO_SCALAR_FIRST_TWO                                                                                        \
    OCTAVO_SCALAR_LOADS_TWO(0)                                                                                         \
    "mul %[m2], t2, t1\n\t"                                                                                            \
    "mul %[m3], t3, t1\n\t"                                                                                            \
    "mul %[m0], t2, t0\n\t"                                                                                            \
    "mul %[m1], t3, t0\n\t"                                                                                            \
    "add %[m2], %[m2], %[half]\n\t"                                                                                    \
    "add %[m3], %[m3], %[half]\n\t"                                                                                    \
    "add %[m0], %[m0], %[half]\n\t"                                                                                    \
    "add %[m1], %[m1], %[half]\n\t"
/* The sums of a chunk to those of all. */
#define OCTAVO_SCALAR_LAST_ONE                                                                                         \
    "add %[a0], %[a0], %[m0]\n\t"                                                                                      \
    "srai %[m0], %[m0], 16\n\t"                                                                                        \
    "add %[h0], %[h0], %[m0]\n\t"                                                                                      \
    "add %[a1], %[a1], %[m1]\n\t"                                                                                      \
    "srai %[m1], %[m1], 16\n\t"                                                                                        \
    "add %[h1], %[h1], %[m1]\n\t"
#define OCTAVO_SCALAR_LAST_TWO                                                                                         \
    OCTAVO_SCALAR_LAST_ONE                                                                                             \
    "add %[a2], %[a2], %[m2]\n\t"                                                                                      \
    "srai %[m2], %[m2], 16\n\t"                                                                                        \
    "add %[h2], %[h2], %[m2]\n\t"                                                                                      \
    "add %[a3], %[a3], %[m3]\n\t"                                                                                      \
    "srai %[m3], %[m3], 16\n\t"                                                                                        \
    "add %[h3], %[h3], %[m3]\n\t"
#define OCTAVO_SCALAR_CHUNKS_ONE(count, taps)                                                                          \
    __asm volatile("1:\n\t" OCTAVO_SCALAR_FIRST_ONE taps                                                               \
                   "addi %[x], %[x], 8 * " #count "\n\t"                                                               \
                   "addi %[w0], %[w0], " #count "\n\t"                                                                 \
                   OCTAVO_SCALAR_LAST_ONE "bne %[x], %[end], 1b"                                                       \
                   : [x] "+&r"(x), [w0] "+&r"(w), [a0] "+&r"(sums->all[0]), [a1] "+&r"(sums->all[1]),                  \
                   [h0] "+&r"(sums->high[0]), [h1] "+&r"(sums->high[1]),                                               \
                   [m0] "=&r"(m0), [m1] "=&r"(m1)                                                                      \
                   : [end] "r"(end), [half] "r"(0x8000)                                                                \
                   : "t0", "t2", "t3", "memory")
#define OCTAVO_SCALAR_CHUNKS_TWO(count, taps)                                                                          \
    __asm volatile("1:\n\t" OCTAVO_SCALAR_FIRST_TWO taps                                                               \
                   "addi %[x], %[x], 8 * " #count "\n\t"                                                               \
                   "addi %[w0], %[w0], " #count "\n\t"                                                                 \
                   "addi %[w1], %[w1], " #count "\n\t"                                                                 \
                   OCTAVO_SCALAR_LAST_TWO "bne %[x], %[end], 1b"                                                       \
                   : [x] "+&r"(x), [w0] "+&r"(w), [w1] "+&r"(w1), [a0] "+&r"(sums->all[0]), [a1] "+&r"(sums->all[1]),  \
                   [a2] "+&r"(sums[1].all[0]), [a3] "+&r"(sums[1].all[1]), [h0] "+&r"(sums->high[0]),                  \
                   [h1] "+&r"(sums->high[1]), [h2] "+&r"(sums[1].high[0]), [h3] "+&r"(sums[1].high[1]),                \
                   [m0] "=&r"(m0),                                                                                     \
                   [m1] "=&r"(m1), [m2] "=&r"(m2), [m3] "=&r"(m3)                                                      \
                   : [end] "r"(end), [half] "r"(0x8000)                                                                \
                   : "t0", "t1", "t2", "t3", "t4", "t5", "memory")
#define OCTAVO_SCALAR_TAPS1_ONE
#define OCTAVO_SCALAR_TAPS2_ONE OCTAVO_SCALAR_TAPS1_ONE OCTAVO_SCALAR_TAP_ONE(1)
#define OCTAVO_SCALAR_TAPS3_ONE OCTAVO_SCALAR_TAPS2_ONE OCTAVO_SCALAR_TAP_ONE(2)
#define OCTAVO_SCALAR_TAPS4_ONE OCTAVO_SCALAR_TAPS3_ONE OCTAVO_SCALAR_TAP_ONE(3)
#define OCTAVO_SCALAR_TAPS5_ONE OCTAVO_SCALAR_TAPS4_ONE OCTAVO_SCALAR_TAP_ONE(4)
#define OCTAVO_SCALAR_TAPS6_ONE OCTAVO_SCALAR_TAPS5_ONE OCTAVO_SCALAR_TAP_ONE(5)
#define OCTAVO_SCALAR_TAPS7_ONE OCTAVO_SCALAR_TAPS6_ONE OCTAVO_SCALAR_TAP_ONE(6)
#define OCTAVO_SCALAR_TAPS8_ONE OCTAVO_SCALAR_TAPS7_ONE OCTAVO_SCALAR_TAP_ONE(7)
#define OCTAVO_SCALAR_TAPS1_TWO
#define OCTAVO_SCALAR_TAPS2_TWO OCTAVO_SCALAR_TAPS1_TWO OCTAVO_SCALAR_TAP_TWO(1)
#define OCTAVO_SCALAR_TAPS3_TWO OCTAVO_SCALAR_TAPS2_TWO OCTAVO_SCALAR_TAP_TWO(2)
#define OCTAVO_SCALAR_TAPS4_TWO OCTAVO_SCALAR_TAPS3_TWO OCTAVO_SCALAR_TAP_TWO(3)
#define OCTAVO_SCALAR_TAPS5_TWO OCTAVO_SCALAR_TAPS4_TWO OCTAVO_SCALAR_TAP_TWO(4)
#define OCTAVO_SCALAR_TAPS6_TWO OCTAVO_SCALAR_TAPS5_TWO OCTAVO_SCALAR_TAP_TWO(5)
#define OCTAVO_SCALAR_TAPS7_TWO OCTAVO_SCALAR_TAPS6_TWO OCTAVO_SCALAR_TAP_TWO(6)
#define OCTAVO_SCALAR_TAPS8_TWO OCTAVO_SCALAR_TAPS7_TWO OCTAVO_SCALAR_TAP_TWO(7)
#define OCTAVO_SCALAR_CASE(taps)                                                                                       \
    if (channels == 1) {                                                                                               \
        OCTAVO_SCALAR_CHUNKS_ONE(taps, OCTAVO_SCALAR_TAPS##taps##_ONE);                                                \
    } else {                                                                                                           \
        OCTAVO_SCALAR_CHUNKS_TWO(taps, OCTAVO_SCALAR_TAPS##taps##_TWO);                                                \
    }

/* Chunks of 1 to 8 taps of one or two channels, up to the end of the words; true, as there is always such a loop. */
OCTAVO_INLINE int32_t octavo_scalar_asm_chunks(octavo_scalar_sums *sums, int32_t channels, const uint32_t *x,
    const uint32_t *end, const int8_t *w, int32_t apart, int32_t taps)
{
    const int8_t *w1 = w + (channels - 1) * apart;
    uint32_t m0, m1, m2, m3;
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

#endif /* OCTAVO_SCALAR_CHUNK_RISCV_H */
