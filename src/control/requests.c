/* What is in flight is known here, all else is in the state. Callbacks note what happened and ask for a
 * review; the review takes what can run.
 *
 * Invariants: line->in_flight counts requests that were asked of the state, or run, or whose end could not
 * be written, which is written again until it is; changes are made in the order in which they are handed
 * over, so that a cancellation finds what was taken before it. An end and the taking of the next are
 * handed over together, and so cost one wait for the disk. */
#include "control/requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/log.h"
#include "control/request_call.h"
#include "control/state_clock.h"
#include "control/steady.h"
#include "control/time_text.h"
#include "control/webhooks.h"
#include "runtime/context.h"
#include "runtime/status.h"

enum {
    LOOK_EVERY_MS = 250,          /* while something waits that can't run */
    DISK_PAUSE_MS = 1000,         /* before what could not be written is written again */
    LONGEST_SLEEP_MS = 60 * 1000, /* the clock is looked at as often */
    PURGE_EVERY_MS = 30 * 1000,
    PURGE_AT_ONCE = 1000,
    NO_CHAIN_SLOTS = 16, /* of requests that only fail, at once */
};

/* What waits for one environment of a chain. */
typedef struct request_line {
    struct request_line *next;
    char *chain, *environment; /* owned */
    size_t in_flight;
    bool empty;       /* nothing can be taken, unless something happens */
    unsigned stirred; /* how often something has */
} request_line;

/* One attempt. */
typedef struct attempt {
    chainsi_requests *requests;
    request_line *line; /* not owned */
    struct attempt *next;
    chainsi_arena arena; /* of all that is pointed to */
    chainsi_stored_request request;
    chainsi_request_call *call;    /* owned; NULL: not yet, or no more */
    chainsi_request_target target; /* where it went */
    int64_t began_ns;
    chainsi_request_outcome outcome;
    chainsi_request_verdict verdict;
    chainsi_request_return how; /* AGAIN */
    int64_t delay_ms;           /* AGAIN */
    uv_timer_t *pause;          /* owned; NULL: not waiting for the disk */
    bool in_flight;             /* its line counts it */
} attempt;

struct chainsi_requests {
    chainsi_requests_options options;
    chainsi_webhooks *webhooks;              /* owned */
    request_line *lines;                     /* owned */
    attempt *attempts;                       /* owned */
    uv_timer_t *review, *due, *look, *purge; /* owned */
    int64_t looked_ms;                       /* what was due by then has been seen to */
    bool expiring, expire_again, purging, following, stopping;
};

/* Whoever waits for a change; the arguments of its write. */
struct chainsi_request_waiter {
    chainsi_requests *requests;
    chainsi_request_ended on_end; /* NULL: nobody any more */
    void *user;
    chainsi_stored_request request; /* to be added; texts are the write's */
    char id[CHAINSI_REQUEST_ID_TEXT];
    bool was_running; /* it is cancelled */
};

static void on_review(uv_timer_t *timer);

/* Something happened: there may be something to be taken. */
static void stir(request_line *line)
{
    line->empty = false;
    line->stirred++;
}

static void ask_review(chainsi_requests *requests)
{
    if (!requests->stopping)
        uv_timer_start(requests->review, on_review, 0, 0);
}

static request_line *find_line(chainsi_requests *requests, const char *chain,
                               const char *environment)
{
    request_line **at = &requests->lines;
    while (*at &&
           (strcmp((*at)->chain, chain) != 0 || strcmp((*at)->environment, environment) != 0))
        at = &(*at)->next;
    if (!*at) {
        *at = chainsi_make(sizeof **at);
        (*at)->chain = chainsi_copy_text(chain);
        (*at)->environment = chainsi_copy_text(environment);
    }
    return *at;
}

/* The end of an attempt. */

static void leave_flight(attempt *a)
{
    a->line->in_flight -= a->in_flight;
    a->in_flight = false;
}

