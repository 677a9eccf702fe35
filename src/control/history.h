/* What happens to replicas and to their number, on its way into the state (store_history.h).
 *
 * Nobody waits for it: what is told is gathered, and one change of the state takes all of it as soon as the
 * one before is durable; so whatever happens at once costs one wait for the disk. What can't be kept (the
 * disk is full, or too much waits) is lost, which is said once. A kill may lose what was told last: of a
 * process that still runs the next brain says so again, of one that has ended it is known that it has.
 *
 * Texts are copied. A history that is NULL keeps nothing. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_HISTORY_H
#define CHAINSI_CONTROL_HISTORY_H

#include <sys/types.h>

#include "base/running.h"
#include "control/store.h"
#include "control/store_history.h"

enum { CHAINSI_HISTORY_MOST_WAITING = 10000 /* things told; more are lost */ };

typedef struct chainsi_history chainsi_history;

/* Whose replica it is. */
typedef struct chainsi_history_place {
    const char *chain, *environment;
    const char *version;  /* id */
    const char *chainlet; /* name on the wire */
} chainsi_history_place;

/* Never NULL. */
chainsi_history *chainsi_history_new(uv_loop_t *loop, chainsi_store *store);
/* Hands over what still waits; nothing is taken afterwards. Before the store is closed. */
void chainsi_history_finish(chainsi_history *history);
/* After the store has been closed. NULL is allowed. */
void chainsi_history_free(chainsi_history *history);

/* A process runs, since the time started_at (time_text.h). */
void chainsi_history_started(chainsi_history *history, const chainsi_history_place *place,
                             const char *process, pid_t pid, const char *started_at);
/* The same of one that another brain has started. */
void chainsi_history_picked_up(chainsi_history *history, const chainsi_history_place *place,
                               const char *process, pid_t pid, const char *started_at);
/* It is ready, now. */
void chainsi_history_ready(chainsi_history *history, const char *process);
/* It has ended, now. wait_status: as of waitpid(); ending: of store_history.h; how: for people. */
void chainsi_history_ended(chainsi_history *history, const chainsi_history_place *place,
                           const char *process, const char *ending, int wait_status,
                           const char *how);
/* It could not be started. */
void chainsi_history_not_started(chainsi_history *history, const chainsi_history_place *place,
                                 const char *process, const char *how);
/* All that runs has been told of: what doesn't has ended while nobody was there. */
void chainsi_history_settle(chainsi_history *history);

/* There should be `to` replicas instead of `from`; reason: a word, text: a sentence. */
void chainsi_history_scaled(chainsi_history *history, const chainsi_history_place *place,
                            int64_t from, int64_t to, const char *reason, const char *text);
/* The process of a replica that served has died; how: for people. */
void chainsi_history_crashed(chainsi_history *history, const chainsi_history_place *place,
                             pid_t pid, int wait_status, const char *how,
                             const chainsi_running_list *requests);
/* A replica is given up; lines: the last of its log, of which the last 4096 bytes are kept. */
void chainsi_history_failed(chainsi_history *history, const chainsi_history_place *place,
                            const char *how, const char *lines, size_t size);

#endif
