/* Environments as rows. That their versions exist is a rule of the schema. */
#include "control/store_environments.h"

#include <string.h>

#include "control/fields.h"

static const chainsi_field environment_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_environment, chain),
    CHAINSI_FIELD_TEXT(chainsi_stored_environment, name),
    CHAINSI_FIELD_TEXT(chainsi_stored_environment, version),
    CHAINSI_FIELD_TEXT(chainsi_stored_environment, since),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_environment, previous_version),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_environment, canary_version),
    CHAINSI_FIELD_NUMBER(chainsi_stored_environment, canary_percent),
    CHAINSI_FIELD_NUMBER(chainsi_stored_environment, canary_max_error_rate_increase),
    CHAINSI_FIELD_NUMBER(chainsi_stored_environment, canary_max_p99_ratio),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_environment, canary_since),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_environment, canary_until),
};
const chainsi_type chainsi_stored_environment_type =
    CHAINSI_STRUCT_OF(chainsi_stored_environment, environment_fields);
const chainsi_type chainsi_stored_environments_type =
    CHAINSI_LIST_OF(chainsi_stored_environments, &chainsi_stored_environment_type);

static const chainsi_type some_int32 = CHAINSI_POINTER_TO(&chainsi_type_int32);
static const chainsi_type some_double = CHAINSI_POINTER_TO(&chainsi_type_double);

static const chainsi_field scale_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_scale, chain),
    CHAINSI_FIELD_TEXT(chainsi_stored_scale, environment),
    CHAINSI_FIELD_TEXT(chainsi_stored_scale, chainlet),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, min_replicas, &some_int32),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, max_replicas, &some_int32),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, concurrency_target, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, target_utilization, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, window_s, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, scale_down_delay_s, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, scale_to_zero_delay_s, &some_double),
    CHAINSI_FIELD_TEXT(chainsi_stored_scale, set_at),
};
const chainsi_type chainsi_stored_scale_type =
    CHAINSI_STRUCT_OF(chainsi_stored_scale, scale_fields);
const chainsi_type chainsi_stored_scales_type =
    CHAINSI_LIST_OF(chainsi_stored_scales, &chainsi_stored_scale_type);

static chains_status no_environment(chainsi_database *database, const char *chain, const char *name)
{
    return chainsi_database_fail(database, CHAINS_NOT_FOUND, "'%s' has no environment '%s'", chain,
                                 name);
}

/* Runs a statement that sets the version of the environment, or refers to one. */
static chains_status set_version(chainsi_statement *statement,
                                 const chainsi_stored_environment *environment, const char *version)
{
    chainsi_statement_struct(statement, &chainsi_stored_environment_type, environment);
    chains_status status = chainsi_statement_change(statement);
    if (status == CHAINS_NOT_FOUND)
        return no_environment(statement->database, environment->chain, environment->name);
    if (status == CHAINS_FAILED_PRECONDITION)
        return chainsi_database_fail(statement->database, CHAINS_NOT_FOUND,
                                     "'%s' has no version '%s'", environment->chain, version);
    return status;
}

chains_status chainsi_stored_environment_promote(chainsi_database *database, const char *chain,
                                                 const char *name, const char *version)
{
    if (!strcmp(name, "versions"))
        return chainsi_database_fail(database, CHAINS_INVALID_ARGUMENT,
                                     "no environment can be called 'versions'");
    chainsi_stored_environment set = {
        .chain = chain,
        .name = name,
        .version = version,
    };
    /* A version that is promoted again keeps the one before. */
    chainsi_statement promote = chainsi_statement_begin(
        database,
        "INSERT INTO environments (chain, name, version, since) VALUES (:chain, :name, :version, "
        ":now) ON CONFLICT (chain, name) DO UPDATE SET previous_version = CASE WHEN "
        "environments.version = excluded.version THEN environments.previous_version ELSE "
        "environments.version END, version = excluded.version, "
        "since = excluded.since, canary_version = NULL, canary_percent = 0, "
        "canary_max_error_rate_increase = 0, canary_max_p99_ratio = 0, canary_since = NULL, "
        "canary_until = NULL");
    chainsi_statement_now(&promote, ":now");
    return set_version(&promote, &set, version);
}

chains_status chainsi_stored_environment_roll_back(chainsi_database *database, const char *chain,
                                                   const char *name)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_environment environment;
    chains_status status =
        chainsi_stored_environment_find(database, chain, name, &arena, &environment);
    if (status == CHAINS_OK && !environment.previous_version)
        status = chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION,
                                       "'%s' of '%s' has no previous version", name, chain);
    if (status == CHAINS_OK)
        status =
            chainsi_stored_environment_promote(database, chain, name, environment.previous_version);
    chainsi_arena_done(&arena);
    return status;
}

chains_status chainsi_stored_environment_try(chainsi_database *database,
                                             const chainsi_stored_environment *canary)
{
    chainsi_statement update = chainsi_statement_begin(
        database, "UPDATE environments SET canary_version = :canary_version, "
                  "canary_percent = :canary_percent, "
                  "canary_max_error_rate_increase = :canary_max_error_rate_increase, "
                  "canary_max_p99_ratio = :canary_max_p99_ratio, canary_since = :now, "
                  "canary_until = :canary_until WHERE chain = :chain AND name = :name");
    chainsi_statement_now(&update, ":now");
    return set_version(&update, canary, canary->canary_version);
}

