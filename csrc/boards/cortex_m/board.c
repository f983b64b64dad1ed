/* Semihosting, SysTick and the calibration loop of a Cortex-M.
   SysTick: Armv7-M Architecture Reference Manual, B3.3: a 24-bit counter that counts down. */
#include "systick.h"

#include "../bare_metal/board.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_MAX 0xFFFFFFu

static volatile uint32_t wraps;

uint32_t board_semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void systick_handler(void)
{
    wraps = wraps + 1;
}

void board_ticks_start(void)
{
    SYSTICK_RELOAD = SYSTICK_MAX;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 7u; /* processor clock, interrupt, enable */
}

uint64_t board_ticks(void)
{
    uint32_t before, value, after;
    do {
        before = wraps;
        value = SYSTICK_VALUE;
        after = wraps;
    } while (before != after);
    return (uint64_t)before * (SYSTICK_MAX + 1u) + (SYSTICK_MAX - value);
}

void board_loop(uint32_t loops)
{
    __asm volatile(".syntax unified\n1: subs %0, %0, #1\n bne 1b" : "+l"(loops)::"cc");
}
