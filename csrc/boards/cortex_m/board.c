/* Semihosting, SysTick and stack measurement on a Cortex-M.
   Semihosting calls: Arm's "Semihosting for AArch32 and AArch64", SYS_OPEN to SYS_EXIT_EXTENDED.
   SysTick: Armv7-M Architecture Reference Manual, B3.3: a 24-bit counter that counts down. */
#include "board.h"

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };

#define APPLICATION_EXIT 0x20026u
#define OPEN_READ_BINARY 1u
#define OPEN_WRITE_BINARY 5u

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_MAX 0xFFFFFFu

#define PAINT 0xC0DEC0DEu

extern uint32_t stack_limit[], stack_top[];

static volatile uint32_t wraps;

static uint32_t semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

board_file board_open(const char *name, uint32_t length, int32_t for_writing)
{
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, for_writing ? OPEN_WRITE_BINARY : OPEN_READ_BINARY, length};
    return (board_file)semihost(SYS_OPEN, arguments);
}

uint32_t board_read(board_file file, void *bytes, uint32_t count)
{
    const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)(uintptr_t)bytes, count};
    return count - semihost(SYS_READ, arguments);
}

uint32_t board_put(board_file file, const void *bytes, uint32_t count)
{
    const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)(uintptr_t)bytes, count};
    return count - semihost(SYS_WRITE, arguments);
}

void board_close(board_file file)
{
    const uint32_t arguments[1] = {(uint32_t)file};
    semihost(SYS_CLOSE, arguments);
}

void board_write(const char *text)
{
    semihost(SYS_WRITE0, text);
}

void board_exit(int32_t status)
{
    const uint32_t arguments[2] = {APPLICATION_EXIT, (uint32_t)status};
    semihost(SYS_EXIT_EXTENDED, arguments);
    for (;;) {
    }
}

void board_systick_handler(void)
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

static uint32_t stack_pointer(void)
{
    uint32_t sp;
    __asm volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

void board_stack_paint(void)
{
    uint32_t *const end = (uint32_t *)(uintptr_t)(stack_pointer() - 64u);
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
