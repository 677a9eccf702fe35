/* The pool of threads that run tasks. It grows when tasks wait and nobody is idle, up to a limit;
 * idle threads end after a while. */
#ifndef CHAINSI_RUNTIME_POOL_H
#define CHAINSI_RUNTIME_POOL_H

#include <stdbool.h>

/* Something to run, embedded in what it is about. */
typedef struct chainsi_task chainsi_task;
struct chainsi_task {
    chainsi_task *next, *previous;   /* in the queue */
    bool queued;                     /* guarded by the pool's lock */
    void (*run)(chainsi_task *task); /* unlocked, on a thread of the pool */
};

/* Before anything else here; a second time it does nothing. */
void chainsi_pool_start(void);
/* Guards the queue, and the state of every job. */
void chainsi_pool_lock(void);
void chainsi_pool_unlock(void);
/* Appends a task, locked, and sees to a thread that takes it. */
void chainsi_pool_add(chainsi_task *task);
/* Whether a task that is added now gets a thread without another's having to end. Not locked before. */
bool chainsi_pool_has_room(void);
/* Whether more tasks wait than there are threads that come for them; locked. */
bool chainsi_pool_is_short(void);
/* Takes a task out of the queue, locked: somebody else runs it. */
void chainsi_pool_remove(chainsi_task *task);

#endif
