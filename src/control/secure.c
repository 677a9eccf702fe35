/* TLS of the front door by OpenSSL, over a BIO whose two ends are memory: reading takes from the bytes that
 * have just come, writing adds to a buffer. So a session never waits, and all that came is used up when
 * chainsi_secure_take returns. */
#include "control/secure_parts.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/handle.h"

enum { READ_PIECE = 16 * 1024 /* the largest record */ };

struct chainsi_secure {
    char *certificate_path, *key_path; /* owned */
    SSL_CTX *context;                  /* owned; of new sessions */
    BIO_METHOD *methods;               /* owned */
    char warning[256];
    char digest[CHAINSI_SECURE_DIGEST + 1];
};

const char *chainsi_secure_explain(void)
{
    static const char unknown[] = "OpenSSL does not say why";
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return reason ? reason : unknown;
}

/* The bytes of a session as OpenSSL sees them. */

static int bio_read(BIO *bio, char *data, int size)
{
    chainsi_secure_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!session->incoming_size) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t part = (size_t)size < session->incoming_size ? (size_t)size : session->incoming_size;
    memcpy(data, session->incoming, part);
    session->incoming += part;
    session->incoming_size -= part;
    return (int)part;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    chainsi_secure_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    chainsi_buffer_add(&session->out, data, (size_t)size);
    return size;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *chainsi_secure_new_methods(void)
{
    BIO_METHOD *methods = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "chains memory");
    if (!methods)
        abort();
    BIO_meth_set_read(methods, bio_read);
    BIO_meth_set_write(methods, bio_write);
    BIO_meth_set_ctrl(methods, bio_control);
    return methods;
}

/* Certificate and key. */

int chainsi_secure_no_passphrase(char *text, int size, int writing, void *user)
{
    (void)text;
    (void)size;
    (void)writing;
    *(bool *)user = true;
    return -1;
}

/* http/1.1 where the client offers protocols, whatever else is among them; a client that offers only
 * others is refused, as the standard wants it. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                           const unsigned char *offered, unsigned int offered_size, void *user)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl;
    (void)user;
    unsigned char *found;
    if (SSL_select_next_proto(&found, chosen_size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static bool read_files(SSL_CTX *context, const chainsi_secure *secure, char *why, size_t why_size)
{
    const char *paths[] = { secure->certificate_path, secure->key_path };
    for (size_t i = 0; i < 2; i++) {
        if (access(paths[i], R_OK) != 0) {
            snprintf(why, why_size, "%s cannot be read: %s", paths[i], strerror(errno));
            return false;
        }
    }
    bool has_passphrase = false;
    SSL_CTX_set_default_passwd_cb(context, chainsi_secure_no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &has_passphrase);
    bool good = false;
    if (SSL_CTX_use_certificate_chain_file(context, secure->certificate_path) != 1)
        snprintf(why, why_size, "%s is no certificate in PEM form: %s", secure->certificate_path,
                 chainsi_secure_explain());
    else if (SSL_CTX_use_PrivateKey_file(context, secure->key_path, SSL_FILETYPE_PEM) == 1)
        good = true;
    else if (has_passphrase)
        snprintf(why, why_size, "%s has a passphrase, which nobody can be asked for",
                 secure->key_path);
    else if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
             ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH)
        snprintf(why, why_size, "%s is not the key of the certificate %s", secure->key_path,
                 secure->certificate_path);
    else
        snprintf(why, why_size, "%s is no private key in PEM form: %s", secure->key_path,
                 chainsi_secure_explain());
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    return good;
}

static SSL_CTX *make_context(const chainsi_secure *secure, char *why, size_t why_size)
{
    static const unsigned char name[] = "chainsd";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool good = context && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
                SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
                SSL_CTX_set_session_id_context(context, name, sizeof name - 1);
    if (!good) {
        snprintf(why, why_size, "OpenSSL cannot be used: %s", chainsi_secure_explain());
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Idle connections hold no record buffers. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (read_files(context, secure, why, why_size))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static void look_at_dates(chainsi_secure *secure, const X509 *certificate)
{
    const ASN1_TIME *from = X509_get0_notBefore(certificate);
    const ASN1_TIME *until = X509_get0_notAfter(certificate);
    bool expired = X509_cmp_current_time(until) < 0;
    bool early = X509_cmp_current_time(from) > 0;
    secure->warning[0] = 0;
    if (!expired && !early)
        return;
    char *date = NULL;
    BIO *text = BIO_new(BIO_s_mem());
    if (text && ASN1_TIME_print(text, expired ? until : from) == 1) {
        long size = BIO_get_mem_data(text, &date);
        snprintf(secure->warning, sizeof secure->warning, "the certificate %s %s %.*s",
                 secure->certificate_path, expired ? "expired on" : "is not valid before",
                 (int)size, date);
    }
    BIO_free(text);
}

static void note_digest(chainsi_secure *secure, const X509 *certificate)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (X509_digest(certificate, EVP_sha256(), bytes, &size) != 1 ||
        size != CHAINSI_SECURE_DIGEST / 2)
        abort();
    for (size_t i = 0; i < size; i++)
        snprintf(secure->digest + 2 * i, 3, "%02x", bytes[i]);
}

bool chainsi_secure_reload(chainsi_secure *secure, char *why, size_t why_size)
{
    ERR_clear_error();
    SSL_CTX *context = make_context(secure, why, why_size);
    if (!context)
        return false;
    SSL_CTX_free(secure->context); /* sessions hold it for themselves */
    secure->context = context;
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    look_at_dates(secure, certificate);
    note_digest(secure, certificate);
    return true;
}