static void free_attempt(attempt *a)
{
    leave_flight(a);
    attempt **at = &a->requests->attempts;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    if (a->call)
        chainsi_request_call_cancel(a->call);
    chainsi_handle_close(a->pause);
    chainsi_arena_done(&a->arena);
    free(a);
}

/* What is written: the attempt lives until on_written. */
static chains_status write_end(chainsi_database *database, void *arguments)
{
    const attempt *a = *(attempt **)arguments;
    const char *id = a->request.id;
    if (a->verdict == CHAINSI_REQUEST_AGAIN)
        return chainsi_stored_request_retry(database, id, a->how, a->outcome.error,
                                            chainsi_steady_ms() + a->delay_ms);
    if (a->outcome.status == CHAINS_OK)
        return chainsi_stored_request_succeed(database, id, a->outcome.result, chainsi_steady_ms());
    return chainsi_stored_request_give_up(database, id, a->outcome.error, chainsi_steady_ms());
}

static void keep_end(attempt *a);

static void on_pause_over(uv_timer_t *timer)
{
    attempt *a = timer->data;
    if (!a)
        return;
    chainsi_handle_close(a->pause);
    a->pause = NULL;
    keep_end(a);
}

static void on_written(chainsi_write *write, chains_status status, const char *why)
{
    (void)why;
    attempt *a = write->user;
    chainsi_requests *requests = a->requests;
    /* NOT_FOUND, FAILED_PRECONDITION: it was cancelled meanwhile, or its chain is gone. */
    if (requests->stopping || status == CHAINS_OK || status == CHAINS_NOT_FOUND ||
        status == CHAINS_FAILED_PRECONDITION) {
        stir(a->line);
        free_attempt(a);
        ask_review(requests);
        return;
    }
    if (!a->in_flight)
        a->line->in_flight++;
    a->in_flight = true;
    a->pause = chainsi_timer_new(requests->options.loop, a);
    uv_timer_start(a->pause, on_pause_over, DISK_PAUSE_MS, 0);
}

static void keep_end(attempt *a)
{
    chainsi_write *write = chainsi_write_new(sizeof(attempt *));
    *(attempt **)write->arguments = a;
    write->run = write_end;
    write->on_end = on_written;
    write->user = a;
    chainsi_store_write(a->requests->options.store, write);
}

static void review_line(chainsi_requests *requests, request_line *line, bool *waiting);

/* What wasn't started says nothing about a version: it is called again. */
static void count(const attempt *a, const chainsi_request_outcome *outcome)
{
    const chainsi_requests_options *options = &a->requests->options;
    if (!a->target.trial || outcome->end == CHAINSI_ATTEMPT_NOT_STARTED)
        return;
    int status = outcome->end == CHAINSI_ATTEMPT_LOST ? chainsi_status_to_http(CHAINS_UNAVAILABLE)
                                                      : chainsi_status_to_http(outcome->status);
    options->count(options->user, &a->request, &a->target, status, chainsi_now_ns() - a->began_ns);
}

static void on_call_end(void *user, const chainsi_request_outcome *outcome)
{
    attempt *a = user;
    const chainsi_stored_request *request = &a->request;
    int64_t delay_ms = 0;
    a->call = NULL;
    count(a, outcome);
    a->outcome = *outcome;
    a->verdict = chainsi_request_decide(a->requests->options.policy,
                                        &(chainsi_attempt){
                                            .end = outcome->end,
                                            .status = outcome->status,
                                            .retry_after_ms = outcome->retry_after_ms,
                                            .attempts = request->attempts,
                                            .losses = request->losses,
                                            .retries = request->retries,
                                        },
                                        chainsi_random(), &a->how, &delay_ms);
    a->delay_ms = delay_ms;
    keep_end(a);
    leave_flight(a);
    bool waiting;
    if (!a->requests->stopping)
        review_line(a->requests, a->line, &waiting);
}

/* The beginning of an attempt. */

