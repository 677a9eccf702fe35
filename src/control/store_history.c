/* Replicas and events as rows. */
#include "control/store_history.h"

#include "control/steady.h"

/* Replicas. */

#define RUNNING "process = :process AND ended_at IS NULL"

/* For one that ends now. */
static void bind_kept_until(chainsi_statement *statement)
{
    chainsi_statement_time(statement, ":kept_until",
                           chainsi_steady_ms() + INT64_C(86400000) * CHAINSI_REPLICA_DAYS_KEPT);
}

/* Forgets those that ended before the newest so many. */
static chains_status forget_replicas(chainsi_database *database,
                                     const chainsi_stored_replica *replica)
{
    chainsi_statement forget = chainsi_statement_begin(
        database,
        "DELETE FROM replicas WHERE chain = :chain AND environment = :environment AND "
        "chainlet = :chainlet AND ended_at IS NOT NULL AND id <= (SELECT id FROM replicas WHERE "
        "chain = :chain AND environment = :environment AND chainlet = :chainlet AND ended_at IS "
        "NOT NULL ORDER BY id DESC LIMIT 1 OFFSET :kept)");
    chainsi_statement_text(&forget, ":chain", replica->chain);
    chainsi_statement_text(&forget, ":environment", replica->environment);
    chainsi_statement_text(&forget, ":chainlet", replica->chainlet);
    chainsi_statement_integer(&forget, ":kept", CHAINSI_REPLICAS_KEPT);
    return chainsi_statement_run(&forget);
}

static chains_status add_replica(chainsi_database *database, const char *brain,
                                 const chainsi_stored_replica *replica)
{
    /* That its chain is gone is no broken rule: who writes several goes on in the same transaction. */
    chainsi_statement insert = chainsi_statement_begin(
        database,
        "INSERT INTO replicas (chain, environment, version, chainlet, process, pid, brain, "
        "started_at, ended_at, ending, exit_status, signal, how, kept_until) SELECT :chain, "
        ":environment, :version, :chainlet, :process, :pid, :brain, :started_at, :ended_at, "
        ":ending, :exit_status, :signal, :how, :kept_until WHERE EXISTS (SELECT 1 FROM chains "
        "WHERE "
        "name = :chain)");
    chainsi_statement_struct(&insert, &chainsi_stored_replica_type, replica);
    chainsi_statement_text(&insert, ":brain", brain);
    if (replica->ended_at)
        bind_kept_until(&insert);
    chains_status status = chainsi_statement_change(&insert);
    if (status == CHAINS_NOT_FOUND)
        return chainsi_database_fail(database, status, "there is no chain '%s'", replica->chain);
    return status;
}

static const char unseen[] = "nobody saw how: the daemon was not there";

chains_status chainsi_stored_replica_start(chainsi_database *database, const char *brain,
                                           const chainsi_stored_replica *replica)
{
    chains_status status = chainsi_stored_replica_end(database, &(chainsi_stored_replica){
                                                                    .process = replica->process,
                                                                    .ended_at = replica->started_at,
                                                                    .ending = CHAINSI_ENDING_LOST,
                                                                    .how = unseen,
                                                                });
    return status == CHAINS_OK ? add_replica(database, brain, replica) : status;
}

chains_status chainsi_stored_replica_pick_up(chainsi_database *database, const char *brain,
                                             const chainsi_stored_replica *replica)
{
    chainsi_statement find = chainsi_statement_begin(
        database, "UPDATE replicas SET brain = :brain WHERE " RUNNING " AND pid = :pid");
    chainsi_statement_text(&find, ":brain", brain);
    chainsi_statement_text(&find, ":process", replica->process);
    chainsi_statement_integer(&find, ":pid", replica->pid);
    chains_status status = chainsi_statement_change(&find);
    return status == CHAINS_NOT_FOUND ? chainsi_stored_replica_start(database, brain, replica)
                                      : status;
}

chains_status chainsi_stored_replica_ready(chainsi_database *database, const char *process,
                                           const char *at)
{
    chainsi_statement update = chainsi_statement_begin(
        database, "UPDATE replicas SET ready_at = :at WHERE " RUNNING " AND ready_at IS NULL");
    chainsi_statement_text(&update, ":process", process);
    chainsi_statement_text(&update, ":at", at);
    return chainsi_statement_run(&update);
}

chains_status chainsi_stored_replica_end(chainsi_database *database,
                                         const chainsi_stored_replica *replica)
{
    chainsi_statement update = chainsi_statement_begin(
        database,
        "UPDATE replicas SET ended_at = :ended_at, ending = :ending, exit_status = "
        ":exit_status, signal = :signal, how = :how, kept_until = :kept_until WHERE " RUNNING);
    bind_kept_until(&update);
    chainsi_statement_struct(&update, &chainsi_stored_replica_type, replica);
    chains_status status = chainsi_statement_run(&update);
    return status == CHAINS_OK ? forget_replicas(database, replica) : status;
}

chains_status chainsi_stored_replica_add_failed(chainsi_database *database,
                                                const chainsi_stored_replica *replica)
{
    chains_status status = add_replica(database, "", replica);
    return status == CHAINS_OK ? forget_replicas(database, replica) : status;
}