chainsi_secure *chainsi_secure_new(const char *certificate_path, const char *key_path, char *why,
                                   size_t why_size)
{
    chainsi_secure *secure = chainsi_make(sizeof *secure);
    secure->certificate_path = chainsi_copy_text(certificate_path);
    secure->key_path = chainsi_copy_text(key_path);
    secure->methods = chainsi_secure_new_methods();
    if (chainsi_secure_reload(secure, why, why_size))
        return secure;
    chainsi_secure_free(secure);
    return NULL;
}

void chainsi_secure_free(chainsi_secure *secure)
{
    if (!secure)
        return;
    SSL_CTX_free(secure->context);
    BIO_meth_free(secure->methods);
    free(secure->certificate_path);
    free(secure->key_path);
    free(secure);
}

const char *chainsi_secure_warning(const chainsi_secure *secure)
{
    return secure->warning;
}

const char *chainsi_secure_digest(const chainsi_secure *secure)
{
    return secure->digest;
}

bool chainsi_secure_is_for(const chainsi_secure *secure, const char *host)
{
    X509 *certificate = SSL_CTX_get0_certificate(secure->context);
    bool found = X509_check_host(certificate, host, 0, 0, NULL) == 1 ||
                 X509_check_ip_asc(certificate, host, 0) == 1;
    ERR_clear_error();
    return found;
}

/* Sessions. */

chainsi_secure_session *chainsi_secure_new_session(SSL_CTX *context, BIO_METHOD *methods)
{
    chainsi_secure_session *session = chainsi_make(sizeof *session);
    session->ssl = SSL_new(context);
    BIO *bio = BIO_new(methods);
    if (!session->ssl || !bio)
        abort();
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio); /* takes the BIO over */
    return session;
}

chainsi_secure_session *chainsi_secure_open(const chainsi_secure *secure)
{
    chainsi_secure_session *session = chainsi_secure_new_session(secure->context, secure->methods);
    SSL_set_accept_state(session->ssl);
    return session;
}

void chainsi_secure_close(chainsi_secure_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    ERR_clear_error();
    chainsi_buffer_done(&session->out);
    free(session);
}

chainsi_buffer *chainsi_secure_out(chainsi_secure_session *session)
{
    return &session->out;
}

static chainsi_secure_state state_after(chainsi_secure_session *session, int result)
{
    int error = SSL_get_error(session->ssl, result);
    if (error == SSL_ERROR_ZERO_RETURN)
        return CHAINSI_SECURE_ENDED;
    if (error == SSL_ERROR_WANT_READ && !session->incoming_size)
        return SSL_is_init_finished(session->ssl) ? CHAINSI_SECURE_OPEN : CHAINSI_SECURE_GREETING;
    session->failed = true;
    session->error = ERR_peek_last_error();
    return CHAINSI_SECURE_FAILED;
}

chainsi_secure_state chainsi_secure_take(chainsi_secure_session *session, const void *data,
                                         size_t size, chainsi_buffer *in)
{
    if (session->failed)
        return CHAINSI_SECURE_FAILED;
    session->incoming = data;
    session->incoming_size = size;
    ERR_clear_error();
    int result;
    do {
        size_t got = 0;
        result =
            SSL_read_ex(session->ssl, chainsi_buffer_reserve(in, READ_PIECE), READ_PIECE, &got);
        in->size += got;
    } while (result == 1);
    chainsi_secure_state state = state_after(session, result);
    session->incoming = NULL;
    session->incoming_size = 0;
    ERR_clear_error();
    return state;
}

bool chainsi_secure_put(chainsi_secure_session *session, const void *data, size_t size)
{
    size_t put = 0;
    if (session->failed || !size)
        return !session->failed;
    ERR_clear_error();
    if (SSL_write_ex(session->ssl, data, size, &put) != 1 || put != size)
        session->failed = true;
    ERR_clear_error();
    return !session->failed;
}

void chainsi_secure_end(chainsi_secure_session *session)
{
    ERR_clear_error();
    if (!session->failed && SSL_is_init_finished(session->ssl))
        SSL_shutdown(session->ssl);
    ERR_clear_error();
}
