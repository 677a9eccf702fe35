/* Keeps the certificates of chains in a cluster: a Secret with an authority for each chain that speaks TLS, one with a
 * certificate for each Chainlet of each version of it (certificate_secret.h), and for the front door a certificate of
 * its own, which is nowhere but in memory.
 *
 * It makes what lacks, mends what somebody has deleted or changed, renews after two thirds of a life, and rotates
 * authorities (rotation.h). Secrets of these names that aren't ours (no label chains.dev/kind) stay as they are, for whoever
 * brings certificates of his own. Owners are the versions' ConfigMaps: what is deleted with them needn't be deleted here.
 *
 * All of it is done on a thread of its own, that reads a Secret at a time by its name: the controller needs get, create
 * and patch, and can't list. What can't be done is said on stderr once, with the rule that lacks, and tried again. The
 * functions here belong to the thread of the loop, and don't wait for the cluster. */
#ifndef CHAINSI_CONTROL_CERTIFICATES_H
#define CHAINSI_CONTROL_CERTIFICATES_H

#include <uv.h>

#include "cluster/cluster.h"

typedef struct chainsi_certificates chainsi_certificates;

/* What the front door proves itself by to a chain, and whom it trusts: PEM. Lives until on_identity returns. */
typedef struct chainsi_front_identity {
    const char *chain;
    const char *certificate, *key, *authorities;
} chainsi_front_identity;

typedef struct chainsi_certificates_options {
    const chainsi_cluster *cluster; /* copied */
    /* From the loop, for each chain when there is one, and another in its place. */
    void (*on_identity)(void *user, const chainsi_front_identity *identity);
    void *user;
    /* Of a test, else 0: the usual. */
    double look_s;
    int64_t authority_life_s, certificate_life_s;
    int64_t (*now_s)(void); /* NULL: the clock that people set */
} chainsi_certificates_options;

/* Never NULL. */
chainsi_certificates *chainsi_certificates_start(uv_loop_t *loop,
                                                 const chainsi_certificates_options *options);
/* Breaks off what is under way; then nothing more is told. Not from within on_identity. NULL is allowed. */
void chainsi_certificates_stop(chainsi_certificates *certificates);

/* A version that speaks TLS ("tls" of its ConfigMap is "on"): what its ConfigMap says. */
typedef struct chainsi_certificates_version {
    const char *chain;
    const char *config_map, *uid; /* the ConfigMap's name, and which of that name */
    const char *chain_label,
        *version_label;   /* its labels chains.dev/chain and chains.dev/version; NULL: none */
    const char *services; /* services.json: each has "object", the name of its Service */
} chainsi_certificates_version;

/* There is such a version, or it has changed. Copied. False: services can't be read. */
bool chainsi_certificates_add(chainsi_certificates *certificates,
                              const chainsi_certificates_version *version);
/* It is gone. One that isn't known is no matter. */
void chainsi_certificates_remove(chainsi_certificates *certificates, const char *config_map);

#endif
