/* Giving way: a thread that is about to send for others, too, lets those run first that are ready to,
 * so that what they have to send leaves in the same write. */
#ifndef CHAINSI_BASE_YIELD_H
#define CHAINSI_BASE_YIELD_H

/* Lets other threads of this CPU run that are ready, if that is quick here: where others compute for
 * as long as they may, it does nothing for a while, because each turn of theirs takes milliseconds.
 * Any thread. */
void chainsi_yield(void);

#endif
