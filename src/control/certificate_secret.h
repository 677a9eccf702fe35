/* Kubernetes Secrets that hold certificates, between their JSON and what is in them. Pure functions.
 *
 *   CHAIN-ca     type chains.dev/authority: ca.crt (all that are trusted), issuer.crt and ca.key (what issues), and while
 *                it is rotated next.crt and next.key, or old.crt; settled: seconds since 1970. Owners: the ConfigMaps
 *                of the chain's versions
 *   OBJECT-tls   type kubernetes.io/tls: tls.crt, tls.key, ca.crt. Owner: the version's ConfigMap */
#ifndef CHAINSI_CONTROL_CERTIFICATE_SECRET_H
#define CHAINSI_CONTROL_CERTIFICATE_SECRET_H

#include "base/arena.h"
#include "base/buffer.h"
#include "control/rotation.h"

/* The ConfigMap of a version. */
typedef struct chainsi_secret_owner {
    const char *apiVersion, *kind, *name, *uid;
} chainsi_secret_owner;
typedef struct chainsi_secret_owners {
    chainsi_secret_owner *items;
    size_t count;
} chainsi_secret_owners;

typedef struct chainsi_secret_entry {
    const char *key;
    const char *text; /* NULL: none of that name */
} chainsi_secret_entry;

typedef struct chainsi_secret_record {
    const char *name;
    const char *resource_version; /* NULL: it isn't there yet */
    const char *type;
    const char *kind; /* what its label chains.dev/kind says; NULL: it isn't ours */
    const char *chain, *chain_version; /* its labels of that name, to be written; NULL: none */
    chainsi_secret_owners owners;
    chainsi_secret_entry *entries;
    size_t entry_count;
} chainsi_secret_record;

#define CHAINSI_SECRET_AUTHORITY        "authority" /* kinds */
#define CHAINSI_SECRET_CERTIFICATE      "certificate"
#define CHAINSI_SECRET_AUTHORITY_TYPE   "chains.dev/authority"
#define CHAINSI_SECRET_CERTIFICATE_TYPE "kubernetes.io/tls"

/* Reads a v1 Secret; what the record points to is in the arena. False: it is none. Entries that are no texts are left
 * out. */
bool chainsi_secret_record_read(const char *json, size_t size, chainsi_arena *arena,
                                chainsi_secret_record *record);
/* NULL: it has none of that name. */
const char *chainsi_secret_record_get(const chainsi_secret_record *record, const char *key);

/* Appends it as an object to create or to apply, or (patch) as a merge patch of the one that has its resource_version, which takes
 * away what has no text. */
void chainsi_secret_record_write(const chainsi_secret_record *record, bool patch,
                                 chainsi_buffer *out);

/* The rotation as entries, whose texts are the rotation's or in the arena, and back; false: what it has can't be used. */
void chainsi_secret_put_rotation(chainsi_secret_record *record, const chainsi_rotation *rotation,
                                 chainsi_arena *arena);
bool chainsi_secret_get_rotation(const chainsi_secret_record *record, chainsi_rotation *rotation);

/* The name of a chain's Secret, which no other chain has. */
const char *chainsi_secret_authority_name(chainsi_arena *arena, const char *chain);

#endif
