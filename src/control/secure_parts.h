/* What secure.c and secure_client.c share, and nobody else. */
#ifndef CHAINSI_CONTROL_SECURE_PARTS_H
#define CHAINSI_CONTROL_SECURE_PARTS_H

#include <openssl/ssl.h>

#include "control/secure_client.h"

struct chainsi_secure_session {
    SSL *ssl;             /* owned */
    const char *incoming; /* the caller's, during chainsi_secure_take */
    size_t incoming_size;
    chainsi_buffer out;
    bool failed;                   /* no goodbye may be said */
    unsigned long error;           /* OpenSSL's, by which it failed */
    chainsi_secure_ticket *ticket; /* of the calling side; not owned; NULL: the serving one */
};

/* How sessions reach their bytes. Never NULL; BIO_meth_free takes it back. */
BIO_METHOD *chainsi_secure_new_methods(void);
/* One that has no side yet. Never NULL. */
chainsi_secure_session *chainsi_secure_new_session(SSL_CTX *context, BIO_METHOD *methods);
/* OpenSSL would ask for a passphrase on the terminal. user: a bool, which is set. */
int chainsi_secure_no_passphrase(char *text, int size, int writing, void *user);
/* The newest entry of OpenSSL's error queue in words; the queue is empty afterwards. */
const char *chainsi_secure_explain(void);

#endif
