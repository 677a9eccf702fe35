/* One version of a chain as it runs in an environment: its binaries, sockets and processes.
 *
 *   COPYING ---> STARTING ---> RUNNING ---> STOPPING ---> STOPPED
 *      \            \ a Chainlet failed, stop()  ^
 *       \____________\__________________________/
 *
 * COPYING: its programs are copied, and what its Chainlets name in .assets is fetched; each is passed over where it
 * is there already. RUNNING: every Chainlet has been ready once; from then on what dies is started again, and there are as
 * many replicas as calls need (scaler.h). STOPPING goes from the entrypoint inwards: a Chainlet is stopped when those that call it
 * have ended, so that running calls find what they need.
 *
 * A brain takes up deployments again where the one before it left them, in any of these states, with
 * sockets, boards and processes as the keeper has them. For that the keeper holds beside them
 * a document of each deployment, as "CHAIN/RUN/deploy", and from the moment at which it is to stop
 * as "CHAIN/RUN/stop"; it is the JSON of api_saved. Which of them are wanted is in the store
 * (environment.h); what is RUNNING is begun anew with a new keeper: calls wait in the sockets. Belongs to the
 * thread of the loop. */
#ifndef CHAINSI_CONTROL_DEPLOYMENT_H
#define CHAINSI_CONTROL_DEPLOYMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "control/api.h"
#include "control/asset_folders.h"
#include "control/chainlet.h"
#include "control/store_environments.h"

typedef struct chainsi_swap chainsi_swap;

typedef enum chainsi_deployment_state {
    CHAINSI_DEPLOYMENT_COPYING,
    CHAINSI_DEPLOYMENT_STARTING,
    CHAINSI_DEPLOYMENT_RUNNING,
    CHAINSI_DEPLOYMENT_STOPPING,
    CHAINSI_DEPLOYMENT_STOPPED,
} chainsi_deployment_state;

/* Where a deployment begins. */
typedef enum chainsi_deployment_begin {
    CHAINSI_BEGIN_COPYING, /* it is new, or its programs have not all been copied */
    CHAINSI_BEGIN_STARTING,
    CHAINSI_BEGIN_RUNNING,
    CHAINSI_BEGIN_STOPPING,
} chainsi_deployment_begin;

typedef struct chainsi_deployment_options {
    chainsi_supervisor *supervisor;
    chainsi_assets *assets; /* not owned */
    const char *home;
    int64_t version;
    const char *id;  /* of the version; copied */
    const char *run; /* "ENVIRONMENT/VERSION": what it is among the chain's deployments; copied */
    const chainsi_api_deploy *deploy; /* copied */
    chainsi_deployment_begin begin;
    /* The log of a Chainlet by its name on the wire; it must outlive the deployment. */
    chainsi_log *(*find_log)(void *log_user, const char *name);
    void *log_user;
    /* What a Chainlet, by its name on the wire, is scaled by in place of its own options; NULL: by
     * these. */
    const chainsi_stored_scale *(*find_scale)(void *user, const char *chainlet);
    /* Something changed. Called from within changes: must not stop or free anything, but look again
     * later. */
    void (*on_change)(void *user);
    /* A process was killed because memory ran out; how: a sentence that says whose. NULL: nobody keeps that. */
    void (*on_exhausted)(void *user, const char *chainlet, const char *how);
    void *user;
} chainsi_deployment_options;

/* Read-only for others. */
struct chainsi_deployment {
    chainsi_deployment_options options; /* deploy: the copy */
    chainsi_arena arena;
    chainsi_deployment_state state;
    const char *directory, *run_directory;
    const char *name;              /* "CHAIN/RUN" */
    const char *title;             /* for messages: "CHAIN version 3 in staging" */
    chainsi_chainlet *chainlets;   /* deploy->services.count of them */
    size_t entrypoint;             /* its index */
    const char *failed_chainlet;   /* name; NULL: none */
    char failure[1024];            /* why it failed; "" if it didn't */
    size_t copies;                 /* of programs, in progress */
    chainsi_asset_folders *assets; /* owned; NULL: it has none, or only has to end */
    chainsi_swap *swap;            /* owned; other programs are taking their place; else NULL */
    bool stop_asked;
    uv_timer_t *review; /* owned */
};

/* Whether a brain before this one has copied all programs of a version to where they are run from. Not
 * for a new one: its number may be that of another, of a state before a backup was taken up. */
bool chainsi_deployment_is_copied(const chainsi_api_deploy *deploy, const char *home,
                                  int64_t version);

/* Begins at once. Never NULL: failures are told by state and failure. */
chainsi_deployment *chainsi_deployment_new(const chainsi_deployment_options *options);
/* As if it had failed by itself. */
void chainsi_deployment_give_up(chainsi_deployment *deployment, const char *why);
/* Leads to STOPPED, now or later. */
void chainsi_deployment_stop(chainsi_deployment *deployment);
/* Kills all processes. */
void chainsi_deployment_kill(chainsi_deployment *deployment);
/* Frees it with its sockets; it must be STOPPED. Its binaries are its version's, and stay. NULL is
 * allowed. */
void chainsi_deployment_free(chainsi_deployment *deployment);

/* The Chainlet of that name on the wire; NULL name: the entrypoint. NULL if there is none. */
chainsi_chainlet *chainsi_deployment_find(chainsi_deployment *deployment, const char *name);
/* find_scale says something else of that Chainlet now, if there is one. */
void chainsi_deployment_rescale(chainsi_deployment *deployment, const char *chainlet);

/* Copies a program so that `to` is whole and on the disk, or not there. Blocks; any thread. 0, or an error
 * of libuv. */
int chainsi_deployment_copy(const char *from, const char *to);
/* Has a service run another program, which lies in the deployment's directory: a name, as of
 * chainsi_api_service. */
void chainsi_deployment_use(chainsi_deployment *deployment, chainsi_api_service *service,
                            const char *program);
/* Has the keeper hold what there is to know of the deployment, which is to go on. */
void chainsi_deployment_hold(chainsi_deployment *deployment);

/* Has all of it looked at from the loop, soon. Takes the deployment. */
void chainsi_deployment_review_later(void *deployment);

#endif
