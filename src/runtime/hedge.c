/* Hedging. The caller's thread makes the first attempt; what is to be done should it be late waits in
 * a list, in the order of times. A few threads, started when they are first needed, attend to the
 * list: one of them, the leader, sleeps until the next time, makes that second attempt itself, and
 * leaves the lead to another meanwhile.
 *
 * Invariants, under the lock: a race is in the list only while its state is FIRST, and its memory
 * (the caller's stack) is there until the caller has taken it out of the list, or its second attempt
 * has ended. Whichever attempt succeeds first moves the state to OVER and cancels the other's ctx. */
#include "runtime/hedge.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/spans.h"
#include "runtime/waiter.h"

enum {
    MOST_THREADS = 64,
    IDLE_MS = 10 * 1000, /* a thread without work ends after so long */
};

chainsi_hedge_action chainsi_hedge_next(chainsi_hedge_state *state, chainsi_retry_budget *budget,
                                        chainsi_hedge_event event)
{
    if (*state == CHAINSI_HEDGE_OVER)
        return CHAINSI_HEDGE_GO_ON;
    switch (event) {
    case CHAINSI_HEDGE_LATE:
        if (*state != CHAINSI_HEDGE_FIRST || !chainsi_retry_budget_withdraw(budget))
            return CHAINSI_HEDGE_GO_ON;
        *state = CHAINSI_HEDGE_BOTH;
        return CHAINSI_HEDGE_SEND_SECOND;
    case CHAINSI_HEDGE_FIRST_SUCCEEDED:
        *state = CHAINSI_HEDGE_OVER;
        return CHAINSI_HEDGE_TAKE_FIRST;
    case CHAINSI_HEDGE_SECOND_SUCCEEDED:
        *state = CHAINSI_HEDGE_OVER;
        return CHAINSI_HEDGE_TAKE_SECOND;
    case CHAINSI_HEDGE_FIRST_FAILED:
    case CHAINSI_HEDGE_SECOND_FAILED:
        if (*state == CHAINSI_HEDGE_BOTH) {
            *state = CHAINSI_HEDGE_LAST;
            return CHAINSI_HEDGE_GO_ON;
        }
        *state = CHAINSI_HEDGE_OVER;
        return CHAINSI_HEDGE_FAIL;
    }
    return CHAINSI_HEDGE_GO_ON;
}

int64_t chainsi_hedge_due_ns(const chains_depends_config *options, int64_t began_ns,
                             int64_t deadline_ns)
{
    if (!(options->hedge_ms > 0) || !options->idempotent)
        return CHAINSI_NEVER;
    int64_t due_ns = chainsi_deadline_after_ms(began_ns, options->hedge_ms);
    return due_ns < deadline_ns ? due_ns : CHAINSI_NEVER;
}

/* ------------------------------------------------------------------------------------------------
 * one call and its two attempts */

