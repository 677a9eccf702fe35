/* The calling side of a Chainlet with several replicas over TCP. A call goes to the fastest replica that
 * should have a free slot, with the request not to let it wait (rpc/choice.h, rpc/grants.h). Where none
 * has, it waits here, in one list of all calls to the service, first come first served, and one of the
 * threads that wait watches a want at each replica for all of them. So no call waits at a busy replica while
 * another is free.
 *
 * Replicas are the addresses of a list, and those that a host name has at the time: names are looked up when the
 * first call is made, which waits for it, and from then on every CHAINSI_LOOKUP_MS while calls are made or wait,
 * and soon after a replica was lost or nothing was found, on a thread that lives as long as the look-up. Of
 * thousands only some are in use: others are taken in when all of these are busy (CHAINSI_USED_FIRST and those
 * with it). */
#ifndef CHAINSI_RPC_REPLICAS_H
#define CHAINSI_RPC_REPLICAS_H

#include "rpc/client.h"
#include "rpc/lookup.h"

typedef struct chainsi_replicas chainsi_replicas; /* any thread */

typedef struct chainsi_replicas_options {
    int max_waiting;       /* calls that may wait here; at least 1 */
    chainsi_lookup lookup; /* NULL: chainsi_lookup_system */
    void *user;            /* handed to it */
    int lookup_ms;         /* used instead of CHAINSI_LOOKUP_MS where not 0 */
    /* While none can be reached, calls wait until one can, and names are looked up every CHAINSI_LOOKUP_ZERO_MS: for
     * replicas that somebody starts because calls wait. But not longer than so long. 0: they fail at once. */
    int64_t at_zero_ms;
    /* Of replicas by https: what they are shown and whom they must have their certificate from, and the name that it
     * must have; NULL: as chainsi_client_know_peer has it, with the host name of the address that they were found by. */
    chainsi_tls_identity *identity;
    const char *name; /* must outlive the set */
} chainsi_replicas_options;

/* Whether these addresses can be several replicas: a list behind commas, or a host name. */
bool chainsi_replicas_are_meant(const char *addresses);
/* For addresses "http[s]://host[:port][/path]" with commas between them; connects to nothing yet. NULL with a
 * reason. */
chainsi_replicas *chainsi_replicas_new(const char *addresses,
                                       const chainsi_replicas_options *options, char *why,
                                       size_t why_size);
/* No exchange may be running. Waits for a look-up that is. NULL is allowed. */
void chainsi_replicas_free(chainsi_replicas *replicas);

/* An exchange with one of them, as chainsi_client_exchange has it. The request's headers get those of
 * rpc/grants.h, and with a deadline X-Chains-Timeout-Ms, which is what is left when the call is sent.
 * `connection`, `fresh` and `connect_timeout_ms` are not the caller's. elsewhere: not the replica that was called
 * last, if there is another. Ends: NOT_STARTED with error EAGAIN means that as many calls wait as may; DEADLINE with EHOSTUNREACH, that none
 * could be reached until then. */
chainsi_exchange_end chainsi_replicas_exchange(chainsi_replicas *replicas,
                                               const chainsi_client_request *request,
                                               bool elsewhere, chainsi_arena *arena,
                                               chainsi_client_response *response, char *why,
                                               size_t why_size);

/* What happened so far; each number is exact, but they are not of one instant. */
typedef struct chainsi_replicas_counters {
    uint64_t refused;   /* calls that a replica had no slot for */
    uint64_t granted;   /* calls that were given a slot after they had waited here */
    uint64_t unreached; /* times that a replica couldn't be reached, or left */
    int replicas;       /* known now */
    int used;           /* of these: those that calls go to */
    int waiting;        /* calls that wait here now */
    int wants;          /* at replicas now */
} chainsi_replicas_counters;
void chainsi_replicas_read_counters(chainsi_replicas *replicas,
                                    chainsi_replicas_counters *counters);

#endif
