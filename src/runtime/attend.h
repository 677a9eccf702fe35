/* What has to be done if nobody else has begun to after a moment: one thread for the whole process,
 * started with the first of it, which looks every millisecond for as long as such things come.
 *
 * There is no timer for each: setting one and taking it back costs more than a whole call where the
 * clock is a virtual machine's. */
#ifndef CHAINSI_RUNTIME_ATTEND_H
#define CHAINSI_RUNTIME_ATTEND_H

#include <stdbool.h>
#include <stdint.h>

typedef struct chainsi_attended chainsi_attended;
struct chainsi_attended {
    chainsi_attended *next, *previous;
    bool listed;
    int64_t due_ns;
    /* Called once when it is due, with a lock held that guards all of this: it doesn't block. */
    void (*attend)(chainsi_attended *attended);
};

/* Calls attended->attend after a moment (0.1 to 1.2 ms), unless it is forgotten before. Any thread. */
void chainsi_attend_later(chainsi_attended *attended);
/* Not any more; when this returns, attend isn't running either. Any thread. */
void chainsi_attend_not(chainsi_attended *attended);

#endif
