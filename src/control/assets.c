/* Jobs, and the downloads that they wait for. A download that nobody waits for any more is cancelled
 * and stays in the list until nothing of it runs: whoever asks for its file meanwhile waits for that,
 * so that two never write to one partial file. */
#include "control/assets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "control/asset_links.h"
#include "control/handle.h"

enum { TICK_MS = 250, MOST_WHY = 1024 };

/* Of the rate, how much comes from the latest tick: what is older than some seconds is forgotten. */
#define LATEST 0.15

typedef struct download download;

/* One asset of a job. */
typedef struct waiter {
    chainsi_assets_job *job;
    const char *url; /* of the job's arena */
    download *on;    /* NULL: it is stored */
    bool twin;       /* an earlier asset of the job is the same file: its bytes count there */
    int64_t size;    /* bytes that were fetched for it, when it is stored; 0: it was there before */
    struct waiter *next;
} waiter;

struct chainsi_assets_job {
    chainsi_assets *assets;
    chainsi_assets_events events;
    void *user;
    chainsi_arena arena;
    waiter *waiters; /* count of them, of the arena */
    size_t count;
    bool over; /* on_done is to be called, or it was cancelled */
    bool cancelled;
    chains_status status;
    size_t failed; /* as of on_done */
    char why[MOST_WHY];
    chainsi_assets_job *next;
};

struct download {
    chainsi_assets *assets;
    char digest[CHAINSI_DIGEST_DIGITS + 1];
    char *url;            /* owned; that is being fetched from; NULL before that */
    chainsi_fetch *fetch; /* owned; NULL: it isn't its turn */
    bool cancelled;       /* the fetch was */
    waiter *waiters;      /* not owned; the first to ask first */
    int64_t seen;         /* bytes at the last tick */
    double rate;
    download *next;
};

struct chainsi_assets {
    uv_loop_t *loop; /* not owned */
    char *home;      /* owned */
    const chainsi_fetch_policy *policy;
    chainsi_courier *courier;  /* not owned */
    chainsi_assets_job *jobs;  /* owned; the newest first */
    download *downloads;       /* owned; the first to come first */
    uv_timer_t *review, *tick; /* owned */
    int64_t ticked_ns;
    bool closed;
};

static void on_review(uv_timer_t *timer);

static void ask_review(chainsi_assets *assets)
{
    uv_timer_start(assets->review, on_review, 0, 0);
}

static void finish_job(chainsi_assets_job *job, chains_status status, size_t failed,
                       const char *why)
{
    if (job->over)
        return;
    job->over = true;
    job->status = status;
    job->failed = failed;
    snprintf(job->why, sizeof job->why, "%s", why);
    ask_review(job->assets);
}

/* Waiting. */

static void leave(waiter *it)
{
    if (!it->on)
        return;
    for (waiter **at = &it->on->waiters; *at; at = &(*at)->next)
        if (*at == it) {
            *at = it->next;
            break;
        }
    it->on = NULL;
    it->next = NULL;
}

static download *find_download(chainsi_assets *assets, const char *digest)
{
    download **at = &assets->downloads;
    for (; *at; at = &(*at)->next)
        if (!strcmp((*at)->digest, digest))
            return *at;
    download *made = chainsi_make(sizeof *made);
    made->assets = assets;
    memcpy(made->digest, digest, sizeof made->digest);
    *at = made;
    return made;
}

static void wait_for(waiter *it, download *on)
{
    waiter **at = &on->waiters;
    while (*at)
        at = &(*at)->next;
    it->on = on;
    *at = it;
}

/* Downloads. */

static void on_fetched(void *user, chains_status status, const char *why)
{
    download *ended = user;
    int64_t size = chainsi_fetch_look(ended->fetch).done;
    for (waiter *it = ended->waiters, *next; it; it = next) {
        next = it->next;
        if (status == CHAINS_OK) {
            it->size = size;
            leave(it);
        } else if (!ended->cancelled && !strcmp(it->url, ended->url)) {
            leave(it);
            finish_job(it->job, status, (size_t)(it - it->job->waiters), why);
        }
        /* Others have other URLs, or came after it was cancelled: it is fetched again for them. */
    }
    chainsi_fetch_free(ended->fetch);
    ended->fetch = NULL;
    ask_review(ended->assets);
}