static void begin(attempt *a)
{
    const chainsi_requests_options *options = &a->requests->options;
    const chainsi_stored_request *request = &a->request;
    chainsi_request_target *target = &a->target;
    options->find_target(options->user, request, true, target);
    switch (target->state) {
    case CHAINSI_TARGET_READY:
        a->began_ns = chainsi_now_ns();
        a->call = chainsi_request_call_start(&(chainsi_request_call_options){
            .loop = options->loop,
            .upstream = target->upstream,
            .request = request,
            .name = target->name,
            .on_end = on_call_end,
            .user = a,
            .arena = &a->arena,
        });
        break;
    case CHAINSI_TARGET_WAIT:
        on_call_end(a, &(chainsi_request_outcome){ .end = CHAINSI_ATTEMPT_NOT_STARTED });
        break;
    case CHAINSI_TARGET_NONE:
        on_call_end(a, &(chainsi_request_outcome){
                           .status = CHAINS_NOT_FOUND,
                           .error = chainsi_request_error(&a->arena, request->id, CHAINS_NOT_FOUND,
                                                          "%s", target->why),
                       });
        break;
    }
}

struct taking {
    chainsi_requests *requests;
    request_line *line;
    unsigned stirred; /* the line's, when it was handed over */
    chainsi_arena arena;
    chainsi_stored_requests taken;
};

static chains_status write_take(chainsi_database *database, void *arguments)
{
    struct taking *taking = arguments;
    chainsi_arena_done(&taking->arena); /* it may run twice */
    taking->taken.count = 0;
    return chainsi_stored_request_take(database, taking->line->chain, taking->line->environment, 1,
                                       chainsi_steady_ms(), &taking->arena, &taking->taken);
}

static void on_taken(chainsi_write *write, chains_status status, const char *why)
{
    (void)why;
    struct taking *taking = write->arguments;
    chainsi_requests *requests = taking->requests;
    request_line *line = taking->line;
    if (status != CHAINS_OK || !taking->taken.count || requests->stopping) {
        line->in_flight--;
        /* What has happened since it was handed over, it may not have seen. */
        if (taking->stirred != line->stirred)
            ask_review(requests);
        else if (status == CHAINS_OK && !taking->taken.count)
            line->empty = true;
        chainsi_arena_done(&taking->arena);
        return;
    }
    attempt *a = chainsi_make(sizeof *a);
    a->requests = requests;
    a->line = line;
    a->in_flight = true;
    a->arena = taking->arena;
    a->request = taking->taken.items[0];
    a->next = requests->attempts;
    requests->attempts = a;
    begin(a);
}

static void take(chainsi_requests *requests, request_line *line)
{
    chainsi_write *write = chainsi_write_new(sizeof(struct taking));
    struct taking *taking = write->arguments;
    taking->requests = requests;
    taking->line = line;
    taking->stirred = line->stirred;
    write->run = write_take;
    write->on_end = on_taken;
    line->in_flight++;
    chainsi_store_write(requests->options.store, write);
}

/* What waits too long, and what was kept long enough. */

struct sweep {
    int64_t before_ms, count;
};

static chains_status write_expire(chainsi_database *database, void *arguments)
{
    struct sweep *sweep = arguments;
    return chainsi_stored_request_expire(database, chainsi_steady_ms(), &sweep->count);
}

static void expire(chainsi_requests *requests);

static void on_expired(chainsi_write *write, chains_status status, const char *why)
{
    (void)why;
    const struct sweep *sweep = write->arguments;
    chainsi_requests *requests = write->user;
    bool again = requests->expire_again;
    requests->expiring = requests->expire_again = false;
    if (status == CHAINS_OK && sweep->count)
        ask_review(requests);
    if (again && !requests->stopping)
        expire(requests);
}

static void expire(chainsi_requests *requests)
{
    if (requests->expiring) { /* perhaps at a time before what is due now */
        requests->expire_again = true;
        return;
    }
    requests->expiring = true;
    chainsi_write *write = chainsi_write_new(sizeof(struct sweep));
    write->run = write_expire;
    write->on_end = on_expired;
    write->user = requests;
    chainsi_store_write(requests->options.store, write);
}

static chains_status write_purge(chainsi_database *database, void *arguments)
{
    struct sweep *sweep = arguments;
    return chainsi_stored_request_purge(database, sweep->before_ms, PURGE_AT_ONCE, &sweep->count);
}

