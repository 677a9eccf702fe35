/* Items of a started call on their way to the thread that waits for it. The thread that has an item
 * stands still until the other one has handed it to the caller's emit, so the callee waits, too; until
 * somebody waits for the gather, that is for long.
 *
 *   WAITING --chains_wait takes it--> TAKEN --emit has returned--> DONE
 *      '--the call is cancelled--> (withdrawn) */
#ifndef CHAINSI_RUNTIME_DELIVERY_H
#define CHAINSI_RUNTIME_DELIVERY_H

#include "runtime/gather.h"
#include "runtime/glue.h"

typedef enum chainsi_delivery_state {
    CHAINSI_DELIVERY_WAITING,
    CHAINSI_DELIVERY_TAKEN,
    CHAINSI_DELIVERY_DONE,
} chainsi_delivery_state;

/* One item; lives on the stack of the thread that has it. Guarded by the pool's lock. */
typedef struct chainsi_delivery {
    struct chainsi_delivery *next; /* of the gather, in order */
    chainsi_job *job;
    chainsi_stream *to;
    const void *item;
    chainsi_waiter *waiter; /* of the thread that has it */
    chainsi_delivery_state state;
    chains_status status; /* once DONE */
} chainsi_delivery;

/* The job will deliver items: the thread that waits for its gather has to be free for them. */
void chainsi_delivery_expect(chainsi_job *job);
/* Has the thread that waits for the job's gather hand item to `to`, and gives what that gave, or why
 * the call was stopped meanwhile. Blocks. Where emit failed and left an error on the gather's parent, it is
 * the job's. */
chains_status chainsi_delivery_make(chainsi_job *job, chainsi_stream *to, const void *item);
/* On the thread that waits, with the pool's lock, which is given up while emit runs: hands over the
 * oldest item. False: there is none. */
bool chainsi_delivery_take(chainsi_gather *gather);

#endif