static void start_download(download *it)
{
    chainsi_assets *assets = it->assets;
    free(it->url);
    it->url = chainsi_copy_text(it->waiters->url);
    it->cancelled = false;
    it->seen = -1;
    it->rate = 0;
    it->fetch = chainsi_fetch_new(&(chainsi_fetch_options){
        .loop = assets->loop,
        .courier = assets->courier,
        .policy = assets->policy,
        .home = assets->home,
        .url = it->url,
        .digest = it->digest,
        .on_end = on_fetched,
        .user = it,
    });
}

/* Cancels those that nobody waits for, forgets those that have ended, and starts what may run. */
static void review_downloads(chainsi_assets *assets)
{
    size_t running = 0;
    for (download **at = &assets->downloads; *at;) {
        download *it = *at;
        if (it->fetch || it->waiters) {
            running += it->fetch != NULL;
            at = &it->next;
        } else {
            *at = it->next;
            free(it->url);
            free(it);
        }
    }
    for (download *it = assets->downloads; it; it = it->next) {
        if (it->fetch && !it->waiters && !it->cancelled) {
            it->cancelled = true;
            chainsi_fetch_cancel(it->fetch);
        } else if (!it->fetch && running < CHAINSI_ASSETS_AT_ONCE) {
            start_download(it);
            running++;
        }
    }
}

/* Progress. */

static void add_progress(chainsi_assets_progress *sum, const waiter *it)
{
    sum->files++;
    sum->files_done += !it->on;
    if (it->twin)
        return;
    if (!it->on) {
        sum->done += it->size;
        sum->size += sum->size >= 0 ? it->size : 0;
        return;
    }
    chainsi_fetch_progress progress = { .size = -1 };
    if (it->on->fetch)
        progress = chainsi_fetch_look(it->on->fetch);
    sum->done += progress.done;
    sum->size = progress.size < 0 || sum->size < 0 ? -1 : sum->size + progress.size;
    sum->rate += it->on->rate;
    sum->verifying = sum->verifying && it->on->fetch && progress.state == CHAINSI_FETCH_VERIFYING;
    if (progress.trouble)
        sum->trouble = progress.trouble;
}

static void tell_progress(chainsi_assets_job *job)
{
    if (!job->events.on_progress)
        return;
    chainsi_assets_progress sum = { .verifying = true };
    for (size_t i = 0; i < job->count; i++)
        add_progress(&sum, &job->waiters[i]);
    sum.verifying = sum.verifying && sum.files_done < sum.files;
    job->events.on_progress(job->user, &sum);
}

static void on_tick(uv_timer_t *timer)
{
    chainsi_assets *assets = timer->data;
    if (!assets)
        return;
    int64_t now_ns = chainsi_now_ns();
    double passed_s = (double)(now_ns - assets->ticked_ns) / 1e9;
    assets->ticked_ns = now_ns;
    for (download *it = assets->downloads; it; it = it->next) {
        int64_t done = it->fetch ? chainsi_fetch_look(it->fetch).done : 0;
        if (it->fetch && it->seen >= 0 && passed_s > 0) {
            double rate = done > it->seen ? (double)(done - it->seen) / passed_s : 0;
            it->rate = it->rate > 0 ? it->rate + LATEST * (rate - it->rate) : rate;
        }
        it->seen = done;
    }
    /* A job that is told may cancel any other, but none is freed before the review. */
    for (chainsi_assets_job *job = assets->jobs; job && !assets->closed; job = job->next)
        if (!job->over)
            tell_progress(job);
}

/* Jobs. */

static void free_job(chainsi_assets_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        leave(&job->waiters[i]);
    chainsi_arena_done(&job->arena);
    free(job);
}