static void purge(chainsi_requests *requests);

static void on_purged(chainsi_write *write, chains_status status, const char *why)
{
    (void)why;
    const struct sweep *sweep = write->arguments;
    chainsi_requests *requests = write->user;
    requests->purging = false;
    if (status == CHAINS_OK && sweep->count == PURGE_AT_ONCE && !requests->stopping)
        purge(requests);
}

static void purge(chainsi_requests *requests)
{
    if (requests->purging)
        return;
    requests->purging = true;
    chainsi_write *write = chainsi_write_new(sizeof(struct sweep));
    struct sweep *sweep = write->arguments;
    sweep->before_ms = chainsi_steady_ms() - requests->options.keep_ms;
    write->run = write_purge;
    write->on_end = on_purged;
    write->user = requests;
    chainsi_store_write(requests->options.store, write);
}

static void on_purge(uv_timer_t *timer)
{
    if (timer->data)
        purge(timer->data);
}

/* The review. */

static void on_look(uv_timer_t *timer)
{
    if (timer->data)
        ask_review(timer->data);
}

/* The clock that people set: what it says is in the state follows, and is looked at anew. */

static void on_due(uv_timer_t *timer);

static void on_followed(chainsi_write *write, chains_status status, const char *why)
{
    const chainsi_clock_reading *reading = write->arguments;
    chainsi_requests *requests = write->user;
    requests->following = false;
    if (status != CHAINS_OK) {
        chainsi_clock_go_back(reading); /* and tries again */
        return;
    }
    (void)why;
    if (reading->moved_ms)
        chainsi_say("the clock was set by %+.3f s; what waits goes on as before",
                    (double)reading->moved_ms / 1000);
    if (!requests->stopping)
        uv_timer_start(requests->due, on_due, 0, 0);
}

static void follow_clock(chainsi_requests *requests)
{
    if (requests->following || !chainsi_clock_was_set())
        return;
    requests->following = true;
    chainsi_write *write = chainsi_write_new(sizeof(chainsi_clock_reading));
    *(chainsi_clock_reading *)write->arguments = chainsi_clock_read();
    write->run = chainsi_clock_follow;
    write->on_end = on_followed;
    write->user = requests;
    chainsi_store_write(requests->options.store, write);
}

static void on_due(uv_timer_t *timer)
{
    chainsi_requests *requests = timer->data;
    if (!requests)
        return;
    follow_clock(requests);
    requests->looked_ms = chainsi_steady_ms();
    for (request_line *at = requests->lines; at; at = at->next)
        stir(at);
    expire(requests);
    ask_review(requests);
}

/* Sleeps until something is due that was not when it was last looked for: it may be by now. */
static void wait_for_due(chainsi_requests *requests)
{
    chainsi_arena arena = { 0 };
    const char *at = NULL;
    int64_t now_ms = chainsi_steady_ms(), at_ms, sleep_ms = LONGEST_SLEEP_MS;
    chainsi_database *reader = chainsi_store_reader(requests->options.store);
    if (chainsi_stored_request_next_due(reader, requests->looked_ms, &arena, &at) == CHAINS_OK &&
        at && chainsi_time_text_parse(at, &at_ms) && at_ms - now_ms < sleep_ms)
        sleep_ms = at_ms - now_ms;
    chainsi_arena_done(&arena);
    uv_timer_start(requests->due, on_due, (uint64_t)(sleep_ms > 0 ? sleep_ms : 0), 0);
}

static void review_line(chainsi_requests *requests, request_line *line, bool *waiting)
{
    const chainsi_requests_options *options = &requests->options;
    chainsi_request_target target = { 0 };
    if (line->empty)
        return;
    options->find_target(
        options->user,
        &(chainsi_stored_request){ .chain = line->chain, .environment = line->environment }, false,
        &target);
    size_t slots = target.state == CHAINSI_TARGET_READY  ? target.slots
                   : target.state == CHAINSI_TARGET_NONE ? NO_CHAIN_SLOTS
                                                         : 0;
    while (line->in_flight < slots)
        take(requests, line);
    *waiting = true;
}