chains_status chainsi_stored_replica_settle(chainsi_database *database, const char *brain,
                                            const char *at)
{
    chainsi_statement update = chainsi_statement_begin(
        database,
        "UPDATE replicas SET ended_at = :at, ending = '" CHAINSI_ENDING_LOST
        "', how = :how, kept_until = :kept_until WHERE ended_at IS NULL AND brain <> :brain");
    bind_kept_until(&update);
    chainsi_statement_text(&update, ":at", at);
    chainsi_statement_text(&update, ":how", unseen);
    chainsi_statement_text(&update, ":brain", brain);
    return chainsi_statement_run(&update);
}

chains_status chainsi_stored_replica_purge(chainsi_database *database, int64_t now_ms)
{
    chainsi_statement forget =
        chainsi_statement_begin(database, "DELETE FROM replicas WHERE kept_until < :now");
    chainsi_statement_time(&forget, ":now", now_ms);
    return chainsi_statement_run(&forget);
}

chains_status chainsi_stored_replica_list(chainsi_database *database, const char *chain,
                                          const char *environment, const char *chainlet,
                                          int64_t before, int64_t limit, chainsi_arena *arena,
                                          chainsi_stored_replicas *replicas)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT * FROM replicas WHERE chain = :chain AND environment = :environment AND "
                  "chainlet = :chainlet AND id < :before ORDER BY id DESC LIMIT :limit");
    chainsi_statement_text(&list, ":chain", chain);
    chainsi_statement_text(&list, ":environment", environment);
    chainsi_statement_text(&list, ":chainlet", chainlet);
    chainsi_statement_integer(&list, ":before", before ? before : INT64_MAX);
    chainsi_statement_integer(&list, ":limit", limit);
    chainsi_statement_read_all(&list, &chainsi_stored_replicas_type, arena, replicas);
    return chainsi_statement_end(&list);
}

/* Events. */

chains_status chainsi_stored_event_add(chainsi_database *database,
                                       const chainsi_stored_event *event)
{
    chainsi_statement insert = chainsi_statement_begin(
        database, "INSERT INTO events (at, kind, chain, chainlet, message, details) VALUES (:now, "
                  ":kind, :chain, :chainlet, :message, :details) RETURNING id");
    chainsi_statement_struct(&insert, &chainsi_stored_event_type, event);
    chainsi_statement_now(&insert, ":now");
    int64_t id = chainsi_statement_next(&insert) ? chainsi_statement_column(&insert, 0) : 0;
    chains_status status = chainsi_statement_run(&insert);
    if (status != CHAINS_OK)
        return status;
    chainsi_statement forget =
        chainsi_statement_begin(database, "DELETE FROM events WHERE id <= :last");
    chainsi_statement_integer(&forget, ":last", id - CHAINSI_EVENTS_KEPT);
    return chainsi_statement_run(&forget);
}

chains_status chainsi_stored_event_trim(chainsi_database *database)
{
    chainsi_statement forget = chainsi_statement_begin(
        database, "DELETE FROM events WHERE kind = '" CHAINSI_EVENT_SCALED
                  "' AND id <= (SELECT id FROM events WHERE kind = '" CHAINSI_EVENT_SCALED
                  "' ORDER BY id DESC LIMIT 1 OFFSET :kept)");
    chainsi_statement_integer(&forget, ":kept", CHAINSI_SCALING_EVENTS_KEPT);
    return chainsi_statement_run(&forget);
}

chains_status chainsi_stored_event_list(chainsi_database *database,
                                        const chainsi_event_filter *filter, chainsi_arena *arena,
                                        chainsi_stored_events *events)
{
#define WHICH                                                                                      \
    "id < :before AND (:chainlet IS NULL OR chainlet = :chainlet) AND (:kind IS NULL OR "          \
    "kind = :kind) ORDER BY id DESC LIMIT :limit"
    chainsi_statement list = chainsi_statement_begin(
        database, filter->chain ? "SELECT * FROM events WHERE chain = :chain AND " WHICH
                                : "SELECT * FROM events WHERE " WHICH);
#undef WHICH
    if (filter->chain)
        chainsi_statement_text(&list, ":chain", filter->chain);
    chainsi_statement_text(&list, ":chainlet", filter->chainlet);
    chainsi_statement_text(&list, ":kind", filter->kind);
    chainsi_statement_integer(&list, ":before", filter->before ? filter->before : INT64_MAX);
    chainsi_statement_integer(&list, ":limit", filter->limit);
    chainsi_statement_read_all(&list, &chainsi_stored_events_type, arena, events);
    return chainsi_statement_end(&list);
}

int64_t chainsi_stored_event_newest(chainsi_database *database)
{
    chainsi_statement ask =
        chainsi_statement_begin(database, "SELECT id FROM events ORDER BY id DESC LIMIT 1");
    const int64_t newest = chainsi_statement_next(&ask) ? chainsi_statement_column(&ask, 0) : 0;
    return chainsi_statement_end(&ask) == CHAINS_OK ? newest : 0;
}
