/* Driving a fan-out.
 *
 * Invariants: lanes, branches (but those that have just started) and the memory of ctx are used by the
 * one thread that drives; `driven` hands that over, under the lock. What isn't guarded by the lock is the
 * driver's. */
#include "runtime/fanout.h"

#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "runtime/attend.h"
#include "runtime/call.h"
#include "runtime/error.h"
#include "runtime/hedge.h"
#include "runtime/lane.h"
#include "runtime/memory.h"
#include "runtime/pool.h"
#include "runtime/progress.h"
#include "runtime/waiter.h"

enum {
    LARGE_BODY = 64 * 1024, /* a larger one isn't copied, and is freed with its call */
    ALIGNMENT = 16,
};

struct chainsi_fanout {
    chainsi_gather *gather;
    chains_ctx ctx;    /* memory of answers and errors; a child of the gather's */
    chainsi_task task; /* to drive it on a thread of the pool */
    chainsi_attended attended;
    pthread_mutex_t lock;
    pthread_cond_t left;      /* a driver has left */
    chainsi_branches started; /* not seen by the driver yet; guarded */
    bool driven;              /* guarded */
    bool wanted;              /* the thread that waits wants to drive; guarded */
    bool waits_to_attend;     /* it is to be attended to; guarded */
    chainsi_waiter *asleep;   /* the driver's, if it must be woken; guarded */
    chainsi_lane *lanes;
    size_t unfinished;       /* branches that are not DONE */
    bool failed;             /* one failed, and the others are to be cancelled */
    bool look;               /* the caller's connection has an event */
    chainsi_branch **paused; /* a heap: the first is due first */
    size_t paused_count, paused_capacity;
    struct pollfd *polled;
    chainsi_trunk **polled_trunks;
    size_t polled_capacity;
};

bool chainsi_fanout_takes(const chainsi_callee *callee)
{
    /* A call that may become two is a job. */
    return callee->remote && callee->remote->link && !chainsi_hedge_applies(callee);
}

chains_ctx *chainsi_fanout_ctx(chainsi_fanout *fanout)
{
    return &fanout->ctx;
}

/* ------------------------------------------------------------------------------------------------
 * starting */

static void drive_in_pool(chainsi_task *task);
static void attend(chainsi_attended *attended);

static chainsi_fanout *fanout_of(chainsi_gather *gather)
{
    if (gather->fanout)
        return gather->fanout;
    chainsi_fanout *fanout = chains_alloc(gather->parent, sizeof *fanout);
    fanout->gather = gather;
    chainsi_context_init_child(&fanout->ctx, &gather->ctx, true);
    pthread_mutex_init(&fanout->lock, NULL);
    pthread_cond_init(&fanout->left, NULL);
    fanout->task.run = drive_in_pool;
    fanout->attended.attend = attend;
    gather->fanout = fanout;
    return fanout;
}

