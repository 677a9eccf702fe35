/* TLS for the calling side of the daemon: whom it trusts and what it shows; its sessions are those of secure.h, which move
 * bytes and nothing else. TLS 1.2 and 1.3; a server's certificate must come from the authorities given, and from no others.
 * One thread. */
#ifndef CHAINSI_CONTROL_SECURE_CLIENT_H
#define CHAINSI_CONTROL_SECURE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "control/secure.h"

typedef struct chainsi_secure_client chainsi_secure_client;

/* What a server has given to shorten the next handshake; all zero bytes: nothing yet. */
typedef struct chainsi_secure_ticket {
    void *session, *context; /* owned */
} chainsi_secure_ticket;
void chainsi_secure_ticket_done(chainsi_secure_ticket *ticket);

/* certificate (with those that lead to its authority behind it), key and ca (one or more) are PEM texts, and are copied.
 * name: what a server's certificate must be for, a host's name or an IP address; NULL: any. NULL with a reason. */
chainsi_secure_client *chainsi_secure_client_new(const char *certificate, const char *key,
                                                 const char *ca, const char *name, char *why,
                                                 size_t why_size);
/* Sessions that are open go on. NULL is allowed. */
void chainsi_secure_client_free(chainsi_secure_client *client);

/* A session with a server: chainsi_secure_take of no bytes begins it. ticket: is used, and filled; lives as long as the
 * session. Never NULL. */
chainsi_secure_session *chainsi_secure_client_open(const chainsi_secure_client *client,
                                                   chainsi_secure_ticket *ticket);
/* After it has failed: whether the server has refused the certificate that it was shown, or that it was not. Then it has
 * read nothing of what was sent. */
bool chainsi_secure_client_is_refused(const chainsi_secure_session *session);
/* Why it has failed, in words. */
void chainsi_secure_client_explain(const chainsi_secure_session *session, char *why, size_t size);

#endif