static void on_review(uv_timer_t *timer)
{
    chainsi_requests *requests = timer->data;
    if (!requests || requests->stopping)
        return;
    bool waiting = false;
    for (request_line *at = requests->lines; at; at = at->next)
        review_line(requests, at, &waiting);
    chainsi_webhooks_look(requests->webhooks);
    wait_for_due(requests);
    if (waiting)
        uv_timer_start(requests->look, on_look, LOOK_EVERY_MS, 0);
}

static void on_told(void *user)
{
    ask_review(user);
}

/* Accepting and cancelling. */

static void tell_waiter(chainsi_request_waiter *waiter, chains_status status, const char *why)
{
    if (waiter->on_end)
        waiter->on_end(waiter->user, status, why, waiter->id);
}

static chainsi_write *new_change(chainsi_requests *requests, chainsi_request_ended on_end,
                                 void *user)
{
    chainsi_write *write = chainsi_write_new(sizeof(chainsi_request_waiter));
    chainsi_request_waiter *waiter = write->arguments;
    waiter->requests = requests;
    waiter->on_end = on_end;
    waiter->user = user;
    return write;
}

static chains_status write_add(chainsi_database *database, void *arguments)
{
    chainsi_request_waiter *waiter = arguments;
    chainsi_arena arena = { 0 };
    chainsi_stored_request added = waiter->request;
    chains_status status =
        chainsi_stored_request_add(database, chainsi_steady_ms(), &arena, &added);
    if (status == CHAINS_OK)
        snprintf(waiter->id, sizeof waiter->id, "%s", added.id);
    chainsi_arena_done(&arena);
    return status;
}

static void on_added(chainsi_write *write, chains_status status, const char *why)
{
    chainsi_request_waiter *waiter = write->arguments;
    if (status == CHAINS_OK) {
        stir(find_line(waiter->requests, waiter->request.chain, waiter->request.environment));
        ask_review(waiter->requests);
    }
    tell_waiter(waiter, status, why);
}

chainsi_request_waiter *chainsi_requests_add(chainsi_requests *requests,
                                             const chainsi_stored_request *request,
                                             chainsi_request_ended on_end, void *user)
{
    chainsi_write *write = new_change(requests, on_end, user);
    chainsi_request_waiter *waiter = write->arguments;
    chainsi_arena *arena = &write->arena;
    waiter->request = (chainsi_stored_request){
        .chain = chainsi_arena_strdup(arena, request->chain),
        .environment = chainsi_arena_strdup(arena, request->environment),
        .version = chainsi_arena_strdup(arena, request->version),
        .chainlet = chainsi_arena_strdup(arena, request->chainlet),
        .key = chainsi_arena_strdup(arena, request->key),
        .given_id = chainsi_arena_strdup(arena, request->given_id),
        .given_digest = chainsi_arena_strdup(arena, request->given_digest),
        .priority = request->priority,
        .max_time_in_queue_s = request->max_time_in_queue_s,
        .timeout_ms = request->timeout_ms,
        .retries = request->retries,
        .webhook = chainsi_arena_strdup(arena, request->webhook),
        .input = { chainsi_arena_copy(arena, request->input.text, request->input.size),
                   request->input.size },
    };
    write->run = write_add;
    write->on_end = on_added;
    chainsi_store_write(requests->options.store, write);
    return waiter;
}

static chains_status write_cancel(chainsi_database *database, void *arguments)
{
    chainsi_request_waiter *waiter = arguments;
    return chainsi_stored_request_cancel(database, waiter->id, chainsi_steady_ms(),
                                         &waiter->was_running);
}

