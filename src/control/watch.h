/* Watches a replica that is ready, for Chainlets with .progress_timeout_s: asks its /readyz again and
 * again, one question at a time, and tells when it stands still: it says so itself, or it has not
 * answered for that long (it was stopped, or is out of threads or memory). Any other answer is one.
 *
 * Time in which the daemon itself stood still doesn't count. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_WATCH_H
#define CHAINSI_CONTROL_WATCH_H

#include <uv.h>

#include "control/upstream.h"

typedef struct chainsi_watch chainsi_watch;

/* Begins. probes: the replica's second socket; not owned. on_stalled is called once, with a sentence
 * that lives until it returns, and may free the watch. Never NULL. */
chainsi_watch *chainsi_watch_new(uv_loop_t *loop, chainsi_upstream *probes, double timeout_s,
                                 void (*on_stalled)(void *user, const char *why), void *user);
/* Ends it without a word. NULL is allowed. */
void chainsi_watch_free(chainsi_watch *watch);

#endif
