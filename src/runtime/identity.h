/* What this process proves itself by to other Chainlets of its chain, and they to it, over TCP: the certificate,
 * key and authorities that CHAINS_TLS_CERT, CHAINS_TLS_KEY and CHAINS_TLS_CA name. */
#ifndef CHAINSI_RUNTIME_IDENTITY_H
#define CHAINSI_RUNTIME_IDENTITY_H

#include "rpc/tls.h"

/* *identity is set to the process's, NULL where the environment names none; it is read once. False with a reason:
 * it names one that is of no use. Any thread. */
bool chainsi_identity_get(chainsi_tls_identity **identity, char *why, size_t why_size);
/* The name that certificates of Chainlets must have instead of their address's host: CHAINS_TLS_NAME; NULL: none. */
const char *chainsi_identity_peer_name(void);

#endif
