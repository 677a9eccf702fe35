/* Batches of what was told: one is gathered while another is being made durable. */
#include "control/history.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/fields.h"
#include "control/handle.h"
#include "control/log.h"
#include "control/time_text.h"
#include "schema/json.h"

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
    chains_status status = chainsi_stored_replica_purge(database, chainsi_unix_ms());
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

/* The details of an event. */
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

void chainsi_history_scaled(chainsi_history *history, const chainsi_history_place *place,
                            int64_t from, int64_t to, const char *reason, const char *text)
{
    chainsi_arena *arena;
    told *added = add(history, TOLD_EVENT, &arena);
    if (!added)
        return;
    chainsi_buffer details = { 0 };
    chainsi_codec_error why;
    scaled said = { place->environment, place->version, from, to, reason };
    added->event = (chainsi_stored_event){
        .kind = CHAINSI_EVENT_SCALED,
        .chain = chainsi_arena_strdup(arena, place->chain),
        .chainlet = chainsi_arena_strdup(arena, place->chainlet),
        .message = chainsi_arena_strdup(arena, text),
    };
    if (chainsi_json_encode(&scaled_type, &said, &details, &why) == CHAINS_OK)
        added->event.details =
            (chains_json){ chainsi_arena_copy(arena, details.data, details.size), details.size };
    chainsi_buffer_done(&details);
}
