/* The assets of deployments on their way to this machine: whoever needs some says which, and is told
 * when all of them are in the store (asset_store.h).
 *
 *   chainsi_assets_job *job = chainsi_assets_start(assets, list, count, &events, user);
 *
 * What is stored already isn't fetched. A file that several ask for at the same time is fetched
 * once, from the URL of the first, and from the next one's if that fails. A few files are fetched
 * at a time, the others wait their turn. Files in the store are found by their digests, so versions
 * of a chain, and chains, share them.
 *
 * Belongs to the thread of the loop, and doesn't hold it up but for single looks at files. */
#ifndef CHAINSI_CONTROL_ASSETS_H
#define CHAINSI_CONTROL_ASSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <chains.h>
#include <uv.h>

#include "control/asset_fetch.h"
#include "control/asset_store.h"

enum { CHAINSI_ASSETS_AT_ONCE = 4 /* files that are fetched at the same time */ };

#define CHAINSI_ASSETS_NONE SIZE_MAX

typedef struct chainsi_assets chainsi_assets;
typedef struct chainsi_assets_job chainsi_assets_job;

/* How far a job is. */
typedef struct chainsi_assets_progress {
    size_t files, files_done;
    int64_t done, size;  /* bytes of those that weren't stored before; size -1: not known yet */
    double rate;         /* bytes a second of late; 0: none */
    bool verifying;      /* all bytes are there, digests are being computed */
    const char *trouble; /* what went wrong with one that is tried again soon; NULL */
} chainsi_assets_progress;

/* Called from the loop, never from within the functions below. Both may start and cancel jobs. */
typedef struct chainsi_assets_events {
    /* About four times a second while something is fetched, and once when all is there, before
     * on_done; progress lives until this returns. NULL: nobody wants to know. */
    void (*on_progress)(void *user, const chainsi_assets_progress *progress);
    /* Once; the job is gone with it. OK: all are stored. Else what is wrong with the first that
     * failed, as of chainsi_fetch_options, until this returns; failed: its index, or
     * CHAINSI_ASSETS_NONE if it is none in particular. */
    void (*on_done)(void *user, chains_status status, size_t failed, const char *why);
} chainsi_assets_events;

/* home: CHAINS_HOME, copied. policy: NULL is chainsi_fetch_policy_default; else it must outlive all
 * jobs and one more turn of the loop; so must courier. Never NULL. */
chainsi_assets *chainsi_assets_new(uv_loop_t *loop, chainsi_courier *courier, const char *home,
                                   const chainsi_fetch_policy *policy);
/* Cancels all jobs. The loop has some more to do for it until it ends by itself. NULL is allowed. */
void chainsi_assets_free(chainsi_assets *assets);

/* Begins; the assets are copied, and their paths must be as chainsi_asset_links_check wants them. No
 * assets are a job that is done at once. Never NULL: failures are told by on_done. */
chainsi_assets_job *chainsi_assets_start(chainsi_assets *assets, const chainsi_asset *items,
                                         size_t count, const chainsi_assets_events *events,
                                         void *user);
/* No more callbacks, and the job is gone. What nobody else waits for stops; the next one that asks
 * for it goes on where it stopped. */
void chainsi_assets_cancel(chainsi_assets_job *job);

#endif
