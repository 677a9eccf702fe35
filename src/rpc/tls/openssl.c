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
#include <sys/stat.h>

#include "base/clock.h"

enum { TICKET_S = 600 }; /* a ticket is taken for so long */

/* Which file was read: one that is put in its place, by itself or behind a symbolic link, is another. */
typedef struct stamp {
    dev_t device;
    ino_t inode;
    struct timespec changed;
    off_t size;
} stamp;

enum { CERTIFICATE, KEY, AUTHORITIES, FILES };

struct chainsi_tls_identity {
    char *files[FILES]; /* owned */
    void (*tell)(const char *text);
    pthread_mutex_t lock; /* of what follows */
    stamp stamps[FILES];  /* of what was read last, be it of use or not */
    int64_t looked_ns;
    SSL_CTX *calling, *serving; /* references; sessions have more */
};

struct chainsi_tls_peer {
    chainsi_tls_identity *identity; /* NULL: none */
    char name[256], where[300];
    bool pinned; /* it is known by its certificate's digest alone */
    unsigned char pin[CHAINSI_TLS_PIN];
    pthread_mutex_t lock;                      /* of what follows */
    SSL_SESSION *tickets[CHAINSI_TLS_TICKETS]; /* references; each is used once */
    int ticket_count;
    SSL_CTX *
        issued_to; /* a reference: tickets are of no use to others; NULL: to the one without identity */
};

