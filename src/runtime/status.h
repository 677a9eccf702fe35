/* Status codes: their names, and the HTTP statuses that belong to them (google.rpc.Code). */
#ifndef CHAINSI_RUNTIME_STATUS_H
#define CHAINSI_RUNTIME_STATUS_H

#include <chains.h>

/* The code of a name such as "NOT_FOUND"; CHAINS_UNKNOWN for any other text. */
chains_status chainsi_status_from_name(const char *name);
/* The HTTP status that a code travels with. */
int chainsi_status_to_http(chains_status status);
/* The code that a peer which knows nothing of codes must have meant; CHAINS_OK for 2xx. */
chains_status chainsi_status_from_http(int http);

#endif
