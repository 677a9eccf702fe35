/* https against a local OpenSSL server, with certificates made here. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/client.h"
#include "rpc/tls.h"

typedef struct identity {
    X509 *certificate;
    EVP_PKEY *key;
} identity;

static char folder[] = "/tmp/chains-tls-XXXXXX", trusted[64];
static identity good, other_host, stranger;

static identity make_identity(const char *names)
{
    identity it = { .certificate = X509_new(), .key = EVP_EC_gen("P-256") };
    assert_non_null(it.certificate);
    assert_non_null(it.key);
    X509_set_version(it.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(it.certificate), random());
    X509_gmtime_adj(X509_getm_notBefore(it.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(it.certificate), 3600);
    X509_set_pubkey(it.certificate, it.key);
    X509_NAME *name = X509_get_subject_name(it.certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)names, -1, -1, 0);
    X509_set_issuer_name(it.certificate, name);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    assert_non_null(extension);
    X509_add_ext(it.certificate, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(it.certificate, it.key, EVP_sha256()) > 0);
    return it;
}

static void free_identity(identity *it)
{
    X509_free(it->certificate);
    EVP_PKEY_free(it->key);
}

static int make_identities(void **state)
{
    (void)state;
    good = make_identity("DNS:localhost,IP:127.0.0.1");
    other_host = make_identity("DNS:other.example");
    stranger = make_identity("DNS:localhost");
    assert_non_null(mkdtemp(folder));
    snprintf(trusted, sizeof trusted, "%s/trusted.pem", folder);
    FILE *file = fopen(trusted, "w");
    assert_non_null(file);
    PEM_write_X509(file, good.certificate);
    PEM_write_X509(file, other_host.certificate);
    fclose(file);
    setenv("SSL_CERT_FILE", trusted, 1);
    chainsi_tls_register();
    return 0;
}

static int free_identities(void **state)
{
    (void)state;
    free_identity(&good);
    free_identity(&other_host);
    free_identity(&stranger);
    unlink(trusted);
    rmdir(folder);
    return 0;
}

enum kind {
    ECHO,   /* answers with the body, until the caller's end */
    TO_END, /* an answer without a length, ended in order */
    CUT,    /* the same, cut off */
    NO_TLS, /* speaks plain HTTP */
    SILENT, /* says nothing */
};

typedef struct service {
    enum kind kind;
    SSL_CTX *context;
    int listen_fd, accepted;
    pthread_t thread;
    char address[64];
} service;