static size_t align(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static void finish_branch(void *data)
{
    chainsi_branch *branch = data;
    chainsi_call_hand_over(branch->callee->interface, branch->scratch, branch->outputs);
}

static void discard_branch(void *data)
{
    chainsi_branch *branch = data;
    chainsi_buffer_done(&branch->large_body);
    if (branch->attachments)
        chainsi_attachments_done(branch->attachments);
}

void chainsi_branch_error_ctx(chainsi_branch *branch, chains_ctx *from)
{
    if (branch->job.ctx)
        return;
    branch->job.ctx = chainsi_arena_alloc_raw(from->arena, sizeof *branch->job.ctx);
    chainsi_context_init_child(branch->job.ctx, from, false);
}

void chainsi_branch_tell_end(chainsi_branch *branch)
{
    const chains_ctx *ctx = branch->job.ctx ? branch->job.ctx : &branch->job.gather->ctx;
    chainsi_made_end(&branch->made, ctx, branch->callee->interface->name, false, branch->job.status,
                     NULL);
}

/* Of a call that was stopped with others: it has no error before somebody asks. */
static void explain_branch(void *data)
{
    chainsi_branch *branch = data;
    chainsi_branch_error_ctx(branch, &branch->job.gather->fanout->ctx);
    chainsi_call_stopped(branch->callee, branch->job.ctx, branch->job.status);
    chainsi_error_leave_thread();
}

static chainsi_branch *make_branch(chainsi_gather *gather, chainsi_callee *callee,
                                   chainsi_message *message, void *const outputs[])
{
    chainsi_buffer *body = &message->body;
    const chainsi_type *output = callee->interface->output;
    const size_t outputs_at = align(sizeof(chainsi_branch)),
                 scratch_at = outputs_at + align(output->field_count * sizeof *outputs),
                 body_at = scratch_at + align(output->size);
    const bool large = body->size > LARGE_BODY;
    char *memory = chainsi_memory_raw(gather->parent, body_at + (large ? 0 : body->size));
    memset(memory, 0, sizeof(chainsi_branch));
    memset(memory + scratch_at, 0, output->size);
    chainsi_branch *branch = (chainsi_branch *)memory;
    branch->job.gather = gather;
    branch->job.finish = finish_branch;
    branch->job.discard = large || message->attachments.count ? discard_branch : NULL;
    branch->job.explain = explain_branch;
    branch->job.data = branch;
    branch->callee = callee;
    chainsi_made_begin(&branch->made, &gather->ctx);
    branch->scratch = memory + scratch_at;
    branch->outputs = (void **)(memory + outputs_at);
    if (output->field_count)
        memcpy(branch->outputs, outputs, output->field_count * sizeof *outputs);
    branch->body_size = body->size;
    if (large) {
        branch->large_body = *body;
        branch->body = branch->large_body.data;
        *body = (chainsi_buffer){ 0 };
    } else {
        if (body->size)
            memcpy(memory + body_at, body->data, body->size);
        branch->body = memory + body_at;
    }
    if (message->attachments.count) {
        branch->attachments = chainsi_memory_raw(gather->parent, sizeof *branch->attachments);
        branch->descriptors =
            chainsi_memory_raw(gather->parent, CHAINSI_MAX_ATTACHMENTS * sizeof(int));
        *branch->attachments = message->attachments;
        message->attachments = (chainsi_attachments){ .count = 0 };
        chainsi_attachments_descriptors(branch->attachments, branch->descriptors);
    }
    return branch;
}

void chainsi_fanout_start(chainsi_gather *gather, chainsi_callee *callee, chainsi_message *message,
                          void *const outputs[])
{
    chainsi_fanout *fanout = fanout_of(gather);
    chainsi_branch *branch = make_branch(gather, callee, message, outputs);
    chainsi_gather_add(gather, &branch->job);
    pthread_mutex_lock(&fanout->lock);
    chainsi_branches_add(&fanout->started, branch);
    const bool first = !fanout->driven && !fanout->waits_to_attend;
    fanout->waits_to_attend = fanout->waits_to_attend || first;
    if (fanout->asleep) {
        chainsi_waiter_wake(fanout->asleep);
        fanout->asleep = NULL;
    }
    pthread_mutex_unlock(&fanout->lock);
    if (first)
        chainsi_attend_later(&fanout->attended);
}

/* ------------------------------------------------------------------------------------------------
 * the heap of paused calls */

static void place_paused(chainsi_fanout *fanout, size_t index, chainsi_branch *branch)
{
    chainsi_branch **heap = fanout->paused;
    while (index && heap[(index - 1) / 2]->due_ns > branch->due_ns) {
        heap[index] = heap[(index - 1) / 2];
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = index * 2 + 1;
        if (child + 1 < fanout->paused_count && heap[child + 1]->due_ns < heap[child]->due_ns)
            child++;
        if (child >= fanout->paused_count || heap[child]->due_ns >= branch->due_ns)
            break;
        heap[index] = heap[child];
        index = child;
    }
    heap[index] = branch;
}

/* Room for one more in an array of the fan-out's memory. */
static void *grow(chainsi_fanout *fanout, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 16;
    void *larger = chainsi_arena_array(fanout->ctx.arena, *capacity, size);
    return count ? memcpy(larger, items, count * size) : larger;
}

void chainsi_fanout_pause(chainsi_fanout *fanout, chainsi_branch *branch)
{
    fanout->paused = grow(fanout, fanout->paused, fanout->paused_count, &fanout->paused_capacity,
                          sizeof *fanout->paused);
    place_paused(fanout, fanout->paused_count++, branch);
}

static chainsi_branch *take_paused(chainsi_fanout *fanout)
{
    chainsi_branch *branch = fanout->paused[0];
    chainsi_branch *last = fanout->paused[--fanout->paused_count];
    if (fanout->paused_count)
        place_paused(fanout, 0, last);
    return branch;
}

/* ------------------------------------------------------------------------------------------------
 * driving */

void chainsi_fanout_ended(chainsi_fanout *fanout, chainsi_branch *branch)
{
    branch->job.state = CHAINSI_JOB_DONE;
    chainsi_progress *progress = fanout->ctx.process->progress;
    if (--fanout->unfinished == 0 && progress)
        chainsi_progress_return(progress, chainsi_now_ns());
    if (branch->job.status != CHAINS_OK && !fanout->gather->all)
        fanout->failed = true;
}

static chainsi_lane *lane_of(chainsi_fanout *fanout, chainsi_callee *callee)
{
    chainsi_lane *lane = fanout->lanes;
    while (lane && lane->callee != callee)
        lane = lane->next;
    if (lane)
        return lane;
    lane = chainsi_arena_alloc_raw(fanout->ctx.arena, sizeof *lane);
    chainsi_lane_init(lane, fanout, callee);
    lane->next = fanout->lanes;
    fanout->lanes = lane;
    return lane;
}

static void make_pending(chainsi_fanout *fanout, chainsi_branch *branch)
{
    chainsi_lane *lane = lane_of(fanout, branch->callee);
    branch->state = CHAINSI_BRANCH_PENDING;
    chainsi_branches_add(&lane->pending, branch);
}

/* Takes over what was started meanwhile. */
static void take_started(chainsi_fanout *fanout)
{
    pthread_mutex_lock(&fanout->lock);
    chainsi_branches started = fanout->started;
    fanout->started = (chainsi_branches){ 0 };
    fanout->asleep = NULL;
    pthread_mutex_unlock(&fanout->lock);
    for (chainsi_branch *branch = started.first, *next; branch; branch = next) {
        next = branch->next;
        chainsi_call_begin(branch->callee);
        /* While calls are with another service, this one doesn't stand still. */
        chainsi_progress *progress = fanout->ctx.process->progress;
        if (fanout->unfinished++ == 0 && progress)
            chainsi_progress_leave(progress);
        make_pending(fanout, branch);
    }
}

static void stop_all(chainsi_fanout *fanout, chains_status status)
{
    for (chainsi_lane *lane = fanout->lanes; lane; lane = lane->next)
        chainsi_lane_stop(lane, status);
    while (fanout->paused_count) {
        chainsi_branch *branch = fanout->paused[--fanout->paused_count];
        branch->state = CHAINSI_BRANCH_DONE;
        branch->job.status = status;
        chainsi_branch_tell_end(branch);
        chainsi_fanout_ended(fanout, branch);
    }
}

/* The first failure cancels the others. */
static bool stop_after_failure(chainsi_fanout *fanout)
{
    if (!fanout->failed)
        return false;
    fanout->failed = false;
    chainsi_gather_fail(fanout->gather);
    stop_all(fanout, CHAINS_CANCELLED);
    fanout->failed = false;
    return true;
}

/* Everything that can be done without waiting. */
static void advance(chainsi_fanout *fanout, int64_t now_ns)
{
    chains_ctx *ctx = &fanout->gather->ctx;
    chains_status stopped =
        fanout->look ? chainsi_context_stopped(ctx) : chainsi_context_stopped_lately(ctx);
    fanout->look = false;
    if (stopped == CHAINS_OK && stop_after_failure(fanout))
        return;
    if (stopped != CHAINS_OK) {
        stop_all(fanout, stopped);
        return;
    }
    while (fanout->paused_count && fanout->paused[0]->due_ns <= now_ns) {
        chainsi_branch *branch = take_paused(fanout);
        chainsi_lane_resume(lane_of(fanout, branch->callee), branch, now_ns);
    }
    for (chainsi_lane *lane = fanout->lanes; lane; lane = lane->next)
        chainsi_lane_advance(lane, now_ns);
    stop_after_failure(fanout);
}

static bool is_busy(const chainsi_trunk *trunk)
{
    return trunk->sheaf.waiting || chainsi_sheaf_is_unsent(&trunk->sheaf);
}

static int64_t wakes_at(const chainsi_fanout *fanout, int64_t now_ns)
{
    int64_t wakes_ns = fanout->ctx.deadline_ns;
    if (fanout->paused_count && fanout->paused[0]->due_ns < wakes_ns)
        wakes_ns = fanout->paused[0]->due_ns;
    for (const chainsi_lane *lane = fanout->lanes; lane; lane = lane->next) {
        int64_t lane_ns = chainsi_lane_wakes(lane, now_ns);
        wakes_ns = lane_ns < wakes_ns ? lane_ns : wakes_ns;
    }
    return wakes_ns;
}

/* The one connection that anything can come from, if there is just one and nothing else to wait for
 * within the time that a blocking read may take; NULL. */
static chainsi_trunk *only_trunk(const chainsi_fanout *fanout, int64_t wakes_ns, int64_t now_ns)
{
    chainsi_trunk *only = NULL;
    if (wakes_ns - now_ns < 2 * CHAINSI_LINK_PATIENCE_MS * CHAINSI_NS_PER_MS)
        return NULL;
    for (const chainsi_lane *lane = fanout->lanes; lane; lane = lane->next) {
        for (chainsi_trunk *trunk = lane->trunks; trunk; trunk = trunk->next) {
            if (!is_busy(trunk))
                continue;
            if (only || chainsi_sheaf_is_unsent(&trunk->sheaf))
                return NULL;
            only = trunk;
        }
    }
    return only;
}

static size_t watch(chainsi_fanout *fanout, size_t count, int fd, short events,
                    chainsi_trunk *trunk)
{
    if (count == fanout->polled_capacity) {
        size_t capacity = fanout->polled_capacity;
        fanout->polled = grow(fanout, fanout->polled, count, &capacity, sizeof *fanout->polled);
        fanout->polled_trunks = grow(fanout, fanout->polled_trunks, count, &fanout->polled_capacity,
                                     sizeof *fanout->polled_trunks);
    }
    fanout->polled[count] = (struct pollfd){ .fd = fd, .events = events };
    fanout->polled_trunks[count] = trunk;
    return count + 1;
}

static size_t watch_all(chainsi_fanout *fanout, const chains_ctx *connected)
{
    size_t count = watch(fanout, 0, chainsi_waiter_fd(chainsi_waiter_self()), POLLIN, NULL);
    count = watch(fanout, count, connected ? connected->connection : -1,
                  connected ? connected->connection_events : 0, NULL);
    for (const chainsi_lane *lane = fanout->lanes; lane; lane = lane->next) {
        for (chainsi_trunk *trunk = lane->trunks; trunk; trunk = trunk->next) {
            if (!is_busy(trunk))
                continue;
            bool unsent = chainsi_sheaf_is_unsent(&trunk->sheaf);
            count = watch(fanout, count, trunk->sheaf.wire.fd,
                          (short)(unsent ? POLLIN | POLLOUT : POLLIN), trunk);
        }
    }
    return count;
}

static void poll_all(chainsi_fanout *fanout, size_t count, int64_t wakes_ns, int64_t now_ns)
{
    struct timespec timeout = { 0 };
    if (wakes_ns > now_ns)
        timeout = (struct timespec){ .tv_sec = (wakes_ns - now_ns) / 1000000000,
                                     .tv_nsec = (wakes_ns - now_ns) % 1000000000 };
    int ready = ppoll(fanout->polled, count, wakes_ns == CHAINSI_NEVER ? NULL : &timeout, NULL);
    if (ready <= 0)
        return;
    if (fanout->polled[0].revents)
        chainsi_waiter_clear(chainsi_waiter_self());
    fanout->look = fanout->polled[0].revents || fanout->polled[1].revents;
    now_ns = chainsi_now_ns();
    for (size_t i = 2; i < count; i++)
        if (fanout->polled[i].revents)
            chainsi_trunk_advance(fanout->polled_trunks[i], false, now_ns);
}

/* Waits for something to happen. */
static void wait_for_news(chainsi_fanout *fanout, bool for_gather, int64_t now_ns)
{
    int64_t wakes_ns = wakes_at(fanout, now_ns);
    if (for_gather) {
        chainsi_trunk *only = only_trunk(fanout, wakes_ns, now_ns);
        if (only) {
            chainsi_trunk_advance(only, true, now_ns);
            return;
        }
    }
    size_t count = watch_all(fanout, chainsi_context_connected(&fanout->gather->ctx));
    if (!for_gather) {
        pthread_mutex_lock(&fanout->lock);
        const bool stay = !fanout->started.count && !fanout->wanted;
        fanout->asleep = stay ? chainsi_waiter_self() : NULL;
        pthread_mutex_unlock(&fanout->lock);
        if (!stay)
            return;
    }
    poll_all(fanout, count, wakes_ns, now_ns);
}

/* Drives until all is done, or for a thread of the pool until the one that waits wants to. Under the
 * lock when it returns. */
static void drive(chainsi_fanout *fanout, bool for_gather)
{
    chainsi_waiter_self(); /* made first: what is cancelled from now on wakes it */
    for (;;) {
        take_started(fanout);
        int64_t now_ns = chainsi_now_ns();
        advance(fanout, now_ns);
        pthread_mutex_lock(&fanout->lock);
        if (fanout->unfinished ? !for_gather && fanout->wanted : !fanout->started.count)
            return;
        const bool wait = fanout->unfinished && !fanout->started.count;
        pthread_mutex_unlock(&fanout->lock);
        if (wait)
            wait_for_news(fanout, for_gather, now_ns);
    }
}

static void stop_driving(chainsi_fanout *fanout)
{
    fanout->asleep = NULL;
    fanout->driven = false;
    pthread_cond_broadcast(&fanout->left);
    pthread_mutex_unlock(&fanout->lock);
}

static void drive_in_pool(chainsi_task *task)
{
    chainsi_fanout *fanout =
        (chainsi_fanout *)((char *)task - offsetof(struct chainsi_fanout, task));
    drive(fanout, false);
    stop_driving(fanout);
}

static void attend(chainsi_attended *attended)
{
    chainsi_fanout *fanout =
        (chainsi_fanout *)((char *)attended - offsetof(struct chainsi_fanout, attended));
    pthread_mutex_lock(&fanout->lock);
    fanout->waits_to_attend = false;
    if (!fanout->driven && !fanout->wanted) {
        fanout->driven = true;
        chainsi_pool_start();
        chainsi_pool_lock();
        chainsi_pool_add(&fanout->task);
        chainsi_pool_unlock();
    }
    pthread_mutex_unlock(&fanout->lock);
}

/* Takes the fan-out from the pool, locked. */
static void take_over(chainsi_fanout *fanout)
{
    fanout->wanted = true;
    if (fanout->driven) {
        chainsi_pool_lock();
        if (fanout->task.queued) {
            chainsi_pool_remove(&fanout->task);
            fanout->driven = false;
        }
        chainsi_pool_unlock();
    }
    if (fanout->asleep) {
        chainsi_waiter_wake(fanout->asleep);
        fanout->asleep = NULL;
    }
    while (fanout->driven)
        pthread_cond_wait(&fanout->left, &fanout->lock);
    fanout->driven = true;
}

void chainsi_fanout_wait(chainsi_fanout *fanout)
{
    pthread_mutex_lock(&fanout->lock);
    const bool waits_to_attend = fanout->waits_to_attend;
    pthread_mutex_unlock(&fanout->lock);
    if (waits_to_attend)
        chainsi_attend_not(&fanout->attended);
    pthread_mutex_lock(&fanout->lock);
    fanout->waits_to_attend = false;
    take_over(fanout);
    pthread_mutex_unlock(&fanout->lock);
    drive(fanout, true);
    fanout->wanted = false;
    stop_driving(fanout);
    for (chainsi_lane *lane = fanout->lanes; lane; lane = lane->next)
        chainsi_lane_done(lane);
}

void chainsi_fanout_done(chainsi_fanout *fanout, bool adopt)
{
    if (adopt) {
        chainsi_memory_adopt(fanout->gather->parent, &fanout->ctx);
        return;
    }
    chainsi_context_done(&fanout->ctx);
    pthread_cond_destroy(&fanout->left);
    pthread_mutex_destroy(&fanout->lock);
}
