/* One look at all Secrets of a chain, and what has to be done to them. Belongs to the thread of certificates.c. */
#ifndef CHAINSI_CONTROL_CERTIFICATE_ROUND_H
#define CHAINSI_CONTROL_CERTIFICATE_ROUND_H

#include "cluster/cluster.h"
#include "control/certificate_secret.h"

typedef struct chainsi_round_version {
    const char *chain, *chain_label, *version_label;
    chainsi_secret_owner owner; /* its ConfigMap */
    const char *const *objects; /* names of its Services */
    size_t object_count;
    bool seen; /* in an earlier round: pods may have its files */
} chainsi_round_version;

/* A chain, from round to round. All zero but for the name at first. */
typedef struct chainsi_round_chain {
    char *name;                /* owned */
    chainsi_rotation rotation; /* as it was read or written last */
    chainsi_pair front;        /* the front door's */
    char *front_bundle;        /* owned; whom it trusts */
    char trouble[1024];        /* that was said last; "": none */
    bool troubled;             /* in this round */
} chainsi_round_chain;

typedef struct chainsi_round {
    chainsi_cluster *cluster;
    const char *name_space;
    int64_t now_s, authority_life_s, certificate_life_s;
    chainsi_arena arena; /* of this round */
    chainsi_cluster_answer answer;
} chainsi_round;

/* versions: all of this chain, at least one. False: not all could be done, which was said. *front_changed: the front
 * door has a new certificate, or others to trust. */
bool chainsi_round_tend(chainsi_round *round, chainsi_round_chain *chain,
                        const chainsi_round_version *versions, size_t count, bool *front_changed);
void chainsi_round_chain_done(chainsi_round_chain *chain);

#endif
