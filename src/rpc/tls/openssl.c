/* The engine of rpc/tls.h by OpenSSL. Bytes go through a BIO of our own, because OpenSSL's socket BIO
 * writes with write(), whose SIGPIPE would end the process, and blocks where the socket does. */
#include "rpc/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct chainsi_tls_session {
    SSL *ssl;    /* owned */
    int fd;      /* the caller's */
    bool failed; /* no goodbye may be sent after a failure */
    bool pinned; /* the peer is known by its certificate's digest alone */
    unsigned char pin[CHAINSI_TLS_PIN];
    char host[256];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static SSL_CTX *context;    /* for ever; NULL: could not be made */
static BIO_METHOD *methods; /* likewise */

/* ------------------------------------------------------------------------------------------------
 * the socket as OpenSSL sees it */

static int bio_read(BIO *bio, char *data, int size)
{
    chainsi_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(session->fd, data, (size_t)size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)got;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    chainsi_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(session->fd, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static void make_context(void)
{
    methods = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "chains socket");
    if (!methods)
        return;
    BIO_meth_set_read(methods, bio_read);
    BIO_meth_set_write(methods, bio_write);
    BIO_meth_set_ctrl(methods, bio_control);
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* Honours SSL_CERT_FILE and SSL_CERT_DIR. */
    SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

/* The newest entry of OpenSSL's error queue, in words; the queue is empty afterwards. */
static const char *explain(char *text, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (reason)
        snprintf(text, size, "%s", reason);
    else if (code)
        ERR_error_string_n(code, text, size);
    else
        snprintf(text, size, "%s", errno ? strerror(errno) : "the connection was closed");
    ERR_clear_error();
    return text;
}

/* Has the certificate checked against host, and the host told to the peer. */
static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
}

static void free_session(chainsi_tls_session *session)
{
    SSL_free(session->ssl);
    free(session);
}

/* Lets the handshake come to the peer's certificate, which has_pinned_certificate() then looks at. */
static int accept_for_now(int verified, X509_STORE_CTX *store)
{
    (void)verified;
    (void)store;
    return 1;
}

static bool has_pinned_certificate(const chainsi_tls_session *session)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    return certificate && X509_digest(certificate, EVP_sha256(), digest, &size) == 1 &&
           size == sizeof session->pin && !memcmp(digest, session->pin, size);
}

static chainsi_tls_session *open_session(int fd, const char *host, const unsigned char *pin,
                                         char *why, size_t why_size)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    char reason[128];
    pthread_once(&once, make_context);
    if (!context) {
        snprintf(why, why_size, "OpenSSL cannot be used: %s", explain(reason, sizeof reason));
        return NULL;
    }
    chainsi_tls_session *session = calloc(1, sizeof *session);
    if (!session)
        abort();
    session->fd = fd;
    snprintf(session->host, sizeof session->host, "%s", host);
    session->ssl = SSL_new(context);
    BIO *bio = BIO_new(methods);
    bool good = session->ssl && bio;
    if (good) {
        BIO_set_data(bio, session);
        BIO_set_init(bio, 1);
        SSL_set_bio(session->ssl, bio, bio); /* takes the BIO over */
        if (pin) {
            session->pinned = true;
            memcpy(session->pin, pin, sizeof session->pin);
            SSL_set_verify(session->ssl, SSL_VERIFY_PEER, accept_for_now);
        }
        good = (pin || expect_host(session->ssl, host)) &&
               !SSL_set_alpn_protos(session->ssl, protocols, sizeof protocols - 1);
        SSL_set_connect_state(session->ssl);
    } else {
        BIO_free(bio);
    }
    if (!good) {
        snprintf(why, why_size, "no TLS session with '%s': %s", host,
                 explain(reason, sizeof reason));
        free_session(session);
        return NULL;
    }
    return session;
}

/* What poll() must wait for after a call that gave `result`: 0 if it has failed. */
static short wait_after(chainsi_tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    default:
        session->failed = true;
        return 0;
    }
}

static int shake_hands(chainsi_tls_session *session, char *why, size_t why_size)
{
    char reason[128];
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(session->ssl);
    if (result == 1 && session->pinned && !has_pinned_certificate(session)) {
        session->failed = true;
        snprintf(why, why_size, "'%s' has another certificate than the one that is expected",
                 session->host);
        return -1;
    }
    if (result == 1)
        return 0;
    short wait_for = wait_after(session, result);
    if (wait_for)
        return wait_for;
    long verdict = SSL_get_verify_result(session->ssl);
    if (verdict != X509_V_OK && !session->pinned) {
        snprintf(why, why_size, "the certificate of '%s' is not trusted: %s", session->host,
                 X509_verify_cert_error_string(verdict));
        ERR_clear_error();
    } else {
        snprintf(why, why_size, "the TLS handshake with '%s' failed: %s", session->host,
                 explain(reason, sizeof reason));
    }
    return -1;
}

static ssize_t read_session(chainsi_tls_session *session, void *data, size_t size, short *wait_for)
{
    size_t got;
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(session->ssl, data, size, &got);
    if (result == 1)
        return (ssize_t)got;
    if (SSL_get_error(session->ssl, result) == SSL_ERROR_ZERO_RETURN) {
        *wait_for = 0;
        return 0;
    }
    *wait_for = wait_after(session, result);
    if (!*wait_for) {
        /* An end without goodbye is somebody's cut, not the peer's end. */
        errno = errno ? errno : ECONNRESET;
        ERR_clear_error();
    }
    return -1;
}

static ssize_t write_session(chainsi_tls_session *session, const void *data, size_t size,
                             short *wait_for)
{
    size_t sent;
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(session->ssl, data, size, &sent);
    if (result == 1)
        return (ssize_t)sent;
    *wait_for = wait_after(session, result);
    if (!*wait_for) {
        errno = errno ? errno : EPIPE;
        ERR_clear_error();
    }
    return -1;
}

static void close_session(chainsi_tls_session *session)
{
    if (!session)
        return;
    if (!session->failed && SSL_is_init_finished(session->ssl))
        SSL_shutdown(session->ssl);
    ERR_clear_error();
    free_session(session);
}

void chainsi_tls_register(void)
{
    static const chainsi_tls_engine engine = {
        .open = open_session,
        .handshake = shake_hands,
        .read = read_session,
        .write = write_session,
        .close = close_session,
    };
    chainsi_tls_set_engine(&engine);
}
