/* One process of a Chainlet: started, watched until it is ready, started again when it dies,
 * stopped.
 *
 *                 start                      /readyz says 200
 *   STOPPED ---------------> STARTING -----------------------------> READY
 *      ^                     ^   |  \                               /  |
 *      |      the delay over |   |   \ dies, or not ready in time  /   | dies
 *      |                     |   |    v                           /    |
 *      |<-- stop -- BACKING_OFF <-+---+--------------------------+-----+
 *      |                     ^   |    | too many deaths in a row |
 *      |      tried again    |   |    v                          |
 *      |<-- stop ----------- FAILED <-+                          |
 *      |                         |stop                           |stop
 *      |     it has ended        v                               v
 *      +--------------------- DRAINING <-------------------------+
 *
 * READY leads to STALLED, too: its calls stand still (.progress_timeout_s). It is killed, and from
 * its death on all is as after any other.
 *
 * The process is the keeper's child, and outlives this one. What a new brain finds it picks up where
 * it is: each change of state is noted with the keeper.
 *
 *              found: was STARTING or READY                /readyz says 200
 *   STOPPED ----------------------------------> PICKED_UP -----------------> READY
 *      |  '---> STALLED, DRAINING: told again      |  \___ dies, stalls: as from READY
 *      '------> BACKING_OFF, FAILED: what is       | stop
 *               left of the delay                  v
 *                                               DRAINING
 *
 * What died meanwhile is picked up first, and then has died.
 *
 * What needs a GPU and doesn't know yet which there are is STARTING without a process until they were found.
 *
 * *Up* and *ready* are different things: a process that is up but not ready gets no signal that
 * calls may go there, they wait in the socket's queue. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_REPLICA_H
#define CHAINSI_CONTROL_REPLICA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "base/running.h"
#include "control/backoff.h"
#include "control/collector.h"
#include "control/history.h"
#include "control/keeping.h"
#include "control/log.h"
#include "control/meters.h"
#include "control/outfit.h"
#include "control/upstream.h"
#include "control/vault.h"
#include "control/watch.h"

typedef enum chainsi_replica_state {
    CHAINSI_REPLICA_STOPPED,
    CHAINSI_REPLICA_STARTING,
    CHAINSI_REPLICA_PICKED_UP,
    CHAINSI_REPLICA_READY,
    CHAINSI_REPLICA_STALLED,
    CHAINSI_REPLICA_DRAINING,
    CHAINSI_REPLICA_BACKING_OFF,
    CHAINSI_REPLICA_FAILED,
} chainsi_replica_state;

/* "stopped", "starting", ... A constant. */
const char *chainsi_replica_state_name(chainsi_replica_state state);

enum {
    CHAINSI_REPLICA_END_TEXT = 384,
    CHAINSI_REPLICA_RAN_TEXT = 256,
    CHAINSI_REPLICA_DEATH_TEXT = 640
};

/* Where a process finds its secrets (CHAINS_SECRETS_FD), if it has any: behind its two sockets. */
enum { CHAINSI_REPLICA_SECRETS_FD = 5 };

/* What all replicas of a daemon share. */
typedef struct chainsi_supervisor {
    uv_loop_t *loop;          /* not owned */
    chainsi_keeping *keeping; /* not owned */
    chainsi_vault *vault;     /* not owned */
    chainsi_limiter *limiter; /* not owned */
    chainsi_gpu_pool *gpus;   /* not owned */
    struct chainsi_replica *replicas;
    struct chainsi_courier *courier; /* not owned; NULL: nothing is fetched */
    chainsi_collector *collector;    /* not owned; NULL: nobody asks for traces */
    chainsi_history *history;        /* not owned; NULL: nobody keeps what happens */
    chainsi_meters *meters;          /* not owned; NULL: nobody counts */
    struct chainsi_pulse *pulse;     /* scaler.c's; NULL: nothing is scaled */
    struct chainsi_sampler *sampler; /* not owned; sampler.h; NULL: nobody looks */
    struct chainsi_pods *pods;       /* not owned; pods.h: replicas are pods; NULL: processes */
    struct chainsi_pod_identities
        *identities; /* not owned; pod_identities.h: by which pods are called; NULL: without */
    bool releasing;  /* the controller ends, and its pods go on without it */
} chainsi_supervisor;

