/* Hedging: a second attempt at a call, at another replica, when the first is late (.hedge_ms). The
 * first success counts, and the other attempt is cancelled.
 *
 * Only for dependencies that say .idempotent, and not for methods with a stream: items of two
 * attempts can't be taken back. Each second attempt is paid for from the retry budget, and takes one
 * of .concurrency_limit; where either isn't there, the first attempt goes on alone.
 *
 * The decisions are a pure function, so that they can be tested without time and threads:
 *
 *            LATE, and paid for         one failed
 *   FIRST ------------------------> BOTH ----------> LAST
 *     | succeeded, failed             | succeeded      | succeeded, failed
 *     '-------------------------------'----------------'--------------------> OVER */
#ifndef CHAINSI_RUNTIME_HEDGE_H
#define CHAINSI_RUNTIME_HEDGE_H

#include "runtime/callee.h"

typedef enum chainsi_hedge_state {
    CHAINSI_HEDGE_FIRST, /* the first attempt runs, alone */
    CHAINSI_HEDGE_BOTH,
    CHAINSI_HEDGE_LAST, /* both were begun, and one has failed */
    CHAINSI_HEDGE_OVER,
} chainsi_hedge_state;

typedef enum chainsi_hedge_event {
    CHAINSI_HEDGE_LATE, /* .hedge_ms have passed */
    CHAINSI_HEDGE_FIRST_SUCCEEDED,
    CHAINSI_HEDGE_FIRST_FAILED,
    CHAINSI_HEDGE_SECOND_SUCCEEDED,
    CHAINSI_HEDGE_SECOND_FAILED,
} chainsi_hedge_event;

typedef enum chainsi_hedge_action {
    CHAINSI_HEDGE_GO_ON,
    CHAINSI_HEDGE_SEND_SECOND,
    CHAINSI_HEDGE_TAKE_FIRST,  /* and cancel the second, if it runs */
    CHAINSI_HEDGE_TAKE_SECOND, /* and cancel the first, if it runs */
    CHAINSI_HEDGE_FAIL,        /* with the failure of the first */
} chainsi_hedge_action;

/* What to do about an event; moves *state. What comes when it is OVER changes nothing. */
chainsi_hedge_action chainsi_hedge_next(chainsi_hedge_state *state, chainsi_retry_budget *budget,
                                        chainsi_hedge_event event);
/* When an attempt that began at began_ns is late; CHAINSI_NEVER: never, as these options permit no
 * second one, or its deadline comes first. */
int64_t chainsi_hedge_due_ns(const chains_depends_config *options, int64_t began_ns,
                             int64_t deadline_ns);

/* An attempt at a remote callee, hedged; else as chainsi_remote_attempt. */
chains_status chainsi_hedge_attempt(chainsi_callee *callee, chains_ctx *ctx,
                                    const chainsi_message *message, void *output,
                                    int64_t deadline_ns, chainsi_attempt *attempt);

/* Whether calls to it are hedged. */
static inline bool chainsi_hedge_applies(const chainsi_callee *callee)
{
    return callee->options->hedge_ms > 0 && callee->options->idempotent && callee->remote &&
           !callee->interface->stream_name;
}

#endif
