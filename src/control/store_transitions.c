/* Transitions as rows. That their versions exist is a rule of the schema. */
#include "control/store_transitions.h"

#include "control/fields.h"

static const chainsi_field transition_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_transition, chain),
    CHAINSI_FIELD_TEXT(chainsi_stored_transition, environment),
    CHAINSI_FIELD_TEXT(chainsi_stored_transition, version),
    CHAINSI_FIELD_NUMBER(chainsi_stored_transition, percent),
    CHAINSI_FIELD_NUMBER(chainsi_stored_transition, max_error_rate_increase),
    CHAINSI_FIELD_NUMBER(chainsi_stored_transition, max_p99_ratio),
    CHAINSI_FIELD_NUMBER(chainsi_stored_transition, minutes),
    CHAINSI_FIELD_TEXT(chainsi_stored_transition, begun_at),
    CHAINSI_FIELD_OF(chainsi_stored_transition, back, &chainsi_type_bool),
};
const chainsi_type chainsi_stored_transition_type =
    CHAINSI_STRUCT_OF(chainsi_stored_transition, transition_fields);
const chainsi_type chainsi_stored_transitions_type =
    CHAINSI_LIST_OF(chainsi_stored_transitions, &chainsi_stored_transition_type);

chains_status chainsi_stored_transition_put(chainsi_database *database,
                                            const chainsi_stored_transition *transition)
{
    chainsi_statement put = chainsi_statement_begin(
        database,
        "INSERT INTO transitions (chain, environment, version, percent, "
        "max_error_rate_increase, max_p99_ratio, minutes, begun_at, back) VALUES (:chain, "
        ":environment, :version, :percent, :max_error_rate_increase, :max_p99_ratio, "
        ":minutes, :now, :back) ON CONFLICT (chain, environment) DO UPDATE SET "
        "version = excluded.version, percent = excluded.percent, max_error_rate_increase = "
        "excluded.max_error_rate_increase, max_p99_ratio = excluded.max_p99_ratio, "
        "minutes = excluded.minutes, begun_at = excluded.begun_at, back = excluded.back");
    chainsi_statement_struct(&put, &chainsi_stored_transition_type, transition);
    chainsi_statement_now(&put, ":now");
    chains_status status = chainsi_statement_run(&put);
    if (status == CHAINS_FAILED_PRECONDITION)
        return chainsi_database_fail(database, CHAINS_NOT_FOUND, "'%s' has no version '%s'",
                                     transition->chain, transition->version);
    return status;
}

chains_status chainsi_stored_transition_find(chainsi_database *database, const char *chain,
                                             const char *environment, chainsi_arena *arena,
                                             chainsi_stored_transition *transition)
{
    chainsi_statement find = chainsi_statement_begin(
        database, "SELECT * FROM transitions WHERE chain = :chain AND environment = :environment");
    chainsi_statement_text(&find, ":chain", chain);
    chainsi_statement_text(&find, ":environment", environment);
    chains_status status =
        chainsi_statement_read_one(&find, &chainsi_stored_transition_type, arena, transition);
    if (status == CHAINS_NOT_FOUND)
        return chainsi_database_fail(
            database, status, "'%s' of '%s' is on its way to no other version", environment, chain);
    return status;
}

chains_status chainsi_stored_transition_list(chainsi_database *database, chainsi_arena *arena,
                                             chainsi_stored_transitions *transitions)
{
    chainsi_statement list =
        chainsi_statement_begin(database, "SELECT * FROM transitions ORDER BY chain, environment");
    chainsi_statement_read_all(&list, &chainsi_stored_transitions_type, arena, transitions);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_transition_remove(chainsi_database *database, const char *chain,
                                               const char *environment)
{
    chainsi_statement remove = chainsi_statement_begin(
        database, "DELETE FROM transitions WHERE chain = :chain AND environment = :environment");
    chainsi_statement_text(&remove, ":chain", chain);
    chainsi_statement_text(&remove, ":environment", environment);
    return chainsi_statement_run(&remove);
}
