/* When a call is tried again: pure functions of what happened, so that they can be tested without
 * time. */
#ifndef CHAINSI_RUNTIME_RETRY_H
#define CHAINSI_RUNTIME_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <chains.h>

enum {
    CHAINSI_RETRY_FIRST_MS =
        20, /* the largest wait before the first retry; doubled for each further one */
    CHAINSI_RETRY_LONGEST_MS = 2000,
    CHAINSI_RESENDS = 8, /* free attempts for a call that certainly wasn't started */
};

/* True if a call that ended so may end otherwise when it is tried again. */
bool chainsi_retry_helps(chains_status status);
/* How long to wait before retry number `retry` (from 0), in nanoseconds: exponential backoff with
 * full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015). random is any 64
 * random bits. */
int64_t chainsi_retry_delay_ns(int retry, uint64_t random);

/* What a caller has done so far for one call. */
typedef struct chainsi_retry_state {
    int retries; /* done, of those that .retries permits */
    int resends; /* done, of the free ones */
} chainsi_retry_state;

typedef struct chainsi_retry_decision {
    bool again;
    int64_t delay_ns; /* to wait before */
} chainsi_retry_decision;

/* Decides after an attempt that failed, and counts what it grants. not_started: the attempt
 * certainly didn't begin to run. allowed: the dependency's .retries. left_ns: until the caller's
 * deadline (CHAINSI_NEVER: none): a retry that could not begin before it is not granted. */
chainsi_retry_decision chainsi_retry_decide(chainsi_retry_state *state, chains_status status,
                                            bool not_started, int allowed, int64_t left_ns,
                                            uint64_t random);

#endif
