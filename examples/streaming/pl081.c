/* Streamed weights by a DMA: the two hooks of octavo/stream.h for Arm's PL081 on the MPS2+ board, image AN505.
 *
 * Compile it with the model and -DOCTAVO_COPY. octavo_copy_start programs channel 0 and returns; the controller copies
 * while the processor computes; octavo_copy_wait polls for the terminal count. Another controller needs other
 * registers and the same two functions.
 *
 * Registers: Arm DDI 0218, PrimeCell Single Master DMA Controller (PL081), chapter 3. Their address: AN505, DMA0, seen
 * from the secure state. There is no data cache on this board: see docs/packages.md where there is one.
 */
#include <stddef.h>
#include <stdint.h>

#include "octavo/stream.h"
#include "pl081.h"

#define DMA 0x50110000u
#define REGISTER(offset) (*(volatile uint32_t *)(DMA + (offset)))
#define TERMINAL_COUNT_CLEAR REGISTER(0x008u)
#define ERROR_CLEAR REGISTER(0x010u)
#define TERMINAL_COUNT REGISTER(0x014u) /* before masking: no interrupt is needed */
#define ERROR REGISTER(0x018u)
#define CONFIGURATION REGISTER(0x030u)
#define CHANNEL_CONFIGURATION REGISTER(0x110u)
#define CHANNEL ((volatile struct transfer *)(DMA + 0x100u))

#define WORDS ((2u << 18) | (2u << 21)) /* the widths of source and target; bytes are 0 */
#define BOTH_ADVANCE (3u << 26)
#define TELL (1u << 31) /* raise the terminal count after this transfer */
#define MOST 4095u      /* elements of one transfer */
#define TRANSFERS 8u

/* One transfer, as the controller reads it, from its registers or from a list in memory. */
struct transfer {
    uint32_t from;
    uint32_t to;
    uint32_t next; /* the address of the next one, 0 after the last */
    uint32_t control;
};

volatile uint32_t pl081_copies;

static struct transfer list[TRANSFERS];

/* Fills one entry; returns how many bytes it moves. */
static uint32_t fill(struct transfer *entry, uint32_t to, uint32_t from, uint32_t bytes)
{
    const uint32_t aligned = (to | from) % 4u == 0u && bytes >= 4u;
    const uint32_t width = aligned ? 4u : 1u;
    const uint32_t count = bytes / width < MOST ? bytes / width : MOST;
    entry->from = from;
    entry->to = to;
    entry->control = count | BOTH_ADVANCE | (aligned ? WORDS : 0u);
    return count * width;
}

void octavo_copy_start(void *to, const void *from, uint32_t bytes)
{
    uint32_t done = 0, used = 0;
    while (done < bytes) {
        if (used == TRANSFERS) {
            __builtin_trap(); /* a block of more than 7 * 16,380 bytes: make the list longer */
        }
        done += fill(&list[used], (uint32_t)(uintptr_t)to + done, (uint32_t)(uintptr_t)from + done, bytes - done);
        list[used].next = done < bytes ? (uint32_t)(uintptr_t)&list[used + 1u] : 0u;
        ++used;
    }
    list[used - 1u].control |= TELL;
    CONFIGURATION = 1u; /* the controller is on */
    TERMINAL_COUNT_CLEAR = 1u;
    ERROR_CLEAR = 1u;
    CHANNEL->from = list[0].from;
    CHANNEL->to = list[0].to;
    CHANNEL->next = list[0].next;
    CHANNEL->control = list[0].control;
    __asm volatile("dsb" ::: "memory"); /* the list, and what lay at the target, are in memory before the copy begins */
    CHANNEL_CONFIGURATION = 1u;         /* memory to memory, go */
}

void octavo_copy_wait(void)
{
    while ((TERMINAL_COUNT & 1u) == 0u) {
        if ((ERROR & 1u) != 0u) {
            __builtin_trap();
        }
    }
    TERMINAL_COUNT_CLEAR = 1u;
    pl081_copies = pl081_copies + 1u;
    __asm volatile("dmb" ::: "memory"); /* nothing is read from the target before */
}
