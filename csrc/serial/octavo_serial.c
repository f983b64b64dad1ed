/* The device's side of the protocol in docs/verify.md.
 *
 * A frame is a packet in COBS (Cheshire and Baker 1999: no byte of it is 0) and a 0; a packet is a number, a command, its
 * data and a CRC-32 of all before it. What has another CRC or length is passed over in silence, and the host asks again:
 * every command may come twice. Nothing is written but the two buffers below and, by WRITE, the arena inside its bounds.
 */
#include "octavo_serial.h"

#include <stddef.h>
#include <string.h>

enum { HELLO = 1, WRITE = 2, RUN = 3, READ = 4, CRC = 5, STACK = 6 };
enum { DONE = 0, UNKNOWN = 1, LENGTH = 2, BOUNDS = 3, PASSED = 4 };

#define VERSION 1u
#define REPLY 0x80u
#define HEADER 3u /* of a reply: number, command, status */
#define CRC_BYTES 4u
#define PACKET (OCTAVO_SERIAL_DATA + 16u)
#define FRAME (PACKET + PACKET / 254u + 2u)
#define PAINT 0xC5u
#define PAINT_MARGIN 64u /* below a local variable: the rest of its function's frame */

typedef char octavo_serial_check_data[OCTAVO_SERIAL_DATA >= 64 && OCTAVO_SERIAL_DATA <= 4096 ? 1 : -1];

static const octavo_serial_model *served;
static uint8_t received[FRAME], reply[PACKET], sent[FRAME];
static uint32_t length;   /* of `received`; FRAME where a frame is too long */
static uint8_t run;       /* the run in progress, or the last one */
static uint32_t layer;    /* where it stands: so many layers have run */
static uint8_t wanted_run;
static uint32_t wanted_layer;
static uint8_t asked;     /* the number of the RUN that waits for its reply */
static int32_t waiting;   /* whether one does */
static uint32_t began, spent;
static uint8_t *bottom, *top;

static uint32_t crc_of(const uint8_t *bytes, uint32_t count)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    uint32_t crc = 0xffffffffu;
    for (uint32_t i = 0; i < count; ++i) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

static uint32_t get(const uint8_t *bytes, uint32_t count)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; ++i) {
        value |= (uint32_t)bytes[i] << (8u * i);
    }
    return value;
}

static void put(uint8_t *bytes, uint32_t value, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        bytes[i] = (uint8_t)(value >> (8u * i));
    }
}

/* Sends the first `count` bytes of data that stand in `reply` behind its header. */
static void answer(uint8_t number, uint8_t command, uint8_t status, uint32_t count)
{
    const uint32_t bytes = HEADER + count + CRC_BYTES;
    uint32_t code = 0, end = 1; /* where the group's length stands, and where the next byte goes */
    reply[0] = number;
    reply[1] = (uint8_t)(command | REPLY);
    reply[2] = status;
    put(reply + HEADER + count, crc_of(reply, HEADER + count), CRC_BYTES);
    for (uint32_t i = 0; i < bytes; ++i) {
        if (reply[i] != 0) {
            sent[end++] = reply[i];
        }
        if (reply[i] == 0 || end - code == 255u) {
            sent[code] = (uint8_t)(end - code);
            code = end++;
        }
    }
    sent[code] = (uint8_t)(end - code);
    sent[end++] = 0;
    octavo_serial_write(sent, end);
}

/* Undoes COBS in place; the number of bytes, or 0 where it is none. */
static uint32_t decode(uint8_t *bytes, uint32_t count)
{
    uint32_t from = 0, to = 0;
    while (from < count) {
        const uint32_t group = bytes[from++];
        if (group - 1u > count - from) {
            return 0;
        }
        memmove(bytes + to, bytes + from, group - 1u);
        from += group - 1u;
        to += group - 1u;
        if (group < 255u && from < count) {
            bytes[to++] = 0;
        }
    }
    return to;
}

/* Bytes of the stack that were ever used. Below `bottom` nothing is known. */
static uint32_t stack_used(void)
{
    const volatile uint8_t *byte = bottom;
    while (byte < top && *byte == PAINT) {
        ++byte;
    }
    return (uint32_t)(top - byte);
}

static void paint_stack(void)
{
    volatile uint8_t here = 0;
    const uintptr_t end = (uintptr_t)&here - PAINT_MARGIN;
    for (volatile uint8_t *byte = bottom; byte < top && (uintptr_t)byte < end; ++byte) {
        *byte = PAINT;
    }
}

static uint32_t hello(uint8_t *out)
{
    const uint32_t order = 0x01020304u;
    put(out, VERSION, 1);
    memcpy(out + 1, &order, 4);
    put(out + 5, OCTAVO_SERIAL_DATA, 2);
    memcpy(out + 7, served->digest, 16);
    put(out + 23, served->arena_bytes, 4);
    put(out + 27, served->layers, 2);
    put(out + 29, served->constant_count, 2);
    put(out + 31, run, 1);
    put(out + 32, layer, 2);
    return 34;
}

