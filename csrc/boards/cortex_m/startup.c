/* Start-up of a bare-metal Cortex-M: vector table, memory initialisation, FPU and Helium, faults.
   Registers and their addresses: Armv7-M and Armv8-M Architecture Reference Manuals, System Control Space. */
#include "board.h"

#define CPACR (*(volatile uint32_t *)0xE000ED88u)

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];

int main(void);
void reset_handler(void);
static void fault_handler(void);

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)stack_top,
    reset_handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    fault_handler, /* SecureFault */
    0,
    0,
    0,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    0,
    fault_handler, /* PendSV */
    board_systick_handler,
};

void reset_handler(void)
{
    const uint32_t *load = data_load;
    for (uint32_t *word = data_start; word < data_end; ++word) {
        *word = *load++;
    }
    for (uint32_t *word = bss_start; word < bss_end; ++word) {
        *word = 0;
    }
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= 0xFu << 20; /* full access to coprocessors 10 and 11 */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
    board_exit(main());
}

static void fault_handler(void)
{
    board_write("fault\n");
    board_exit(BOARD_FAULT);
}
