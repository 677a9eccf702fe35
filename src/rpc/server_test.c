/* The serving side over real sockets: callers are rpc/client.h where the transport is to work, and raw sockets where
 * it is to be mistreated. */
#include "rpc/server_test_support.h"

/* ------------------------------------------------------------------------------------------------
 * requests and answers */

static void test_calls(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 2 });
        char why[256];
        chainsi_client *client = chainsi_client_new(it.address, why, sizeof why);
        assert_non_null(client);
        chainsi_arena arena = { 0 };
        chainsi_client_response response;
        size_t sizes[] = { 0, 1, 5, 16000, 17000, 300000, 5000000 };
        char *body = malloc(5000000);
        for (size_t i = 0; i < 5000000; i++)
            body[i] = (char)('a' + i % 23);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            chainsi_client_request request = { .method = "POST",
                                               .path = "/x",
                                               .body = body,
                                               .body_size = sizes[i],
                                               .deadline_ns = CHAINSI_NEVER };
            assert_int_equal(
                chainsi_client_exchange(client, &request, &arena, &response, why, sizeof why),
                CHAINSI_EXCHANGE_ANSWERED);
            assert_int_equal(response.status, 200);
            assert_string_equal(response.content_type, "text/plain");
            assert_int_equal(response.body_size, sizes[i]);
            assert_memory_equal(response.body, body, sizes[i]);
            assert_true(chainsi_slice_is(*chainsi_http_find(&response.head, "x-seen"), "/x"));
        }
        chainsi_client_free(client);
        chainsi_arena_done(&arena);
        free(body);
        AWAIT(atomic_load(&it.after) == 7);
        chainsi_server_counters counters = counters_of(&it);
        assert_int_equal(counters.accepted, 1);
        assert_int_equal(counters.requests, 7);
        assert_int_equal(counters.refused, 0);
        AWAIT(counters_of(&it).connections == 0);
        stop(&it);
    }
}

static void test_forms_of_requests(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 1 });
    char text[1024];
    int fd = dial(&it);
    say(fd, "GET /get?x HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, 200, "");
    say(fd, "HEAD /head HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    /* The length of what would have been sent. */
    size_t have = 0;
    while (!have || !strstr(text, "\r\n\r\n")) {
        assert_int_equal(recv(fd, text + have, 1, 0), 1);
        text[++have] = 0;
    }
    assert_non_null(strstr(text, "Content-Length: 2\r\n"));
    say(fd, "POST /204 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    expect(fd, 204, "");
    say(fd, "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3;e=x\r\nabc\r\n4\r\ndefg\r\n0\r\nT: r\r\n\r\n");
    expect(fd, 200, "abcdefg");
    say(fd, "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    expect(fd, 100, "");
    say(fd, "abc");
    expect(fd, 200, "abc");
    /* Nobody waits for the word when the body is already there. */
    say(fd, "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
    expect(fd, 200, "abc");
    say(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    hear(fd, text, sizeof text);
    assert_non_null(strstr(text, "Connection: keep-alive\r\n"));
    say(fd, "GET / HTTP/1.0\r\n\r\n");
    hear(fd, text, sizeof text);
    assert_non_null(strstr(text, "Connection: close\r\n"));
    expect_end(fd);
    close(fd);
    static const char *const closing[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /close HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (int i = 0; i < 2; i++) {
        fd = dial(&it);
        say(fd, closing[i]);
        hear(fd, text, sizeof text);
        assert_non_null(strstr(text, "Connection: close\r\n"));
        expect_end(fd);
        close(fd);
    }
    stop(&it);
}

static void test_pieces_and_pipelines(void **state)
{
    (void)state;
    /* Bodies that end where the next request begins. */
    static const char text[] =
        "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
        "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n"
        "POST /4 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour";
    static const size_t pieces[] = { sizeof text, 1, 5, 70 };
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 1, .eager = tcp });
        for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
            int fd = dial(&it);
            for (size_t at = 0; at < sizeof text - 1; at += pieces[p]) {
                size_t part = sizeof text - 1 - at;
                assert_true(send(fd, text + at, part < pieces[p] ? part : pieces[p], 0) > 0);
            }
            expect(fd, 200, "one");
            expect(fd, 200, "two");
            expect(fd, 200, "");
            expect(fd, 200, "four");
            close(fd);
        }
        stop(&it);
    }
}

static void test_long_pipeline(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 2 });
    int fd = dial(&it);
    enum { COUNT = 300 };
    char *text = malloc(COUNT * 500), *at = text;
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n%0200d", i);
    assert_int_equal(send(fd, text, (size_t)(at - text), 0), at - text);
    for (int i = 0; i < COUNT; i++) {
        char body[201];
        snprintf(body, sizeof body, "%0200d", i);
        expect(fd, 200, body);
    }
    free(text);
    close(fd);
    stop(&it);
}

