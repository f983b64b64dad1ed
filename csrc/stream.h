/* Constants in slow memory: a model copies a layer's into its arena while the layer before computes.
 *
 * octavo_copy_start(to, from, bytes) begins a copy; octavo_copy_wait() returns when it is done. There is one copy at a
 * time, and the model touches neither its source nor its target in between. As it is, the first copies and the second
 * has nothing to wait for. With -DOCTAVO_COPY both are functions that you provide: start a DMA, wait for its end (and
 * make the processor see the bytes, where it has a data cache).
 */
#ifndef OCTAVO_STREAM_H
#define OCTAVO_STREAM_H

#include <stdint.h>
#include <string.h>

#ifdef OCTAVO_COPY
#ifdef __cplusplus
extern "C" {
#endif
void octavo_copy_start(void *to, const void *from, uint32_t bytes);
void octavo_copy_wait(void);
#ifdef __cplusplus
}
#endif
#else
static inline void octavo_copy_start(void *to, const void *from, uint32_t bytes)
{
    memcpy(to, from, bytes);
}

static inline void octavo_copy_wait(void)
{
}
#endif

/* OCTAVO_STREAMED stands at the constants in slow memory. With -DOCTAVO_DATA_SECTION they go to ".octavo_slow". */
#ifndef OCTAVO_STREAMED
#ifdef OCTAVO_DATA_SECTION
#define OCTAVO_STREAMED __attribute__((section(".octavo_slow")))
#else
#define OCTAVO_STREAMED
#endif
#endif

#endif /* OCTAVO_STREAM_H */
