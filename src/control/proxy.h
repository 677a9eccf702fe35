/* Calls through the front door: a client's request to a Chainlet's socket, and the answer back. */
#ifndef CHAINSI_CONTROL_PROXY_H
#define CHAINSI_CONTROL_PROXY_H

#include "control/exchange.h"
#include "control/registry.h"

/* What is called. */
typedef struct chainsi_target {
    const char *chain;
    const char *environment; /* its version, or one that is tried; NULL: `version` says which */
    const char *version;     /* as people call it */
    const char *chainlet;    /* NULL: the entrypoint */
    const char *path;        /* what the Chainlet is asked for: "/run_remote" */
    bool probes;             /* on its second socket, that takes no slot */
} chainsi_target;

/* Forwards the exchange to a Chainlet; target is copied. Of the calls of an entrypoint by environment a
 * version that is tried gets its share, and they are counted for it. Identity and time go along:
 * X-Request-Id and traceparent, made where the client gave none, and X-Chains-Timeout-Ms, less the time
 * spent here. What wasn't started is sent again, also to a version that took over meanwhile; a client
 * that leaves ends the call. */
void chainsi_proxy(chainsi_registry *registry, chainsi_exchange *exchange,
                   const chainsi_target *target);

/* The most bytes that the body of such a call may have. */
size_t chainsi_proxy_max_body(const chainsi_registry *registry, const chainsi_target *target);

/* The header X-Chains-Timeout-Ms, fractions allowed; *timeout_ms is left alone where there is none. False:
 * it is no number, which has been answered. */
bool chainsi_read_timeout(chainsi_exchange *exchange, double *timeout_ms);

/* The Chainlet that it names, of the version that answers, or is named; NULL: there is none. */
chainsi_chainlet *chainsi_proxy_find(const chainsi_registry *registry,
                                     const chainsi_target *target);

#endif
