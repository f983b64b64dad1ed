/* Lets a host look into a model while it runs, over a serial line: docs/verify.md has the protocol byte by byte.
 *
 * The model's sources are compiled with -DOCTAVO_PROFILE; octavo_serial.c is the octavo_mark that they then call before
 * each layer. There the model stands still while the host reads the arena, so no value has to be kept for it.
 *
 *     int main(void)
 *     {
 *         start_uart();
 *         octavo_serial_serve(&wakeword_serial, stack_bottom, stack_top);
 *     }
 *
 * wakeword_serial is in the generated wakeword_serial.c. One model, no interrupts needed, about 900 bytes of RAM.
 */
#ifndef OCTAVO_SERIAL_H
#define OCTAVO_SERIAL_H

#include <stdint.h>

/* The most bytes of data in one message, 64 to 4096. */
#ifndef OCTAVO_SERIAL_DATA
#define OCTAVO_SERIAL_DATA 256
#endif

typedef struct {
    const void *bytes;
    uint32_t count;
} octavo_serial_constant;

typedef struct {
    uint8_t digest[16];       /* of the sources that it was generated with */
    void *(*arena)(void);     /* the first byte */
    void (*run)(void);        /* one inference, from the inputs and to the outputs in the arena */
    uint32_t arena_bytes;
    uint16_t layers;          /* calls of octavo_mark but the last */
    uint16_t constant_count;
    const octavo_serial_constant *constants;
} octavo_serial_model;

/* You provide these three. */

/* Waits for a byte from the host and returns it; it may return -1 when none has come for a while, and is called again. */
int32_t octavo_serial_read(void);
void octavo_serial_write(const uint8_t *bytes, uint32_t count);
/* A counter of cycles or time, as fine as there is; 0 always where there is none. */
uint32_t octavo_serial_ticks(void);

/* Serves the host for ever. The stack's lowest byte and the byte behind its highest, to see how much of it is used: it
   grows downward. NULL for both where that is not known. */
void octavo_serial_serve(const octavo_serial_model *model, void *stack_bottom, void *stack_top);

/* Called by the model before each layer and after the last. */
void octavo_mark(uint32_t layer);

#endif /* OCTAVO_SERIAL_H */
