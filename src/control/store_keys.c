/* Keys and secrets as rows. In the tables of fields what is secret stands last, so that what is shown
 * is the same table without it. */
#include "control/store_keys.h"

#include "control/fields.h"
#include "control/time_text.h"

static const chainsi_enumerator scopes[] = {
    { "call", CHAINSI_SCOPE_CALL, NULL },
    { "deploy", CHAINSI_SCOPE_DEPLOY, NULL },
    { "admin", CHAINSI_SCOPE_ADMIN, NULL },
};
const chainsi_type chainsi_scope_type = CHAINSI_ENUM_OF(chainsi_scope, scopes);

static const chainsi_field key_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_key, id),
    CHAINSI_FIELD_OF(chainsi_stored_key, scope, &chainsi_scope_type),
    CHAINSI_FIELD_NUMBER(chainsi_stored_key, rate_per_s),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_key, chain),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_key, note),
    CHAINSI_FIELD_TEXT(chainsi_stored_key, created_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_key, revoked_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_key, last_used_at),
    CHAINSI_FIELD_OF(chainsi_stored_key, digest, &chainsi_type_bytes),
};
static const chainsi_type key_type = CHAINSI_STRUCT_OF(chainsi_stored_key, key_fields);
static const chainsi_type keys_type = CHAINSI_LIST_OF(chainsi_stored_keys, &key_type);

static const chainsi_field secret_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_secret, name),
    CHAINSI_FIELD_TEXT(chainsi_stored_secret, updated_at),
    CHAINSI_FIELD_OF(chainsi_stored_secret, sealed, &chainsi_type_bytes),
};
static const chainsi_type secret_type = CHAINSI_STRUCT_OF(chainsi_stored_secret, secret_fields);

/* A struct without its last field. */
#define SHOWN(struct_, fields_)                                                                    \
    {                                                                                              \
        .kind = CHAINSI_STRUCT, .size = sizeof(struct_), .fields = (fields_),                      \
        .field_count = sizeof(fields_) / sizeof *(fields_)-1                                       \
    }
const chainsi_type chainsi_shown_key_type = SHOWN(chainsi_stored_key, key_fields);
const chainsi_type chainsi_shown_keys_type =
    CHAINSI_LIST_OF(chainsi_stored_keys, &chainsi_shown_key_type);
const chainsi_type chainsi_shown_secret_type = SHOWN(chainsi_stored_secret, secret_fields);
const chainsi_type chainsi_shown_secrets_type =
    CHAINSI_LIST_OF(chainsi_stored_secrets, &chainsi_shown_secret_type);

/* Keys. */

static chains_status no_key(chainsi_database *database, const char *id)
{
    return chainsi_database_fail(database, CHAINS_NOT_FOUND, "there is no key '%s'", id);
}

chains_status chainsi_stored_key_add(chainsi_database *database, const chainsi_stored_key *key)
{
    chainsi_statement insert = chainsi_statement_begin(
        database,
        "INSERT INTO keys (id, digest, scope, rate_per_s, chain, note, created_at) VALUES "
        "(:id, :digest, :scope, :rate_per_s, :chain, :note, :created_at)");
    chainsi_statement_struct(&insert, &key_type, key);
    return chainsi_statement_run(&insert);
}

chains_status chainsi_stored_key_find(chainsi_database *database, const char *id,
                                      chainsi_arena *arena, chainsi_stored_key *key)
{
    chainsi_statement find = chainsi_statement_begin(database, "SELECT * FROM keys WHERE id = :id");
    chainsi_statement_text(&find, ":id", id);
    chains_status status = chainsi_statement_read_one(&find, &key_type, arena, key);
    return status == CHAINS_NOT_FOUND ? no_key(database, id) : status;
}

chains_status chainsi_stored_key_list(chainsi_database *database, chainsi_arena *arena,
                                      chainsi_stored_keys *keys)
{
    chainsi_statement list =
        chainsi_statement_begin(database, "SELECT * FROM keys ORDER BY created_at DESC, id");
    chainsi_statement_read_all(&list, &keys_type, arena, keys);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_key_count(chainsi_database *database, int64_t *count)
{
    return chainsi_database_ask(database, "SELECT count(*) FROM keys", count);
}

/* Runs a statement that must change the key, and says when. */
static chains_status change_key(chainsi_statement *statement, const char *id, int64_t unix_ms)
{
    chainsi_statement_text(statement, ":id", id);
    chainsi_statement_time(statement, ":at", unix_ms);
    chains_status status = chainsi_statement_change(statement);
    return status == CHAINS_NOT_FOUND ? no_key(statement->database, id) : status;
}

chains_status chainsi_stored_key_revoke(chainsi_database *database, const char *id)
{
    chainsi_statement revoke = chainsi_statement_begin(
        database, "UPDATE keys SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id");
    return change_key(&revoke, id, chainsi_unix_ms());
}

chains_status chainsi_stored_key_use(chainsi_database *database, const char *id, int64_t unix_ms)
{
    chainsi_statement use = chainsi_statement_begin(
        database, "UPDATE keys SET last_used_at = CASE WHEN last_used_at > :at THEN last_used_at "
                  "ELSE :at END WHERE id = :id");
    return change_key(&use, id, unix_ms);
}

/* Secrets. */

static chains_status no_secret(chainsi_database *database, const char *name)
{
    return chainsi_database_fail(database, CHAINS_NOT_FOUND, "there is no secret '%s'", name);
}

chains_status chainsi_stored_secret_put(chainsi_database *database, const char *name,
                                        chains_bytes sealed)
{
    chainsi_statement insert = chainsi_statement_begin(
        database, "INSERT INTO secrets (name, sealed, updated_at) VALUES (:name, :sealed, :now) "
                  "ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, "
                  "updated_at = excluded.updated_at");
    chainsi_statement_text(&insert, ":name", name);
    chainsi_statement_bytes(&insert, ":sealed", sealed);
    chainsi_statement_now(&insert, ":now");
    return chainsi_statement_run(&insert);
}

chains_status chainsi_stored_secret_find(chainsi_database *database, const char *name,
                                         chainsi_arena *arena, chainsi_stored_secret *secret)
{
    chainsi_statement find =
        chainsi_statement_begin(database, "SELECT * FROM secrets WHERE name = :name");
    chainsi_statement_text(&find, ":name", name);
    chains_status status = chainsi_statement_read_one(&find, &secret_type, arena, secret);
    return status == CHAINS_NOT_FOUND ? no_secret(database, name) : status;
}

chains_status chainsi_stored_secret_list(chainsi_database *database, chainsi_arena *arena,
                                         chainsi_stored_secrets *secrets)
{
    chainsi_statement list =
        chainsi_statement_begin(database, "SELECT name, updated_at FROM secrets ORDER BY name");
    chainsi_statement_read_all(&list, &chainsi_shown_secrets_type, arena, secrets);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_secret_count(chainsi_database *database, int64_t *count)
{
    return chainsi_database_ask(database, "SELECT count(*) FROM secrets", count);
}

chains_status chainsi_stored_secret_remove(chainsi_database *database, const char *name)
{
    chainsi_statement remove =
        chainsi_statement_begin(database, "DELETE FROM secrets WHERE name = :name");
    chainsi_statement_text(&remove, ":name", name);
    chains_status status = chainsi_statement_change(&remove);
    return status == CHAINS_NOT_FOUND ? no_secret(database, name) : status;
}
