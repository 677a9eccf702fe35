/* TLS for the calling side, as a table of functions, so that only programs with an https address
 * link a TLS library. src/rpc/tls (library chains_tls) fills it with OpenSSL.
 *
 * A program that needs https links chains_tls and calls chainsi_tls_register() before its first
 * chainsi_client_new(); one that doesn't gets a clear reason from chainsi_client_new(). */
#ifndef CHAINSI_RPC_TLS_H
#define CHAINSI_RPC_TLS_H

#include <stddef.h>
#include <sys/types.h>

typedef struct chainsi_tls_session chainsi_tls_session;

enum { CHAINSI_TLS_PIN = 32 /* bytes */ };

/* Functions of an engine never block: where they would, they say which poll() events to wait for.
 * A session is used by one thread at a time, an engine by all. */
typedef struct chainsi_tls_engine {
    /* A session over a connected socket that stays the caller's. The peer must prove by its
     * certificate that it is `host`, a name or an IP address; or, where pin isn't NULL, it must have the
     * very certificate whose SHA-256 that is, CHAINSI_TLS_PIN bytes, and nothing else counts. NULL with a
     * reason. */
    chainsi_tls_session *(*open)(int fd, const char *host, const unsigned char *pin, char *why,
                                 size_t why_size);
    /* Goes on with the handshake: 0 done, POLLIN or POLLOUT to wait for, -1 with a reason. */
    int (*handshake)(chainsi_tls_session *session, char *why, size_t why_size);
    /* Bytes moved; for read 0 at the peer's orderly end. -1 with *wait_for set to POLLIN or POLLOUT
     * where the call would block, or to 0 and errno on failure (an end without notice included,
     * ECONNRESET). */
    ssize_t (*read)(chainsi_tls_session *session, void *data, size_t size, short *wait_for);
    ssize_t (*write)(chainsi_tls_session *session, const void *data, size_t size, short *wait_for);
    /* Frees the session, after a goodbye that is not waited for. Leaves the socket open. */
    void (*close)(chainsi_tls_session *session);
} chainsi_tls_engine;

/* Sets the engine that clients made from now on use for https; it must live for ever. Before
 * threads are started. */
void chainsi_tls_set_engine(const chainsi_tls_engine *engine);
/* The engine; NULL if the program has none. */
const chainsi_tls_engine *chainsi_tls_get_engine(void);

/* In the library chains_tls: makes OpenSSL the engine. It verifies certificate and host name; the
 * authorities are those of the system, or of the file that SSL_CERT_FILE names. */
void chainsi_tls_register(void);

#endif
