#include "control/pod_identities.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "control/handle.h"

static void forget(chainsi_pod_identity *identity)
{
    free(identity->certificate);
    if (identity->key)
        OPENSSL_cleanse(identity->key, strlen(identity->key));
    free(identity->key);
    free(identity->authorities);
}

const chainsi_pod_identity *chainsi_pod_identities_find(const chainsi_pod_identities *identities,
                                                        const char *chain)
{
    const chainsi_pod_identity *found = identities ? identities->first : NULL;
    while (found && strcmp(found->chain, chain) != 0)
        found = found->next;
    return found;
}

void chainsi_pod_identities_set(chainsi_pod_identities *identities,
                                const chainsi_front_identity *told)
{
    chainsi_pod_identity *identity =
        (chainsi_pod_identity *)chainsi_pod_identities_find(identities, told->chain);
    if (!identity) {
        identity = chainsi_make(sizeof *identity);
        identity->chain = chainsi_copy_text(told->chain);
        identity->next = identities->first;
        identities->first = identity;
    }
    forget(identity);
    identity->certificate = chainsi_copy_text(told->certificate);
    identity->key = chainsi_copy_text(told->key);
    identity->authorities = chainsi_copy_text(told->authorities);
}

void chainsi_pod_identities_done(chainsi_pod_identities *identities)
{
    while (identities->first) {
        chainsi_pod_identity *identity = identities->first;
        identities->first = identity->next;
        forget(identity);
        free(identity->chain);
        free(identity);
    }
}
