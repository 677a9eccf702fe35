/* Read by who needs it first: a service that listens over TCP when it starts, callers when they first call one. */
#include "runtime/identity.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static chainsi_tls_identity *the_identity; /* for ever */
static char failure[512];                  /* "": there is none, or it is good */

static const char *read_variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void warn(const char *why)
{
    fprintf(stderr, "chains: the TLS certificate was not read again: %s\n", why);
}

static void read_identity(void)
{
    char why[400];
    const chainsi_tls_files files = {
        .certificate = read_variable("CHAINS_TLS_CERT"),
        .key = read_variable("CHAINS_TLS_KEY"),
        .authorities = read_variable("CHAINS_TLS_CA"),
    };
    if (!files.certificate && !files.key && !files.authorities)
        return;
    if (!files.certificate || !files.key || !files.authorities)
        snprintf(failure, sizeof failure,
                 "%s is not set: CHAINS_TLS_CERT, CHAINS_TLS_KEY and CHAINS_TLS_CA go together",
                 !files.certificate ? "CHAINS_TLS_CERT"
                 : !files.key       ? "CHAINS_TLS_KEY"
                                    : "CHAINS_TLS_CA");
    else if (!chainsi_tls_load(why, sizeof why) ||
             !(the_identity = chainsi_tls_get_engine()->load(&files, warn, why, sizeof why)))
        snprintf(failure, sizeof failure, "%s", why);
}

bool chainsi_identity_get(chainsi_tls_identity **identity, char *why, size_t why_size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_identity);
    if (*failure) {
        snprintf(why, why_size, "%s", failure);
        return false;
    }
    *identity = the_identity;
    return true;
}

const char *chainsi_identity_peer_name(void)
{
    return read_variable("CHAINS_TLS_NAME");
}
