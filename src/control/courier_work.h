/* The courier's own side: what runs in its process, which is `chainsd --courier`. */
#ifndef CHAINSI_CONTROL_COURIER_WORK_H
#define CHAINSI_CONTROL_COURIER_WORK_H

#include <stdbool.h>

#define CHAINSI_COURIER_VERB "--courier"

/* Whether these are the arguments of a courier, and it has been handed what one works with. */
bool chainsi_courier_is_meant(int argc, char *const *argv);
/* Does what it is told through the socket CHAINSI_LINE_FD, until that ends. Returns the exit status. Call it from
 * the process's first thread, when there is no other. */
int chainsi_courier_work(void);

#endif