static chainsi_assets_job *take_over_job(chainsi_assets *assets)
{
    for (chainsi_assets_job **at = &assets->jobs; *at; at = &(*at)->next) {
        chainsi_assets_job *job = *at;
        bool done = true;
        for (size_t i = 0; i < job->count; i++)
            done = done && !job->waiters[i].on;
        if (done)
            finish_job(job, CHAINS_OK, CHAINSI_ASSETS_NONE, "");
        if (job->over) {
            *at = job->next;
            return job;
        }
    }
    return NULL;
}

static void free_all(chainsi_assets *assets)
{
    chainsi_handle_close(assets->review);
    chainsi_handle_close(assets->tick);
    free(assets->home);
    free(assets);
}

static void on_review(uv_timer_t *timer)
{
    chainsi_assets *assets = timer->data;
    if (!assets)
        return;
    for (chainsi_assets_job *job; (job = take_over_job(assets));) {
        if (!job->cancelled && job->status == CHAINS_OK)
            tell_progress(job);
        if (!job->cancelled)
            job->events.on_done(job->user, job->status, job->failed, job->why);
        free_job(job);
    }
    review_downloads(assets);
    if (!assets->downloads)
        uv_timer_stop(assets->tick);
    if (assets->closed && !assets->downloads)
        free_all(assets);
}

chainsi_assets_job *chainsi_assets_start(chainsi_assets *assets, const chainsi_asset *items,
                                         size_t count, const chainsi_assets_events *events,
                                         void *user)
{
    chainsi_assets_job *job = chainsi_make(sizeof *job);
    job->assets = assets;
    job->events = *events;
    job->user = user;
    job->next = assets->jobs;
    assets->jobs = job;
    ask_review(assets);
    char why[256];
    if (!chainsi_asset_links_check(items, count, why, sizeof why)) {
        finish_job(job, CHAINS_INVALID_ARGUMENT, CHAINSI_ASSETS_NONE, why);
        return job;
    }
    job->waiters = chainsi_arena_array(&job->arena, count, sizeof *job->waiters);
    job->count = count;
    for (size_t i = 0; i < count; i++) {
        char digest[CHAINSI_DIGEST_DIGITS + 1];
        waiter *it = &job->waiters[i];
        chainsi_digest_read(items[i].sha256, digest);
        it->job = job;
        it->url = chainsi_arena_strdup(&job->arena, items[i].url ? items[i].url : "");
        if (chainsi_asset_store_find(assets->home, digest))
            continue;
        download *on = find_download(assets, digest);
        for (size_t k = 0; k < i; k++)
            it->twin = it->twin || job->waiters[k].on == on;
        wait_for(it, on);
    }
    if (assets->downloads && !uv_is_active((uv_handle_t *)assets->tick)) {
        assets->ticked_ns = chainsi_now_ns();
        uv_timer_start(assets->tick, on_tick, TICK_MS, TICK_MS);
    }
    return job;
}

void chainsi_assets_cancel(chainsi_assets_job *job)
{
    job->over = job->cancelled = true;
    ask_review(job->assets);
}

chainsi_assets *chainsi_assets_new(uv_loop_t *loop, chainsi_courier *courier, const char *home,
                                   const chainsi_fetch_policy *policy)
{
    chainsi_assets *assets = chainsi_make(sizeof *assets);
    assets->loop = loop;
    assets->home = chainsi_copy_text(home);
    assets->policy = policy ? policy : &chainsi_fetch_policy_default;
    assets->courier = courier;
    assets->review = chainsi_timer_new(loop, assets);
    assets->tick = chainsi_timer_new(loop, assets);
    return assets;
}

void chainsi_assets_free(chainsi_assets *assets)
{
    if (!assets)
        return;
    assets->closed = true;
    for (chainsi_assets_job *job = assets->jobs; job; job = job->next)
        chainsi_assets_cancel(job);
    ask_review(assets);
}
