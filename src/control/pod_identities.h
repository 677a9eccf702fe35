/* What the front door proves itself by to the pods of chains that speak TLS (certificates.h), as it has been told, and
 * who uses it. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_POD_IDENTITIES_H
#define CHAINSI_CONTROL_POD_IDENTITIES_H

#include "control/certificates.h"

/* Of one chain. Its texts are its own until another one is told. */
typedef struct chainsi_pod_identity {
    char *chain, *certificate, *key, *authorities;
    struct chainsi_pod_identity *next;
} chainsi_pod_identity;

/* All zero: none. */
typedef struct chainsi_pod_identities {
    chainsi_pod_identity *first; /* owned */
} chainsi_pod_identities;

void chainsi_pod_identities_set(chainsi_pod_identities *identities,
                                const chainsi_front_identity *told);
/* NULL: none was told. */
const chainsi_pod_identity *chainsi_pod_identities_find(const chainsi_pod_identities *identities,
                                                        const char *chain);
/* Wipes the keys. */
void chainsi_pod_identities_done(chainsi_pod_identities *identities);

#endif
