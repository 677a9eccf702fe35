/* A Chainlet of a deployment: the sockets and the shared memory that its replicas have in common, how their
 * processes are started, their fleet, and who scales it. Which step it takes when is the deployment's to
 * say (deployment.h).
 *
 * All replicas of a fleet run one program. Where another takes its place (swap.h) there is a fleet of each
 * for a while, on the same socket and board. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_CHAINLET_H
#define CHAINSI_CONTROL_CHAINLET_H

#include <stdbool.h>
#include <stddef.h>

#include "control/api.h"
#include "control/refuser.h"
#include "control/scaler.h"
#include "control/upstream.h"

typedef struct chainsi_deployment chainsi_deployment;

/* Read-only for others. */
typedef struct chainsi_chainlet {
    chainsi_deployment *deployment;
    const chainsi_api_service *service; /* of the deployment's arena; binary is the copy */
    chainsi_history_place place;
    const char *label, *calls_path;
    const char *calls_name, *board_name, *spans_name,
        *running_name; /* what the keeper holds them as */
    const char **environment;
    const chainsi_order_fd
        *fds; /* fd_count of them; what its processes are handed; NULL: not yet */
    size_t fd_count;
    chains_string_list notes;        /* what should be known of its limits: not enforced, and why */
    int calls_fd;                    /* owned; listening; -1: not made yet */
    bool found;                      /* the keeper had it: a brain before this one made it */
    int board_fd;                    /* owned; rpc/board.h; -1: none, calls go by the queue alone */
    int spans_fd;                    /* owned; base/ring.h; -1: none, nothing is told of calls */
    int running_fd;                  /* owned; base/running.h; -1: none */
    chainsi_running *running;        /* owned; the same, mapped; NULL */
    chainsi_collected *spans;        /* owned; where that is read; NULL */
    chainsi_upstream *calls;         /* owned; for the front door */
    chainsi_fleet *fleet;            /* owned; its replicas; NULL before they are made */
    chainsi_fleet *coming;           /* owned; of a program that is to take its place; NULL: none */
    chainsi_fleet *leaving;          /* owned; a list; those that are being ended */
    unsigned long last_number;       /* of a program that was to be swapped in; 0: none */
    chainsi_scaling_options scaling; /* by which it is scaled now */
    chainsi_scaler *scaler; /* owned; while it is scaled: RUNNING, and until it is stopped */
    chainsi_log *log;       /* not owned */
    struct chainsi_document *document; /* document.h; being asked for; NULL */
    bool documented;                   /* it is there, or is asked for */
    struct chainsi_pod_set *pods;      /* not owned; that are its replicas; NULL: processes are */
    bool stop_asked;
    chainsi_refuser *refuser; /* owned; while it has failed; else NULL */
    uv_poll_t *sweeper;       /* owned; sends waiting calls away while it is stopped; else NULL */
} chainsi_chainlet;

/* Nothing of it runs yet. Its texts are of the deployment's arena, service must live as long. */
void chainsi_chainlet_init(chainsi_chainlet *chainlet, chainsi_deployment *deployment,
                           const chainsi_api_service *service);
/* Opens the memory that it shares with its callers and the daemon. Of all Chainlets, before one is taken
 * up: callers are handed the boards of those that they call. */
void chainsi_chainlet_open_shared(chainsi_chainlet *chainlet);
/* Its sockets, and what runs of it. False with a reason. */
bool chainsi_chainlet_take_up(chainsi_chainlet *chainlet, char *why, size_t why_size);
/* Starts what has to be there before it is scaled. What was found with the keeper is being scaled
 * already, and may be at zero; all else begins with one replica, so that it is seen to start. False with a
 * reason. */
bool chainsi_chainlet_start_first(chainsi_chainlet *chainlet, char *why, size_t why_size);

/* An empty fleet of its processes, which is the caller's; program: as of chainsi_api_service. */
chainsi_fleet *chainsi_chainlet_make_fleet(chainsi_chainlet *chainlet, const char *program,
                                           const chainsi_backoff_policy *policy);
/* Drains a fleet of it, which is among those that are leaving from now on. */
void chainsi_chainlet_retire(chainsi_chainlet *chainlet, chainsi_fleet *fleet);
/* Has the fleet that is coming take the place of the one that is there. */
void chainsi_chainlet_exchange(chainsi_chainlet *chainlet);
/* Forgets what has ended. Not from within changes. */
void chainsi_chainlet_review(chainsi_chainlet *chainlet);

/* From now on there are as many replicas as calls need. */
void chainsi_chainlet_begin_scaling(chainsi_chainlet *chainlet);
/* By what the deployment's find_scale says now, or by its own options, as it was deployed. */
void chainsi_chainlet_rescale(chainsi_chainlet *chainlet);

/* Whether it has no replica, and needs none: the next call starts one. */
bool chainsi_chainlet_is_at_zero(const chainsi_chainlet *chainlet);
/* Whether callers find it as it should be: ready, at zero, or starting without having died. */
bool chainsi_chainlet_is_well(const chainsi_chainlet *chainlet);
/* Whether nothing of it runs, and nothing will. */
bool chainsi_chainlet_has_ended(const chainsi_chainlet *chainlet);

/* Drains its replicas, and sends away the calls that wait. */
void chainsi_chainlet_stop(chainsi_chainlet *chainlet);
void chainsi_chainlet_kill(chainsi_chainlet *chainlet);
/* Gives up what it has, with the keeper as well. It must have ended. */
void chainsi_chainlet_close(chainsi_chainlet *chainlet);

#endif
