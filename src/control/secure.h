/* TLS for the serving side: a certificate with its key, and sessions that turn bytes of the network into
 * bytes of the client and back. Nothing here reads, writes or waits: bytes go in and come out.
 *
 * TLS 1.2 and 1.3 with forward secrecy and authenticated encryption; ALPN offers http/1.1 and nothing
 * else; no renegotiation, no compression; sessions are resumed by tickets. One thread. */
#ifndef CHAINSI_CONTROL_SECURE_H
#define CHAINSI_CONTROL_SECURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

typedef struct chainsi_secure chainsi_secure;
typedef struct chainsi_secure_session chainsi_secure_session;

enum { CHAINSI_SECURE_DIGEST = 64 /* hex digits of SHA-256 */ };

/* Reads a certificate (PEM, with those that lead to its authority behind it) and its key (PEM, without a
 * passphrase). NULL with a reason that names the file. The paths are copied. */
chainsi_secure *chainsi_secure_new(const char *certificate_path, const char *key_path, char *why,
                                   size_t why_size);
/* Reads both files again. False with a reason, and the old ones stay in use. Sessions that are open keep
 * what they began with. */
bool chainsi_secure_reload(chainsi_secure *secure, char *why, size_t why_size);
/* When all sessions are closed. NULL is allowed. */
void chainsi_secure_free(chainsi_secure *secure);

/* What is odd about the certificate, but no reason not to use it (it has expired, isn't valid yet): a
 * sentence; "" if nothing is. Lives until the next reload. */
const char *chainsi_secure_warning(const chainsi_secure *secure);
/* The SHA-256 of the certificate, by which whoever knows it beforehand can trust it. Likewise. */
const char *chainsi_secure_digest(const chainsi_secure *secure);
/* Whether the certificate is for this name or IP address (no port, no brackets). */
bool chainsi_secure_is_for(const chainsi_secure *secure, const char *host);

/* A session with a client that has said nothing yet. Never NULL. */
chainsi_secure_session *chainsi_secure_open(const chainsi_secure *secure);
/* NULL is allowed. */
void chainsi_secure_close(chainsi_secure_session *session);

typedef enum chainsi_secure_state {
    CHAINSI_SECURE_GREETING, /* the handshake isn't done */
    CHAINSI_SECURE_OPEN,
    CHAINSI_SECURE_ENDED,  /* the client has said goodbye */
    CHAINSI_SECURE_FAILED, /* what came is no TLS, or the handshake can't succeed */
} chainsi_secure_state;

/* Takes all the bytes that came from the network, adds those of the client to `in`, and what has to be
 * sent to chainsi_secure_out. */
chainsi_secure_state chainsi_secure_take(chainsi_secure_session *session, const void *data,
                                         size_t size, chainsi_buffer *in);
/* Encrypts bytes for the client, into chainsi_secure_out; after the handshake. False: it failed. */
bool chainsi_secure_put(chainsi_secure_session *session, const void *data, size_t size);
/* Says goodbye, into chainsi_secure_out. */
void chainsi_secure_end(chainsi_secure_session *session);
/* What is to be sent over the network; whoever sends it empties it. */
chainsi_buffer *chainsi_secure_out(chainsi_secure_session *session);

#endif
