/* Batches of what was told: one is gathered while another is being made durable. */
#include "control/history.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/fields.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/log.h"
#include "control/steady.h"
#include "control/time_text.h"
#include "schema/json.h"
#include "schema/utf8.h"

enum { MOST_LOG = 4096 /* bytes of a log in an event */ };

typedef enum told_kind {
    TOLD_STARTED,
    TOLD_PICKED_UP,
    TOLD_READY,
    TOLD_ENDED,
    TOLD_NOT_STARTED,
    TOLD_SETTLED,
    TOLD_EVENT,
} told_kind;

/* One thing that was told; in its batch's arena. */
typedef struct told {
    told_kind kind;
    chainsi_stored_replica replica;
    const char *at;
    chainsi_stored_event event;
    struct told *next;
} told;

/* The arguments of a change. */
typedef struct batch {
    const char *brain;
    told *first, **last;
    size_t count;
    bool has_events;
} batch;

struct chainsi_history {
    chainsi_store *store;   /* not owned */
    uv_timer_t *timer;      /* owned; hands over */
    chainsi_write *waiting; /* owned; the batch that is gathered; NULL: nothing is */
    char brain[64];         /* this process, among those of all times */
    bool writing, said, finished;
};

/* On the store's thread. */

static chains_status write_one(chainsi_database *database, const batch *all, const told *one)
{
    switch (one->kind) {
    case TOLD_STARTED:
        return chainsi_stored_replica_start(database, all->brain, &one->replica);
    case TOLD_PICKED_UP:
        return chainsi_stored_replica_pick_up(database, all->brain, &one->replica);
    case TOLD_READY:
        return chainsi_stored_replica_ready(database, one->replica.process, one->at);
    case TOLD_ENDED:
        return chainsi_stored_replica_end(database, &one->replica);
    case TOLD_NOT_STARTED:
        return chainsi_stored_replica_add_failed(database, &one->replica);
    case TOLD_SETTLED:
        return chainsi_stored_replica_settle(database, all->brain, one->at);
    case TOLD_EVENT:
        return chainsi_stored_event_add(database, &one->event);
    }
    return CHAINS_OK;
}

static chains_status write_batch(chainsi_database *database, void *arguments)
{
    const batch *all = arguments;
    chains_status status = chainsi_stored_replica_purge(database, chainsi_steady_ms());
    for (const told *one = all->first; status == CHAINS_OK && one; one = one->next) {
        status = write_one(database, all, one);
        if (status == CHAINS_NOT_FOUND)
            status = CHAINS_OK; /* its chain was deleted meanwhile */
    }
    return status == CHAINS_OK && all->has_events ? chainsi_stored_event_trim(database) : status;
}

/* On the loop's. */

static void hand_over(chainsi_history *history);

static void on_written(chainsi_write *write, chains_status status, const char *why)
{
    chainsi_history *history = write->user;
    history->writing = false;
    if (status != CHAINS_OK && !history->said)
        chainsi_say("what happens to replicas can't be kept: %s", why);
    history->said = status != CHAINS_OK;
    if (history->waiting)
        hand_over(history);
}

static void hand_over(chainsi_history *history)
{
    chainsi_write *write = history->waiting;
    history->waiting = NULL;
    history->writing = true;
    write->run = write_batch;
    write->on_end = on_written;
    write->user = history;
    chainsi_store_write(history->store, write);
}

static void on_time(uv_timer_t *timer)
{
    chainsi_history *history = timer->data;
    if (history && history->waiting && !history->writing)
        hand_over(history);
}

chainsi_history *chainsi_history_new(uv_loop_t *loop, chainsi_store *store)
{
    chainsi_history *history = chainsi_make(sizeof *history);
    char now[CHAINSI_TIME_TEXT];
    chainsi_time_text(now);
    history->store = store;
    history->timer = chainsi_timer_new(loop, history);
    snprintf(history->brain, sizeof history->brain, "%s %ld", now, (long)getpid());
    return history;
}

void chainsi_history_finish(chainsi_history *history)
{
    if (!history || history->finished)
        return;
    history->finished = true;
    if (history->waiting)
        hand_over(history);
}

void chainsi_history_free(chainsi_history *history)
{
    if (!history)
        return;
    chainsi_handle_close(history->timer);
    chainsi_write_free(history->waiting);
    free(history);
}

