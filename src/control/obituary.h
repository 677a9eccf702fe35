/* What is told of a replica whose process has ended, to all that keep it: numbers (meters.h), the history of
 * processes, and events (history.h). Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_OBITUARY_H
#define CHAINSI_CONTROL_OBITUARY_H

#include "base/running.h"
#include "control/cgroup.h"
#include "rpc/losses.h"

struct chainsi_replica;

/* How its process ended last, with the requests that it ran, for operators: callers are told last_end alone. text has
 * room for CHAINSI_REPLICA_DEATH_TEXT bytes. */
void chainsi_obituary_text(const struct chainsi_replica *replica, char *text);
/* What its callers are to hear of that end. */
chainsi_loss chainsi_obituary_loss(const struct chainsi_replica *replica, chainsi_cgroup_end end);
/* Its process has ended, which ran these requests; one that served and wasn't told to end makes an event. */
void chainsi_obituary_ended(const struct chainsi_replica *replica, int wait_status,
                            chainsi_cgroup_end end, const chainsi_running_list *requests);
/* It could not be started. */
void chainsi_obituary_not_started(const struct chainsi_replica *replica);
/* It died too often. An event tells so where it is to serve, once: tried again now and then, it fails each time.
 * A deployment that fails tells so itself. */
void chainsi_obituary_failed(const struct chainsi_replica *replica);

#endif
