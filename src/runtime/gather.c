/* Gathers: chains_gather, chains_wait, chains_each, chains_spawn.
 *
 * Invariants: a job is DONE before its gather ends, and a gather ends before its parent ctx does
 * (chainsi_gathers_end); outputs are written by the waiting thread only. */
#include "runtime/gather.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "runtime/cancel.h"
#include "runtime/delivery.h"
#include "runtime/error.h"
#include "runtime/fanout.h"
#include "runtime/memory.h"
#include "runtime/pool.h"
#include "runtime/waiter.h"

enum { MOST_RUNNERS = 64 }; /* threads that one chains_each uses at once */

static chains_ctx *make_gather(chains_ctx *ctx, bool all)
{
    chainsi_gather *gather = chains_alloc(ctx, sizeof *gather);
    chainsi_context_init_child(&gather->ctx, ctx, false);
    gather->ctx.gather = gather;
    gather->parent = ctx;
    gather->all = all;
    if (ctx->lock)
        pthread_mutex_lock(ctx->lock);
    gather->next = ctx->gathers;
    ctx->gathers = gather;
    if (ctx->lock)
        pthread_mutex_unlock(ctx->lock);
    return &gather->ctx;
}

chains_ctx *chains_gather(chains_ctx *ctx)
{
    return make_gather(ctx, false);
}

chains_ctx *chains_gather_all(chains_ctx *ctx)
{
    return make_gather(ctx, true);
}

static void run_job(chainsi_job *job);

static void run_task(chainsi_task *task)
{
    run_job((chainsi_job *)((char *)task - offsetof(chainsi_job, task)));
}

chainsi_job *chainsi_job_new(chainsi_gather *gather)
{
    struct job_with_ctx {
        chainsi_job job;
        chains_ctx ctx;
    } *made = chains_alloc(gather->parent, sizeof *made);
    chainsi_job *job = &made->job;
    job->gather = gather;
    job->task.run = run_task;
    job->ctx = &made->ctx;
    chainsi_context_init_child(job->ctx, &gather->ctx, true);
    return job;
}

void chainsi_gather_add(chainsi_gather *gather, chainsi_job *job)
{
    if (gather->count == gather->capacity) {
        size_t capacity = gather->capacity ? gather->capacity * 2 : 16;
        chainsi_job **jobs = chainsi_memory_array(gather->parent, capacity, sizeof *jobs);
        if (gather->count)
            memcpy(jobs, gather->jobs, gather->count * sizeof *jobs);
        gather->jobs = jobs;
        gather->capacity = capacity;
    }
    gather->jobs[gather->count++] = job;
    gather->ended = false;
}

void chainsi_job_start(chainsi_job *job)
{
    chainsi_gather *gather = job->gather;
    chainsi_gather_add(gather, job);
    chainsi_pool_start();
    chainsi_pool_lock();
    gather->unfinished++;
    job->state = CHAINSI_JOB_QUEUED;
    chainsi_pool_add(&job->task);
    chainsi_pool_unlock();
}

/* Notes a failure, locked. True: the others are to be cancelled. */
static bool note_failure(chainsi_gather *gather)
{
    if (gather->all || gather->failed)
        return false;
    gather->failed = true;
    return true;
}

void chainsi_gather_fail(chainsi_gather *gather)
{
    chainsi_pool_lock();
    bool cancel = note_failure(gather);
    chainsi_pool_unlock();
    if (cancel)
        chainsi_context_cancel(&gather->ctx);
}

/* Runs a job that is not in the queue any more. */
static void run_job(chainsi_job *job)
{
    chainsi_gather *gather = job->gather;
    chains_status status = chainsi_context_stopped(job->ctx);
    if (status == CHAINS_OK)
        status = job->run(job->ctx, job->data);
    else
        chainsi_error_set(job->ctx, status, job->ctx->chainlet, "chains_wait", NULL,
                          status == CHAINS_CANCELLED ? "cancelled before it began"
                                                     : "the deadline passed before it began");
    chainsi_gathers_end(job->ctx);
    chainsi_cancel_hook_end(job->ctx);
    if (status != CHAINS_OK && !chainsi_error_recall(job->ctx, status))
        chainsi_error_set(job->ctx, status, job->ctx->chainlet, "", NULL,
                          "returned %s without chains_fail", chains_status_name(status));
    chainsi_error_leave_thread();
    chainsi_pool_lock();
    job->status = status;
    bool cancel =
        status != CHAINS_OK && note_failure(gather) && (gather->unfinished > 1 || gather->fanout);
    /* Once this job counts as finished the gather may end with its memory: cancel before that. */
    if (cancel) {
        chainsi_pool_unlock();
        chainsi_context_cancel(&gather->ctx);
        chainsi_pool_lock();
    }
    job->state = CHAINSI_JOB_DONE;
    if (--gather->unfinished == 0 && gather->waiter)
        chainsi_waiter_wake(gather->waiter);
    chainsi_pool_unlock();
}

