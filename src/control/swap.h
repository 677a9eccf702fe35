/* Other programs in the place of those that a running deployment has, for a chain that is being written:
 * Chainlets whose program differs get new processes on the sockets that are there, and all else goes on, with
 * what it has loaded.
 *
 *            all are copied            the new ones are ready           durable            no old one takes calls
 *   COPYING ----------------> STARTING ----------------------> KEEPING ---------> LEAVING ------------------------> (ended)
 *      '--------------------------'---------------------------------'
 *           one doesn't start, it is given up, or the state refuses: new ones end, and the old ones go on
 *
 * From STARTING on old and new ones answer side by side, so nothing but programs may differ: neither
 * interfaces nor what calls what, nor options. Where they do it takes a version of its own, which is deployed.
 *
 * The version stays the same one and has other programs from then on (steps.h); it must have been deployed for
 * that (chainsi_api_deploy.swappable), be of no other environment, and never of production. Programs have numbers, "C_NAME.3" (chainsi_api_service.program), so
 * none is written over that runs, and the keeper knows which process runs which. What a killed brain leaves is
 * settled by the next one: processes of the programs that the state says go on, others end
 * (chainlet.h). Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_SWAP_H
#define CHAINSI_CONTROL_SWAP_H

#include "control/environment.h"

typedef enum chainsi_swap_state {
    CHAINSI_SWAP_COPYING,
    CHAINSI_SWAP_STARTING,
    CHAINSI_SWAP_KEEPING,
    CHAINSI_SWAP_LEAVING,
} chainsi_swap_state;

/* One Chainlet of it. */
typedef struct chainsi_swap_part {
    uv_work_t work;
    chainsi_swap *swap;
    chainsi_chainlet *chainlet;
    const char *from, *to; /* paths */
    const char *runs;    /* the path of what ran when it began; another swap may change what does */
    const char *program; /* the name of what `to` is */
    int error;           /* of libuv; 0: none */
    bool differs;
} chainsi_swap_part;

/* Read-only for others. */
struct chainsi_swap {
    chainsi_arena arena;      /* of whoever asks, too, from the beginning */
    chainsi_api_deploy asked; /* in arena */
    chainsi_environment *environment;
    chainsi_deployment *deployment; /* NULL: it has been given up, and frees itself */
    chainsi_swap_state state;
    chainsi_swap_part *parts; /* of the arena; one a service */
    size_t working;           /* parts that are being copied */
    bool writing;             /* it is being made durable */
    uv_timer_t *look;         /* owned; while LEAVING; else NULL */
    int64_t leaving_ns;       /* since when */
    const char *failed;       /* name of the Chainlet; NULL: none */
    char why[512];
    /* Its end, once; NULL: nobody wants to know any more. OK: all that differs has been swapped, and it may be
     * nothing. Else why, and failed is the Chainlet whose fault it is. */
    void (*on_end)(void *user, chains_status status, const char *why, const chainsi_swap *swap);
    void *user;
};

/* One that has not begun. `asked` is filled in by the caller. */
chainsi_swap *chainsi_swap_new(void);
/* For one that has not begun. NULL is allowed. */
void chainsi_swap_free(chainsi_swap *swap);
/* Begins to swap what answers in the environment, which owns it from then on; on_end comes from the loop. Not
 * OK, with a reason: it stays the caller's. FAILED_PRECONDITION: that has to be deployed instead. */
chains_status chainsi_swap_begin(chainsi_swap *swap, chainsi_environment *environment, char *why,
                                 size_t why_size);
/* How many Chainlets have another program. */
size_t chainsi_swap_count(const chainsi_swap *swap);

/* --- for the deployment whose swap it is --- */

/* Looks how far it is. */
void chainsi_swap_review(chainsi_deployment *deployment);
/* Gives it up, unless it is durable already. */
void chainsi_swap_abort(chainsi_deployment *deployment);
/* Removes programs that were swapped, or never came to run. */
void chainsi_swap_clean(const chainsi_deployment *deployment);

#endif
