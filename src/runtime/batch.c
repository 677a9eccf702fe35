/* The collector of batches.
 *
 * Calls wait in a queue in the order of their arrival. One of them at most is the leader: it holds a
 * slot and decides when the batch starts. Where the policy says "now" to a thread that has just
 * brought a call, that thread leads instead: it is awake.
 *
 *   WAITING --a batch takes it--> TAKEN --the batch has ended, or left it out--> DONE
 *      '--its deadline passed, its caller left: its own thread takes it out
 *
 * Invariants: what is in the queue is WAITING; if the queue isn't empty there is a leader, who is
 * its first, or no slot is free; a call is woken under its own lock or, while it is in the queue,
 * under the collector's, and goes only after it had that lock, so whoever wakes it finds it there. */
#include "runtime/batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "runtime/batch_policy.h"
#include "runtime/error.h"
#include "runtime/waiter.h"

enum { SIZE_BUCKETS = 11 }; /* up to 1, 2, 4 … 1024 calls */

typedef enum call_state { CALL_WAITING, CALL_TAKEN, CALL_DONE } call_state;

typedef struct waiting_call waiting_call;
struct waiting_call {
    chainsi_batch_call *call;
    chainsi_waiter *waiter;
    waiting_call *next, *previous; /* in the queue; next also in a batch */
    int64_t patience_ns;
    _Atomic call_state state;
    chains_status status; /* once DONE */
    bool dropped;         /* not begun; status says why */
    bool together;        /* run_batch ran it */
    pthread_mutex_t lock; /* held while it becomes DONE and is woken */
};

struct chainsi_batch {
    const chainsi_implementation *implementation;
    size_t max_size;
    int64_t max_wait_ns;
    pthread_mutex_t lock; /* of what follows */
    waiting_call *first, *last;
    size_t waiting, in_flight;
    int64_t until_ns;     /* the least patience in the queue */
    waiting_call *leader; /* NULL: nobody holds a slot for the queue */
    int free_slots;
    atomic_uint_fast64_t sizes[SIZE_BUCKETS], calls;
};

int chainsi_batch_slots(const chainsi_implementation *implementation)
{
    const chains_config *config = implementation->interface->config;
    int concurrency = config && config->concurrency > 0 ? config->concurrency : 1;
    if (!implementation->run_batch || !config || config->batch.max_size <= 1 ||
        concurrency >= CHAINSI_MAX_SLOTS)
        return concurrency;
    int64_t slots = (int64_t)concurrency * config->batch.max_size;
    return slots < CHAINSI_MAX_SLOTS ? (int)slots : CHAINSI_MAX_SLOTS;
}

chainsi_batch *chainsi_batch_new(chains_ctx *ctx, const chainsi_implementation *implementation)
{
    const chains_config *config = implementation->interface->config;
    if (!implementation->run_batch || !config || config->batch.max_size <= 1)
        return NULL;
    chainsi_batch *batch = chains_alloc(ctx, sizeof *batch);
    batch->implementation = implementation;
    batch->max_size = config->batch.max_size < CHAINSI_MAX_SLOTS ? (size_t)config->batch.max_size
                                                                 : CHAINSI_MAX_SLOTS;
    batch->max_wait_ns =
        config->batch.max_wait_us > 0 ? config->batch.max_wait_us * INT64_C(1000) : 0;
    batch->free_slots = config->concurrency > 0 ? config->concurrency : 1;
    batch->until_ns = CHAINSI_NEVER;
    pthread_mutex_init(&batch->lock, NULL);
    return batch;
}

void chainsi_batch_done(chainsi_batch *batch)
{
    if (batch)
        pthread_mutex_destroy(&batch->lock);
}

/* ------------------------------------------------------------------------------------------------
 * the queue; locked */

/* Whether the queue now has less patience than before. */
static bool append(chainsi_batch *batch, waiting_call *call)
{
    call->previous = batch->last;
    if (batch->last)
        batch->last->next = call;
    else
        batch->first = call;
    batch->last = call;
    batch->waiting++;
    if (call->patience_ns >= batch->until_ns)
        return false;
    batch->until_ns = call->patience_ns;
    return true;
}

