/* Start-up of a bare-metal 32-bit RISC-V core in machine mode: QEMU's virt machine starts at the first word of flash.
   Control registers: "The RISC-V Instruction Set Manual", volume II, machine-level CSRs. */
#include "../bare_metal/board.h"

void reset_handler(void);
void trap_handler(void);

__attribute__((section(".vectors"), naked)) void reset_handler(void)
{
    __asm volatile(
        ".option push\n.option arch, +zicsr\n"
        " la t0, trap_handler\n csrw mtvec, t0\n la sp, stack_top\n tail board_start\n"
        ".option pop");
}

/* mtvec wants four bytes' alignment; a fault may have come from the stack pointer, so it is set anew. */
__attribute__((aligned(4), naked)) void trap_handler(void)
{
    __asm volatile("la sp, stack_top\n tail board_fault");
}
