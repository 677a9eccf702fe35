/* Secrets. Values are erased from memory as soon as they aren't needed, except in the redactor. */
#include "control/vault.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/sealing.h"
#include "control/store_keys.h"
#include "runtime/process.h"
#include "schema/json.h"
#include "schema/utf8.h"

enum { MAX_NAME = 63 };

struct chainsi_vault {
    char *home;                 /* owned */
    chainsi_store *store;       /* not owned */
    chainsi_sealer *sealer;     /* owned; NULL until it is needed */
    chainsi_redactor *redactor; /* owned */
};

chainsi_vault *chainsi_vault_new(const char *home, chainsi_store *store)
{
    chainsi_vault *vault = chainsi_make(sizeof *vault);
    vault->home = chainsi_copy_text(home);
    vault->store = store;
    vault->redactor = chainsi_redactor_new();
    return vault;
}

void chainsi_vault_free(chainsi_vault *vault)
{
    if (!vault)
        return;
    chainsi_sealer_close(vault->sealer);
    chainsi_redactor_free(vault->redactor);
    free(vault->home);
    free(vault);
}

const chainsi_redactor *chainsi_vault_redactor(const chainsi_vault *vault)
{
    return vault->redactor;
}

bool chainsi_vault_is_name(const char *name)
{
    if (!isalnum((unsigned char)*name) || strlen(name) > MAX_NAME)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
            return false;
    return true;
}

const char *chainsi_vault_kept_name(const char *chain, const char *name, chainsi_arena *arena)
{
    return chain ? chainsi_arena_printf(arena, "%s/%s", chain, name)
                 : chainsi_arena_strdup(arena, name);
}

/* Sealing. */

/* Has the key; without one nothing that is sealed can be opened, which no request's path is to blame
 * for. */
static chains_status need_sealer(chainsi_vault *vault, bool make, char *why, size_t why_size)
{
    chains_status status = CHAINS_OK;
    if (!vault->sealer)
        vault->sealer = chainsi_sealer_open(vault->home, make, &status, why, why_size);
    return status == CHAINS_NOT_FOUND ? CHAINS_FAILED_PRECONDITION : status;
}

chains_status chainsi_vault_seal(chainsi_vault *vault, const char *kept_name, const char *value,
                                 size_t size, chainsi_arena *arena, chains_bytes *sealed, char *why,
                                 size_t why_size)
{
    int64_t count;
    chainsi_database *reader = chainsi_store_reader(vault->store);
    if (!size || chainsi_utf8_valid(value, size) != size || memchr(value, 0, size)) {
        snprintf(
            why, why_size,
            "the value must be UTF-8 text, at least a character, without a NUL; what is none can "
            "be written in base64");
        return CHAINS_INVALID_ARGUMENT;
    }
    chains_status status = chainsi_stored_secret_count(reader, &count);
    if (status != CHAINS_OK) {
        snprintf(why, why_size, "%s", chainsi_database_why(reader));
        return status;
    }
    status = need_sealer(vault, !count, why, why_size);
    return status == CHAINS_OK
               ? chainsi_seal(vault->sealer, kept_name, value, size, arena, sealed, why, why_size)
               : status;
}

/* Handing out. */

static chains_status find_stored(chainsi_vault *vault, const char *chain, const char *name,
                                 chainsi_arena *arena, chainsi_stored_secret *secret, char *why,
                                 size_t why_size)
{
    chainsi_database *reader = chainsi_store_reader(vault->store);
    chains_status status = chainsi_stored_secret_find(
        reader, chainsi_vault_kept_name(chain, name, arena), arena, secret);
    if (status == CHAINS_NOT_FOUND)
        status = chainsi_stored_secret_find(reader, name, arena, secret);
    if (status == CHAINS_NOT_FOUND) {
        snprintf(why, why_size, "the secret '%s' is not set; set it with `chains secret set %s`",
                 name, name);
        return CHAINS_FAILED_PRECONDITION;
    }
    if (status != CHAINS_OK)
        snprintf(why, why_size, "%s", chainsi_database_why(reader));
    return status;
}

/* Values of secrets in the open. */
typedef struct opened {
    chainsi_plain *plain;
    chainsi_secret_entry *entries;
    size_t count;
} opened;

static void close_opened(opened *values)
{
    for (size_t i = 0; i < values->count; i++)
        chainsi_plain_done(&values->plain[i]);
    values->count = 0;
}

static chains_status open_one(chainsi_vault *vault, const char *chain, const char *name,
                              chainsi_arena *arena, opened *values, char *why, size_t why_size)
{
    chainsi_stored_secret secret;
    chains_status status = find_stored(vault, chain, name, arena, &secret, why, why_size);
    if (status == CHAINS_OK)
        status = need_sealer(vault, false, why, why_size);
    chainsi_plain *plain = &values->plain[values->count];
    if (status == CHAINS_OK)
        status = chainsi_unseal(vault->sealer, secret.name, secret.sealed, plain, why, why_size);
    if (status != CHAINS_OK)
        return status;
    values->entries[values->count++] = (chainsi_secret_entry){ name, plain->text };
    return CHAINS_OK;
}

/* The JSON of what a Chainlet is handed; to be erased. */
static chains_status write_handed(const opened *values, chainsi_buffer *json, char *why,
                                  size_t why_size)
{
    chainsi_codec_error error;
    chainsi_secret_map map = { values->entries, values->count };
    if (chainsi_json_encode(&chainsi_secret_map_type, &map, json, &error) != CHAINS_OK) {
        snprintf(why, why_size, "the secrets can't be written: %s", error.message);
        return CHAINS_INTERNAL;
    }
    if (json->size <= CHAINSI_VAULT_MOST_HANDED)
        return CHAINS_OK;
    snprintf(why, why_size, "its secrets are larger than %d KiB together",
             CHAINSI_VAULT_MOST_HANDED / 1024);
    return CHAINS_FAILED_PRECONDITION;
}

