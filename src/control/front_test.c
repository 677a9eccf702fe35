/* The limits of the front door on a clock of our own. */
#include "front_test_support.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

enum { BIG_ANSWER = 16 * 1024 * 1024 };

static void on_gone(chainsi_exchange *exchange)
{
    ((door *)exchange->user)->kept = NULL;
}

/* Answers "/big" with much, keeps "/wait", and answers all else with the size of the body. */
static void on_request(void *user, chainsi_exchange *exchange)
{
    door *it = user;
    it->requests++;
    if (chainsi_slice_is(exchange->request.path, "/wait")) {
        it->kept = exchange;
        exchange->user = it;
        exchange->on_gone = on_gone;
    } else if (chainsi_slice_is(exchange->request.path, "/big")) {
        char *body = calloc(1, BIG_ANSWER);
        assert_non_null(body);
        chainsi_exchange_answer(exchange, 200, "text/plain", NULL, body, BIG_ANSWER);
        free(body);
    } else {
        char text[32];
        int size = snprintf(text, sizeof text, "%zu", exchange->body_size);
        chainsi_exchange_answer(exchange, 200, "text/plain", NULL, text, (size_t)size);
    }
}

static void test_silence(void **state)
{
    (void)state;
    door it;
    open_door(&it, &(chainsi_front_options){ 0 });
    int fd = enter(&it);
    settle(&it);
    skip_ms(&it, CHAINSI_SILENCE_TIMEOUT_MS - MARGIN_MS);
    assert_true(is_quiet(&it, fd));
    skip_ms(&it, MARGIN_MS);
    assert_null(hear(&it, fd, (char[64]){ 0 }, 64));
    close(fd);
    close_door(&it);
}