/* Reads a request and answers it. False at the end. */
static bool answer(service *it, SSL *ssl)
{
    static char text[4 * 1024 * 1024];
    size_t size = 0, whole = SIZE_MAX, head = 0;
    while (size < whole) {
        int got = SSL_read(ssl, text + size, (int)(sizeof text - 1 - size));
        if (got <= 0)
            return false;
        size += (size_t)got;
        text[size] = 0;
        char *end = whole == SIZE_MAX ? strstr(text, "\r\n\r\n") : NULL;
        if (end) {
            char *length = strstr(text, "Content-Length: ");
            head = (size_t)(end - text) + 4;
            whole = head + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
    }
    if (it->kind == ECHO) {
        char answer_head[128];
        int head_size = snprintf(answer_head, sizeof answer_head,
                                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", whole - head);
        SSL_write(ssl, answer_head, head_size);
        if (whole > head)
            SSL_write(ssl, text + head, (int)(whole - head));
        return true;
    }
    static const char words[] = "HTTP/1.1 200 OK\r\n\r\nto the end";
    SSL_write(ssl, words, sizeof words - 1);
    if (it->kind == TO_END)
        SSL_shutdown(ssl);
    return false;
}

static void *serve(void *user)
{
    service *it = user;
    /* OpenSSL's own socket BIO writes here. */
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    for (;;) {
        int fd = accept(it->listen_fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        it->accepted++;
        char byte;
        if (it->kind == NO_TLS) {
            static const char words[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
            (void)!recv(fd, &byte, 1, 0);
            send(fd, words, sizeof words - 1, MSG_NOSIGNAL);
        } else if (it->kind == SILENT) {
            while (recv(fd, &byte, 1, 0) > 0) {
            }
        } else {
            SSL *ssl = SSL_new(it->context);
            SSL_set_fd(ssl, fd);
            if (SSL_accept(ssl) == 1) {
                while (answer(it, ssl)) {
                }
            }
            SSL_free(ssl);
        }
        close(fd);
    }
}

static void start(service *it, enum kind kind, const identity *who, const char *host)
{
    char why[256] = "", bound[64];
    *it = (service){ .kind = kind, .context = SSL_CTX_new(TLS_server_method()) };
    assert_int_equal(SSL_CTX_use_certificate(it->context, who->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(it->context, who->key), 1);
    chainsi_address address;
    assert_true(chainsi_address_parse("http://127.0.0.1:0", &address, why, sizeof why));
    it->listen_fd = chainsi_address_listen(&address, 16, why, sizeof why);
    assert_true(it->listen_fd >= 0);
    chainsi_address_done(&address);
    int flags = fcntl(it->listen_fd, F_GETFL);
    assert_int_equal(fcntl(it->listen_fd, F_SETFL, flags & ~O_NONBLOCK), 0);
    assert_true(chainsi_address_of(it->listen_fd, bound, sizeof bound));
    snprintf(it->address, sizeof it->address, "https://%s%s", host, strrchr(bound, ':'));
    assert_int_equal(pthread_create(&it->thread, NULL, serve, it), 0);
}

static void stop(service *it)
{
    shutdown(it->listen_fd, SHUT_RDWR);
    pthread_join(it->thread, NULL);
    close(it->listen_fd);
    SSL_CTX_free(it->context);
}

static chainsi_exchange_end call(chainsi_client *client, chainsi_arena *arena, const char *body,
                                 size_t size, int64_t deadline_ns,
                                 chainsi_client_response *response, char why[256])
{
    chainsi_client_request request = { .method = "POST",
                                       .path = "/run_remote",
                                       .body = body,
                                       .body_size = size,
                                       .deadline_ns = deadline_ns };
    why[0] = 0;
    return chainsi_client_exchange(client, &request, arena, response, why, 256);
}

static void test_calls(void **state)
{
    (void)state;
    static const char *const hosts[] = { "localhost", "127.0.0.1" };
    static char body[3 * 1024 * 1024];
    memset(body, 'x', sizeof body);
    for (int i = 0; i < 2; i++) {
        service server;
        char why[256];
        start(&server, ECHO, &good, hosts[i]);
        chainsi_client *client = chainsi_client_new(server.address, why, sizeof why);
        assert_non_null(client);
        chainsi_arena arena = { 0 };
        chainsi_client_response response;
        static const size_t sizes[] = { 5, 0, 1000, 100000, sizeof body };
        for (int j = 0; j < 10; j++) {
            chainsi_exchange_end end =
                call(client, &arena, body, sizes[j % 5], CHAINSI_NEVER, &response, why);
            if (end != CHAINSI_EXCHANGE_ANSWERED)
                fail_msg("call %d: %d, %s", j, end, why);
            assert_int_equal(response.status, 200);
            assert_int_equal(response.body_size, sizes[j % 5]);
            assert_memory_equal(response.body, body, response.body_size);
            chainsi_arena_reset(&arena);
        }
        chainsi_client_free(client);
        chainsi_arena_done(&arena);
        stop(&server);
        assert_int_equal(server.accepted, 1);
    }
}

static void expect_end(enum kind kind, const identity *who, int64_t after_ms,
                       chainsi_exchange_end expected, const char *reason)
{
    service server;
    char why[256];
    start(&server, kind, who, "localhost");
    chainsi_client *client = chainsi_client_new(server.address, why, sizeof why);
    assert_non_null(client);
    chainsi_arena arena = { 0 };
    chainsi_client_response response;
    int64_t deadline = after_ms ? chainsi_now_ns() + after_ms * CHAINSI_NS_PER_MS : CHAINSI_NEVER;
    chainsi_exchange_end end = call(client, &arena, "hi", 2, deadline, &response, why);
    if (end != expected || (reason && !strstr(why, reason)))
        fail_msg("ended as %d: %s", end, why);
    if (end == CHAINSI_EXCHANGE_ANSWERED)
        assert_string_equal(response.body, "to the end");
    chainsi_client_free(client);
    chainsi_arena_done(&arena);
    stop(&server);
}

static void test_who_is_trusted(void **state)
{
    (void)state;
    expect_end(ECHO, &other_host, 0, CHAINSI_EXCHANGE_NOT_STARTED, "hostname mismatch");
    expect_end(ECHO, &stranger, 0, CHAINSI_EXCHANGE_NOT_STARTED, "self-signed certificate");
}

/* Who is known by the digest of its certificate needs no authority and no name, and nobody else does. */
static void test_pins(void **state)
{
    (void)state;
    const identity *const peers[] = { &stranger, &other_host, &good };
    for (int i = 0; i < 3; i++) {
        for (int right = 0; right < 2; right++) {
            service server;
            char why[256];
            unsigned char digest[EVP_MAX_MD_SIZE];
            unsigned int size = 0;
            assert_int_equal(X509_digest(peers[right ? i : (i + 1) % 3]->certificate, EVP_sha256(),
                                         digest, &size),
                             1);
            assert_int_equal(size, CHAINSI_TLS_PIN);
            start(&server, ECHO, peers[i], "127.0.0.1");
            chainsi_client *client = chainsi_client_new(server.address, why, sizeof why);
            assert_non_null(client);
            chainsi_client_know_peer(client, NULL, NULL, digest);
            chainsi_arena arena = { 0 };
            chainsi_client_response response;
            chainsi_exchange_end end =
                call(client, &arena, "hello", 5, CHAINSI_NEVER, &response, why);
            assert_int_equal(end, right ? CHAINSI_EXCHANGE_ANSWERED : CHAINSI_EXCHANGE_NOT_STARTED);
            if (!right)
                assert_non_null(strstr(why, "another certificate"));
            chainsi_client_free(client);
            chainsi_arena_done(&arena);
            stop(&server);
        }
    }
}

static void test_ends(void **state)
{
    (void)state;
    expect_end(TO_END, &good, 0, CHAINSI_EXCHANGE_ANSWERED, NULL);
    /* Without TLS's goodbye, an end may be an attacker's. */
    expect_end(CUT, &good, 0, CHAINSI_EXCHANGE_MAYBE_STARTED, "middle of the answer");
}

static void test_no_tls_there(void **state)
{
    (void)state;
    expect_end(NO_TLS, &good, 0, CHAINSI_EXCHANGE_NOT_STARTED, "handshake");
    expect_end(SILENT, &good, 30, CHAINSI_EXCHANGE_DEADLINE, "deadline");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),        cmocka_unit_test(test_who_is_trusted),
        cmocka_unit_test(test_pins),         cmocka_unit_test(test_ends),
        cmocka_unit_test(test_no_tls_there),
    };
    return cmocka_run_group_tests(tests, make_identities, free_identities);
}
