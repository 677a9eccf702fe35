/* The replicas of one Chainlet: as many as there should be, however they come and go.
 *
 * Each has a place, a number from 0 on, which names its process and its socket of probes: the keeper
 * knows it as "NAME/PLACE". A replica that is to go drains in its place and leaves it when it has
 * ended; it doesn't count meanwhile, and another may be started beside it. Belongs to the thread of
 * the loop. */
#ifndef CHAINSI_CONTROL_FLEET_H
#define CHAINSI_CONTROL_FLEET_H

#include "base/arena.h"
#include "control/replica.h"
#include "rpc/board.h"

typedef struct chainsi_fleet_options {
    /* How each of them is started. Name, probes_name, probes_path, secrets_name, on_state, on_death and
     * user are filled in here. start.program, name and probes_prefix are copied. */
    chainsi_replica_options start;
    const char *name;          /* "CHAIN/RUN/PROGRAM" */
    const char *probes_prefix; /* of the paths of their own sockets */
    int board_fd;              /* on which they show their slots; stays the caller's; -1: none */
    struct chainsi_pod_set *
        pods; /* of a Deployment, which are its replicas (pod_fleet.h); not owned; NULL: processes */
    bool
        others_scale; /* of pods: somebody else says how many there are, as long as there are some */
    void (*on_measured)(void *user); /* a pod has said what is asked of it; as on_change; NULL */
    /* One came into another state. Must not free or stop anything, but look again later. */
    void (*on_change)(void *user);
    /* The process of one has ended: last_end says how. Where there is a board, callers can tell by now. Likewise. */
    void (*on_death)(void *user, const chainsi_replica *replica, chainsi_cgroup_end end);
    void *user;
} chainsi_fleet_options;

typedef struct chainsi_fleet_place {
    const char *name, *probes_name, *probes_path, *secrets_name; /* as long as the fleet */
    chainsi_replica *replica;                                    /* owned; NULL: nobody is here */
} chainsi_fleet_place;

/* Read-only for others. */
typedef struct chainsi_fleet {
    chainsi_fleet_options options;
    chainsi_arena arena;         /* names of places */
    chainsi_fleet_place *places; /* owned */
    size_t place_count;
    int64_t wanted;       /* replicas that there should be */
    chainsi_board *board; /* owned; NULL: none */
    bool stopping;
    bool let_go;                /* of pods: they are none of its business any more */
    uint64_t round;             /* of looking at pods */
    struct chainsi_fleet *next; /* its owner's */
} chainsi_fleet;

/* How many there are. */
typedef struct chainsi_fleet_counts {
    int64_t ready;    /* take calls */
    int64_t starting; /* will, or are to, among them those that wait until they are tried again */
    int64_t leaving;  /* drain */
} chainsi_fleet_counts;

/* An empty one. Never NULL. */
chainsi_fleet *chainsi_fleet_new(const chainsi_fleet_options *options);
/* Frees it; none of them may have a process. NULL is allowed. */
void chainsi_fleet_free(chainsi_fleet *fleet);

/* Takes all over that the keeper has under this name, and can be; whether there was something. As many are
 * wanted as don't drain. */
bool chainsi_fleet_pick_up(chainsi_fleet *fleet);
/* From now on there should be so many: starts new ones, or stops those that are missed least, which are
 * those that don't serve, then those with the fewest running calls, of these the slowest, of these the
 * youngest. False with a reason: not all could be made; the next call tries again. */
bool chainsi_fleet_resize(chainsi_fleet *fleet, int64_t wanted, char *why, size_t why_size);
/* Forgets those that have ended as they were told to. Not from on_change. */
void chainsi_fleet_review(chainsi_fleet *fleet);
/* Has room for so many: pod_fleet.h's. */
void chainsi_fleet_make_places(chainsi_fleet *fleet, size_t count);
/* Stops all of them for good; keep_failed: not those that have failed. */
void chainsi_fleet_stop(chainsi_fleet *fleet, bool keep_failed);
void chainsi_fleet_kill(chainsi_fleet *fleet);
/* From now on, deaths are judged so. */
void chainsi_fleet_set_policy(chainsi_fleet *fleet, const chainsi_backoff_policy *policy);

/* --- looking; NULL is a fleet without replicas --- */

chainsi_fleet_counts chainsi_fleet_count(const chainsi_fleet *fleet);
/* The state of the replica that is best off: ready, then picked_up, starting, stalled,
 * backing_off, draining, failed; stopped if there is none. */
chainsi_replica_state chainsi_fleet_state(const chainsi_fleet *fleet);
/* A replica that is ready, or was when it was picked up; NULL if none is. */
chainsi_replica *chainsi_fleet_find_ready(const chainsi_fleet *fleet);
/* One in that state; NULL. */
chainsi_replica *chainsi_fleet_find(const chainsi_fleet *fleet, chainsi_replica_state state);
/* How one of them ended last, a failed one if there is one; "" if none did. As long as that one. */
const char *chainsi_fleet_last_end(const chainsi_fleet *fleet);
/* After chainsi_fleet_stop: whether none of them takes another call, as far as the board tells; what they
 * have may still run. */
bool chainsi_fleet_has_left(const chainsi_fleet *fleet);
/* After chainsi_fleet_stop: whether nothing of it runs any more. */
bool chainsi_fleet_has_ended(const chainsi_fleet *fleet);

#endif