static void unlink_call(chainsi_batch *batch, waiting_call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        batch->first = call->next;
    if (call->next)
        call->next->previous = call->previous;
    else
        batch->last = call->previous;
    call->next = call->previous = NULL;
    batch->waiting--;
}

static void find_patience(chainsi_batch *batch)
{
    batch->until_ns = CHAINSI_NEVER;
    for (const waiting_call *call = batch->first; call; call = call->next)
        if (call->patience_ns < batch->until_ns)
            batch->until_ns = call->patience_ns;
}

static bool starts_now(const chainsi_batch *batch)
{
    const chainsi_batch_view view = {
        .waiting = batch->waiting,
        .in_flight = batch->in_flight,
        .max_size = batch->max_size,
        .until_ns = batch->until_ns,
    };
    return chainsi_batch_starts(&view, batch->max_wait_ns ? chainsi_now_ns() : CHAINSI_NEVER);
}

/* Gives a free slot to the queue, if it waits for one. */
static void appoint_leader(chainsi_batch *batch)
{
    if (batch->leader || !batch->first || !batch->free_slots)
        return;
    batch->free_slots--;
    batch->leader = batch->first;
    chainsi_waiter_wake(batch->leader->waiter);
}

/* Takes the calls of the next batch out of the queue: a list through `next`. */
static waiting_call *take_calls(chainsi_batch *batch)
{
    waiting_call *taken = NULL, **end = &taken;
    for (size_t i = 0; i < batch->max_size && batch->first; i++) {
        waiting_call *call = batch->first;
        unlink_call(batch, call);
        atomic_store(&call->state, CALL_TAKEN);
        *end = call;
        end = &call->next;
    }
    find_patience(batch);
    return taken;
}

/* ------------------------------------------------------------------------------------------------
 * running */

/* Why a call isn't begun any more; CHAINS_OK: it is. */
static chains_status stop_reason(const chainsi_batch_call *call)
{
    if (call->droppable)
        return chainsi_context_stopped(call->ctx);
    return chainsi_now_ns() >= call->ctx->deadline_ns ? CHAINS_DEADLINE_EXCEEDED : CHAINS_OK;
}

static void finish(waiting_call *call)
{
    pthread_mutex_lock(&call->lock);
    atomic_store(&call->state, CALL_DONE);
    chainsi_waiter_wake(call->waiter);
    pthread_mutex_unlock(&call->lock);
}

