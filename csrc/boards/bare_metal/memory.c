/* What memory holds before main, what runs when a program faults, and how much stack was used. */
#include "board.h"

#define PAINT 0xC0DEC0DEu
#define PAINT_MARGIN 64u /* below this file's own frame */

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_limit[], stack_top[];

int main(void);

void board_start(void)
{
    const uint32_t *load = data_load;
    for (uint32_t *word = data_start; word < data_end; ++word) {
        *word = *load++;
    }
    for (uint32_t *word = bss_start; word < bss_end; ++word) {
        *word = 0;
    }
    board_exit(main());
}

void board_fault(void)
{
    board_write("fault\n");
    board_exit(BOARD_FAULT);
}

void board_stack_paint(void)
{
    uint32_t *const end = (uint32_t *)((uintptr_t)__builtin_frame_address(0) - PAINT_MARGIN);
    for (volatile uint32_t *word = stack_limit; word < end; ++word) {
        *word = PAINT;
    }
}

uint32_t board_stack_used(void)
{
    const volatile uint32_t *word = stack_limit;
    while (word < stack_top && *word == PAINT) {
        ++word;
    }
    return (uint32_t)((uintptr_t)stack_top - (uintptr_t)word);
}
