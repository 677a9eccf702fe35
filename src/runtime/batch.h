/* Batches: calls of one Chainlet that arrive together run as one, in one slot.
 *
 * A call's thread brings it to the collector and waits there until it has been run. The thread whose
 * call starts a batch, its leader, runs it for all; the others sleep meanwhile and then go on with
 * their own answers. While every slot runs a batch, calls collect for the next. batch_policy.h says
 * how long a batch with a free slot waits for more.
 *
 * A call that is alone is run by run_remote, as if there were no batches. */
#ifndef CHAINSI_RUNTIME_BATCH_H
#define CHAINSI_RUNTIME_BATCH_H

#include "base/buffer.h"
#include "runtime/context.h"
#include "runtime/glue.h"
#include "runtime/progress.h"

enum {
    /* Calls that one replica with batches admits at most: each holds a thread. */
    CHAINSI_MAX_SLOTS = 1024,
};

/* The calls that a replica takes at once: .concurrency, with batches times .batch.max_size, and then
 * at most CHAINSI_MAX_SLOTS unless .concurrency alone is more. */
int chainsi_batch_slots(const chainsi_implementation *implementation);

typedef struct chainsi_batch chainsi_batch; /* the collector; any thread */

/* A collector in memory of ctx; NULL if the Chainlet has no run_batch, or .batch.max_size is below
 * 2. */
chainsi_batch *chainsi_batch_new(chains_ctx *ctx, const chainsi_implementation *implementation);
/* Nobody may be in it. NULL is allowed. */
void chainsi_batch_done(chainsi_batch *batch);

/* Calls have come, and are going to be run: from now until they have left they count as in flight, so
 * that a batch may wait for them. Each has to leave, once its answer was sent or it is known that it
 * won't be run. */
void chainsi_batch_enter(chainsi_batch *batch, size_t count);
void chainsi_batch_leave(chainsi_batch *batch, size_t count);
/* Whether batches ever wait for calls that are in flight. NULL: no. */
bool chainsi_batch_waits(const chainsi_batch *batch);

typedef struct chainsi_batch_call {
    chains_ctx *ctx;   /* what run_batch gets for it; used by the leader's thread meanwhile */
    const void *input; /* as for chainsi_implementation.run */
    void *output;      /* zeroed */
    bool droppable;    /* it isn't begun once its caller has left */
    chainsi_progress *progress; /* told when its batch begins and ends; NULL: nobody */
    int64_t run_ns;             /* set: how long the batch ran; -1: it was dropped */
} chainsi_batch_call;

/* Runs a call as part of a batch and returns how it ended, settled (chainsi_error_settle) if it
 * failed: by itself, with all of its batch, or because its deadline passed or its caller left before
 * it began. Blocks. self: what _new returned. */
chains_status chainsi_batch_run(chainsi_batch *batch, void *self, chainsi_batch_call *call);

/* Calls that wait for their batch to begin. */
size_t chainsi_batch_waiting(chainsi_batch *batch);
/* Appends the histogram of sizes, whose sum and count are calls and batches, for /metrics. */
void chainsi_batch_write_metrics(chainsi_batch *batch, const char *chainlet, chainsi_buffer *out);

#endif
