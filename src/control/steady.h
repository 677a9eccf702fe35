/* The time that the state's limits go by: like the clock that people set, but steady. People set their
 * clock, or have it set, by hours when a machine had lost it; what waits, expires, is tried again or kept
 * is not to notice. So this time is that of CLOCK_BOOTTIME with a distance added to it, which stays as it
 * is until somebody sets another one: state_clock.h, together with the times that the state has. Any
 * thread. */
#ifndef CHAINSI_CONTROL_STEADY_H
#define CHAINSI_CONTROL_STEADY_H

#include <stdint.h>

/* Milliseconds since 1970. */
int64_t chainsi_steady_ms(void);

/* The distance: at first that of the clock that people set, when it was first asked for. */
int64_t chainsi_steady_offset_ms(void);
void chainsi_steady_set_offset(int64_t offset_ms);

/* The distance of the clock that people set, now. */
int64_t chainsi_wall_offset_ms(void);

#endif