/* ------------------------------------------------------------------------------------------------
 * refusals */

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *name;
    } cases[] = {
        { "\r\n\r\n", 400, "INVALID_ARGUMENT" },
        { "\x16\x03\x01", 400, "INVALID_ARGUMENT" },
        { "GET / HTTP/1.1\r\n\r\n", 400, "INVALID_ARGUMENT" },
        { "GET / HTTP/1.1\nHost: x\n\n", 400, "INVALID_ARGUMENT" },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          400, "INVALID_ARGUMENT" },
        { "POST / HTTP/1.0\r\n\r\n", 411, "INVALID_ARGUMENT" },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413, "INVALID_ARGUMENT" },
        { "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n", 413,
          "INVALID_ARGUMENT" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n",
          413, "INVALID_ARGUMENT" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400,
          "INVALID_ARGUMENT" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "UNIMPLEMENTED" },
        { "POST / HTTP/1.1\r\nHost: x\r\nExpect: y\r\n\r\n", 417, "INVALID_ARGUMENT" },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "UNIMPLEMENTED" },
    };
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 1, .max_body = 10 });
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            char text[1024], expected[64];
            int fd = dial(&it);
            say(fd, cases[i].text);
            hear(fd, text, sizeof text);
            snprintf(expected, sizeof expected, "HTTP/1.1 %d ", cases[i].status);
            if (strncmp(text, expected, strlen(expected)))
                fail_msg("case %zu: expected %d, got: %s", i, cases[i].status, text);
            snprintf(expected, sizeof expected, "\r\n\r\n{\"error\":{\"status\":\"%s\",",
                     cases[i].name);
            assert_non_null(strstr(text, expected));
            assert_non_null(strstr(text, "\"path\":null,\"trace\":[],\"request_id\":\"\"}}"));
            assert_non_null(strstr(text, "Content-Type: application/json\r\n"));
            assert_non_null(strstr(text, "Connection: close\r\n"));
            expect_end(fd);
            close(fd);
        }
        assert_int_equal(atomic_load(&it.handled), 0);
        assert_int_equal(counters_of(&it).refused, sizeof cases / sizeof cases[0]);
        /* At the limit. */
        int fd = dial(&it);
        post(fd, "/", "0123456789");
        expect(fd, 200, "0123456789");
        say(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                "6\r\nabcdef\r\n4\r\nghij\r\n0\r\n\r\n");
        expect(fd, 200, "abcdefghij");
        close(fd);
        stop(&it);
    }
}

static void test_refusal_reaches_who_still_sends(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 1, .max_body = 1000 });
        char why[256], *body = calloc(1, 8 * 1024 * 1024);
        chainsi_client *client = chainsi_client_new(it.address, why, sizeof why);
        chainsi_arena arena = { 0 };
        chainsi_client_response response;
        chainsi_client_request request = { .method = "POST",
                                           .path = "/",
                                           .body = body,
                                           .body_size = 8 * 1024 * 1024,
                                           .deadline_ns = CHAINSI_NEVER };
        assert_int_equal(
            chainsi_client_exchange(client, &request, &arena, &response, why, sizeof why),
            CHAINSI_EXCHANGE_ANSWERED);
        assert_int_equal(response.status, 413);
        assert_non_null(strstr(response.body, "too large"));
        chainsi_client_free(client);
        chainsi_arena_done(&arena);
        free(body);
        stop(&it);
    }
}

static void test_incomplete_request_times_out(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "POST /x HT",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    };
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 1, .request_timeout_ms = 40 });
    int idle = dial(&it);
    post(idle, "/x", "idle");
    expect(idle, 200, "idle");
    for (int i = 0; i < 3; i++) {
        int fd = dial(&it);
        say(fd, parts[i]);
        expect(fd, 408, NULL);
        expect_end(fd);
        close(fd);
    }
    assert_int_equal(counters_of(&it).refused, 3);
    /* Between requests nobody is late. */
    post(idle, "/x", "still");
    expect(idle, 200, "still");
    close(idle);
    stop(&it);
}

static void test_most_connections(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 1, .max_connections = 4 });
    int fds[5];
    for (int i = 0; i < 5; i++) {
        fds[i] = dial(&it);
        post(fds[i], "/x", "hi");
        expect(fds[i], 200, "hi");
        AWAIT(counters_of(&it).in_flight == 0);
    }
    /* The one that was idle for longest had to go. */
    expect_end(fds[0]);
    assert_int_equal(counters_of(&it).connections, 4);
    for (int i = 1; i < 5; i++) {
        post(fds[i], "/x", "ho");
        expect(fds[i], 200, "ho");
    }
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    stop(&it);
}

