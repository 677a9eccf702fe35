/* Who asks, at this moment: what the requests of a cluster carry as its credentials. Shared by all copies of a cluster,
 * and used by any thread. */
#ifndef CHAINSI_CLUSTER_LOGIN_H
#define CHAINSI_CLUSTER_LOGIN_H

#include "cluster/settings.h"

typedef struct chainsi_login chainsi_login;

/* What one request needs, in the arena that it was asked with. */
typedef struct chainsi_credentials_now {
    const char *authorization;    /* a header's line; NULL: none */
    chainsi_pem certificate, key; /* none: no certificate */
    unsigned generation;          /* of a program's answer; 0: of none */
} chainsi_credentials_now;

/* Takes the settings over, with what they own. */
chainsi_login *chainsi_login_new(chainsi_cluster_settings *settings);
chainsi_login *chainsi_login_ref(chainsi_login *login);
/* NULL is allowed. */
void chainsi_login_unref(chainsi_login *login);
const chainsi_cluster_settings *chainsi_login_settings(const chainsi_login *login);

/* Blocks while a program is run for it. False with why. */
bool chainsi_login_now(chainsi_login *login, chainsi_arena *arena, chainsi_credentials_now *now,
                       char *why, size_t why_size);
/* What a program said is no good any more. False: there is none to be asked again. */
bool chainsi_login_renew(chainsi_login *login, unsigned generation);

#endif
