/* When a call is tried again: pure functions of what happened, so that they can be tested without
 * time. */
#ifndef CHAINSI_RUNTIME_RETRY_H
#define CHAINSI_RUNTIME_RETRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <chains.h>

enum {
    CHAINSI_RETRY_FIRST_MS =
        20, /* the largest wait before the first retry; doubled for each further one */
    CHAINSI_RETRY_LONGEST_MS = 2000,
    CHAINSI_RESENDS = 8, /* free attempts for a call that certainly wasn't started */
    /* A callee that asks for a longer pause than this is not tried again. */
    CHAINSI_RETRY_AFTER_LONGEST_S = 60,
    /* The budget of one dependency, in hundredths of an attempt. */
    CHAINSI_BUDGET_ATTEMPT = 100,
    CHAINSI_BUDGET_DEPOSIT = 10, /* of each call: one attempt more for every ten calls */
    CHAINSI_BUDGET_START = 10 * CHAINSI_BUDGET_ATTEMPT, /* so that rare calls may retry, too */
    CHAINSI_BUDGET_MOST = 100 * CHAINSI_BUDGET_ATTEMPT,
};

/* True if a call that ended so may end otherwise when it is tried again. */
bool chainsi_retry_helps(chains_status status);
/* How long to wait before retry number `retry` (from 0), in nanoseconds: exponential backoff with
 * full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015). random is any 64
 * random bits. */
int64_t chainsi_retry_delay_ns(int retry, uint64_t random);
/* The pause that a Retry-After header asks for, nanoseconds, at most a day: seconds, or the date of
 * HTTP, which unix_now_s is compared with. 0 if it says nothing that can be read. */
int64_t chainsi_retry_after_ns(const char *text, size_t size, int64_t unix_now_s);

/* What one process may spend on more attempts at calls to one dependency, so that a service in
 * trouble isn't buried by retries: over any time, they are at most a tenth of the calls and what the
 * budget began with. Any thread. */
typedef struct chainsi_retry_budget {
    atomic_int balance; /* hundredths of an attempt */
} chainsi_retry_budget;

void chainsi_retry_budget_init(chainsi_retry_budget *budget);
/* A call begins. */
void chainsi_retry_budget_deposit(chainsi_retry_budget *budget);
/* Pays for one more attempt; false: it isn't there, and nothing was taken. */
bool chainsi_retry_budget_withdraw(chainsi_retry_budget *budget);

/* What a caller has done so far for one call. */
typedef struct chainsi_retry_state {
    int retries; /* done, of those that .retries permits */
    int resends; /* done, of the free ones */
} chainsi_retry_state;

/* An attempt that failed. */
typedef struct chainsi_retry_failure {
    chains_status status;
    bool not_started;       /* it certainly didn't begin to run */
    int allowed;            /* the dependency's .retries */
    int64_t retry_after_ns; /* the callee wants no attempt sooner; 0: it didn't say */
    int64_t left_ns;        /* until the caller's deadline; CHAINSI_NEVER: none */
} chainsi_retry_failure;

typedef struct chainsi_retry_decision {
    bool again;
    int64_t delay_ns; /* to wait before */
} chainsi_retry_decision;

/* Decides after an attempt that failed, counts what it grants, and pays for it from the budget. Only
 * the first resend of what wasn't started is free of that: its usual cause is one replica that went,
 * not a service in trouble. A retry that could not begin before the caller's deadline is not
 * granted. */
chainsi_retry_decision chainsi_retry_decide(chainsi_retry_state *state,
                                            chainsi_retry_budget *budget,
                                            const chainsi_retry_failure *failure, uint64_t random);

#endif
