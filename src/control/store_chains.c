/* Chains and versions as rows. */
#include "control/store_chains.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/digest.h"
#include "control/fields.h"
#include "control/time_text.h"
#include "schema/json.h"

enum { ID_DIGITS = 6 /* of the digest, in an id */ };

static const chainsi_field chain_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_chain, name),
    CHAINSI_FIELD_TEXT(chainsi_stored_chain, entrypoint),
    CHAINSI_FIELD_TEXT(chainsi_stored_chain, created_at),
    CHAINSI_FIELD_OF(chainsi_stored_chain, deleting, &chainsi_type_bool),
};
const chainsi_type chainsi_stored_chain_type =
    CHAINSI_STRUCT_OF(chainsi_stored_chain, chain_fields);
const chainsi_type chainsi_stored_chains_type =
    CHAINSI_LIST_OF(chainsi_stored_chains, &chainsi_stored_chain_type);

static const chainsi_enumerator states[] = {
    { "starting", CHAINSI_VERSION_STARTING, NULL },
    { "ready", CHAINSI_VERSION_READY, NULL },
    { "failed", CHAINSI_VERSION_FAILED, NULL },
};
static const chainsi_type state_type = CHAINSI_ENUM_OF(chainsi_version_state, states);

static const chainsi_field version_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_version, chain),
    CHAINSI_FIELD_TEXT(chainsi_stored_version, id),
    CHAINSI_FIELD_INTEGER(chainsi_stored_version, number),
    CHAINSI_FIELD_OF(chainsi_stored_version, state, &state_type),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_version, message),
    CHAINSI_FIELD_OF(chainsi_stored_version, deploy, &chainsi_api_deploy_type),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_version, source_digest),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_version, interface),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_version, artefacts),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_version, created_by),
    CHAINSI_FIELD_TEXT(chainsi_stored_version, created_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_version, ready_at),
};
const chainsi_type chainsi_stored_version_type =
    CHAINSI_STRUCT_OF(chainsi_stored_version, version_fields);
const chainsi_type chainsi_stored_versions_type =
    CHAINSI_LIST_OF(chainsi_stored_versions, &chainsi_stored_version_type);

/* Chains. */

static chains_status no_chain(chainsi_database *database, const char *name)
{
    return chainsi_database_fail(database, CHAINS_NOT_FOUND, "there is no chain '%s'", name);
}

/* Runs a statement that must change the chain. */
static chains_status change_chain(chainsi_statement *statement, const char *name)
{
    chainsi_statement_text(statement, ":name", name);
    chains_status status = chainsi_statement_change(statement);
    return status == CHAINS_NOT_FOUND ? no_chain(statement->database, name) : status;
}

chains_status chainsi_stored_chain_put(chainsi_database *database, const char *name,
                                       const char *entrypoint)
{
    chainsi_statement put = chainsi_statement_begin(
        database, "INSERT INTO chains (name, entrypoint, created_at) VALUES (:name, :entrypoint, "
                  ":now) ON CONFLICT (name) DO UPDATE SET entrypoint = excluded.entrypoint "
                  "WHERE chains.deleting = 0");
    chainsi_statement_text(&put, ":name", name);
    chainsi_statement_text(&put, ":entrypoint", entrypoint);
    chainsi_statement_now(&put, ":now");
    chains_status status = chainsi_statement_change(&put);
    if (status == CHAINS_NOT_FOUND)
        return chainsi_database_fail(database, CHAINS_ABORTED, "'%s' is being deleted", name);
    return status;
}

chains_status chainsi_stored_chain_find(chainsi_database *database, const char *name,
                                        chainsi_arena *arena, chainsi_stored_chain *chain)
{
    chainsi_statement find =
        chainsi_statement_begin(database, "SELECT * FROM chains WHERE name = :name");
    chainsi_statement_text(&find, ":name", name);
    chains_status status =
        chainsi_statement_read_one(&find, &chainsi_stored_chain_type, arena, chain);
    return status == CHAINS_NOT_FOUND ? no_chain(database, name) : status;
}