struct chainsi_tls_session {
    SSL *ssl;               /* owned */
    int fd;                 /* the caller's */
    chainsi_tls_peer *peer; /* of the calling side, not owned; NULL: it is the serving one */
    bool failed;            /* no goodbye may be sent after a failure */
    bool socket_empty;      /* the last read from it got less than there was room for */
    char refusal[128];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static SSL_CTX *context;    /* of callers without identity, for ever; NULL: could not be made */
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
    session->socket_empty = got < size && got;
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

static int keep_ticket(SSL *ssl, SSL_SESSION *ticket);

/* What all contexts have in common; NULL: no memory. */
static SSL_CTX *new_context(const SSL_METHOD *method, int least_version)
{
    SSL_CTX *made = SSL_CTX_new(method);
    if (!made)
        return NULL;
    SSL_CTX_set_min_proto_version(made, least_version);
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(made,
                           1); /* a record is one read, not one for its head and one for the rest */
    return made;
}

/* Has the tickets of a calling context kept for the next handshake with the same peer. */
static void keep_tickets(SSL_CTX *calling)
{
    SSL_CTX_set_session_cache_mode(calling, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(calling, keep_ticket);
}

static void make_context(void)
{
    methods = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "chains socket");
    if (!methods)
        return;
    BIO_meth_set_read(methods, bio_read);
    BIO_meth_set_write(methods, bio_write);
    BIO_meth_set_ctrl(methods, bio_control);
    context = new_context(TLS_client_method(), TLS1_2_VERSION);
    if (!context)
        return;
    /* Honours SSL_CERT_FILE and SSL_CERT_DIR. */
    SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    keep_tickets(context);
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

/* ------------------------------------------------------------------------------------------------
 * identities */

/* Reads the files into a context. NULL with a reason. */
static SSL_CTX *read_files(const chainsi_tls_identity *identity, const SSL_METHOD *method,
                           char *why, size_t why_size)
{
    char reason[128];
    const char *what = NULL;
    ERR_clear_error();
    errno = 0;
    SSL_CTX *made = new_context(method, TLS1_3_VERSION);
    if (!made)
        what = "OpenSSL cannot be used";
    else if (SSL_CTX_use_certificate_chain_file(made, identity->files[CERTIFICATE]) != 1)
        what = identity->files[CERTIFICATE];
    else if (SSL_CTX_use_PrivateKey_file(made, identity->files[KEY], SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(made) != 1)
        what = identity->files[KEY];
    else if (SSL_CTX_load_verify_file(made, identity->files[AUTHORITIES]) != 1)
        what = identity->files[AUTHORITIES];
    if (!what)
        return made;
    snprintf(why, why_size, "%s: %s", what, explain(reason, sizeof reason));
    SSL_CTX_free(made);
    return NULL;
}

/* Reads the files again and puts what they say in the place of what was there. False with a reason, and
 * nothing has changed. The lock is held. */
static bool read_again(chainsi_tls_identity *identity, char *why, size_t why_size)
{
    static const unsigned char served_as[] = "chains";
    SSL_CTX *calling = read_files(identity, TLS_client_method(), why, why_size);
    SSL_CTX *serving = calling ? read_files(identity, TLS_server_method(), why, why_size) : NULL;
    if (!serving) {
        SSL_CTX_free(calling);
        return false;
    }
    SSL_CTX_set_verify(calling, SSL_VERIFY_PEER, NULL);
    keep_tickets(calling);
    SSL_CTX_set_verify(serving, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(serving, served_as, sizeof served_as - 1);
    SSL_CTX_set_timeout(serving, TICKET_S); /* a certificate is looked at again after so long */
    SSL_CTX_free(identity->calling);
    SSL_CTX_free(identity->serving);
    identity->calling = calling;
    identity->serving = serving;
    return true;
}

static void read_stamps(const chainsi_tls_identity *identity, stamp *stamps)
{
    memset(stamps, 0, FILES * sizeof *stamps); /* it is compared whole */
    for (int i = 0; i < FILES; i++) {
        struct stat file;
        if (stat(identity->files[i], &file))
            continue;
        stamps[i].device = file.st_dev;
        stamps[i].inode = file.st_ino;
        stamps[i].changed = file.st_mtim;
        stamps[i].size = file.st_size;
    }
}

/* Reads files that have changed, if it is time to look. The lock is held. */
static void refresh(chainsi_tls_identity *identity)
{
    const int64_t now_ns = chainsi_now_ns();
    if (now_ns - identity->looked_ns < CHAINSI_TLS_LOOK_MS * CHAINSI_NS_PER_MS)
        return;
    identity->looked_ns = now_ns;
    stamp stamps[FILES];
    char why[512];
    read_stamps(identity, stamps);
    if (!memcmp(stamps, identity->stamps, sizeof stamps))
        return;
    /* Before they are read: what changes meanwhile is found by the next look. */
    memcpy(identity->stamps, stamps, sizeof stamps);
    if (!read_again(identity, why, sizeof why) && identity->tell)
        identity->tell(why);
}

/* A reference to the context of one side, as the files are now. */
static SSL_CTX *get_context(chainsi_tls_identity *identity, bool serves)
{
    pthread_mutex_lock(&identity->lock);
    refresh(identity);
    SSL_CTX *found = serves ? identity->serving : identity->calling;
    SSL_CTX_up_ref(found);
    pthread_mutex_unlock(&identity->lock);
    return found;
}

static chainsi_tls_identity *load_identity(const chainsi_tls_files *files,
                                           void (*tell)(const char *text), char *why,
                                           size_t why_size)
{
    pthread_once(&once, make_context);
    chainsi_tls_identity *identity = calloc(1, sizeof *identity);
    const char *const names[FILES] = { files->certificate, files->key, files->authorities };
    for (int i = 0; i < FILES; i++)
        if (!identity || !(identity->files[i] = strdup(names[i])))
            abort();
    identity->tell = tell;
    pthread_mutex_init(&identity->lock, NULL);
    read_stamps(identity, identity->stamps);
    identity->looked_ns = chainsi_now_ns();
    if (methods && read_again(identity, why, why_size))
        return identity;
    if (!methods)
        snprintf(why, why_size, "OpenSSL cannot be used");
    for (int i = 0; i < FILES; i++)
        free(identity->files[i]);
    pthread_mutex_destroy(&identity->lock);
    free(identity);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------
 * peers */

static chainsi_tls_peer *meet(const chainsi_tls_peer_options *options)
{
    chainsi_tls_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        abort();
    peer->identity = options->identity;
    snprintf(peer->name, sizeof peer->name, "%s", options->name);
    snprintf(peer->where, sizeof peer->where, "%s", options->where);
    peer->pinned = options->pin != NULL;
    if (options->pin)
        memcpy(peer->pin, options->pin, sizeof peer->pin);
    pthread_mutex_init(&peer->lock, NULL);
    return peer;
}

/* The lock is held, or nobody else has it. */
static void drop_tickets(chainsi_tls_peer *peer)
{
    while (peer->ticket_count)
        SSL_SESSION_free(peer->tickets[--peer->ticket_count]);
    SSL_CTX_free(peer->issued_to);
    peer->issued_to = NULL;
}

static void part(chainsi_tls_peer *peer)
{
    if (!peer)
        return;
    drop_tickets(peer);
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

/* OpenSSL's callback: 1 keeps the reference. */
static int keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    const chainsi_tls_session *session = SSL_get_ex_data(ssl, 0);
    chainsi_tls_peer *peer = session->peer;
    SSL_CTX *its = SSL_get_SSL_CTX(ssl);
    bool kept = false;
    pthread_mutex_lock(&peer->lock);
    if (peer->issued_to != its) {
        drop_tickets(peer);
        SSL_CTX_up_ref(its);
        peer->issued_to = its;
    }
    if (peer->ticket_count < CHAINSI_TLS_TICKETS) {
        peer->tickets[peer->ticket_count++] = ticket;
        kept = true;
    }
    pthread_mutex_unlock(&peer->lock);
    return kept;
}

/* Has the handshake shortened by a ticket that the peer has given, if there is one. */
static void use_ticket(SSL *ssl, chainsi_tls_peer *peer)
{
    SSL_SESSION *ticket = NULL;
    pthread_mutex_lock(&peer->lock);
    if (peer->ticket_count && peer->issued_to == SSL_get_SSL_CTX(ssl))
        ticket = peer->tickets[--peer->ticket_count];
    pthread_mutex_unlock(&peer->lock);
    if (!ticket)
        return;
    SSL_set_session(ssl, ticket);
    SSL_SESSION_free(ticket);
}

/* ------------------------------------------------------------------------------------------------
 * sessions */

static void free_session(chainsi_tls_session *session)
{
    SSL_free(session->ssl);
    free(session);
}

/* A session over fd by the context, whose reference is taken. NULL: OpenSSL has no memory for it. */
static chainsi_tls_session *new_session(int fd, SSL_CTX *its)
{
    chainsi_tls_session *session = calloc(1, sizeof *session);
    if (!session)
        abort();
    session->fd = fd;
    session->ssl = SSL_new(its);
    SSL_CTX_free(its);
    BIO *bio = BIO_new(methods);
    if (!session->ssl || !bio || !SSL_set_ex_data(session->ssl, 0, session)) {
        BIO_free(bio);
        free_session(session);
        return NULL;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio); /* takes the BIO over */
    return session;
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
           size == CHAINSI_TLS_PIN && !memcmp(digest, session->peer->pin, size);
}

/* How the peer is to be known, and what is spoken. */
static bool prepare(SSL *ssl, chainsi_tls_peer *peer)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    SSL_set_connect_state(ssl);
    if (peer->pinned)
        SSL_set_verify(ssl, SSL_VERIFY_PEER, accept_for_now);
    else if (!expect_host(ssl, peer->name))
        return false;
    return !SSL_set_alpn_protos(ssl, protocols, sizeof protocols - 1);
}

static chainsi_tls_session *open_session(int fd, chainsi_tls_peer *peer, char *why, size_t why_size)
{
    char reason[128];
    pthread_once(&once, make_context);
    if (!context) {
        snprintf(why, why_size, "OpenSSL cannot be used: %s", explain(reason, sizeof reason));
        return NULL;
    }
    SSL_CTX *its = context;
    if (peer->identity)
        its = get_context(peer->identity, false);
    else
        SSL_CTX_up_ref(its);
    chainsi_tls_session *session = new_session(fd, its);
    if (session && prepare(session->ssl, peer)) {
        session->peer = peer;
        use_ticket(session->ssl, peer);
        return session;
    }
    snprintf(why, why_size, "no TLS session with %s: %s", peer->where,
             explain(reason, sizeof reason));
    if (session)
        free_session(session);
    return NULL;
}

static chainsi_tls_session *accept_session(int fd, chainsi_tls_identity *identity)
{
    chainsi_tls_session *session = new_session(fd, get_context(identity, true));
    if (session)
        SSL_set_accept_state(session->ssl);
    ERR_clear_error();
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

/* Whether the newest error is an alert by which the peer refuses a certificate; then session->refusal says why. */
static bool is_refused(chainsi_tls_session *session)
{
    const char *why = NULL;
    switch (ERR_GET_REASON(ERR_peek_last_error())) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        why = "it was shown none";
        break;
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        why = "certificate has expired";
        break;
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        why = "its authority is not known there";
        break;
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        why = "it is revoked";
        break;
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        why = "it is not good there";
        break;
    default:
        return false;
    }
    snprintf(session->refusal, sizeof session->refusal, "%s", why);
    return true;
}

/* Why a handshake has failed. */
static void explain_handshake(chainsi_tls_session *session, char *why, size_t why_size)
{
    char reason[128];
    const long verdict = SSL_get_verify_result(session->ssl);
    const chainsi_tls_peer *peer = session->peer;
    if (!peer)
        snprintf(why, why_size, "%s",
                 verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                                      : explain(reason, sizeof reason));
    else if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
        snprintf(why, why_size,
                 "the certificate of %s is not trusted: %s: it has not the name '%s'", peer->where,
                 X509_verify_cert_error_string(verdict), peer->name);
    else if (verdict != X509_V_OK && !peer->pinned)
        snprintf(why, why_size, "the certificate of %s is not trusted: %s", peer->where,
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(why, why_size, "the TLS handshake with %s failed: %s", peer->where,
                 explain(reason, sizeof reason));
    ERR_clear_error();
}

static int shake_hands(chainsi_tls_session *session, char *why, size_t why_size)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(session->ssl);
    if (result == 1 && session->peer && session->peer->pinned && !has_pinned_certificate(session)) {
        session->failed = true;
        snprintf(why, why_size, "%s has another certificate than the one that is expected",
                 session->peer->where);
        errno = EPROTO;
        return -1;
    }
    if (result == 1)
        return 0;
    short wait_for = wait_after(session, result);
    if (wait_for)
        return wait_for;
    const bool plain = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
    explain_handshake(session, why, why_size);
    errno = plain ? EPROTONOSUPPORT : EPROTO;
    return -1;
}

/* After a read or write that has failed: errno says why. */
static void set_error(chainsi_tls_session *session, int otherwise)
{
    const int error = errno;
    if (is_refused(session))
        errno = EACCES;
    else
        errno = error ? error : otherwise;
    ERR_clear_error();
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
    if (!*wait_for)
        set_error(session,
                  ECONNRESET); /* an end without goodbye is somebody's cut, not the peer's end */
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
    if (!*wait_for)
        set_error(session, EPIPE);
    return -1;
}

static bool is_drained(const chainsi_tls_session *session)
{
    return session->socket_empty && !SSL_has_pending(session->ssl);
}

static bool is_resumed(const chainsi_tls_session *session)
{
    return SSL_session_reused(session->ssl) == 1;
}

static const char *get_refusal(const chainsi_tls_session *session)
{
    return session->refusal;
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

static const chainsi_tls_engine the_engine = {
    .load = load_identity,
    .meet = meet,
    .part = part,
    .open = open_session,
    .accept = accept_session,
    .handshake = shake_hands,
    .read = read_session,
    .write = write_session,
    .is_drained = is_drained,
    .is_resumed = is_resumed,
    .refusal = get_refusal,
    .close = close_session,
};

#ifndef CHAINSI_TLS_LATE
void chainsi_tls_register(void)
{
    chainsi_tls_set_engine(&the_engine);
}
#endif
