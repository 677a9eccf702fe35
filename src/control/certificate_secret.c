/* Secrets by the tables that the codecs walk, and written by hand, as most of what they may have isn't there. */
#include "control/certificate_secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "control/fields.h"
#include "schema/base64.h"
#include "schema/json.h"

enum { MOST_NAME = 60 }; /* of a chain that its Secret is simply named after */

/* Secrets, as far as they are looked at. */

typedef struct label {
    const char *key, *value;
} label;
typedef struct labels {
    label *items;
    size_t count;
} labels;
typedef struct datum {
    const char *key;
    chains_bytes value;
} datum;
typedef struct data {
    datum *items;
    size_t count;
} data;
typedef struct metadata {
    const char *name, *resourceVersion;
    labels labels;
    chainsi_secret_owners ownerReferences;
} metadata;
typedef struct secret {
    const char *type;
    metadata metadata;
    data data;
} secret;

static const chainsi_type labels_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof(labels),
    .item = &chainsi_type_string,
    .entry_size = sizeof(label),
    .value_offset = offsetof(label, value),
};
static const chainsi_type data_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof(data),
    .item = &chainsi_type_bytes,
    .entry_size = sizeof(datum),
    .value_offset = offsetof(datum, value),
};
static const labels no_labels;
static const data no_data;
static const chainsi_secret_owners no_owners;
static const chainsi_field owner_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_secret_owner, apiVersion),
    CHAINSI_FIELD_TEXT(chainsi_secret_owner, kind),
    CHAINSI_FIELD_TEXT(chainsi_secret_owner, name),
    CHAINSI_FIELD_TEXT(chainsi_secret_owner, uid),
};
static const chainsi_type owner_type = CHAINSI_STRUCT_OF(chainsi_secret_owner, owner_fields);
static const chainsi_type owners_type = CHAINSI_LIST_OF(chainsi_secret_owners, &owner_type);
static const chainsi_field metadata_fields[] = {
    CHAINSI_FIELD_TEXT(metadata, name),
    CHAINSI_FIELD_NULLABLE(metadata, resourceVersion),
    { CHAINSI_FIELD(metadata, labels, &labels_type), .default_value = &no_labels },
    { CHAINSI_FIELD(metadata, ownerReferences, &owners_type), .default_value = &no_owners },
};
static const chainsi_type metadata_type = CHAINSI_STRUCT_OF(metadata, metadata_fields);
static const chainsi_field secret_fields[] = {
    CHAINSI_FIELD_NULLABLE(secret, type),
    CHAINSI_FIELD_OF(secret, metadata, &metadata_type),
    { CHAINSI_FIELD(secret, data, &data_type), .default_value = &no_data },
};
static const chainsi_type secret_type = CHAINSI_STRUCT_OF(secret, secret_fields);

static const char *find_label(const metadata *from, const char *key)
{
    for (size_t i = 0; i < from->labels.count; i++)
        if (!strcmp(from->labels.items[i].key, key))
            return from->labels.items[i].value;
    return NULL;
}

bool chainsi_secret_record_read(const char *json, size_t size, chainsi_arena *arena,
                                chainsi_secret_record *record)
{
    secret read;
    if (chainsi_json_decode(&secret_type, json, size, arena, &read, NULL) != CHAINS_OK)
        return false;
    *record = (chainsi_secret_record){
        .name = read.metadata.name,
        .resource_version = read.metadata.resourceVersion,
        .type = read.type,
        .kind = find_label(&read.metadata, "chains.dev/kind"),
        .owners = read.metadata.ownerReferences,
        .entries = chainsi_arena_array(arena, read.data.count + 1, sizeof *record->entries),
    };
    for (size_t i = 0; i < read.data.count; i++) {
        const chains_bytes *value = &read.data.items[i].value;
        if (!value->size || memchr(value->data, 0, value->size))
            continue;
        record->entries[record->entry_count++] =
            (chainsi_secret_entry){ read.data.items[i].key,
                                    chainsi_arena_copy(arena, value->data, value->size) };
    }
    return true;
}

const char *chainsi_secret_record_get(const chainsi_secret_record *record, const char *key)
{
    for (size_t i = 0; i < record->entry_count; i++)
        if (!strcmp(record->entries[i].key, key))
            return record->entries[i].text;
    return NULL;
}

/* Writing */

static void add_member(chainsi_buffer *out, const char *key, const char *text)
{
    if (out->data[out->size - 1] != '{')
        chainsi_buffer_add_byte(out, ',');
    chainsi_json_write_text(out, key);
    chainsi_buffer_add_byte(out, ':');
    chainsi_json_write_text(out, text);
}

static void add_object(chainsi_buffer *out, const char *key)
{
    if (out->data[out->size - 1] != '{')
        chainsi_buffer_add_byte(out, ',');
    chainsi_json_write_text(out, key);
    chainsi_buffer_add_text(out, ":{");
}

static void add_owners(chainsi_buffer *out, const chainsi_secret_owners *owners)
{
    chainsi_buffer_add_text(out, ",\"ownerReferences\":[");
    for (size_t i = 0; i < owners->count; i++) {
        const chainsi_secret_owner *owner = &owners->items[i];
        chainsi_buffer_add_text(out, i ? ",{" : "{");
        add_member(out, "apiVersion", owner->apiVersion);
        add_member(out, "kind", owner->kind);
        add_member(out, "name", owner->name);
        add_member(out, "uid", owner->uid);
        chainsi_buffer_add_byte(out, '}');
    }
    chainsi_buffer_add_byte(out, ']');
}

