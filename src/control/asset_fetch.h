/* One file on its way into the store.
 *
 *               https, http                   all bytes there             digest right
 *   (new) ------------------------> FETCHING -----------------> VERIFYING ------------> (stored)
 *     |  what a partial file has   |   ^                         ^    |
 *     |  isn't fetched again       v   | the delay over          |    | wrong, of bytes that came in
 *     |                            WAITING (a failure that       |    | several answers: once more,
 *     |      file                  may pass)                     |    v in one (FETCHING)
 *     '-----------------> COPYING -------------------------------'
 *
 * The first request asks for all bytes. If the answer says that the server does ranges, how large
 * the file is and by what its version is known (a strong ETag, or a time), the rest is cut into
 * ranges that are fetched at once, and which of them are there is noted beside the partial file; so
 * the next one goes on where this one ended, however that was. Otherwise it is one stream, and what
 * breaks begins again. Disks and digests work on libuv's threads, in portions; the loop isn't held
 * up. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_ASSET_FETCH_H
#define CHAINSI_CONTROL_ASSET_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <chains.h>

#include "control/asset_store.h"
#include "control/courier.h"

/* How patient to be. */
typedef struct chainsi_fetch_policy {
    int64_t most_bytes;      /* of a file */
    int64_t least_range;     /* bytes that are worth a connection of their own */
    int most_failures;       /* in a row; then it has failed */
    int64_t forgiving_bytes; /* so many more than ever before, and earlier failures are forgotten */
    int64_t first_delay_ms;  /* before it is tried again; doubled for each further failure */
    int64_t longest_delay_ms; /* and when the server asks for a pause, at most that long */
    long connect_timeout_s;
    long stall_s, stall_rate; /* so long below so many bytes a second is a failure */
    uint64_t save_ms;         /* between notes of what is there */
} chainsi_fetch_policy;

extern const chainsi_fetch_policy chainsi_fetch_policy_default;

/* The delay before it is tried again after `failures` in a row (from 1), half of it at random. */
int64_t chainsi_fetch_delay_ms(const chainsi_fetch_policy *policy, int failures, uint64_t random);

typedef enum chainsi_fetch_state {
    CHAINSI_FETCH_FETCHING,
    CHAINSI_FETCH_WAITING,
    CHAINSI_FETCH_COPYING,
    CHAINSI_FETCH_VERIFYING,
} chainsi_fetch_state;

typedef struct chainsi_fetch chainsi_fetch;

typedef struct chainsi_fetch_options {
    uv_loop_t *loop;                    /* not owned */
    chainsi_courier *courier;           /* not owned */
    const chainsi_fetch_policy *policy; /* not owned */
    const char *home, *url, *digest;    /* copied */
    /* It has ended, and nothing of it runs any more: to be freed, now or later. From the loop, once.
     * OK: the file is stored. Else a reason that names the URL and lives until this returns:
     * DATA_LOSS (the digest is wrong), NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (no URL to
     * fetch from), FAILED_PRECONDITION (the server won't), RESOURCE_EXHAUSTED (the disk is full, the
     * file too large), UNAVAILABLE, INTERNAL (the disk), CANCELLED. */
    void (*on_end)(void *user, chains_status status, const char *why);
    void *user;
} chainsi_fetch_options;

/* How far it is. */
typedef struct chainsi_fetch_progress {
    chainsi_fetch_state state;
    int64_t done, size;  /* bytes; size -1: not known yet */
    const char *trouble; /* what went wrong last, while it is WAITING; NULL. The fetch's */
} chainsi_fetch_progress;

/* Begins. Never NULL: failures are told by on_end. */
chainsi_fetch *chainsi_fetch_new(const chainsi_fetch_options *options);
/* Has it end soon; what is there is kept for the next one. */
void chainsi_fetch_cancel(chainsi_fetch *fetch);
/* After on_end. NULL is allowed. */
void chainsi_fetch_free(chainsi_fetch *fetch);

chainsi_fetch_progress chainsi_fetch_look(const chainsi_fetch *fetch);

#endif