chains_status chainsi_stored_chain_list(chainsi_database *database, chainsi_arena *arena,
                                        chainsi_stored_chains *chains)
{
    chainsi_statement list =
        chainsi_statement_begin(database, "SELECT * FROM chains ORDER BY name");
    chainsi_statement_read_all(&list, &chainsi_stored_chains_type, arena, chains);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_chain_condemn(chainsi_database *database, const char *name)
{
    chainsi_statement condemn =
        chainsi_statement_begin(database, "UPDATE chains SET deleting = 1 WHERE name = :name");
    return change_chain(&condemn, name);
}

chains_status chainsi_stored_chain_remove(chainsi_database *database, const char *name)
{
    chainsi_statement remove =
        chainsi_statement_begin(database, "DELETE FROM chains WHERE name = :name");
    return change_chain(&remove, name);
}

/* Versions. */

static chains_status no_version(chainsi_database *database, const char *chain, const char *name)
{
    return chainsi_database_fail(database, CHAINS_NOT_FOUND, "'%s' has no version '%s'", chain,
                                 name);
}

/* The next number of the chain; 0 after a failure. */
static int64_t take_number(chainsi_database *database, const char *chain, chains_status *status)
{
    chainsi_statement take = chainsi_statement_begin(
        database, "UPDATE chains SET last_number = last_number + 1 WHERE name = :name "
                  "RETURNING last_number");
    chainsi_statement_text(&take, ":name", chain);
    int64_t number = chainsi_statement_next(&take) ? chainsi_statement_column(&take, 0) : 0;
    chainsi_statement_finish(&take);
    *status = chainsi_statement_end(&take);
    if (*status == CHAINS_OK && !number)
        *status = no_chain(database, chain);
    return *status == CHAINS_OK ? number : 0;
}

/* What tells two sources apart: the snapshot's digest or, without one, that of what is deployed. */
static chains_status digest_of(chainsi_database *database, const chainsi_stored_version *version,
                               char digits[CHAINSI_DIGEST_TEXT])
{
    if (version->source_digest) {
        snprintf(digits, CHAINSI_DIGEST_TEXT, "%s", version->source_digest);
        return CHAINS_OK;
    }
    chainsi_buffer out = { 0 };
    chainsi_codec_error error;
    chains_status status =
        chainsi_json_encode(&chainsi_api_deploy_type, &version->deploy, &out, &error);
    if (status == CHAINS_OK)
        chainsi_digest_text(out.data, out.size, digits);
    else
        chainsi_database_fail(database, status, "%s: %s", error.path, error.message);
    chainsi_buffer_done(&out);
    return status;
}

chains_status chainsi_stored_version_add(chainsi_database *database, chainsi_arena *arena,
                                         chainsi_stored_version *version)
{
    chains_status status;
    char digits[CHAINSI_DIGEST_TEXT], now[CHAINSI_TIME_TEXT];
    chainsi_stored_version added = *version;
    added.number = take_number(database, version->chain, &status);
    if (status == CHAINS_OK)
        status = digest_of(database, version, digits);
    if (status != CHAINS_OK)
        return status;
    chainsi_time_text(now);
    added.created_at = chainsi_arena_strdup(arena, now);
    if (!added.id)
        added.id =
            chainsi_arena_printf(arena, "v%04lld-%.*s", (long long)added.number, ID_DIGITS, digits);
    chainsi_statement insert = chainsi_statement_begin(
        database,
        "INSERT INTO versions (chain, id, number, state, message, deploy, source_digest, "
        "interface, artefacts, created_by, created_at, ready_at) VALUES (:chain, :id, :number, "
        ":state, :message, :deploy, :source_digest, :interface, :artefacts, :created_by, "
        ":created_at, :ready_at)");
    chainsi_statement_struct(&insert, &chainsi_stored_version_type, &added);
    status = chainsi_statement_run(&insert);
    if (status == CHAINS_OK)
        *version = added;
    return status;
}

/* The number in "v12", "v0012" or "12"; -1 if it is no such text. */
static int64_t number_of(const char *name)
{
    const char *digits = name + (*name == 'v');
    if (!isdigit((unsigned char)*digits) || strlen(digits) > 18)
        return -1;
    char *end;
    long long number = strtoll(digits, &end, 10);
    return *end ? -1 : number;
}

chains_status chainsi_stored_version_find(chainsi_database *database, const char *chain,
                                          const char *name, chainsi_arena *arena,
                                          chainsi_stored_version *version)
{
    chainsi_statement find = chainsi_statement_begin(
        database, "SELECT * FROM versions WHERE chain = :chain AND (id = :id OR number = :number) "
                  "ORDER BY CASE WHEN id = :id THEN 0 ELSE 1 END");
    chainsi_statement_text(&find, ":chain", chain);
    chainsi_statement_text(&find, ":id", name);
    chainsi_statement_integer(&find, ":number", number_of(name));
    chains_status status =
        chainsi_statement_read_one(&find, &chainsi_stored_version_type, arena, version);
    return status == CHAINS_NOT_FOUND ? no_version(database, chain, name) : status;
}

chains_status chainsi_stored_version_list(chainsi_database *database, const char *chain,
                                          int64_t before, int64_t limit, chainsi_arena *arena,
                                          chainsi_stored_versions *versions)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT * FROM versions WHERE chain = :chain AND number < :before "
                  "ORDER BY number DESC LIMIT :limit");
    chainsi_statement_text(&list, ":chain", chain);
    chainsi_statement_integer(&list, ":before", before ? before : INT64_MAX);
    chainsi_statement_integer(&list, ":limit", limit);
    chainsi_statement_read_all(&list, &chainsi_stored_versions_type, arena, versions);
    return chainsi_statement_end(&list);
}

