/* Gathers and jobs: calls that are started and waited for later.
 *
 * A job is one started call, spawned function, or runner of chains_each. Jobs wait in one queue for
 * the threads of the pool; a thread that waits for a gather runs that gather's queued jobs itself,
 * so that nested gathers always get on, however few threads there are. A job has a ctx with an
 * arena of its own, which the waiting thread's ctx adopts.
 *
 *   QUEUED --> RUNNING --> DONE
 *      '--------------------^      (cancelled before it began: its status says so) */
#ifndef CHAINSI_RUNTIME_GATHER_H
#define CHAINSI_RUNTIME_GATHER_H

#include "runtime/context.h"

typedef enum chainsi_job_state {
    CHAINSI_JOB_QUEUED,
    CHAINSI_JOB_RUNNING,
    CHAINSI_JOB_DONE
} chainsi_job_state;

typedef struct chainsi_job chainsi_job;
struct chainsi_job {
    chainsi_gather *gather;
    chainsi_job *next, *previous; /* in the pool's queue */
    chainsi_job_state state;      /* guarded by the pool's lock */
    chains_ctx ctx;               /* of the job; its own arena */
    chains_status status;         /* once DONE */
    /* Runs on any thread; records failures on ctx. */
    chains_status (*run)(chains_ctx *ctx, void *data);
    /* Writes outputs, on the thread that waits, after success. NULL: nothing to write. */
    void (*finish)(void *data);
    /* Frees what isn't of ctx's arena, once DONE. NULL: nothing. */
    void (*discard)(void *data);
    void *data;
};

/* A new job of the gather, not started, whose ctx may be allocated from. */
chainsi_job *chainsi_job_new(chainsi_gather *gather);
/* Puts it in the queue; run, finish, discard and data are set. */
void chainsi_job_start(chainsi_job *job);
/* Cancels the gathers of ctx that nobody waited for, and waits until their jobs have ended. */
void chainsi_gathers_end(chains_ctx *ctx);

#endif