static void erase(chainsi_buffer *buffer)
{
    if (buffer->data)
        OPENSSL_cleanse(buffer->data, buffer->capacity);
    chainsi_buffer_done(buffer);
}

/* Opens all; json and values are to be erased in any case. */
static chains_status open_all(chainsi_vault *vault, const char *chain,
                              const chains_string_list *names, chainsi_arena *arena, opened *values,
                              chainsi_buffer *json, char *why, size_t why_size)
{
    chains_status status = CHAINS_OK;
    values->plain = chainsi_arena_array(arena, names->count + 1, sizeof *values->plain);
    values->entries = chainsi_arena_array(arena, names->count + 1, sizeof *values->entries);
    for (size_t i = 0; status == CHAINS_OK && i < names->count; i++)
        status = open_one(vault, chain, names->items[i], arena, values, why, why_size);
    return status == CHAINS_OK ? write_handed(values, json, why, why_size) : status;
}

static int make_file(const chainsi_buffer *json)
{
    int fd = memfd_create("secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && write(fd, json->data, json->size) == (ssize_t)json->size &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Files end with a line break that nobody writes into a log. */
static void keep_out_of_logs(chainsi_vault *vault, const char *name, const char *value)
{
    size_t size = strlen(value);
    chainsi_redactor_add(vault->redactor, name, value, size);
    while (size && isspace((unsigned char)value[size - 1]))
        size--;
    chainsi_redactor_add(vault->redactor, name, value, size);
}

int chainsi_vault_open(chainsi_vault *vault, const char *chain, const chains_string_list *names,
                       chains_status *status, char *why, size_t why_size)
{
    chainsi_arena arena = { 0 };
    chainsi_buffer json = { 0 };
    opened values = { 0 };
    int fd = -1;
    *status = open_all(vault, chain, names, &arena, &values, &json, why, why_size);
    if (*status == CHAINS_OK) {
        for (size_t i = 0; i < values.count; i++)
            keep_out_of_logs(vault, values.entries[i].key, values.entries[i].value);
        fd = make_file(&json);
        if (fd < 0) {
            snprintf(why, why_size, "the secrets can't be handed over: %s", strerror(errno));
            *status = CHAINS_UNAVAILABLE;
        }
    }
    close_opened(&values);
    erase(&json);
    chainsi_arena_done(&arena);
    return fd;
}

static chains_status check_service(chainsi_vault *vault, const char *chain,
                                   const chainsi_api_service *service, char *why, size_t why_size)
{
    chainsi_arena arena = { 0 };
    chainsi_buffer json = { 0 };
    opened values = { 0 };
    char reason[512];
    chains_status status =
        open_all(vault, chain, &service->secrets, &arena, &values, &json, reason, sizeof reason);
    if (status != CHAINS_OK)
        snprintf(why, why_size, "%s: %s", service->name, reason);
    close_opened(&values);
    erase(&json);
    chainsi_arena_done(&arena);
    return status;
}

/* Says all that aren't set at once: whoever deploys wants to set them, not to try again for each. */
static chains_status find_missing(chainsi_vault *vault, const chainsi_api_deploy *deploy, char *why,
                                  size_t why_size)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_secret secret;
    chains_status status = CHAINS_OK;
    char reason[256];
    size_t used = 0;
    for (size_t i = 0; i < deploy->services.count; i++) {
        const chainsi_api_service *service = &deploy->services.items[i];
        for (size_t k = 0; k < service->secrets.count && used < why_size; k++) {
            chains_status found = find_stored(vault, deploy->chain, service->secrets.items[k],
                                              &arena, &secret, reason, sizeof reason);
            if (found == CHAINS_OK)
                continue;
            status = found;
            used += (size_t)snprintf(why + used, why_size - used, "%s%s: %s", used ? "; " : "",
                                     service->name, reason);
        }
    }
    chainsi_arena_done(&arena);
    return status;
}

chains_status chainsi_vault_check(chainsi_vault *vault, const chainsi_api_deploy *deploy, char *why,
                                  size_t why_size)
{
    chains_status status = find_missing(vault, deploy, why, why_size);
    for (size_t i = 0; status == CHAINS_OK && i < deploy->services.count; i++)
        if (deploy->services.items[i].secrets.count)
            status = check_service(vault, deploy->chain, &deploy->services.items[i], why, why_size);
    return status;
}

void chainsi_vault_recall(chainsi_vault *vault, int fd)
{
    chainsi_arena arena = { 0 };
    chainsi_codec_error error;
    chainsi_secret_map map;
    char *text = chainsi_make(CHAINSI_VAULT_MOST_HANDED);
    ssize_t size = pread(fd, text, CHAINSI_VAULT_MOST_HANDED, 0);
    if (size > 0 && chainsi_json_decode(&chainsi_secret_map_type, text, (size_t)size, &arena, &map,
                                        &error) == CHAINS_OK)
        for (size_t i = 0; i < map.count; i++)
            keep_out_of_logs(vault, map.items[i].key, map.items[i].value);
    OPENSSL_cleanse(text, CHAINSI_VAULT_MOST_HANDED);
    free(text);
    chainsi_arena_done(&arena);
}
