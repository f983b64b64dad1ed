/* Start-up of a bare-metal Cortex-M: vector table, FPU and Helium, faults.
   Registers and their addresses: Armv7-M and Armv8-M Architecture Reference Manuals, System Control Space. */
#include "../bare_metal/board.h"
#include "systick.h"

#define CPACR (*(volatile uint32_t *)0xE000ED88u)

extern uint32_t stack_top[];

void reset_handler(void);

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)stack_top,
    reset_handler,
    board_fault, /* NMI */
    board_fault, /* HardFault */
    board_fault, /* MemManage */
    board_fault, /* BusFault */
    board_fault, /* UsageFault */
    board_fault, /* SecureFault */
    0,
    0,
    0,
    board_fault, /* SVCall */
    board_fault, /* DebugMonitor */
    0,
    board_fault, /* PendSV */
    systick_handler,
};

void reset_handler(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= 0xFu << 20; /* full access to coprocessors 10 and 11 */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
    board_start();
}
