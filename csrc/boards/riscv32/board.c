/* Semihosting, the instruction counter and the calibration loop of a 32-bit RISC-V core in machine mode.
   Semihosting: "RISC-V Semihosting", version 1.0: the three instructions are uncompressed and on one page.
   Counter: "The RISC-V Instruction Set Manual", volume I, Zicsr and Zicntr; compilers enable Zicsr by themselves no
   longer. */
#include "../bare_metal/board.h"

/* Reads one of the counters' halves. */
#define READ_COUNTER(name, value) \
    __asm volatile(".option push\n.option arch, +zicsr\n csrr %0, " name "\n.option pop" : "=r"(value))

uint32_t board_semihost(uint32_t operation, const void *argument)
{
    register uint32_t a0 __asm("a0") = operation;
    register const void *a1 __asm("a1") = argument;
    __asm volatile(
        ".balign 16\n.option push\n.option norvc\n slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n.option pop"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
    return a0;
}

void board_ticks_start(void)
{
    /* minstret counts from reset. */
}

uint64_t board_ticks(void)
{
    uint32_t before, low, after;
    do {
        READ_COUNTER("minstreth", before);
        READ_COUNTER("minstret", low);
        READ_COUNTER("minstreth", after);
    } while (before != after);
    return (uint64_t)before << 32 | low;
}

void board_loop(uint32_t loops)
{
    __asm volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(loops));
}
