/* The runner of asynchronous requests: takes what waits in the state (store_requests.h), calls
 * Chainlets, keeps what came of it, and has the webhooks told.
 *
 *   accepted: on the disk -> taken when a slot is free, the most urgent first -> its call -> its end,
 *   or back into the queue: on the disk -> its webhook -> purged when it has been kept long enough
 *
 * At least once: what was accepted is run until its end is on the disk, whatever is killed meanwhile. An
 * attempt of which nobody knows what came of it, because its process or the daemon ended, is made again;
 * its id, which the Chainlet sees as the call's request id, is the same. Of each chain's environment
 * only as many are in flight as there are slots: what can't run waits on the disk, where it can be
 * overtaken, cancelled, and expire. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_REQUESTS_H
#define CHAINSI_CONTROL_REQUESTS_H

#include "control/courier.h"
#include "control/request_policy.h"
#include "control/store.h"
#include "control/upstream.h"

/* How long ended requests are kept if nothing is said. */
#define CHAINSI_KEEP_RESULTS_MS (INT64_C(24) * 60 * 60 * 1000)

typedef struct chainsi_requests chainsi_requests;

/* Where a request's call goes. */
typedef enum chainsi_target_state {
    CHAINSI_TARGET_READY,
    CHAINSI_TARGET_WAIT, /* not now: it is starting, or has failed */
    CHAINSI_TARGET_NONE, /* it doesn't exist: the request fails with why */
} chainsi_target_state;

typedef struct chainsi_request_target {
    chainsi_target_state state;
    chainsi_upstream *upstream; /* READY: where to send; not owned */
    const char *name; /* READY: of the Chainlet; used before control goes back to the loop */
    size_t slots;     /* READY: calls that may be in flight */
    uint64_t trial;   /* READY: that the call counts for, as of chainsi_environment_pick; 0: none */
    bool is_new;
    char why[256]; /* NONE */
} chainsi_request_target;

typedef struct chainsi_requests_options {
    uv_loop_t *loop;
    chainsi_store *store;
    chainsi_courier *courier;
    const char *home; /* for webhook.key; used at the beginning only */
    const chainsi_request_policy *policy;
    int64_t keep_ms; /* how long an ended request is kept */
    /* chainlet NULL: the entrypoint; version NULL: what the environment runs. is_call: a call follows,
     * which may go to a version that is tried; else it is only asked how many may. */
    void (*find_target)(void *user, const chainsi_stored_request *request, bool is_call,
                        chainsi_request_target *target);
    /* A call has ended that counts for a trial; status: HTTP's. */
    void (*count)(void *user, const chainsi_stored_request *request,
                  const chainsi_request_target *target, int status, int64_t ns);
    void *user;
} chainsi_requests_options;

/* Takes up what the last daemon left, and begins. Blocks for as long as the disk does. NULL with a
 * reason. */
chainsi_requests *chainsi_requests_new(const chainsi_requests_options *options, char *why,
                                       size_t why_size);
/* No request is taken and no webhook told any more. Those in flight go on; what has not ended when the
 * store is closed is taken up by the next daemon. */
void chainsi_requests_stop(chainsi_requests *requests);
/* After the store has been closed, and before the courier is freed. NULL is allowed. */
void chainsi_requests_free(chainsi_requests *requests);

/* Whoever waits for a change. It is called once, when the change is on the disk or has failed, never
 * before the function that asked returns; id lives until it returns. */
typedef struct chainsi_request_waiter chainsi_request_waiter;
typedef void (*chainsi_request_ended)(void *user, chains_status status, const char *why,
                                      const char *id);
/* Accepts a request, which is copied: its failures are those of chainsi_stored_request_add. The waiter
 * is the runner's; it lives until on_end was called. */
chainsi_request_waiter *chainsi_requests_add(chainsi_requests *requests,
                                             const chainsi_stored_request *request,
                                             chainsi_request_ended on_end, void *user);
/* Cancels one: it will not run, or its call and all below it is ended. Failures as of
 * chainsi_stored_request_cancel. */
chainsi_request_waiter *chainsi_requests_cancel(chainsi_requests *requests, const char *id,
                                                chainsi_request_ended on_end, void *user);
/* on_end is not called: a client has left. */
void chainsi_requests_forget(chainsi_request_waiter *waiter);

#endif
