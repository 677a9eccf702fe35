/* A candidate for a Lease (leadership.h): a thread that asks the API server, and what has come of it, which others look at
 * without waiting. */
#ifndef CHAINSI_CONTROL_CANDIDATE_H
#define CHAINSI_CONTROL_CANDIDATE_H

#include "cluster/cluster.h"
#include "control/leadership.h"

typedef struct chainsi_candidate chainsi_candidate;

typedef struct chainsi_candidate_options {
    chainsi_cluster *cluster;
    const char *lease; /* its name, in the cluster's namespace */
    chainsi_leadership_times times;
    int wake_fd; /* an eventfd, written to whenever something has changed; the caller's */
} chainsi_candidate_options;

typedef struct chainsi_candidate_state {
    int64_t end_ns; /* until when it leads, by chainsi_leadership_now_ns; 0: it doesn't */
    bool over;      /* it was stopped, and has given up what it had */
    char leader[CHAINSI_LEADER_TEXT]; /* "": nobody, or it isn't known */
    char trouble[1024];               /* why the Lease can't be asked for; "": it can */
} chainsi_candidate_state;

/* Begins at once. It takes the cluster over. */
chainsi_candidate *chainsi_candidate_new(const chainsi_candidate_options *options);
/* Any thread. */
void chainsi_candidate_look(chainsi_candidate *candidate, chainsi_candidate_state *state);
/* It is to give the Lease up, if it has it, and then is over: in a moment, or two seconds. */
void chainsi_candidate_stop(chainsi_candidate *candidate);
/* Stops it and waits. NULL is allowed. */
void chainsi_candidate_free(chainsi_candidate *candidate);

#endif