static void count_batch(chainsi_batch *batch, size_t size)
{
    int bucket = 0;
    while (bucket < SIZE_BUCKETS - 1 && size > (size_t)1 << bucket)
        bucket++;
    atomic_fetch_add_explicit(&batch->sizes[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&batch->calls, size, memory_order_relaxed);
}

/* Leaves out the calls that nobody waits for any more; the leader's own stays. */
static size_t drop_stopped(waiting_call **taken, const waiting_call *leader)
{
    size_t count = 0;
    for (waiting_call **at = taken, *call; (call = *at);) {
        chains_status stopped = call == leader ? CHAINS_OK : stop_reason(call->call);
        if (stopped == CHAINS_OK) {
            at = &call->next;
            count++;
            continue;
        }
        *at = call->next;
        call->status = stopped;
        call->dropped = true;
        finish(call);
    }
    return count;
}

/* The ctx on which the failure that run_batch returned was recorded; NULL: on none of them. */
static chains_ctx *find_failure(chains_ctx *const calls[], size_t count, chains_status status)
{
    const chains_ctx *last = chainsi_error_last_on_thread();
    for (size_t i = 0; i < count; i++)
        if (calls[i] == last && last->failed && last->error.status == status)
            return calls[i];
    for (size_t i = 0; i < count; i++)
        if (calls[i]->failed && chainsi_error_recall(calls[i], status))
            return calls[i];
    return NULL;
}

/* How each call ended, after run_batch has returned status. */
static void settle_calls(waiting_call *taken, chains_ctx *const calls[], size_t count,
                         chains_status status)
{
    chains_ctx *failure = status == CHAINS_OK ? NULL : find_failure(calls, count, status);
    for (waiting_call *call = taken; call; call = call->next) {
        chains_ctx *ctx = call->call->ctx;
        chains_status own = ctx->raised;
        call->status = own != CHAINS_OK ? own : status;
        if (failure && failure != ctx && own == CHAINS_OK)
            chainsi_error_move(ctx, failure);
    }
}

static chains_status run_alone(const chainsi_implementation *implementation, void *self,
                               const chainsi_batch_call *call)
{
    return implementation->run(self, call->ctx, call->input, call->output, NULL);
}

static void run_together(const chainsi_implementation *implementation, void *self,
                         waiting_call *taken, size_t count)
{
    chains_ctx **calls = malloc(count * (sizeof *calls + 2 * sizeof(void *)));
    if (!calls)
        abort();
    const void **inputs = (const void **)(calls + count);
    void **outputs = (void **)(inputs + count);
    size_t i = 0;
    for (waiting_call *call = taken; call; call = call->next, i++) {
        calls[i] = call->call->ctx;
        inputs[i] = call->call->input;
        outputs[i] = call->call->output;
        call->together = true;
    }
    chains_status status = implementation->run_batch(self, calls, count, inputs, outputs);
    settle_calls(taken, calls, count, status);
    chainsi_error_leave_thread(); /* the other calls' contexts are not this thread's */
    free(calls);
}

/* Runs the next batch, `own` among its calls. Called with a slot; locked before and after. */
static void lead(chainsi_batch *batch, void *self, waiting_call *own)
{
    batch->leader = NULL;
    waiting_call *taken = take_calls(batch);
    appoint_leader(batch); /* of what was too much for this one */
    pthread_mutex_unlock(&batch->lock);
    size_t count = drop_stopped(&taken, own);
    count_batch(batch, count);
    int64_t began = chainsi_now_ns();
    for (const waiting_call *call = taken; call; call = call->next)
        if (call->call->progress)
            chainsi_progress_begin(call->call->progress, began);
    if (count == 1)
        own->status = run_alone(batch->implementation, self, own->call);
    else
        run_together(batch->implementation, self, taken, count);
    int64_t ended = chainsi_now_ns();
    pthread_mutex_lock(&batch->lock);
    batch->free_slots++;
    appoint_leader(batch);
    pthread_mutex_unlock(&batch->lock);
    for (waiting_call *call = taken, *next; call; call = next) {
        next = call->next;
        call->call->run_ns = ended - began;
        if (call->call->progress)
            chainsi_progress_end(call->call->progress, ended);
        if (call != own)
            finish(call);
    }
    pthread_mutex_lock(&batch->lock);
    atomic_store(&own->state, CALL_DONE);
}

/* ------------------------------------------------------------------------------------------------
 * waiting */

/* Takes a call that isn't begun any more out of the queue; a slot that it holds goes on. Locked. */
static void withdraw(chainsi_batch *batch, waiting_call *own, chains_status stopped)
{
    unlink_call(batch, own);
    find_patience(batch);
    own->status = stopped;
    own->dropped = true;
    atomic_store(&own->state, CALL_DONE);
    if (batch->leader == own) {
        batch->leader = NULL;
        batch->free_slots++;
        appoint_leader(batch);
    }
}

/* Waits until the call is DONE, leading the batch if it falls to it. */
static void await(chainsi_batch *batch, void *self, waiting_call *own)
{
    pthread_mutex_lock(&batch->lock);
    bool sooner = append(batch, own);
    if (!batch->leader && batch->free_slots) {
        batch->free_slots--;
        batch->leader = own;
    } else if (batch->leader && batch->waiting <= batch->max_size && starts_now(batch)) {
        batch->leader = own;
    } else if (batch->leader && sooner) {
        chainsi_waiter_wake(batch->leader->waiter);
    }
    while (atomic_load(&own->state) != CALL_DONE) {
        bool waits = atomic_load(&own->state) == CALL_WAITING;
        int64_t until_ns = waits ? own->call->ctx->deadline_ns : CHAINSI_NEVER;
        if (waits && batch->leader == own) {
            if (starts_now(batch)) {
                lead(batch, self, own);
                break;
            }
            if (batch->until_ns < until_ns)
                until_ns = batch->until_ns;
        }
        pthread_mutex_unlock(&batch->lock);
        chainsi_waiter_wait(own->waiter, waits && own->call->droppable ? own->call->ctx : NULL,
                            until_ns);
        chains_status stopped = waits ? stop_reason(own->call) : CHAINS_OK;
        pthread_mutex_lock(&batch->lock);
        if (stopped != CHAINS_OK && atomic_load(&own->state) == CALL_WAITING)
            withdraw(batch, own, stopped);
    }
    pthread_mutex_unlock(&batch->lock);
    /* Whoever finished it is done with it. */
    pthread_mutex_lock(&own->lock);
    pthread_mutex_unlock(&own->lock);
}

chains_status chainsi_batch_run(chainsi_batch *batch, void *self, chainsi_batch_call *call)
{
    const chainsi_interface *interface = batch->implementation->interface;
    chains_ctx *ctx = call->ctx;
    call->run_ns = -1;
    waiting_call own = {
        .call = call,
        .waiter = chainsi_waiter_self(),
        .patience_ns =
            batch->max_wait_ns
                ? chainsi_batch_patience(chainsi_now_ns(), ctx->deadline_ns, batch->max_wait_ns)
                : 0,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    await(batch, self, &own);
    pthread_mutex_destroy(&own.lock);
    if (own.dropped)
        return chainsi_error_at_declaration(ctx, interface, own.status, NULL,
                                            own.status == CHAINS_CANCELLED
                                                ? "the caller had left before the call began"
                                                : "the deadline had passed before the call began");
    if (own.status == CHAINS_OK)
        return CHAINS_OK;
    return chainsi_error_settle_of(ctx, own.status, interface,
                                   own.together ? "run_batch" : "run_remote");
}

bool chainsi_batch_waits(const chainsi_batch *batch)
{
    return batch && batch->max_wait_ns;
}

void chainsi_batch_enter(chainsi_batch *batch, size_t count)
{
    pthread_mutex_lock(&batch->lock);
    batch->in_flight += count;
    pthread_mutex_unlock(&batch->lock);
}

void chainsi_batch_leave(chainsi_batch *batch, size_t count)
{
    pthread_mutex_lock(&batch->lock);
    batch->in_flight -= count;
    if (batch->leader && starts_now(batch))
        chainsi_waiter_wake(batch->leader->waiter);
    pthread_mutex_unlock(&batch->lock);
}

size_t chainsi_batch_waiting(chainsi_batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    size_t waiting = batch->waiting;
    pthread_mutex_unlock(&batch->lock);
    return waiting;
}

void chainsi_batch_write_metrics(chainsi_batch *batch, const char *chainlet, chainsi_buffer *out)
{
    chainsi_buffer_add_text(out, "# HELP chains_batch_size Calls in a batch.\n"
                                 "# TYPE chains_batch_size histogram\n");
    uint64_t total = 0;
    for (int i = 0; i < SIZE_BUCKETS; i++) {
        total += atomic_load_explicit(&batch->sizes[i], memory_order_relaxed);
        chainsi_buffer_printf(out,
                              "chains_batch_size_bucket{chainlet=\"%s\",le=\"%d\"} %" PRIu64 "\n",
                              chainlet, 1 << i, total);
    }
    chainsi_buffer_printf(out,
                          "chains_batch_size_bucket{chainlet=\"%s\",le=\"+Inf\"} %" PRIu64 "\n"
                          "chains_batch_size_sum{chainlet=\"%s\"} %" PRIu64 "\n"
                          "chains_batch_size_count{chainlet=\"%s\"} %" PRIu64 "\n",
                          chainlet, total, chainlet,
                          (uint64_t)atomic_load_explicit(&batch->calls, memory_order_relaxed),
                          chainlet, total);
    chainsi_buffer_printf(out,
                          "# HELP chains_batch_waiting Calls that wait for their batch to begin.\n"
                          "# TYPE chains_batch_waiting gauge\n"
                          "chains_batch_waiting{chainlet=\"%s\"} %zu\n",
                          chainlet, chainsi_batch_waiting(batch));
}
