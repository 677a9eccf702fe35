/* Who may do what at the front door. The home's token may do all; here is where API keys plug in. */
#ifndef CHAINSI_CONTROL_GATE_H
#define CHAINSI_CONTROL_GATE_H

#include <stdbool.h>

#include "rpc/http.h"

/* Each includes those before it. */
typedef enum chainsi_right {
    CHAINSI_RIGHT_CALL,   /* of the entrypoint; seeing that the chain is there and how it does */
    CHAINSI_RIGHT_DEPLOY, /* and its logs */
    CHAINSI_RIGHT_ADMIN,  /* single Chainlets, deleting */
} chainsi_right;

typedef enum chainsi_verdict {
    CHAINSI_VERDICT_YES,
    CHAINSI_VERDICT_WHO, /* the request has no key, or none that is known: 401 */
    CHAINSI_VERDICT_NO,  /* its key may not do that: 403 */
} chainsi_verdict;

/* All zero: there are no keys. Then whoever reaches the door may call and look, and only the token may
 * change anything. */
typedef struct chainsi_gate {
    /* Whether there is any key: then nothing is for everybody. */
    bool (*has_keys)(void *user);
    /* May this request do that with the chain of this name, whether there is one or not (NULL: with any at
     * all)? Must not block. */
    chainsi_verdict (*judge)(void *user, const chainsi_http_request *request, chainsi_right right,
                             const char *chain);
    void *user;
} chainsi_gate;

static inline bool chainsi_gate_has_keys(const chainsi_gate *gate)
{
    return gate->has_keys && gate->has_keys(gate->user);
}

/* The verdict on a request; has_token: it came with the home's token. */
static inline chainsi_verdict chainsi_gate_judge(const chainsi_gate *gate, bool has_token,
                                                 const chainsi_http_request *request,
                                                 chainsi_right right, bool changes,
                                                 const char *chain)
{
    if (has_token)
        return CHAINSI_VERDICT_YES;
    if (chainsi_gate_has_keys(gate))
        return gate->judge(gate->user, request, right, chain);
    return changes ? CHAINSI_VERDICT_WHO : CHAINSI_VERDICT_YES;
}

#endif