/* The bytes of a range of the arena (space 0) or of a constant (from 1 on); NULL where they are not all in it. */
static const uint8_t *range(uint32_t space, uint32_t offset, uint32_t count)
{
    const uint8_t *bytes;
    uint32_t size;
    if (space > served->constant_count) {
        return NULL;
    }
    if (space == 0) {
        bytes = served->arena();
        size = served->arena_bytes;
    } else {
        bytes = served->constants[space - 1u].bytes;
        size = served->constants[space - 1u].count;
    }
    return offset <= size && count <= size - offset ? bytes + offset : NULL;
}

/* Inputs are written between two runs, under the number of the next one: a copy that comes late changes nothing. */
static uint8_t write_arena(const uint8_t *data, uint32_t count)
{
    const uint32_t offset = get(data + 1, 4);
    if (data[0] == run || layer != served->layers) {
        return PASSED;
    }
    if (range(0, offset, count - 5u) == NULL) {
        return BOUNDS;
    }
    memcpy((uint8_t *)served->arena() + offset, data + 5, count - 5u);
    return DONE;
}

/* Where a run is to go. It answers itself where that can be said at once. */
static void aim(uint8_t number, const uint8_t *data)
{
    const uint32_t to = get(data + 1, 2);
    if (to > served->layers) {
        answer(number, RUN, BOUNDS, 0);
    } else if (data[0] == run && to < layer) {
        answer(number, RUN, PASSED, 0);
    } else {
        wanted_run = data[0];
        wanted_layer = to;
        asked = number;
        waiting = 1;
    }
}

static void obey(const uint8_t *packet, uint32_t count)
{
    static const uint8_t lengths[7] = {0, 0, 5, 3, 8, 10, 0};
    const uint8_t number = packet[0], command = packet[1];
    const uint8_t *data = packet + 2, *bytes;
    uint8_t *out = reply + HEADER;
    uint32_t many;
    count -= 2u;
    if (command < HELLO || command > STACK) {
        answer(number, command, UNKNOWN, 0);
        return;
    }
    if (command == WRITE ? count < lengths[WRITE] : count != lengths[command]) {
        answer(number, command, LENGTH, 0);
        return;
    }
    switch (command) {
    case HELLO:
        answer(number, command, DONE, hello(out));
        break;
    case WRITE:
        answer(number, command, write_arena(data, count), 0);
        break;
    case RUN:
        aim(number, data);
        break;
    case READ:
        many = get(data + 6, 2);
        bytes = many <= OCTAVO_SERIAL_DATA ? range(get(data, 2), get(data + 2, 4), many) : NULL;
        if (bytes != NULL) {
            memcpy(out, bytes, many);
        }
        answer(number, command, bytes != NULL ? DONE : BOUNDS, bytes != NULL ? many : 0);
        break;
    case CRC:
        many = get(data + 6, 4);
        bytes = range(get(data, 2), get(data + 2, 4), many);
        if (bytes != NULL) {
            put(out, crc_of(bytes, many), 4);
        }
        answer(number, command, bytes != NULL ? DONE : BOUNDS, bytes != NULL ? 4 : 0);
        break;
    default:
        put(out, stack_used(), 4);
        put(out + 4, (uint32_t)(top - bottom), 4);
        answer(number, command, DONE, 8);
    }
}

static void take(uint8_t byte)
{
    if (byte != 0) {
        if (length < FRAME) {
            received[length++] = byte;
        }
        return;
    }
    if (length < FRAME) {
        const uint32_t count = decode(received, length);
        if (count >= 2u + CRC_BYTES && get(received + count - CRC_BYTES, 4) == crc_of(received, count - CRC_BYTES)) {
            obey(received, count - CRC_BYTES);
        }
    }
    length = 0;
}

/* Serves until the run must go on; it answers a RUN once it stands where that wanted it. */
static void listen(void)
{
    while (wanted_run == run && wanted_layer <= layer) {
        int32_t byte;
        if (waiting) {
            waiting = 0;
            put(reply + HEADER, layer, 2);
            put(reply + HEADER + 2, spent, 4);
            answer(asked, RUN, DONE, 6);
        }
        byte = octavo_serial_read();
        if (byte >= 0) {
            take((uint8_t)byte);
        }
    }
}

void octavo_mark(uint32_t reached)
{
    spent = octavo_serial_ticks() - began;
    layer = reached;
    listen();
    began = octavo_serial_ticks();
}

void octavo_serial_serve(const octavo_serial_model *model, void *stack_bottom, void *stack_top)
{
    served = model;
    bottom = stack_bottom;
    top = stack_top;
    layer = wanted_layer = model->layers;
    paint_stack();
    for (;;) {
        listen();
        run = wanted_run;
        began = octavo_serial_ticks();
        model->run();
    }
}
