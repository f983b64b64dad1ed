/* What the test harness needs of a board: files and exit by semihosting, a 64-bit tick counter, stack use.
   This folder is the same on every core; the core's own folder defines board_semihost, the counter and board_loop, and
   comes from reset to board_start with a stack. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define BOARD_FAULT 70

typedef int32_t board_file; /* negative when it could not be opened */

/* Initialises memory, runs main and ends. */
void board_start(void) __attribute__((noreturn));
/* Where exceptions lead: ends with BOARD_FAULT. */
void board_fault(void) __attribute__((noreturn));

uint32_t board_semihost(uint32_t operation, const void *argument);
board_file board_open(const char *name, uint32_t length, int32_t for_writing);
/* Returns the number of bytes that were read or written. */
uint32_t board_read(board_file file, void *bytes, uint32_t count);
uint32_t board_put(board_file file, const void *bytes, uint32_t count);
void board_close(board_file file);
void board_write(const char *text);
void board_exit(int32_t status) __attribute__((noreturn));

void board_ticks_start(void);
uint64_t board_ticks(void);

/* Executes 2 * loops instructions, give or take a handful. */
void board_loop(uint32_t loops);

void board_stack_paint(void);
uint32_t board_stack_used(void);

#endif