/* ------------------------------------------------------------------------------------------------
 * slots */

static void test_many_at_once(void **state)
{
    (void)state;
    /* plain, with kept connections that come back, TCP, eager TCP */
    for (int kind = 0; kind < 4; kind++) {
        fixture it;
        start(&it, kind >= 2,
              (chainsi_server_options){
                  .slots = 4, .shared = kind == 1, .frames = kind == 1, .eager = kind == 3 });
        pthread_t threads[MANY];
        for (int i = 0; i < MANY; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, call_many, &it), 0);
        for (int i = 0; i < MANY; i++) {
            void *answered;
            pthread_join(threads[i], &answered);
            assert_int_equal((size_t)answered, 20);
        }
        assert_int_equal(atomic_load(&it.handled), MANY * 20);
        assert_in_range(atomic_load(&it.most_running), 1, 4);
        AWAIT(atomic_load(&it.after) == MANY * 20);
        AWAIT(counters_of(&it).connections == 0);
        stop(&it);
    }
}

static void test_slots_are_used_and_respected(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 3 });
    int fds[6];
    for (int i = 0; i < 6; i++) {
        fds[i] = dial(&it);
        post(fds[i], "/wait", "");
    }
    AWAIT(atomic_load(&it.running) == 3);
    assert_int_equal(counters_of(&it).in_flight, 3);
    /* What waits, waits unaccepted. */
    assert_int_equal(counters_of(&it).accepted, 3);
    for (int i = 0; i < 6; i++)
        sem_post(&it.gate);
    for (int i = 0; i < 6; i++) {
        expect(fds[i], 200, "");
        close(fds[i]);
    }
    assert_int_equal(atomic_load(&it.most_running), 3);
    stop(&it);
}

static void test_idle_connections_hold_no_slot(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 1 });
    int fds[60];
    for (int i = 0; i < 60; i++) {
        fds[i] = dial(&it);
        if (i % 3 == 0) { /* kept alive */
            post(fds[i], "/x", "hi");
            expect(fds[i], 200, "hi");
        } else if (i % 3 == 1) { /* begun */
            say(fds[i], "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
        } /* and some that say nothing */
    }
    AWAIT(counters_of(&it).connections == 60);
    int fd = dial(&it);
    post(fd, "/x", "through");
    expect(fd, 200, "through");
    for (int i = 1; i < 60; i += 3) {
        say(fds[i], "cd");
        expect(fds[i], 200, "abcd");
    }
    close(fd);
    for (int i = 0; i < 60; i++)
        close(fds[i]);
    AWAIT(counters_of(&it).connections == 0);
    stop(&it);
}

static void test_eager(void **state)
{
    (void)state;
    fixture it;
    start(
        &it, true,
        (chainsi_server_options){ .slots = 1, .eager = true, .max_waiting = 2, .probe = is_probe });
    int running = dial(&it), waiting = dial(&it), leaving = dial(&it), refused = dial(&it),
        probing = dial(&it);
    post(running, "/wait", "1");
    AWAIT(atomic_load(&it.running) == 1);
    post(waiting, "/x", "2");
    AWAIT(counters_of(&it).waiting == 1);
    post(leaving, "/x", "3");
    AWAIT(counters_of(&it).waiting == 2);
    post(refused, "/x", "4");
    expect(refused, 429, NULL);
    /* Probes take no slot. */
    say(probing, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(probing, 200, "");
    /* The refused one may try again on the same connection; the one that leaves is not run. */
    close(leaving);
    sem_post(&it.gate);
    expect(running, 200, "1");
    expect(waiting, 200, "2");
    AWAIT(counters_of(&it).in_flight == 0);
    post(refused, "/x", "5");
    expect(refused, 200, "5");
    assert_int_equal(atomic_load(&it.handled), 4);
    close(running);
    close(waiting);
    close(refused);
    close(probing);
    stop(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_calls),
        TEST(test_forms_of_requests),
        TEST(test_pieces_and_pipelines),
        TEST(test_long_pipeline),
        TEST(test_refusals),
        TEST(test_refusal_reaches_who_still_sends),
        TEST(test_incomplete_request_times_out),
        TEST(test_most_connections),
        TEST(test_many_at_once),
        TEST(test_slots_are_used_and_respected),
        TEST(test_idle_connections_hold_no_slot),
        TEST(test_eager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
