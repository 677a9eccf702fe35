/* Asynchronous requests in the state (store.h): a queue that outlives the daemon.
 *
 *                      take                    end: SUCCEEDED, FAILED
 *   add ---> QUEUED ---------> RUNNING -------------------------------> (ended)
 *              |  ^              |  |                                     ^
 *              |  '--------------'  '-- cancel ---------------------------|
 *              |   retry, recover                                         |
 *              '-- cancel: CANCELLED; expire: EXPIRED --------------------'
 *
 * Of the requests that wait for an environment, those of the lowest priority number are taken first, and
 * of these the oldest. One that is to be tried again keeps its place, but isn't taken before its time.
 * An end is for ever: what comes later is refused (FAILED_PRECONDITION), so that of a cancellation and a
 * result that meet one wins. With its end a request's input goes; the rest stays until it is purged. A
 * request with a webhook is told of there (PENDING) until that is DELIVERED, or given up (FAILED).
 *
 * Nothing here reads a clock: now_ms is the time, in milliseconds since 1970. Functions that change
 * something are for chainsi_store_write's functions; all may be called on the reader, where they only
 * read. What is read lives in `arena`. NOT_FOUND where there is no such request. */
#ifndef CHAINSI_CONTROL_STORE_REQUESTS_H
#define CHAINSI_CONTROL_STORE_REQUESTS_H

#include "control/database.h"

enum {
    /* An attempt that got lost with its process is made again, whatever `retries` says, but not for ever:
     * it may be the request that ends processes. */
    CHAINSI_REQUEST_MOST_LOST = 10,
    CHAINSI_REQUEST_ID_TEXT = 33 /* 32 hex digits and a NUL */
};

typedef enum chainsi_request_state {
    CHAINSI_REQUEST_QUEUED,
    CHAINSI_REQUEST_RUNNING,
    CHAINSI_REQUEST_SUCCEEDED,
    CHAINSI_REQUEST_FAILED,
    CHAINSI_REQUEST_EXPIRED,
    CHAINSI_REQUEST_CANCELLED,
} chainsi_request_state;

typedef enum chainsi_webhook_state {
    CHAINSI_WEBHOOK_NONE,    /* there is nothing to tell, or nobody */
    CHAINSI_WEBHOOK_PENDING, /* to be told at webhook_at */
    CHAINSI_WEBHOOK_DELIVERED,
    CHAINSI_WEBHOOK_FAILED, /* given up */
} chainsi_webhook_state;

typedef struct chainsi_stored_request {
    const char *id;
    int64_t number; /* counts: the order of arrival */
    const char *chain;
    const char *environment;  /* "versions", which is none, where a version was asked for */
    const char *version;      /* its id then; else NULL */
    const char *chainlet;     /* where an inner one was asked for; or NULL */
    const char *key;          /* id of the key that asked; or NULL */
    const char *given_id;     /* what the client calls it; or NULL */
    const char *given_digest; /* of all that it asked for; with a given_id */
    chainsi_request_state state;
    int32_t priority;           /* 0 is the highest */
    double max_time_in_queue_s; /* until it first runs; 0: no limit */
    double timeout_ms;          /* of one attempt; 0: none */
    int32_t retries;            /* attempts after the first */
    int32_t attempts;           /* begun so far */
    int32_t losses;             /* those of them of which nobody knows what came of them */
    const char *created_at;
    const char *not_before; /* when it may be taken */
    const char *expires_at; /* unless an attempt has begun by then; or NULL */
    const char *started_at; /* of the latest attempt; or NULL */
    const char *ended_at;   /* or NULL */
    chains_json error;      /* as in an error's body, of the latest attempt; without text: none */
    const char *webhook;    /* URL; or NULL */
    chainsi_webhook_state webhook_state;
    int32_t webhook_attempts;
    const char *webhook_at;    /* of the next attempt; or NULL */
    const char *webhook_error; /* of the latest attempt; or NULL */
    chains_json input;         /* only where it is said; else without text */
    chains_json result;        /* likewise */
} chainsi_stored_request;

typedef struct chainsi_stored_requests {
    chainsi_stored_request *items;
    size_t count;
} chainsi_stored_requests;

extern const chainsi_type chainsi_request_state_type, chainsi_webhook_state_type,
    chainsi_stored_request_type, chainsi_stored_requests_type;
/* "QUEUED" ... These two, and the types of states, are api_requests.c's. */
const char *chainsi_request_state_name(chainsi_request_state state);
/* False for any other text; *state is untouched then. */
bool chainsi_request_state_from_name(const char *name, chainsi_request_state *state);

/* Adds one with its input, and gives it id, number and times. What counts of *request: chain to given_digest,
 * priority to retries, webhook, input. NOT_FOUND: there is no such chain.
 *
 * If there is one of that chain, key and given_id, nothing is added, and *request becomes that one, without its input;
 * ALREADY_EXISTS if its given_digest is another. */
