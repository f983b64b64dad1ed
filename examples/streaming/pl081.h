/* What octavo/stream.h does not declare of the PL081's driver. */
#ifndef PL081_H
#define PL081_H

#include <stdint.h>

/* Copies that the controller has reported as done. */
extern volatile uint32_t pl081_copies;

#endif /* PL081_H */