/* The oldest job that is still queued, taken out of the queue; NULL. Locked. */
static chainsi_job *take_queued(chainsi_gather *gather)
{
    for (; gather->first_queued < gather->count; gather->first_queued++) {
        chainsi_job *job = gather->jobs[gather->first_queued];
        if (job->task.queued) {
            chainsi_pool_remove(&job->task);
            return job;
        }
    }
    return NULL;
}

/* Waits until every job is DONE, running what is queued meanwhile. Where items are to be handed over,
 * jobs are left to the pool, unless that is short of threads: one that runs here would keep the items
 * of the others waiting. */
static void wait_for_jobs(chainsi_gather *gather, bool hand_over)
{
    bool cancelled = false;
    /* Made before any job runs here: what is cancelled from then on wakes it. */
    chainsi_waiter *waiter = chainsi_waiter_self();
    chainsi_pool_lock();
    while (gather->unfinished) {
        if (hand_over && !cancelled && chainsi_delivery_take(gather))
            continue;
        chainsi_job *job =
            !gather->delivers || chainsi_pool_is_short() ? take_queued(gather) : NULL;
        if (job) {
            chainsi_pool_unlock();
            job->helped = true;
            run_job(job);
            chainsi_pool_lock();
            continue;
        }
        gather->waiter = waiter;
        chainsi_pool_unlock();
        if (!cancelled && chainsi_context_stopped(&gather->ctx) != CHAINS_OK) {
            cancelled = true;
            chainsi_context_cancel(&gather->ctx);
        }
        /* Once cancelled there is nothing to watch for but the jobs. */
        chainsi_waiter_wait(waiter, cancelled ? NULL : &gather->ctx,
                            cancelled ? CHAINSI_NEVER : gather->ctx.deadline_ns);
        chainsi_pool_lock();
    }
    gather->waiter = NULL;
    chainsi_pool_unlock();
}

/* Waits for all that was started. hand_over: somebody waits for it, and wants items. */
static void wait_for_all(chainsi_gather *gather, bool hand_over)
{
    /* Items can't wait until the fan-out is done; a thread of the pool drives that meanwhile. */
    if (gather->fanout && !gather->delivers)
        chainsi_fanout_wait(gather->fanout);
    wait_for_jobs(gather, hand_over);
    if (gather->fanout && gather->delivers)
        chainsi_fanout_wait(gather->fanout);
}

/* The job whose failure is the gather's: the first that wasn't merely cancelled because of another.
 * NULL: all succeeded. */
static chainsi_job *first_failure(const chainsi_gather *gather)
{
    chainsi_job *cancelled = NULL;
    for (size_t i = 0; i < gather->count; i++) {
        chainsi_job *job = gather->jobs[i];
        if (job->status == CHAINS_OK)
            continue;
        if (job->status != CHAINS_CANCELLED)
            return job;
        if (!cancelled)
            cancelled = job;
    }
    return cancelled;
}

chains_status chains_wait(chains_ctx *all)
{
    chainsi_gather *gather = all->gather;
    assert(gather && "chains_wait is for what chains_gather gave");
    if (gather->ended)
        return gather->status;
    wait_for_all(gather, true);
    for (size_t i = 0; i < gather->count; i++) {
        chainsi_job *job = gather->jobs[i];
        if (job->status == CHAINS_OK && job->finish)
            job->finish(job->data);
        if (job->discard)
            job->discard(job->data);
        job->finish = NULL;
        job->discard = NULL;
    }
    chainsi_job *failure = first_failure(gather);
    gather->status = failure ? failure->status : CHAINS_OK;
    if (failure) {
        if (failure->explain &&
            !(failure->ctx && chainsi_error_recall(failure->ctx, failure->status)))
            failure->explain(failure->data);
        chainsi_error_move(&gather->ctx, failure->ctx);
        chainsi_error_move(gather->parent,
                           failure->ctx); /* last: CHAINS_TRY notes its place there */
    }
    for (size_t i = 0; i < gather->count; i++)
        if (gather->jobs[i]->run)
            chainsi_memory_adopt(gather->parent, gather->jobs[i]->ctx);
    if (gather->fanout)
        chainsi_fanout_done(gather->fanout, true);
    gather->ended = true;
    return gather->status;
}

chains_status chains_result(const chains_ctx *all, size_t i)
{
    const chainsi_gather *gather = all->gather;
    assert(gather && "chains_result is for what chains_gather gave");
    return gather->ended && i < gather->count ? gather->jobs[i]->status : CHAINS_OUT_OF_RANGE;
}