/* A certificate in a folder of its own, as chainsi_secure_new reads it. */
static chainsi_secure *make_secure(void)
{
    char folder[] = "/tmp/chains-front-XXXXXX", certificate_path[64], key_path[64], why[256];
    assert_non_null(mkdtemp(folder));
    snprintf(certificate_path, sizeof certificate_path, "%s/certificate", folder);
    snprintf(key_path, sizeof key_path, "%s/key", folder);
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(certificate_path, "w");
    assert_true(file && PEM_write_X509(file, certificate));
    fclose(file);
    file = fopen(key_path, "w");
    assert_true(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    chainsi_secure *secure = chainsi_secure_new(certificate_path, key_path, why, sizeof why);
    if (!secure)
        fail_msg("%s", why);
    unlink(certificate_path);
    unlink(key_path);
    rmdir(folder);
    return secure;
}

static void test_slow_handshakes(void **state)
{
    (void)state;
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    chainsi_secure *secure = make_secure();
    door it;
    open_door(&it, &(chainsi_front_options){ .secure = secure });
    int silent = enter(&it), slow = enter(&it);
    settle(&it);
    for (size_t i = 0; i < sizeof hello - 1; i++) {
        say(&it, slow, hello + i, 1);
        skip_ms(&it, (CHAINSI_HANDSHAKE_TIMEOUT_MS - MARGIN_MS) / (int)sizeof hello);
        assert_true(is_quiet(&it, slow));
    }
    assert_true(is_quiet(&it, silent));
    skip_ms(&it, 2 * MARGIN_MS);
    assert_null(hear(&it, slow, (char[64]){ 0 }, 64));
    assert_null(hear(&it, silent, (char[64]){ 0 }, 64));
    close(slow);
    close(silent);
    close_door(&it);
    chainsi_secure_free(secure);
}

static void test_slow_heads(void **state)
{
    (void)state;
    static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
    door it;
    char space[1024];
    open_door(&it, &(chainsi_front_options){ 0 });
    int fd = enter(&it);
    say_text(&it, fd, head);
    /* More bytes give no more time. */
    for (int i = 0; i < 4; i++) {
        skip_ms(&it, (CHAINSI_REQUEST_TIMEOUT_MS - MARGIN_MS) / 4);
        say_text(&it, fd, "b");
        assert_true(is_quiet(&it, fd));
    }
    skip_ms(&it, MARGIN_MS);
    assert_memory_equal(hear(&it, fd, space, sizeof space), "HTTP/1.1 408 ", 13);
    assert_non_null(strstr(space, "Connection: close"));
    close(fd);
    assert_int_equal(it.requests, 0);
    close_door(&it);
}

static void test_slow_bodies(void **state)
{
    (void)state;
    static char bytes[CHAINSI_PACE_BYTES];
    for (int late = 0; late < 2; late++) {
        door it;
        char space[1024];
        open_door(&it, &(chainsi_front_options){ 0 });
        int fd = enter(&it);
        say_text(&it, fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
        for (int i = 0; i < 3; i++) {
            say(&it, fd, bytes, sizeof bytes);
            skip_ms(&it, CHAINSI_PACE_MS);
            assert_true(is_quiet(&it, fd));
        }
        say(&it, fd, bytes, sizeof bytes - (late ? 1 : 0));
        skip_ms(&it, CHAINSI_PACE_MS);
        if (late)
            assert_memory_equal(hear(&it, fd, space, sizeof space), "HTTP/1.1 408 ", 13);
        else
            assert_true(is_quiet(&it, fd));
        close(fd);
        close_door(&it);
    }
}

static void test_slow_chunks(void **state)
{
    (void)state;
    door it;
    char space[1024];
    open_door(&it, &(chainsi_front_options){ 0 });
    int fd = enter(&it);
    say_text(&it, fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10; i++)
        say_text(&it, fd, "1\r\na\r\n");
    skip_ms(&it, CHAINSI_PACE_MS);
    assert_memory_equal(hear(&it, fd, space, sizeof space), "HTTP/1.1 408 ", 13);
    close(fd);
    close_door(&it);
}

static void test_idle(void **state)
{
    (void)state;
    door it;
    char space[1024];
    open_door(&it, &(chainsi_front_options){ 0 });
    int fd = enter(&it);
    for (int i = 0; i < 2; i++) {
        say_text(&it, fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_memory_equal(hear(&it, fd, space, sizeof space), "HTTP/1.1 200 ", 13);
        skip_ms(&it, CHAINSI_IDLE_TIMEOUT_MS - MARGIN_MS);
        assert_true(is_quiet(&it, fd));
    }
    skip_ms(&it, MARGIN_MS);
    assert_null(hear(&it, fd, space, sizeof space));
    close(fd);
    close_door(&it);
}

/* A call may take as long as it likes. */
static void test_running(void **state)
{
    (void)state;
    door it;
    char space[1024];
    open_door(&it, &(chainsi_front_options){ 0 });
    int fd = enter(&it);
    say_text(&it, fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(it.kept);
    skip_ms(&it, INT64_C(24) * 3600 * 1000);
    assert_true(is_quiet(&it, fd));
    chainsi_exchange_answer(it.kept, 200, "text/plain", NULL, "done", 4);
    assert_memory_equal(hear(&it, fd, space, sizeof space), "HTTP/1.1 200 ", 13);
    close(fd);
    close_door(&it);
}

static void cancel(void *user, chainsi_exchange *exchange)
{
    ++*(int *)user;
    chainsi_exchange_cancel(exchange, 401, "X-Why: asked\r\n", CHAINS_UNAUTHENTICATED, "no %s",
                            "more");
}

/* What is being answered is taken away from whoever answers it, and nothing else is. */
static void test_cancelled(void **state)
{
    (void)state;
    door it;
    char space[4096];
    int count = 0;
    open_door(&it, &(chainsi_front_options){ 0 });
    int idle = enter(&it), waiting = enter(&it), begun = enter(&it);
    say_text(&it, waiting,
             "GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(it.kept);
    chainsi_front_visit(it.front, cancel, &count);
    assert_int_equal(count, 1);
    assert_null(it.kept);
    assert_memory_equal(hear(&it, waiting, space, sizeof space), "HTTP/1.1 401 ", 13);
    assert_non_null(strstr(space, "\r\nX-Why: asked\r\n"));
    assert_non_null(strstr(space, "\"no more\""));
    /* The next request on the connection is answered as ever. */
    const char *next = strstr(space, "HTTP/1.1 200 ");
    assert_non_null(next ? next : strstr(hear(&it, waiting, space, sizeof space), "HTTP/1.1 200 "));

    say_text(&it, begun, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    chainsi_exchange_begin(it.kept, 200, NULL, -1);
    chainsi_exchange_write(it.kept, "abc", 3);
    assert_non_null(strstr(hear(&it, begun, space, sizeof space), "abc"));
    chainsi_front_visit(it.front, cancel, &count);
    assert_int_equal(count, 2);
    assert_null(it.kept);
    /* Neither an end of the body nor another answer: it was cut. */
    assert_null(hear(&it, begun, space, sizeof space));
    assert_true(is_quiet(&it, idle));
    chainsi_front_visit(it.front, cancel, &count);
    assert_int_equal(count, 2);
    close(idle);
    close(waiting);
    close(begun);
    close_door(&it);
}

static void test_slow_readers(void **state)
{
    (void)state;
    static char space[BIG_ANSWER];
    for (int late = 0; late < 2; late++) {
        door it;
        open_door(&it, &(chainsi_front_options){ 0 });
        int fd = enter(&it);
        say_text(&it, fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
        for (int i = 0; i < 3; i++) {
            /* As much as it takes for the kernel to ask for more. */
            if (!late)
                for (int part = 0; part < 64; part++)
                    hear(&it, fd, space, 64 * 1024);
            skip_ms(&it, CHAINSI_PACE_MS - (late ? MARGIN_MS : 0));
            if (late)
                break;
        }
        if (late)
            skip_ms(&it, MARGIN_MS);
        size_t heard = 0;
        for (ssize_t got; (got = recv(fd, space, sizeof space, 0)) > 0;)
            heard += (size_t)got;
        bool cut = recv(fd, space, 1, 0) == 0 || errno == ECONNRESET;
        if (late != cut)
            fail_msg("%s: %zu bytes", late ? "a late reader was kept" : "a reader was cut", heard);
        close(fd);
        close_door(&it);
    }
}

/* The connections that are left open so far, and one more. */
static void check_count(const chainsi_front_options *options, size_t most, const char *answer)
{
    door it;
    char space[1024];
    int fds[8];
    open_door(&it, options);
    for (size_t i = 0; i < most; i++) {
        fds[i] = enter(&it);
        assert_true(is_quiet(&it, fds[i]));
    }
    for (int round = 0; round < 2; round++) {
        int fd = enter(&it);
        const char *text = hear(&it, fd, space, sizeof space);
        assert_non_null(text);
        assert_memory_equal(text, answer, strlen(answer));
        const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        assert_true(body && length);
        assert_int_equal(strlen(body + 4), atoi(length + 16));
        close(fd);
    }
    close(fds[0]);
    settle(&it);
    fds[0] = enter(&it);
    assert_true(is_quiet(&it, fds[0]));
    for (size_t i = 0; i < most; i++)
        close(fds[i]);
    close_door(&it);
}

static void test_connections(void **state)
{
    (void)state;
    check_count(&(chainsi_front_options){ .max_connections = 3 }, 3, "HTTP/1.1 503 ");
    check_count(&(chainsi_front_options){ .max_connections_of_one = 3 }, 3, "HTTP/1.1 429 ");
}

static void test_bodies_that_cannot_be_held(void **state)
{
    (void)state;
    static char bytes[CHAINSI_SPOOL_FROM + 1];
    for (int more = 0; more < 2; more++) {
        door it;
        char space[1024], head[128];
        open_door(&it, &(chainsi_front_options){ .spool_folder = "/nowhere" });
        int fd = enter(&it);
        snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
                 CHAINSI_SPOOL_FROM + more);
        say_text(&it, fd, head);
        say(&it, fd, bytes, CHAINSI_SPOOL_FROM + (size_t)more);
        assert_memory_equal(hear(&it, fd, space, sizeof space),
                            more ? "HTTP/1.1 503 " : "HTTP/1.1 200 ", 13);
        assert_true(!more == !strstr(space, "Retry-After"));
        close(fd);
        close_door(&it);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_slow_handshakes),
        cmocka_unit_test(test_slow_heads),
        cmocka_unit_test(test_slow_bodies),
        cmocka_unit_test(test_slow_chunks),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_slow_readers),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_bodies_that_cannot_be_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
