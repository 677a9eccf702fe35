/* What becomes of an asynchronous request after an attempt, and of its webhook: pure functions of what
 * happened and of time. */
#ifndef CHAINSI_CONTROL_REQUEST_POLICY_H
#define CHAINSI_CONTROL_REQUEST_POLICY_H

#include <chains.h>

#include "control/store_requests.h"

/* How long to wait between attempts; milliseconds. */
typedef struct chainsi_request_policy {
    int64_t first_retry_ms; /* before the first retry; doubled for each further one */
    int64_t longest_retry_ms;
    int64_t first_loss_ms; /* the same after attempts that were lost */
    int64_t longest_loss_ms;
    int64_t not_started_ms;   /* after one that had not begun */
    int64_t first_telling_ms; /* the same for webhooks */
    int64_t longest_telling_ms;
    int64_t telling_ms; /* a webhook that nobody took for so long after the end is given up */
} chainsi_request_policy;

extern const chainsi_request_policy chainsi_request_policy_default;

/* How an attempt ended. */
typedef enum chainsi_attempt_end {
    CHAINSI_ATTEMPT_ANSWERED,    /* status and retry_after_ms say how */
    CHAINSI_ATTEMPT_NOT_STARTED, /* it certainly did not begin */
    CHAINSI_ATTEMPT_LOST,        /* its process ended; nobody knows how far it was */
} chainsi_attempt_end;

typedef struct chainsi_attempt {
    chainsi_attempt_end end;
    chains_status status;
    int64_t retry_after_ms;   /* the callee wants no attempt sooner; 0: it didn't say */
    int32_t attempts, losses; /* begun so far, this one included; lost, without this one */
    int32_t retries;          /* what the request permits */
} chainsi_attempt;

typedef enum chainsi_request_verdict {
    CHAINSI_REQUEST_ENDS,  /* SUCCEEDED or FAILED, by the status */
    CHAINSI_REQUEST_AGAIN, /* back into the queue */
} chainsi_request_verdict;

/* Decides. *how and *delay_ms are set with AGAIN. random: any 64 random bits. */
chainsi_request_verdict chainsi_request_decide(const chainsi_request_policy *policy,
                                               const chainsi_attempt *attempt, uint64_t random,
                                               chainsi_request_return *how, int64_t *delay_ms);

/* When the webhook of a request is told again after an attempt failed at now_ms; below 0: no more.
 * attempts: before this one. */
int64_t chainsi_webhook_again_ms(const chainsi_request_policy *policy, int64_t ended_ms,
                                 int32_t attempts, int64_t now_ms, uint64_t random);

#endif
