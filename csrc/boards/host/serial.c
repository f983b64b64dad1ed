/* A program of the host's that speaks the serial protocol on its standard input and output, which may be a terminal. */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "octavo_serial.h"

/* The name of the model's octavo_serial_model. */
extern const octavo_serial_model SERIAL_MODEL;

int32_t octavo_serial_read(void)
{
    uint8_t byte;
    if (read(0, &byte, 1) != 1) {
        exit(0);
    }
    return byte;
}

void octavo_serial_write(const uint8_t *bytes, uint32_t count)
{
    while (count > 0) {
        const ssize_t done = write(1, bytes, count);
        if (done <= 0) {
            exit(1);
        }
        bytes += done;
        count -= (uint32_t)done;
    }
}

uint32_t octavo_serial_ticks(void)
{
    return 0;
}

int main(void)
{
    octavo_serial_serve(&SERIAL_MODEL, NULL, NULL);
    return 0;
}