static void add_metadata(chainsi_buffer *out, const chainsi_secret_record *record, bool patch)
{
    add_object(out, "metadata");
    add_member(out, "name", record->name);
    if (patch)
        add_member(out, "resourceVersion", record->resource_version);
    add_object(out, "labels");
    add_member(out, "app.kubernetes.io/managed-by", "chains");
    add_member(out, "chains.dev/kind", record->kind);
    if (record->chain)
        add_member(out, "chains.dev/chain", record->chain);
    if (record->chain_version)
        add_member(out, "chains.dev/version", record->chain_version);
    chainsi_buffer_add_byte(out, '}');
    add_owners(out, &record->owners);
    chainsi_buffer_add_byte(out, '}');
}

/* A null in a merge patch takes away; elsewhere it would be an empty entry. */
static void add_data(chainsi_buffer *out, const chainsi_secret_record *record, bool patch)
{
    chainsi_buffer encoded = { 0 };
    add_object(out, "data");
    for (size_t i = 0; i < record->entry_count; i++) {
        const chainsi_secret_entry *entry = &record->entries[i];
        if (!entry->text) {
            if (patch)
                add_member(out, entry->key, NULL);
            continue;
        }
        const size_t size = strlen(entry->text), text_size = chainsi_base64_size(size);
        encoded.size = 0;
        chainsi_base64_write((char *)chainsi_buffer_reserve(&encoded, text_size + 1), entry->text,
                             size);
        encoded.data[text_size] = 0;
        add_member(out, entry->key, (const char *)encoded.data);
    }
    chainsi_buffer_add_byte(out, '}');
    chainsi_buffer_done(&encoded);
}

void chainsi_secret_record_write(const chainsi_secret_record *record, bool patch,
                                 chainsi_buffer *out)
{
    chainsi_buffer_add_byte(out, '{');
    add_member(out, "apiVersion", "v1");
    add_member(out, "kind", "Secret");
    if (!patch) /* it can't be changed */
        add_member(out, "type", record->type);
    add_metadata(out, record, patch);
    add_data(out, record, patch);
    chainsi_buffer_add_byte(out, '}');
}

/* Rotations */

void chainsi_secret_put_rotation(chainsi_secret_record *record, const chainsi_rotation *rotation,
                                 chainsi_arena *arena)
{
    char *bundle = chainsi_rotation_bundle(rotation);
    const chainsi_secret_entry entries[] = {
        { "ca.crt", chainsi_arena_strdup(arena, bundle) },
        { "issuer.crt", rotation->issuer.certificate },
        { "ca.key", rotation->issuer.key },
        { "next.crt", rotation->next.certificate },
        { "next.key", rotation->next.key },
        { "old.crt", rotation->old },
        { "settled", rotation->settled_s
                         ? chainsi_arena_printf(arena, "%lld", (long long)rotation->settled_s)
                         : NULL },
    };
    free(bundle);
    record->entry_count = sizeof entries / sizeof *entries;
    record->entries = chainsi_arena_array(arena, record->entry_count, sizeof *entries);
    memcpy(record->entries, entries, sizeof entries);
}

static bool is_certificate(const char *text)
{
    return text && chainsi_certificate_end(text) > 0;
}

bool chainsi_secret_get_rotation(const chainsi_secret_record *record, chainsi_rotation *rotation)
{
    const char *settled = chainsi_secret_record_get(record, "settled");
    const char *old = chainsi_secret_record_get(record, "old.crt");
    chainsi_pair issuer = { (char *)(uintptr_t)chainsi_secret_record_get(record, "issuer.crt"),
                            (char *)(uintptr_t)chainsi_secret_record_get(record, "ca.key") };
    chainsi_pair next = { (char *)(uintptr_t)chainsi_secret_record_get(record, "next.crt"),
                          (char *)(uintptr_t)chainsi_secret_record_get(record, "next.key") };
    if (!is_certificate(issuer.certificate))
        return false;
    if (!chainsi_pair_is_good(&issuer))
        issuer.key = NULL; /* lost: it gives way to another */
    if (!chainsi_pair_is_good(&next))
        next = (chainsi_pair){ 0 };
    if (!is_certificate(old) || next.key)
        old = NULL;
    *rotation =
        (chainsi_rotation){ chainsi_pair_copy(&issuer), chainsi_pair_copy(&next),
                            old ? strdup(old) : NULL, settled ? strtoll(settled, NULL, 10) : 0 };
    return true;
}

/* Names */

const char *chainsi_secret_authority_name(chainsi_arena *arena, const char *chain)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    const size_t size = strlen(chain);
    if (size && size <= MOST_NAME && *chain != '_' && chain[size - 1] != '_' &&
        strspn(chain, plain) == size) {
        char *name = chainsi_arena_printf(arena, "%s-ca", chain);
        for (char *at = name; *at; at++)
            *at = *at == '_' ? '-' : *at;
        return name;
    }
    return chainsi_arena_printf(
        arena, "chains-ca--%016llx",
        (unsigned long long)chainsi_hash_add(CHAINSI_HASH_START, chain, size));
}