void chainsi_gathers_end(chains_ctx *ctx)
{
    for (chainsi_gather *gather = ctx->gathers; gather; gather = gather->next) {
        chainsi_gathers_end(&gather->ctx); /* those nested in it */
        chainsi_cancel_hook_end(&gather->ctx);
        chainsi_error_forget(&gather->ctx);
        if (gather->ended || !gather->count) {
            if (gather->fanout)
                chainsi_fanout_done(gather->fanout, false);
            continue;
        }
        chainsi_context_cancel(&gather->ctx);
        wait_for_all(gather, false);
        for (size_t i = 0; i < gather->count; i++) {
            chainsi_job *job = gather->jobs[i];
            if (job->discard)
                job->discard(job->data);
            if (job->run)
                chainsi_context_done(job->ctx);
        }
        if (gather->fanout)
            chainsi_fanout_done(gather->fanout, false);
        gather->ended = true;
        gather->status = CHAINS_CANCELLED;
    }
    ctx->gathers = NULL;
}

/* chains_spawn */

typedef struct spawned {
    chains_function function;
    void *argument;
} spawned;

static chains_status run_spawned(chains_ctx *ctx, void *data)
{
    const spawned *call = data;
    return call->function(ctx, call->argument);
}

chains_status chains_spawn(chains_ctx *all, chains_function function, const void *argument,
                           size_t size)
{
    chainsi_gather *gather = all->gather;
    assert(gather && "chains_spawn is for what chains_gather gave");
    if (!all->process->generated) {
        void *copy = size ? memcpy(chainsi_memory_raw(all, size), argument, size) : NULL;
        return function(all, copy);
    }
    chainsi_job *job = chainsi_job_new(gather);
    spawned *call = chains_alloc(job->ctx, sizeof *call);
    call->function = function;
    if (size)
        call->argument = memcpy(chainsi_memory_raw(job->ctx, size), argument, size);
    job->run = run_spawned;
    job->data = call;
    chainsi_job_start(job);
    return CHAINS_OK;
}

/* chains_each */

typedef struct each {
    chains_step step;
    void *user;
    size_t count;
    atomic_size_t next;
    pthread_mutex_t lock;
    /* The least step that failed by itself (count: none) and the ctx that has its error. Guarded by
     * lock. */
    size_t failed_at;
    const chains_ctx *failed_on;
} each;

static chains_status run_step(chains_ctx *ctx, const each *steps, size_t i, chains_ctx **child)
{
    *child = chains_alloc(ctx, sizeof **child);
    chainsi_context_init_child(*child, ctx, false);
    chains_status status = steps->step(*child, steps->user, i);
    chainsi_gathers_end(*child);
    if (status != CHAINS_OK && !chainsi_error_recall(*child, status))
        chainsi_error_set(*child, status, ctx->chainlet, "", NULL,
                          "step %zu returned %s without chains_fail", i,
                          chains_status_name(status));
    return status;
}

static chains_status run_steps(chains_ctx *ctx, void *data)
{
    each *steps = data;
    for (;;) {
        /* Asked before a step is taken: all steps before one that failed are run, so that which
         * failure is the first doesn't depend on luck. */
        chains_status stopped = chainsi_context_stopped(ctx);
        if (stopped != CHAINS_OK && atomic_load(&steps->next) < steps->count)
            return chainsi_error_set(ctx, stopped, ctx->chainlet, "chains_each", NULL,
                                     "stopped before the last of %zu steps", steps->count);
        size_t i = atomic_fetch_add(&steps->next, 1);
        if (i >= steps->count)
            return CHAINS_OK;
        chains_ctx *child;
        chains_status status = run_step(ctx, steps, i, &child);
        if (status == CHAINS_OK) {
            chainsi_context_done(child);
            continue;
        }
        pthread_mutex_lock(&steps->lock);
        if (status != CHAINS_CANCELLED && i < steps->failed_at) {
            steps->failed_at = i;
            steps->failed_on = ctx;
        }
        pthread_mutex_unlock(&steps->lock);
        chainsi_error_move(ctx, child);
        chainsi_context_done(child);
        return status;
    }
}

/* The steps one after the other, on this thread. */
static chains_status run_in_order(chains_ctx *ctx, const each *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        chains_ctx *child;
        chains_status status = run_step(ctx, steps, i, &child);
        if (status != CHAINS_OK)
            chainsi_error_move(ctx, child);
        chainsi_context_done(child);
        if (status != CHAINS_OK)
            return status;
    }
    return CHAINS_OK;
}

chains_status chains_each(chains_ctx *ctx, size_t count, chains_step step, void *user)
{
    each steps = { .step = step, .user = user, .count = count, .failed_at = count };
    if (!ctx->process->generated || count == 1)
        return run_in_order(ctx, &steps);
    pthread_mutex_init(&steps.lock, NULL);
    chainsi_gather *gather = chains_gather(ctx)->gather;
    size_t runners = count < MOST_RUNNERS ? count : MOST_RUNNERS;
    for (size_t i = 0; i < runners; i++) {
        chainsi_job *job = chainsi_job_new(gather);
        job->run = run_steps;
        job->data = &steps;
        chainsi_job_start(job);
    }
    chains_status status = chains_wait(&gather->ctx);
    pthread_mutex_destroy(&steps.lock);
    if (steps.failed_on) {
        status = steps.failed_on->error.status;
        chainsi_error_move(ctx, steps.failed_on);
    }
    return status;
}
