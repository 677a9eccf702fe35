/* Replicas and events as rows. */
#include "control/store_history.h"

#include "control/fields.h"

static const chainsi_field replica_fields[] = {
    CHAINSI_FIELD_INTEGER(chainsi_stored_replica, id),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, chain),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, version),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, chainlet),
    CHAINSI_FIELD_INTEGER(chainsi_stored_replica, pid),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, started_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_replica, ready_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_replica, ended_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_replica, how),
};
const chainsi_type chainsi_stored_replica_type =
    CHAINSI_STRUCT_OF(chainsi_stored_replica, replica_fields);
const chainsi_type chainsi_stored_replicas_type =
    CHAINSI_LIST_OF(chainsi_stored_replicas, &chainsi_stored_replica_type);

static const chainsi_field event_fields[] = {
    CHAINSI_FIELD_INTEGER(chainsi_stored_event, id),
    CHAINSI_FIELD_TEXT(chainsi_stored_event, at),
    CHAINSI_FIELD_TEXT(chainsi_stored_event, kind),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_event, chain),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_event, chainlet),
    CHAINSI_FIELD_TEXT(chainsi_stored_event, message),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_event, details, &chainsi_type_json),
};
const chainsi_type chainsi_stored_event_type =
    CHAINSI_STRUCT_OF(chainsi_stored_event, event_fields);
const chainsi_type chainsi_stored_events_type =
    CHAINSI_LIST_OF(chainsi_stored_events, &chainsi_stored_event_type);

/* Replicas. */

/* Forgets those that ended before the newest so many. */
static chains_status forget_replicas(chainsi_database *database, const char *chain,
                                     const char *chainlet)
{
    chainsi_statement forget = chainsi_statement_begin(
        database,
        "DELETE FROM replicas WHERE chain = :chain AND chainlet = :chainlet AND ended_at IS NOT "
        "NULL AND id <= (SELECT id FROM replicas WHERE chain = :chain AND chainlet = :chainlet AND "
        "ended_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET :kept)");
    chainsi_statement_text(&forget, ":chain", chain);
    chainsi_statement_text(&forget, ":chainlet", chainlet);
    chainsi_statement_integer(&forget, ":kept", CHAINSI_REPLICAS_KEPT);
    return chainsi_statement_run(&forget);
}

chains_status chainsi_stored_replica_start(chainsi_database *database,
                                           chainsi_stored_replica *replica)
{
    chainsi_statement insert = chainsi_statement_begin(
        database, "INSERT INTO replicas (chain, version, chainlet, pid, started_at) VALUES "
                  "(:chain, :version, :chainlet, :pid, :now)");
    chainsi_statement_struct(&insert, &chainsi_stored_replica_type, replica);
    chainsi_statement_now(&insert, ":now");
    chains_status status = chainsi_statement_run(&insert);
    if (status == CHAINS_FAILED_PRECONDITION)
        return chainsi_database_fail(database, CHAINS_NOT_FOUND, "there is no chain '%s'",
                                     replica->chain);
    int64_t id = chainsi_database_last_row(database);
    if (status == CHAINS_OK)
        status = forget_replicas(database, replica->chain, replica->chainlet);
    if (status == CHAINS_OK)
        replica->id = id;
    return status;
}

static chains_status change_replica(chainsi_statement *statement, int64_t id)
{
    chainsi_statement_integer(statement, ":id", id);
    chainsi_statement_now(statement, ":now");
    chains_status status = chainsi_statement_change(statement);
    if (status == CHAINS_NOT_FOUND)
        return chainsi_database_fail(statement->database, status, "there is no replica %lld",
                                     (long long)id);
    return status;
}

chains_status chainsi_stored_replica_ready(chainsi_database *database, int64_t id)
{
    chainsi_statement update =
        chainsi_statement_begin(database, "UPDATE replicas SET ready_at = :now WHERE id = :id");
    return change_replica(&update, id);
}

chains_status chainsi_stored_replica_end(chainsi_database *database, int64_t id, const char *how)
{
    chainsi_statement update = chainsi_statement_begin(
        database, "UPDATE replicas SET ended_at = :now, how = :how WHERE id = :id");
    chainsi_statement_text(&update, ":how", how);
    return change_replica(&update, id);
}

chains_status chainsi_stored_replica_list(chainsi_database *database, const char *chain,
                                          const char *chainlet, int64_t limit, chainsi_arena *arena,
                                          chainsi_stored_replicas *replicas)
{
    chainsi_statement list = chainsi_statement_begin(
        database, chainlet ? "SELECT * FROM replicas WHERE chain = :chain AND "
                             "chainlet = :chainlet ORDER BY id DESC LIMIT :limit"
                           : "SELECT * FROM replicas WHERE chain = :chain ORDER BY id DESC "
                             "LIMIT :limit");
    chainsi_statement_text(&list, ":chain", chain);
    if (chainlet)
        chainsi_statement_text(&list, ":chainlet", chainlet);
    chainsi_statement_integer(&list, ":limit", limit);
    chainsi_statement_read_all(&list, &chainsi_stored_replicas_type, arena, replicas);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_replica_running(chainsi_database *database, chainsi_arena *arena,
                                             chainsi_stored_replicas *replicas)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT * FROM replicas WHERE ended_at IS NULL ORDER BY id");
    chainsi_statement_read_all(&list, &chainsi_stored_replicas_type, arena, replicas);
    return chainsi_statement_end(&list);
}

/* Events. */

chains_status chainsi_stored_event_add(chainsi_database *database,
                                       const chainsi_stored_event *event)
{
    chainsi_statement insert = chainsi_statement_begin(
        database, "INSERT INTO events (at, kind, chain, chainlet, message, details) VALUES (:now, "
                  ":kind, :chain, :chainlet, :message, :details)");
    chainsi_statement_struct(&insert, &chainsi_stored_event_type, event);
    chainsi_statement_now(&insert, ":now");
    chains_status status = chainsi_statement_run(&insert);
    if (status != CHAINS_OK)
        return status;
    chainsi_statement forget =
        chainsi_statement_begin(database, "DELETE FROM events WHERE id <= :last");
    chainsi_statement_integer(&forget, ":last",
                              chainsi_database_last_row(database) - CHAINSI_EVENTS_KEPT);
    return chainsi_statement_run(&forget);
}

chains_status chainsi_stored_event_list(chainsi_database *database, const char *chain,
                                        int64_t before, int64_t limit, chainsi_arena *arena,
                                        chainsi_stored_events *events)
{
    chainsi_statement list = chainsi_statement_begin(
        database, chain ? "SELECT * FROM events WHERE chain = :chain AND id < :before ORDER BY id "
                          "DESC LIMIT :limit"
                        : "SELECT * FROM events WHERE id < :before ORDER BY id DESC LIMIT :limit");
    if (chain)
        chainsi_statement_text(&list, ":chain", chain);
    chainsi_statement_integer(&list, ":before", before ? before : INT64_MAX);
    chainsi_statement_integer(&list, ":limit", limit);
    chainsi_statement_read_all(&list, &chainsi_stored_events_type, arena, events);
    return chainsi_statement_end(&list);
}
