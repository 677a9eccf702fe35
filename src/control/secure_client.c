/* The calling side of TLS: what is its own are the texts that it is made of, whom it trusts, tickets, and why it failed. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/secure_parts.h"

enum { MOST_NAME = 253 /* of DNS */ };

struct chainsi_secure_client {
    SSL_CTX *context; /* a reference; sessions have more */
    char *name;       /* owned; NULL: any */
};

static BIO_METHOD *the_methods; /* owned, for ever: sessions outlive what they were made by */

/* Tickets. */

void chainsi_secure_ticket_done(chainsi_secure_ticket *ticket)
{
    SSL_SESSION_free(ticket->session);
    SSL_CTX_free(ticket->context);
    *ticket = (chainsi_secure_ticket){ 0 };
}

/* OpenSSL's callback: 1 keeps the reference. */
static int keep_ticket(SSL *ssl, SSL_SESSION *given)
{
    const chainsi_secure_session *session = SSL_get_ex_data(ssl, 0);
    chainsi_secure_ticket *ticket = session->ticket;
    chainsi_secure_ticket_done(ticket);
    ticket->session = given;
    ticket->context = SSL_get_SSL_CTX(ssl);
    SSL_CTX_up_ref(ticket->context);
    return 1;
}

/* Each is used once; those of other certificates are of no use. */
static void use_ticket(SSL *ssl, chainsi_secure_ticket *ticket)
{
    if (ticket->session && ticket->context == SSL_get_SSL_CTX(ssl))
        SSL_set_session(ssl, ticket->session);
    chainsi_secure_ticket_done(ticket);
}

/* Texts. */

static BIO *open_text(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    if (!bio)
        abort();
    return bio;
}

static X509 *read_certificate(BIO *text)
{
    bool has_passphrase = false;
    return PEM_read_bio_X509(text, NULL, chainsi_secure_no_passphrase, &has_passphrase);
}

/* Whether the text has ended where its last certificate did; the error queue is empty afterwards. */
static bool has_ended(void)
{
    unsigned long error = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (ended)
        ERR_clear_error();
    return ended;
}

/* The certificate, and those that lead to its authority. */
static bool use_certificates(SSL_CTX *context, BIO *text)
{
    X509 *certificate = read_certificate(text);
    bool good = certificate && SSL_CTX_use_certificate(context, certificate) == 1;
    X509_free(certificate);
    while (good && (certificate = read_certificate(text))) {
        good = SSL_CTX_add0_chain_cert(context, certificate) == 1;
        if (!good)
            X509_free(certificate);
    }
    return good && has_ended();
}

static bool use_key(SSL_CTX *context, BIO *text)
{
    bool has_passphrase = false;
    EVP_PKEY *key =
        PEM_read_bio_PrivateKey(text, NULL, chainsi_secure_no_passphrase, &has_passphrase);
    bool good =
        key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return good;
}

static bool trust(SSL_CTX *context, BIO *text)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509 *authority;
    size_t count = 0;
    bool good = true;
    while (good && (authority = read_certificate(text))) {
        good = X509_STORE_add_cert(store, authority) == 1;
        X509_free(authority);
        count++;
    }
    return good && count && has_ended();
}

static bool use_text(SSL_CTX *context, const char *what, const char *text,
                     bool (*use)(SSL_CTX *context, BIO *text), char *why, size_t why_size)
{
    ERR_clear_error();
    BIO *bio = open_text(text ? text : "");
    bool good = use(context, bio);
    BIO_free(bio);
    if (!good)
        snprintf(why, why_size, "the %s cannot be used: %s", what, chainsi_secure_explain());
    return good;
}

static bool read_texts(SSL_CTX *context, const char *certificate, const char *key, const char *ca,
                       char *why, size_t why_size)
{
    return use_text(context, "certificate", certificate, use_certificates, why, why_size) &&
           use_text(context, "key", key, use_key, why, why_size) &&
           use_text(context, "certificate of the authority", ca, trust, why, why_size);
}

/* Life. */

chainsi_secure_client *chainsi_secure_client_new(const char *certificate, const char *key,
                                                 const char *ca, const char *name, char *why,
                                                 size_t why_size)
{
    if (name && (!*name || strlen(name) > MOST_NAME)) {
        snprintf(why, why_size, "'%.64s' cannot be a server's name", name);
        return NULL;
    }
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20")) {
        snprintf(why, why_size, "OpenSSL cannot be used: %s", chainsi_secure_explain());
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    if (!read_texts(context, certificate, key, ca, why, why_size)) {
        SSL_CTX_free(context);
        return NULL;
    }
    if (!the_methods)
        the_methods = chainsi_secure_new_methods();
    chainsi_secure_client *client = chainsi_make(sizeof *client);
    client->context = context;
    client->name = chainsi_copy_text(name);
    return client;
}

void chainsi_secure_client_free(chainsi_secure_client *client)
{
    if (!client)
        return;
    SSL_CTX_free(client->context);
    free(client->name);
    free(client);
}

/* Sessions. */

/* Has the certificate checked against the name, and the name told to the server. */
static bool expect_name(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

chainsi_secure_session *chainsi_secure_client_open(const chainsi_secure_client *client,
                                                   chainsi_secure_ticket *ticket)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    chainsi_secure_session *session = chainsi_secure_new_session(client->context, the_methods);
    session->ticket = ticket;
    if (!SSL_set_ex_data(session->ssl, 0, session) ||
        (client->name && !expect_name(session->ssl, client->name)) ||
        SSL_set_alpn_protos(session->ssl, protocols, sizeof protocols - 1))
        abort();
    SSL_set_connect_state(session->ssl);
    use_ticket(session->ssl, ticket);
    return session;
}

bool chainsi_secure_client_is_refused(const chainsi_secure_session *session)
{
    if (!session->failed || ERR_GET_LIB(session->error) != ERR_LIB_SSL)
        return false;
    switch (ERR_GET_REASON(session->error)) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return true;
    default:
        return false;
    }
}

void chainsi_secure_client_explain(const chainsi_secure_session *session, char *why, size_t size)
{
    const long verdict = SSL_get_verify_result(session->ssl);
    const char *reason = ERR_reason_error_string(session->error);
    if (verdict != X509_V_OK)
        snprintf(why, size, "its certificate is not trusted: %s",
                 X509_verify_cert_error_string(verdict));
    else if (chainsi_secure_client_is_refused(session))
        snprintf(why, size, "it has refused the certificate of the front door: %s",
                 reason ? reason : "it doesn't say why");
    else
        snprintf(why, size, "the TLS handshake failed: %s",
                 reason ? reason : "the connection ended");
}
