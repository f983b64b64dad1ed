/* The serial line of an emulated board: two named pipes of the host, by semihosting. The stack is the linker script's. */
#include <stddef.h>

#include "octavo_serial.h"

#include "../bare_metal/board.h"

/* The name of the model's octavo_serial_model. */
extern const octavo_serial_model SERIAL_MODEL;

extern uint8_t stack_limit[], stack_top[];

static board_file in, out;

int32_t octavo_serial_read(void)
{
    static uint8_t bytes[64];
    static uint32_t next, end;
    if (next == end) {
        next = 0;
        end = board_read(in, bytes, sizeof bytes);
        if (end - 1u >= sizeof bytes) {
            board_exit(0);
        }
    }
    return bytes[next++];
}

void octavo_serial_write(const uint8_t *bytes, uint32_t count)
{
    board_put(out, bytes, count);
}

uint32_t octavo_serial_ticks(void)
{
    return (uint32_t)board_ticks();
}

int main(void)
{
    in = board_open("to_board", 8, 0);
    out = board_open("from_board", 10, 1);
    if (in < 0 || out < 0) {
        board_write("cannot open to_board or from_board\n");
        return 1;
    }
    board_ticks_start();
    octavo_serial_serve(&SERIAL_MODEL, stack_limit, stack_top);
    return 0;
}
