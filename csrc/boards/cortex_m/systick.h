/* The interrupt of SysTick's 24-bit counter, for the vector table. */
#ifndef SYSTICK_H
#define SYSTICK_H

void systick_handler(void);

#endif
