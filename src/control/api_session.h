/* What the daemon tells a client of its rights, so that nothing is offered that would be refused.
 *
 *   GET /api/v1/session    -> api_session; never refused, and without rights `scopes` is empty */
#ifndef CHAINSI_CONTROL_API_SESSION_H
#define CHAINSI_CONTROL_API_SESSION_H

#include "control/keys.h"
#include "schema/type.h"

typedef struct chainsi_api_scopes {
    chainsi_scope *items;
    size_t count;
} chainsi_api_scopes;

typedef struct chainsi_api_session {
    chainsi_api_scopes scopes; /* what may be done: each includes reading what takes it */
    bool may_read_logs;  /* logs, events and traces, which as long as there are no keys take none */
    const char *key_id;  /* null: no key was sent, or none that is valid */
    const char *chain;   /* the only one that it is for; null: all */
    bool keys_wanted;    /* without a key nothing is told */
    const char *home;    /* CHAINS_HOME; null for those who may not call */
    const char *version; /* of chainsd */
} chainsi_api_session;

extern const chainsi_type chainsi_api_session_type;

#endif
