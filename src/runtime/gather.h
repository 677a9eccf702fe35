/* Gathers and jobs: calls that are started and waited for later.
 *
 * A job is one started call, spawned function, or runner of chains_each. Jobs wait in one queue for
 * the threads of the pool; a thread that waits for a gather runs that gather's queued jobs itself,
 * so that nested gathers always get on, however few threads there are. A job has a ctx with an
 * arena of its own, which the waiting thread's ctx adopts. Calls to Chainlets on this machine need no
 * threads: the one that waits makes all of them (fanout.h), and helps with jobs when they are done.
 *
 *   QUEUED --> RUNNING --> DONE
 *      '--------------------^      (cancelled before it began: its status says so) */
#ifndef CHAINSI_RUNTIME_GATHER_H
#define CHAINSI_RUNTIME_GATHER_H

#include "runtime/context.h"
#include "runtime/pool.h"
#include "runtime/waiter.h"

typedef struct chainsi_fanout chainsi_fanout;

typedef enum chainsi_job_state {
    CHAINSI_JOB_QUEUED,
    CHAINSI_JOB_RUNNING,
    CHAINSI_JOB_DONE
} chainsi_job_state;

/* One thing that was started: what a thread of the pool runs, or (fanout.h) a call that needs none. */
typedef struct chainsi_job {
    chainsi_gather *gather;
    chainsi_task task;       /* in the pool's queue; unused for a call of a fan-out */
    chainsi_job_state state; /* guarded by the pool's lock, or by the fan-out */
    chains_ctx *ctx; /* of the job, with an arena of its own; of a call: for its error, or NULL */
    chains_status status; /* once DONE */
    bool helped;          /* it runs on the thread that waits for the gather */
    /* Runs on any thread; records failures on ctx. */
    chains_status (*run)(chains_ctx *ctx, void *data);
    /* Writes outputs, on the thread that waits, after success. NULL: nothing to write. */
    void (*finish)(void *data);
    /* Frees what isn't of ctx's arena, once DONE. NULL: nothing. */
    void (*discard)(void *data);
    /* Records its failure on ctx, where that hasn't been done yet. NULL: it has. */
    void (*explain)(void *data);
    void *data;
} chainsi_job;

struct chainsi_gather {
    chains_ctx ctx; /* what the author holds */
    chains_ctx *parent;
    chainsi_gather *next; /* of the same parent */
    bool all;             /* failures don't cancel */
    bool ended;           /* waited for */
    chains_status status; /* once ended */
    chainsi_job **jobs;   /* in the order of starting */
    size_t count, capacity;
    size_t first_queued;    /* no job before this one is QUEUED */
    size_t unfinished;      /* jobs of the pool; guarded by its lock */
    bool failed;            /* one failed and the rest was cancelled; guarded by the pool's lock */
    chainsi_waiter *waiter; /* the thread that waits; guarded by the pool's lock */
    bool delivers;          /* items go to the thread that waits (delivery.h) */
    struct chainsi_delivery *deliveries; /* that wait for it, oldest first; guarded likewise */
    chainsi_fanout *fanout;              /* NULL: no call was started that needs no thread */
};

/* A new job of the gather, not started, whose ctx may be allocated from. */
chainsi_job *chainsi_job_new(chainsi_gather *gather);
/* Puts it in the queue; run, finish, discard and data are set. */
void chainsi_job_start(chainsi_job *job);
/* Makes it the gather's next, which is all that starting it means for the gather. */
void chainsi_gather_add(chainsi_gather *gather, chainsi_job *job);
/* One failed: cancels the others, unless all are to finish. */
void chainsi_gather_fail(chainsi_gather *gather);
/* Cancels the gathers of ctx that nobody waited for, and waits until their jobs have ended. */
void chainsi_gathers_end(chains_ctx *ctx);

#endif