chains_status chainsi_stored_request_add(chainsi_database *database, int64_t now_ms,
                                         chainsi_arena *arena, chainsi_stored_request *request);
/* With its result. */
chains_status chainsi_stored_request_find(chainsi_database *database, const char *id,
                                          chainsi_arena *arena, chainsi_stored_request *request);

/* Which to list. */
typedef struct chainsi_request_filter {
    const char *chain;                  /* NULL: of all */
    const chainsi_request_state *state; /* NULL: in any */
    const char *before; /* id of the last one that was listed; NULL: from the newest */
    int64_t limit;
} chainsi_request_filter;
/* The newest first; without inputs and results. */
chains_status chainsi_stored_request_list(chainsi_database *database,
                                          const chainsi_request_filter *filter,
                                          chainsi_arena *arena, chainsi_stored_requests *requests);
/* Where requests wait. */
typedef struct chainsi_request_line {
    const char *chain;
    const char *environment;
} chainsi_request_line;
typedef struct chainsi_request_lines {
    chainsi_request_line *items;
    size_t count;
} chainsi_request_lines;
/* Every chain and environment that something waits for. Looks at all that waits: for a start. */
chains_status chainsi_stored_request_lines(chainsi_database *database, chainsi_arena *arena,
                                           chainsi_request_lines *lines);
/* How many wait for an environment. */
chains_status chainsi_stored_request_waiting(chainsi_database *database, const char *chain,
                                             const char *environment, int64_t *count);
/* When, after now_ms, the next thing is due that nobody asks for: an expiry, a retry, a webhook. NULL:
 * nothing. */
chains_status chainsi_stored_request_next_due(chainsi_database *database, int64_t now_ms,
                                              chainsi_arena *arena, const char **at);

/* Takes at most `count` that wait for the environment: they are RUNNING, with one more attempt begun.
 * With their inputs, in their order. */
chains_status chainsi_stored_request_take(chainsi_database *database, const char *chain,
                                          const char *environment, int64_t count, int64_t now_ms,
                                          chainsi_arena *arena, chainsi_stored_requests *requests);
/* Why a request runs no more and is to run again. */
typedef enum chainsi_request_return {
    CHAINSI_RETURN_FAILED,      /* the attempt failed */
    CHAINSI_RETURN_LOST,        /* its process ended: one loss more */
    CHAINSI_RETURN_NOT_STARTED, /* it certainly had not begun: one attempt less */
} chainsi_request_return;
/* Puts a RUNNING one back into the queue, from where it isn't taken before not_before_ms. error: of the
 * attempt; without text if there is none. Whether it may run again is for the caller to know. */
chains_status chainsi_stored_request_retry(chainsi_database *database, const char *id,
                                           chainsi_request_return how, chains_json error,
                                           int64_t not_before_ms);
/* A RUNNING one has succeeded. */
chains_status chainsi_stored_request_succeed(chainsi_database *database, const char *id,
                                             chains_json result, int64_t now_ms);
/* A RUNNING one has failed for good. */
chains_status chainsi_stored_request_give_up(chainsi_database *database, const char *id,
                                             chains_json error, int64_t now_ms);
/* One that is QUEUED or RUNNING is CANCELLED. *was_running: its call is to be ended. */
chains_status chainsi_stored_request_cancel(chainsi_database *database, const char *id,
                                            int64_t now_ms, bool *was_running);
/* Those whose time in the queue is over are EXPIRED; *count of them. */
chains_status chainsi_stored_request_expire(chainsi_database *database, int64_t now_ms,
                                            int64_t *count);
/* For a daemon that starts: what RUNs was left by one that was killed, and may have run. It is QUEUED
 * again, with one loss more, or has FAILED with UNAVAILABLE after CHAINSI_REQUEST_MOST_LOST of them. */
chains_status chainsi_stored_request_recover(chainsi_database *database, int64_t now_ms);

/* Those whose webhook is to be told by now, the longest due first; without their results. */
chains_status chainsi_stored_request_untold(chainsi_database *database, int64_t now_ms,
                                            int64_t limit, chainsi_arena *arena,
                                            chainsi_stored_requests *requests);
/* An attempt to tell ended: error NULL: it was DELIVERED. Else again at again_ms; below 0: FAILED. */
chains_status chainsi_stored_request_told(chainsi_database *database, const char *id,
                                          const char *error, int64_t again_ms);

/* Forgets at most `limit` that ended before that time and have nobody to tell any more; *count of
 * them: when it is `limit`, there are more. */
chains_status chainsi_stored_request_purge(chainsi_database *database, int64_t before_ms,
                                           int64_t limit, int64_t *count);

#endif