/* A place for one more thing, and where its texts live; NULL: there is none. */
static told *add(chainsi_history *history, told_kind kind, chainsi_arena **arena)
{
    if (!history || history->finished)
        return NULL;
    if (!history->waiting) {
        history->waiting = chainsi_write_new(sizeof(batch));
        batch *made = history->waiting->arguments;
        made->brain = chainsi_arena_strdup(&history->waiting->arena, history->brain);
        made->last = &made->first;
        if (!history->writing)
            uv_timer_start(history->timer, on_time, 0, 0);
    }
    batch *all = history->waiting->arguments;
    if (all->count == CHAINSI_HISTORY_MOST_WAITING) {
        if (!history->said)
            chainsi_say("more happens to replicas than can be kept: some of it is lost");
        history->said = true;
        return NULL;
    }
    *arena = &history->waiting->arena;
    told *added = chainsi_arena_alloc(*arena, sizeof *added);
    *added = (told){ .kind = kind };
    *all->last = added;
    all->last = &added->next;
    all->count++;
    all->has_events = all->has_events || kind == TOLD_EVENT;
    return added;
}

static const char *now_in(chainsi_arena *arena)
{
    char text[CHAINSI_TIME_TEXT];
    chainsi_time_text(text);
    return chainsi_arena_strdup(arena, text);
}

static told *add_replica(chainsi_history *history, told_kind kind, chainsi_arena **arena,
                         const chainsi_history_place *place, const char *process)
{
    told *added = add(history, kind, arena);
    if (added)
        added->replica = (chainsi_stored_replica){
            .chain = chainsi_arena_strdup(*arena, place->chain),
            .environment = chainsi_arena_strdup(*arena, place->environment),
            .version = chainsi_arena_strdup(*arena, place->version),
            .chainlet = chainsi_arena_strdup(*arena, place->chainlet),
            .process = chainsi_arena_strdup(*arena, process),
        };
    return added;
}

static void tell_running(chainsi_history *history, told_kind kind,
                         const chainsi_history_place *place, const char *process, pid_t pid,
                         const char *started_at)
{
    chainsi_arena *arena;
    told *added = add_replica(history, kind, &arena, place, process);
    if (!added)
        return;
    added->replica.pid = pid;
    added->replica.started_at = chainsi_arena_strdup(arena, started_at);
}

void chainsi_history_started(chainsi_history *history, const chainsi_history_place *place,
                             const char *process, pid_t pid, const char *started_at)
{
    tell_running(history, TOLD_STARTED, place, process, pid, started_at);
}

void chainsi_history_picked_up(chainsi_history *history, const chainsi_history_place *place,
                               const char *process, pid_t pid, const char *started_at)
{
    tell_running(history, TOLD_PICKED_UP, place, process, pid, started_at);
}

void chainsi_history_ready(chainsi_history *history, const char *process)
{
    chainsi_arena *arena;
    told *added = add(history, TOLD_READY, &arena);
    if (!added)
        return;
    added->replica.process = chainsi_arena_strdup(arena, process);
    added->at = now_in(arena);
}

void chainsi_history_ended(chainsi_history *history, const chainsi_history_place *place,
                           const char *process, const char *ending, int wait_status,
                           const char *how)
{
    chainsi_arena *arena;
    told *added = add_replica(history, TOLD_ENDED, &arena, place, process);
    if (!added)
        return;
    bool killed = WIFSIGNALED(wait_status);
    int32_t *number = chainsi_arena_alloc(arena, sizeof *number);
    *number = killed ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    added->replica.ended_at = now_in(arena);
    added->replica.ending = ending;
    added->replica.exit_status = killed ? NULL : number;
    added->replica.signal = killed ? number : NULL;
    added->replica.how = chainsi_arena_strdup(arena, how);
}

void chainsi_history_not_started(chainsi_history *history, const chainsi_history_place *place,
                                 const char *process, const char *how)
{
    chainsi_arena *arena;
    told *added = add_replica(history, TOLD_NOT_STARTED, &arena, place, process);
    if (!added)
        return;
    added->replica.started_at = added->replica.ended_at = now_in(arena);
    added->replica.ending = CHAINSI_ENDING_NOT_STARTED;
    added->replica.how = chainsi_arena_strdup(arena, how);
}

void chainsi_history_settle(chainsi_history *history)
{
    chainsi_arena *arena;
    told *added = add(history, TOLD_SETTLED, &arena);
    if (added)
        added->at = now_in(arena);
}

/* Events. Their details are structs. */

typedef struct scaled {
    const char *environment, *version;
    int64_t from, to;
    const char *reason;
} scaled;

static const chainsi_field scaled_fields[] = {
    CHAINSI_FIELD_TEXT(scaled, environment), CHAINSI_FIELD_TEXT(scaled, version),
    CHAINSI_FIELD_INTEGER(scaled, from),     CHAINSI_FIELD_INTEGER(scaled, to),
    CHAINSI_FIELD_TEXT(scaled, reason),
};
static const chainsi_type scaled_type = CHAINSI_STRUCT_OF(scaled, scaled_fields);

typedef struct crashed {
    const char *environment, *version;
    int64_t pid;
    const int32_t *exit_status, *signal; /* one of them is NULL */
    chains_string_list requests;
    int64_t request_count;
} crashed;

