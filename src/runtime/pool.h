/* The pool of threads that run jobs. It grows when jobs wait and nobody is idle, up to a limit;
 * idle threads end after a while. */
#ifndef CHAINSI_RUNTIME_POOL_H
#define CHAINSI_RUNTIME_POOL_H

#include "runtime/gather.h"

/* Before anything else here; a second time it does nothing. */
void chainsi_pool_start(void);
/* Guards the queue and the state of every job. */
void chainsi_pool_lock(void);
void chainsi_pool_unlock(void);
/* Appends a job, locked, and sees to a thread that takes it. */
void chainsi_pool_add(chainsi_job *job);
/* Takes a job out of the queue, locked: somebody else runs it. */
void chainsi_pool_remove(chainsi_job *job);
/* Runs a job that is RUNNING already and not in the queue; unlocked. (gather.c's) */
void chainsi_job_run(chainsi_job *job);

#endif