/* Runs a statement that must change the version. */
static chains_status change_version(chainsi_statement *statement, const char *chain, const char *id)
{
    chainsi_statement_text(statement, ":chain", chain);
    chainsi_statement_text(statement, ":id", id);
    chains_status status = chainsi_statement_change(statement);
    return status == CHAINS_NOT_FOUND ? no_version(statement->database, chain, id) : status;
}

chains_status chainsi_stored_version_set_state(chainsi_database *database, const char *chain,
                                               const char *id, chainsi_version_state state,
                                               const char *message)
{
    chainsi_stored_version set = { .state = state, .message = message };
    chainsi_statement update =
        chainsi_statement_begin(database, "UPDATE versions SET state = :state, message = :message, "
                                          "ready_at = CASE WHEN :state = 'ready' THEN :now ELSE "
                                          "ready_at END WHERE chain = :chain AND id = :id");
    chainsi_statement_struct(&update, &chainsi_stored_version_type, &set);
    chainsi_statement_now(&update, ":now");
    return change_version(&update, chain, id);
}

chains_status chainsi_stored_version_set_deploy(chainsi_database *database, const char *chain,
                                                const char *id, const chainsi_api_deploy *deploy)
{
    chainsi_stored_version set = {
        .deploy = *deploy,
        .source_digest = deploy->source_digest,
        .interface = deploy->interface,
    };
    chainsi_statement update = chainsi_statement_begin(
        database, "UPDATE versions SET deploy = :deploy, source_digest = :source_digest, "
                  "interface = :interface WHERE chain = :chain AND id = :id");
    chainsi_statement_struct(&update, &chainsi_stored_version_type, &set);
    return change_version(&update, chain, id);
}

chains_status chainsi_stored_version_set_artefacts(chainsi_database *database, const char *chain,
                                                   const char *id, const char *folder)
{
    chainsi_statement update = chainsi_statement_begin(
        database, "UPDATE versions SET artefacts = :folder WHERE chain = :chain AND id = :id");
    chainsi_statement_text(&update, ":folder", folder);
    return change_version(&update, chain, id);
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static void add_digest(chains_string_list *list, size_t *room, const char *digest,
                       chainsi_arena *arena)
{
    if (list->count == *room) {
        *room = 2 * *room + 16;
        const char **items = chainsi_arena_array(arena, *room, sizeof *items);
        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
    }
    list->items[list->count++] = chainsi_arena_strdup(arena, digest);
}

/* Sorts them, and takes out what is there twice. */
static void make_unique(chains_string_list *list)
{
    size_t kept = 0;
    if (list->count)
        qsort((void *)(uintptr_t)list->items, list->count, sizeof *list->items, compare_texts);
    for (size_t i = 0; i < list->count; i++)
        if (!kept || strcmp(list->items[kept - 1], list->items[i]) != 0)
            list->items[kept++] = list->items[i];
    list->count = kept;
}

chains_status chainsi_stored_version_assets(chainsi_database *database, chainsi_arena *arena,
                                            chains_string_list *digests)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT deploy FROM versions WHERE artefacts IS NOT NULL");
    chains_string_list found = { 0 };
    chainsi_arena row = { 0 };
    for (size_t room = 0; chainsi_statement_next(&list); chainsi_arena_reset(&row)) {
        chainsi_stored_version version;
        chainsi_statement_read(&list, &chainsi_stored_version_type, &row, &version);
        if (list.status != CHAINS_OK)
            break;
        for (size_t i = 0; i < version.deploy.services.count; i++) {
            const chainsi_api_assets *assets = &version.deploy.services.items[i].assets;
            for (size_t k = 0; k < assets->count; k++)
                add_digest(&found, &room, assets->items[k].sha256, arena);
        }
    }
    chainsi_arena_done(&row);
    chains_status status = chainsi_statement_end(&list);
    make_unique(&found);
    if (status == CHAINS_OK)
        *digests = found;
    return status;
}

chains_status chainsi_stored_version_remove(chainsi_database *database, const char *chain,
                                            const char *id)
{
    chainsi_statement remove =
        chainsi_statement_begin(database, "DELETE FROM versions WHERE chain = :chain AND id = :id");
    chains_status status = change_version(&remove, chain, id);
    if (status == CHAINS_FAILED_PRECONDITION)
        chainsi_database_fail(database, status, "an environment of '%s' refers to version '%s'",
                              chain, id);
    return status;
}
