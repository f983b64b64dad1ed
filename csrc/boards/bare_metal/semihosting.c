/* Files, messages and the end of the program by semihosting, which QEMU offers alike on Arm and RISC-V.
   Calls: Arm's "Semihosting for AArch32 and AArch64", SYS_OPEN to SYS_EXIT_EXTENDED. */
#include "board.h"

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };

#define APPLICATION_EXIT 0x20026u
#define OPEN_READ_BINARY 1u
#define OPEN_WRITE_BINARY 5u

board_file board_open(const char *name, uint32_t length, int32_t for_writing)
{
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, for_writing ? OPEN_WRITE_BINARY : OPEN_READ_BINARY, length};
    return (board_file)board_semihost(SYS_OPEN, arguments);
}

uint32_t board_read(board_file file, void *bytes, uint32_t count)
{
    const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)(uintptr_t)bytes, count};
    return count - board_semihost(SYS_READ, arguments);
}

uint32_t board_put(board_file file, const void *bytes, uint32_t count)
{
    const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)(uintptr_t)bytes, count};
    return count - board_semihost(SYS_WRITE, arguments);
}

void board_close(board_file file)
{
    const uint32_t arguments[1] = {(uint32_t)file};
    board_semihost(SYS_CLOSE, arguments);
}

void board_write(const char *text)
{
    board_semihost(SYS_WRITE0, text);
}

void board_exit(int32_t status)
{
    const uint32_t arguments[2] = {APPLICATION_EXIT, (uint32_t)status};
    board_semihost(SYS_EXIT_EXTENDED, arguments);
    for (;;) {
    }
}
