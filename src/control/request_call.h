/* One attempt at an asynchronous request: its call to the Chainlet, as the front door makes them, and
 * what its answer means. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_REQUEST_CALL_H
#define CHAINSI_CONTROL_REQUEST_CALL_H

#include "base/arena.h"
#include "control/request_policy.h"
#include "control/upstream.h"

enum {
    CHAINSI_REQUEST_MOST_ANSWER = 64 * 1024 * 1024 /* bytes of an answer that is kept */
};

/* How it ended. */
typedef struct chainsi_request_outcome {
    chainsi_attempt_end end;
    chains_status status;
    int64_t retry_after_ms; /* 0: the answer didn't say */
    chains_json result;     /* of OK */
    chains_json error;      /* of all else: the object in an error's body */
} chainsi_request_outcome;

typedef struct chainsi_request_call chainsi_request_call;

typedef struct chainsi_request_call_options {
    uv_loop_t *loop;
    chainsi_upstream *upstream;            /* the call holds on to it by itself */
    const chainsi_stored_request *request; /* id, input, timeout_ms; must outlive the call */
    const char *name;                      /* of the Chainlet, for messages; copied */
    /* It has ended, and is gone when this returns; outcome is in arena. Never before _start
     * returns. */
    void (*on_end)(void *user, const chainsi_request_outcome *outcome);
    void *user;
    chainsi_arena *arena; /* the outcome's; must outlive the call */
} chainsi_request_call_options;

/* Sends it: POST /run_remote with X-Request-Id and trace-id, both the request's id, and
 * X-Chains-Timeout-Ms if it has a limit. Never NULL. */
chainsi_request_call *chainsi_request_call_start(const chainsi_request_call_options *options);
/* Ends it without on_end, by closing its connection: the callee's whole tree is cancelled. */
void chainsi_request_call_cancel(chainsi_request_call *call);

/* The object in an error's body, in arena. */
chains_json chainsi_request_error(chainsi_arena *arena, const char *id, chains_status status,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