typedef struct race race;
struct race {
    chainsi_callee *callee;
    const chainsi_message *message;
    chains_ctx *ctx;          /* the caller's */
    chains_ctx first, second; /* of the attempts; the second has an arena of its own */
    chainsi_waiter *waiter;   /* the caller's thread's */
    void *output;             /* of the second attempt, in its arena */
    int64_t due_ns;
    race *next, *previous;              /* in the list */
    bool listed;                        /* guarded by the lock, as are the next three */
    bool running;                       /* the second attempt */
    bool won;                           /* it succeeded first */
    int64_t second_ns, second_ended_ns; /* of its attempt, if it is told of; 0: there was none */
    chains_status second_status;
    chainsi_hedge_state state;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t led, followed; /* the leader waits on one, the others on the other */
static race *earliest, *latest;
static int threads, idle;
static bool has_leader, lead_offered; /* offered: a thread was woken or made to take the lead */
static int64_t leader_wakes_ns; /* when it will look at the list, as long as nobody wakes it */

static void leave_list(race *it)
{
    if (it->previous)
        it->previous->next = it->next;
    else
        earliest = it->next;
    if (it->next)
        it->next->previous = it->previous;
    else
        latest = it->previous;
    it->next = it->previous = NULL;
    it->listed = false;
}

static void enter_list(race *it)
{
    /* From the end: most are later than all others. */
    race *before = latest;
    while (before && before->due_ns > it->due_ns)
        before = before->previous;
    it->previous = before;
    it->next = before ? before->next : earliest;
    if (it->next)
        it->next->previous = it;
    else
        latest = it;
    if (before)
        before->next = it;
    else
        earliest = it;
    it->listed = true;
}

static chains_status attempt_second(race *it)
{
    const chains_depends_config *options = it->callee->options;
    int64_t deadline_ns = it->second.deadline_ns;
    if (options->timeout_ms > 0) {
        int64_t limit = chainsi_deadline_after_ms(chainsi_now_ns(), options->timeout_ms);
        if (limit < deadline_ns)
            deadline_ns = limit;
    }
    it->output = chains_alloc(&it->second, it->callee->interface->output->size);
    chainsi_attempt attempt = { .elsewhere = true, .end = CHAINSI_ATTEMPT_ENDED };
    return chainsi_remote_attempt(it->callee->remote, &it->second, it->message, it->output, NULL,
                                  deadline_ns, &attempt);
}

/* A call is late. Locked, but not while the attempt is made. */
static void run_late(race *it)
{
    if (!chainsi_slots_try(&it->callee->in_flight, 1))
        return;
    if (chainsi_hedge_next(&it->state, &it->callee->budget, CHAINSI_HEDGE_LATE) !=
        CHAINSI_HEDGE_SEND_SECOND) {
        chainsi_slots_give(&it->callee->in_flight);
        return;
    }
    it->running = true;
    const bool told = chainsi_spans_tells(&it->second.trace);
    pthread_mutex_unlock(&lock);
    it->second_ns = told ? chainsi_now_ns() : 0;
    chains_status status = attempt_second(it);
    it->second_ended_ns = told ? chainsi_now_ns() : 0;
    it->second_status = status;
    chainsi_error_leave_thread();
    chainsi_slots_give(&it->callee->in_flight);
    pthread_mutex_lock(&lock);
    chainsi_hedge_action action = chainsi_hedge_next(
        &it->state, &it->callee->budget,
        status == CHAINS_OK ? CHAINSI_HEDGE_SECOND_SUCCEEDED : CHAINSI_HEDGE_SECOND_FAILED);
    it->won = action == CHAINSI_HEDGE_TAKE_SECOND;
    if (it->won)
        chainsi_context_cancel(&it->first);
    it->running = false; /* from here on the caller may end it, as soon as it gets the lock */
    chainsi_waiter_wake(it->waiter);
}

/* ------------------------------------------------------------------------------------------------
 * threads */

static void wait_until_ns(pthread_cond_t *condition, int64_t until_ns)
{
    struct timespec at = { .tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000 };
    pthread_cond_timedwait(condition, &lock, &at);
}

/* Waits as one of those that don't lead; false: nobody needed it for long. */
static bool follow(void)
{
    int64_t until_ns = chainsi_now_ns() + IDLE_MS * CHAINSI_NS_PER_MS;
    idle++;
    while (has_leader && chainsi_now_ns() < until_ns)
        wait_until_ns(&followed, until_ns);
    idle--;
    return !has_leader;
}

static bool add_thread(void);

/* Finds a thread that takes the lead, if there is something to be attended to. */
static void offer_lead(void)
{
    if (!earliest || has_leader || lead_offered)
        return;
    lead_offered = idle > 0 || add_thread();
    if (idle)
        pthread_cond_signal(&followed);
}

/* Sleeps until a call is late and takes it out of the list. NULL: there was nothing for long. */
static race *lead(void)
{
    has_leader = true;
    lead_offered = false;
    int64_t idle_until_ns = chainsi_now_ns() + IDLE_MS * CHAINSI_NS_PER_MS;
    for (;;) {
        int64_t now_ns = chainsi_now_ns();
        if (earliest && earliest->due_ns <= now_ns) {
            race *it = earliest;
            leave_list(it);
            return it;
        }
        if (!earliest && now_ns >= idle_until_ns)
            return NULL;
        leader_wakes_ns = earliest ? earliest->due_ns : idle_until_ns;
        wait_until_ns(&led, leader_wakes_ns);
    }
}

static void *serve_races(void *unused)
{
    (void)unused;
    chainsi_waiter_self(); /* made before an attempt begins: who cancels it wakes this thread */
    pthread_mutex_lock(&lock);
    while (!has_leader || follow()) {
        race *it = lead();
        has_leader = false;
        if (!it)
            break;
        offer_lead();
        run_late(it);
    }
    threads--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static bool add_thread(void)
{
    if (threads == MOST_THREADS)
        return false; /* the next of them that is done leads */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    bool made = pthread_create(&thread, NULL, serve_races, NULL) == 0;
    if (made) {
        pthread_detach(thread);
        threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return made;
}

static void lock_races(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_races(void)
{
    pthread_mutex_unlock(&lock);
}

static void init_conditions(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&led, &attributes);
    pthread_cond_init(&followed, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* A child of fork() has none of the threads, and nobody in it waits for these calls. */
static void begin_as_child(void)
{
    init_conditions();
    earliest = latest = NULL;
    threads = idle = 0;
    has_leader = lead_offered = false;
    unlock_races();
}

static void prepare(void)
{
    init_conditions();
    pthread_atfork(lock_races, unlock_races, begin_as_child);
}

static void begin_race(race *it)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
    enter_list(it);
    if (!has_leader)
        offer_lead();
    else if (it->due_ns < leader_wakes_ns)
        pthread_cond_signal(&led);
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------------------------------------
 * the caller's side */

/* The first attempt has ended; waits until the second, if there is one, has ended too. What to do then:
 * TAKE_FIRST, TAKE_SECOND or FAIL. */
static chainsi_hedge_action end_race(race *it, chains_status status)
{
    bool cancelled = false;
    pthread_mutex_lock(&lock);
    if (it->listed)
        leave_list(it);
    chainsi_hedge_action action = chainsi_hedge_next(
        &it->state, &it->callee->budget,
        status == CHAINS_OK ? CHAINSI_HEDGE_FIRST_SUCCEEDED : CHAINSI_HEDGE_FIRST_FAILED);
    while (it->running) {
        pthread_mutex_unlock(&lock);
        if (!cancelled &&
            (action == CHAINSI_HEDGE_TAKE_FIRST || chainsi_context_stopped(it->ctx) != CHAINS_OK)) {
            chainsi_context_cancel(&it->second);
            cancelled = true;
        }
        chainsi_waiter_wait(it->waiter, cancelled ? NULL : it->ctx,
                            cancelled ? CHAINSI_NEVER : it->ctx->deadline_ns);
        pthread_mutex_lock(&lock);
    }
    bool second_won = it->won;
    pthread_mutex_unlock(&lock);
    if (second_won)
        return CHAINSI_HEDGE_TAKE_SECOND;
    return action == CHAINSI_HEDGE_TAKE_FIRST ? action : CHAINSI_HEDGE_FAIL;
}

static void tell_second(const race *it)
{
    chainsi_span span = {
        .id = it->second.trace.span,
        .parent = it->ctx->trace.span,
        .began_ns = it->second_ns,
        .ended_ns = it->second_ended_ns,
        .queue_ns = -1,
        .decode_ns = -1,
        .run_ns = -1,
        .encode_ns = -1,
        .first_item_ns = -1,
        .attempt = 2,
        .kind = CHAINSI_SPAN_HEDGE,
        .status = (uint8_t)it->second_status,
        .callee = it->callee->interface->name,
    };
    chainsi_spans_write(&span, &it->second);
}

chains_status chainsi_hedge_attempt(chainsi_callee *callee, chains_ctx *ctx,
                                    const chainsi_message *message, void *output,
                                    int64_t deadline_ns, chainsi_attempt *attempt)
{
    race it = {
        .callee = callee,
        .message = message,
        .ctx = ctx,
        .waiter = chainsi_waiter_self(),
        .state = CHAINSI_HEDGE_FIRST,
        .due_ns = chainsi_hedge_due_ns(callee->options, chainsi_now_ns(), deadline_ns),
    };
    if (it.due_ns == CHAINSI_NEVER)
        return chainsi_remote_attempt(callee->remote, ctx, message, output, NULL, deadline_ns,
                                      attempt);
    chainsi_context_init_child(&it.first, ctx, false);
    chainsi_context_init_child(&it.second, ctx, true);
    it.first.raced = it.second.raced = true;
    if (chainsi_trace_is_set(&it.second.trace))
        it.second.trace.span = chainsi_trace_span();
    begin_race(&it);
    chains_status status = chainsi_remote_attempt(callee->remote, &it.first, message, output, NULL,
                                                  deadline_ns, attempt);
    switch (end_race(&it, status)) {
    case CHAINSI_HEDGE_TAKE_SECOND:
        memcpy(output, it.output, callee->interface->output->size);
        chainsi_memory_adopt(ctx, &it.second);
        status = CHAINS_OK;
        break;
    case CHAINSI_HEDGE_TAKE_FIRST:
        break;
    default:
        status = chainsi_error_pass(ctx, &it.first.error);
    }
    if (it.second_ns)
        tell_second(&it);
    chainsi_context_done(&it.first);
    chainsi_context_done(&it.second);
    return status;
}