chains_status chainsi_stored_environment_stop_trying(chainsi_database *database, const char *chain,
                                                     const char *name)
{
    chainsi_stored_environment none = { .chain = chain, .name = name };
    chainsi_statement update = chainsi_statement_begin(
        database,
        "UPDATE environments SET canary_version = NULL, canary_percent = 0, "
        "canary_max_error_rate_increase = 0, canary_max_p99_ratio = 0, canary_since = NULL, "
        "canary_until = NULL WHERE chain = :chain AND name = :name");
    return set_version(&update, &none, ""); /* it refers to none */
}

chains_status chainsi_stored_environment_find(chainsi_database *database, const char *chain,
                                              const char *name, chainsi_arena *arena,
                                              chainsi_stored_environment *environment)
{
    chainsi_statement find = chainsi_statement_begin(
        database, "SELECT * FROM environments WHERE chain = :chain AND name = :name");
    chainsi_statement_text(&find, ":chain", chain);
    chainsi_statement_text(&find, ":name", name);
    chains_status status =
        chainsi_statement_read_one(&find, &chainsi_stored_environment_type, arena, environment);
    return status == CHAINS_NOT_FOUND ? no_environment(database, chain, name) : status;
}

chains_status chainsi_stored_environment_list(chainsi_database *database, const char *chain,
                                              chainsi_arena *arena,
                                              chainsi_stored_environments *environments)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT * FROM environments WHERE :chain IS NULL OR chain = :chain "
                  "ORDER BY chain, name");
    chainsi_statement_text(&list, ":chain", chain);
    chainsi_statement_read_all(&list, &chainsi_stored_environments_type, arena, environments);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_environment_find_other(chainsi_database *database, const char *chain,
                                                    const char *name, const char *version,
                                                    chainsi_arena *arena, const char **other)
{
    chainsi_statement find = chainsi_statement_begin(
        database,
        "SELECT name FROM environments WHERE chain = :chain AND name <> :name AND :version IN "
        "(version, previous_version, canary_version) UNION SELECT environment FROM transitions "
        "WHERE chain = :chain AND environment <> :name AND version = :version");
    chainsi_statement_text(&find, ":chain", chain);
    chainsi_statement_text(&find, ":name", name);
    chainsi_statement_text(&find, ":version", version);
    const char *found = NULL;
    while (chainsi_statement_next(&find))
        found = chainsi_statement_column_text(&find, 0, arena);
    chains_status status = chainsi_statement_end(&find);
    if (status == CHAINS_OK)
        *other = found;
    return status;
}

chains_status chainsi_stored_environment_remove(chainsi_database *database, const char *chain,
                                                const char *name)
{
    chainsi_statement remove = chainsi_statement_begin(
        database, "DELETE FROM environments WHERE chain = :chain AND name = :name");
    chainsi_statement_text(&remove, ":chain", chain);
    chainsi_statement_text(&remove, ":name", name);
    chains_status status = chainsi_statement_change(&remove);
    return status == CHAINS_NOT_FOUND ? no_environment(database, chain, name) : status;
}

/* Scales. */

chains_status chainsi_stored_scale_set(chainsi_database *database,
                                       const chainsi_stored_scale *scale)
{
    chainsi_statement put = chainsi_statement_begin(
        database,
        "INSERT INTO scales (chain, environment, chainlet, min_replicas, max_replicas, "
        "concurrency_target, target_utilization, window_s, scale_down_delay_s, "
        "scale_to_zero_delay_s, set_at) VALUES (:chain, :environment, :chainlet, :min_replicas, "
        ":max_replicas, :concurrency_target, :target_utilization, :window_s, :scale_down_delay_s, "
        ":scale_to_zero_delay_s, coalesce(:set_at, :now)) ON CONFLICT (chain, environment, "
        "chainlet) "
        "DO UPDATE SET min_replicas = excluded.min_replicas, max_replicas = excluded.max_replicas, "
        "concurrency_target = excluded.concurrency_target, target_utilization = "
        "excluded.target_utilization, window_s = excluded.window_s, scale_down_delay_s = "
        "excluded.scale_down_delay_s, scale_to_zero_delay_s = excluded.scale_to_zero_delay_s, "
        "set_at = excluded.set_at");
    chainsi_statement_struct(&put, &chainsi_stored_scale_type, scale);
    chainsi_statement_now(&put, ":now");
    chains_status status = chainsi_statement_run(&put);
    return status == CHAINS_FAILED_PRECONDITION
               ? no_environment(database, scale->chain, scale->environment)
               : status;
}

chains_status chainsi_stored_scale_reset(chainsi_database *database, const char *chain,
                                         const char *environment, const char *chainlet)
{
    chainsi_statement remove = chainsi_statement_begin(
        database, "DELETE FROM scales WHERE chain = :chain AND environment = :environment AND "
                  "chainlet = :chainlet");
    chainsi_statement_text(&remove, ":chain", chain);
    chainsi_statement_text(&remove, ":environment", environment);
    chainsi_statement_text(&remove, ":chainlet", chainlet);
    return chainsi_statement_run(&remove);
}

chains_status chainsi_stored_scale_list(chainsi_database *database, const char *chain,
                                        const char *environment, chainsi_arena *arena,
                                        chainsi_stored_scales *scales)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT * FROM scales WHERE chain = :chain AND environment = :environment "
                  "ORDER BY chainlet");
    chainsi_statement_text(&list, ":chain", chain);
    chainsi_statement_text(&list, ":environment", environment);
    chainsi_statement_read_all(&list, &chainsi_stored_scales_type, arena, scales);
    return chainsi_statement_end(&list);
}