static void on_cancelled(chainsi_write *write, chains_status status, const char *why)
{
    chainsi_request_waiter *waiter = write->arguments;
    chainsi_requests *requests = waiter->requests;
    attempt *a = status == CHAINS_OK && waiter->was_running ? requests->attempts : NULL;
    while (a && strcmp(a->request.id, waiter->id) != 0)
        a = a->next;
    if (a && a->call) { /* else its own end is being written, and will find that it is too late */
        stir(a->line);
        free_attempt(a);
    }
    if (status == CHAINS_OK)
        ask_review(requests);
    tell_waiter(waiter, status, why);
}

chainsi_request_waiter *chainsi_requests_cancel(chainsi_requests *requests, const char *id,
                                                chainsi_request_ended on_end, void *user)
{
    chainsi_write *write = new_change(requests, on_end, user);
    chainsi_request_waiter *waiter = write->arguments;
    snprintf(waiter->id, sizeof waiter->id, "%s", id);
    write->run = write_cancel;
    write->on_end = on_cancelled;
    chainsi_store_write(requests->options.store, write);
    return waiter;
}

void chainsi_requests_forget(chainsi_request_waiter *waiter)
{
    waiter->on_end = NULL;
}

/* Beginning and end. */

static chains_status write_recover(chainsi_database *database, void *arguments)
{
    (void)arguments;
    return chainsi_stored_request_recover(database, chainsi_steady_ms());
}

/* Takes up what the last daemon left. */
static bool recover(chainsi_requests *requests, char *why, size_t why_size)
{
    chainsi_store *store = requests->options.store;
    if (chainsi_store_write_now(store, write_recover, NULL, why, why_size) != CHAINS_OK)
        return false;
    chainsi_database *reader = chainsi_store_reader(store);
    chainsi_arena arena = { 0 };
    chainsi_request_lines lines = { 0 };
    bool good = chainsi_stored_request_lines(reader, &arena, &lines) == CHAINS_OK;
    if (!good)
        snprintf(why, why_size, "%s", chainsi_database_why(reader));
    for (size_t i = 0; i < lines.count; i++)
        find_line(requests, lines.items[i].chain, lines.items[i].environment);
    chainsi_arena_done(&arena);
    return good;
}

chainsi_requests *chainsi_requests_new(const chainsi_requests_options *options, char *why,
                                       size_t why_size)
{
    chainsi_webhooks_options telling = {
        .loop = options->loop,
        .store = options->store,
        .courier = options->courier,
        .policy = options->policy,
        .on_told = on_told,
    };
    if (!chainsi_home_webhook_key(options->home, telling.key)) {
        snprintf(why, why_size, "cannot read or make %s/webhook.key: %s", options->home,
                 strerror(errno));
        return NULL;
    }
    chainsi_requests *requests = chainsi_make(sizeof *requests);
    requests->options = *options;
    requests->options.home = NULL;
    if (!recover(requests, why, why_size)) {
        free(requests);
        return NULL;
    }
    telling.user = requests;
    requests->webhooks = chainsi_webhooks_new(&telling);
    requests->review = chainsi_timer_new(options->loop, requests);
    requests->due = chainsi_timer_new(options->loop, requests);
    requests->look = chainsi_timer_new(options->loop, requests);
    requests->purge = chainsi_timer_new(options->loop, requests);
    uv_timer_start(requests->purge, on_purge, 0, PURGE_EVERY_MS);
    uv_timer_start(requests->due, on_due, 0, 0);
    return requests;
}

void chainsi_requests_stop(chainsi_requests *requests)
{
    if (requests->stopping)
        return;
    requests->stopping = true;
    chainsi_webhooks_stop(requests->webhooks);
    chainsi_handle_close(requests->review);
    chainsi_handle_close(requests->due);
    chainsi_handle_close(requests->look);
    chainsi_handle_close(requests->purge);
}

void chainsi_requests_free(chainsi_requests *requests)
{
    if (!requests)
        return;
    chainsi_requests_stop(requests);
    while (requests->attempts)
        free_attempt(requests->attempts);
    while (requests->lines) {
        request_line *next = requests->lines->next;
        free(requests->lines->chain);
        free(requests->lines->environment);
        free(requests->lines);
        requests->lines = next;
    }
    chainsi_webhooks_free(requests->webhooks);
    free(requests);
}