/* What a replica is made of. Texts must live as long as the replica. */
typedef struct chainsi_replica_options {
    chainsi_supervisor *supervisor;
    const char *label; /* for messages: "chain/chainlet" */
    chainsi_history_place place;
    int64_t number;          /* its place in its fleet */
    const char *name;        /* what the keeper knows its process as */
    const char *probes_name; /* what the keeper holds its second socket as */
    const char *program, *directory;
    const char *const *environment; /* as of chainsi_order */
    /* What the process is handed besides its probes' socket, the socket of its calls first; not
     * owned, as long as the replica. */
    const chainsi_order_fd *fds;
    size_t fd_count;
    const char *chain;                 /* whose secrets it gets */
    const chains_string_list *secrets; /* their names; as of now at each start */
    const char *secrets_name;          /* what the keeper holds them as; NULL: it gets none */
    chainsi_cgroup_limits limits;      /* of each process; all zero: none */
    const char *gpu;                   /* "KIND" or "KIND:COUNT"; NULL: it sees none */
    const char *probes_path;           /* where its own second socket is made */
    chainsi_log *log;                  /* not owned */
    chainsi_running *running;          /* not owned; where its process notes what it runs; NULL */
    double start_timeout_s, drain_timeout_s;
    const double *patience_s;  /* of a pod: with what may pass; NULL: the usual one */
    double progress_timeout_s; /* 0: whether its calls get on isn't watched */
    const chainsi_backoff_policy *policy;
    /* It came into another state. Must not free it. */
    void (*on_state)(void *user);
    /* Its process has ended, and still has its number; last_end says how in words. Likewise. */
    void (*on_death)(void *user, const struct chainsi_replica *replica, chainsi_cgroup_end end);
    void *user;
} chainsi_replica_options;

/* Read-only for others. */
typedef struct chainsi_replica {
    chainsi_replica_options options;
    chainsi_replica_state state;
    char since[CHAINSI_TIME_TEXT];      /* when it came into its state */
    char started_at[CHAINSI_TIME_TEXT]; /* this process */
    bool runs;                          /* there is a process, or its start was asked for */
    pid_t pid;                          /* 0: no process, or not known yet */
    int wait_status;                    /* of its last process, as of waitpid() */
    uint64_t starts;
    chainsi_backoff backoff;
    char last_end
        [CHAINSI_REPLICA_END_TEXT];     /* how it ended last, or why it couldn't be started; "" */
    char ran[CHAINSI_REPLICA_RAN_TEXT]; /* "; it ran the request ..." when it ended so; "" */
    chainsi_upstream *probes;           /* owned */

    chainsi_outfit outfit; /* of its process */
    chainsi_gpu_waiter
        gpus_known; /* while STARTING without a process: it waits until GPUs were found */

    chainsi_kept_process process; /* the keeper's side of it */
    bool kept;     /* the keeper knows of a process: it runs, or its end isn't settled */
    int probes_fd; /* owned; listening */
    int64_t started_ns, ready_ns; /* of this process; ready_ns -1: not yet */
    int64_t spawned_ns;           /* when the keeper began to start it; -1: not known, or told */
    int64_t stuck_ns;             /* of a pod: since when it can't be started; -1: it can */
    int64_t retry_ns;             /* when to start it again; CHAINSI_NEVER */
    bool was_ready;               /* before it was picked up */
    bool keep_since;              /* with the next change of state */
    bool said_ready;              /* the last probe, or the one in flight */
    unsigned probe_delay_ms;
    chainsi_upstream_call *probe; /* in flight; NULL */
    chainsi_watch *watch;         /* owned; while READY and watched; else NULL */
    char stalled[128];            /* why this process is STALLED; "" */
    bool late;                    /* it was killed as it wasn't ready in time */
    bool overdue;                 /* it was told to end, and its calls outlasted drain_timeout_s */
    uv_timer_t *timer;            /* owned; the next probe, the next start, or the kill */
    uv_pipe_t *output;            /* owned; NULL without a process */
    chainsi_log_source source;
    struct chainsi_replica *previous, *next; /* in the supervisor's list */

    /* Of one that is a pod, which has no process here; its probes are the pod's (pod_fleet.h). */
    char *pod, *node,
        *ip; /* owned; pod: its name, "": it is none; NULL: a process. The others "": not known */
    uint64_t seen_round;
    struct chainsi_pod_look *look; /* owned; NULL */
} chainsi_replica;

/* Puts it into the supervisor's list, and takes it out. */
void chainsi_replica_list(chainsi_replica *replica);
void chainsi_replica_unlist(chainsi_replica *replica);

/* A stopped replica, on the socket that the keeper holds for it, or on a new one. NULL with a reason if
 * there can't be one. */
chainsi_replica *chainsi_replica_new(const chainsi_replica_options *options, char *why,
                                     size_t why_size);
/* Frees it; it must have no process (STOPPED, BACKING_OFF or FAILED). NULL is allowed. */
void chainsi_replica_free(chainsi_replica *replica);

/* From STOPPED, if the keeper has a process of this name. False: it has none. */
bool chainsi_replica_pick_up(chainsi_replica *replica);
/* From STOPPED. */
void chainsi_replica_start(chainsi_replica *replica);
/* Ends the process, if there is one, after its running calls, at the latest after drain_timeout_s;
 * STOPPED follows now or later. In any state. */
void chainsi_replica_stop(chainsi_replica *replica);
/* Kills the process. */
void chainsi_replica_kill(chainsi_replica *replica);
/* From now on, deaths are judged so. */
void chainsi_replica_set_policy(chainsi_replica *replica, const chainsi_backoff_policy *policy);

#endif