static const chainsi_type some_int32 = CHAINSI_POINTER_TO(&chainsi_type_int32);
static const chainsi_type texts_type = CHAINSI_LIST_OF(chains_string_list, &chainsi_type_string);
static const chainsi_field crashed_fields[] = {
    CHAINSI_FIELD_TEXT(crashed, environment),
    CHAINSI_FIELD_TEXT(crashed, version),
    CHAINSI_FIELD_INTEGER(crashed, pid),
    CHAINSI_FIELD_OPTIONAL(crashed, exit_status, &some_int32),
    CHAINSI_FIELD_OPTIONAL(crashed, signal, &some_int32),
    CHAINSI_FIELD_OF(crashed, requests, &texts_type),
    CHAINSI_FIELD_INTEGER(crashed, request_count),
};
static const chainsi_type crashed_type = CHAINSI_STRUCT_OF(crashed, crashed_fields);

typedef struct given_up {
    const char *environment, *version, *log;
} given_up;

static const chainsi_field given_up_fields[] = {
    CHAINSI_FIELD_TEXT(given_up, environment),
    CHAINSI_FIELD_TEXT(given_up, version),
    CHAINSI_FIELD_TEXT(given_up, log),
};
static const chainsi_type given_up_type = CHAINSI_STRUCT_OF(given_up, given_up_fields);

static void add_event(chainsi_history *history, const chainsi_history_place *place,
                      const char *kind, const char *text, const chainsi_type *type,
                      const void *said)
{
    chainsi_arena *arena;
    told *added = add(history, TOLD_EVENT, &arena);
    if (!added)
        return;
    chainsi_buffer details = { 0 };
    chainsi_codec_error why;
    added->event = (chainsi_stored_event){
        .kind = kind,
        .chain = chainsi_arena_strdup(arena, place->chain),
        .chainlet = chainsi_arena_strdup(arena, place->chainlet),
        .message = chainsi_arena_strdup(arena, text),
    };
    if (chainsi_json_encode(type, said, &details, &why) == CHAINS_OK)
        added->event.details =
            (chains_json){ chainsi_arena_copy(arena, details.data, details.size), details.size };
    chainsi_buffer_done(&details);
}

void chainsi_history_scaled(chainsi_history *history, const chainsi_history_place *place,
                            int64_t from, int64_t to, const char *reason, const char *text)
{
    scaled said = { place->environment, place->version, from, to, reason };
    add_event(history, place, CHAINSI_EVENT_SCALED, text, &scaled_type, &said);
}

void chainsi_history_crashed(chainsi_history *history, const chainsi_history_place *place,
                             pid_t pid, int wait_status, const char *how,
                             const chainsi_running_list *requests)
{
    const char *ids[sizeof requests->ids / sizeof *requests->ids];
    for (size_t i = 0; i < requests->kept; i++)
        ids[i] = requests->ids[i];
    bool killed = WIFSIGNALED(wait_status);
    int32_t number = killed ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    crashed said = {
        .environment = place->environment,
        .version = place->version,
        .pid = pid,
        .exit_status = killed ? NULL : &number,
        .signal = killed ? &number : NULL,
        .requests = { ids, requests->kept },
        .request_count = (int64_t)requests->count,
    };
    char *text = chainsi_path("%s in %s: %s", place->chainlet, place->environment, how);
    add_event(history, place, CHAINSI_EVENT_CRASHED, text, &crashed_type, &said);
    free(text);
}

/* The last lines, as UTF-8 without zero bytes, whatever a program wrote: at most MOST_LOG bytes. */
static char *make_lines(const char *lines, size_t size)
{
    const char *end = lines + size;
    if (size > MOST_LOG) {
        lines = end - MOST_LOG;
        const char *whole = memchr(lines, '\n', MOST_LOG);
        if (whole && whole + 1 < end)
            lines = whole + 1;
        size = (size_t)(end - lines);
    }
    char *made = chainsi_make(size + 1);
    if (size)
        memcpy(made, lines, size);
    bool text = chainsi_utf8_valid(made, size) == size;
    for (size_t i = 0; i < size; i++)
        if (!made[i] || (!text && made[i] & 0x80))
            made[i] = '?';
    return made;
}

void chainsi_history_failed(chainsi_history *history, const chainsi_history_place *place,
                            const char *how, const char *lines, size_t size)
{
    char *text = chainsi_path("%s in %s died too often and is given up for now: %s",
                              place->chainlet, place->environment, how);
    char *log = make_lines(lines, size);
    given_up said = { place->environment, place->version, log };
    add_event(history, place, CHAINSI_EVENT_FAILED, text, &given_up_type, &said);
    free(log);
    free(text);
}
