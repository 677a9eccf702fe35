/* The serving side over real sockets: callers are rpc/client.h where the transport is to work, and
 * raw sockets where it is to be mistreated. */
#include "rpc/server.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/address.h"
#include "rpc/client.h"

enum { PATIENCE_MS = 30000, MANY = 64, LARGE = 32 * 1024 * 1024 };

typedef struct fixture {
    char folder[32], address[128];
    int listen_fd;
    chainsi_server *server;
    sem_t gate; /* what /wait waits for */
    atomic_int running, most_running, handled, after, gone;
} fixture;

/* ------------------------------------------------------------------------------------------------
 * the service */

static void handle(void *user, chainsi_server_request *request, chainsi_server_response *response)
{
    fixture *it = user;
    chainsi_slice path = request->head.path;
    int running = atomic_fetch_add(&it->running, 1) + 1, most = atomic_load(&it->most_running);
    while (running > most && !atomic_compare_exchange_weak(&it->most_running, &most, running)) {
    }
    atomic_fetch_add(&it->handled, 1);
    if (chainsi_slice_is(path, "/wait")) {
        while (sem_wait(&it->gate)) {
        }
    } else if (chainsi_slice_is(path, "/hang-up")) {
        struct pollfd watched = { .fd = request->fd, .events = request->hang_up };
        if (poll(&watched, 1, PATIENCE_MS) > 0)
            atomic_fetch_add(&it->gone, 1);
    } else if (chainsi_slice_is(path, "/large")) {
        memset(chainsi_buffer_reserve(response->body, LARGE), 'x', LARGE);
        response->body->size = LARGE;
    } else if (chainsi_slice_is(path, "/204")) {
        response->status = 204;
    } else if (chainsi_slice_is(path, "/close")) {
        response->close = true;
    }
    response->content_type = "text/plain";
    chainsi_buffer_add_text(response->headers, "X-Seen: ");
    chainsi_buffer_add(response->headers, path.data, path.size);
    chainsi_buffer_add_text(response->headers, "\r\n");
    /* The NUL is there, and the body may be written to. */
    assert_int_equal(request->body[request->body_size], 0);
    char *copy = chainsi_arena_copy(request->arena, request->body, request->body_size);
    memset(request->body, '!', request->body_size);
    chainsi_buffer_add(response->body, copy, request->body_size);
    atomic_fetch_sub(&it->running, 1);
}

static void note_after(void *user, chainsi_server_request *request)
{
    fixture *it = user;
    (void)request;
    atomic_fetch_add(&it->after, 1);
}

static bool is_probe(void *user, const chainsi_http_request *request)
{
    (void)user;
    return chainsi_slice_is(request->path, "/healthz");
}

static void start(fixture *it, bool tcp, chainsi_server_options options)
{
    char why[256] = "";
    *it = (fixture){ .folder = "/tmp/chains-server-XXXXXX" };
    assert_non_null(mkdtemp(it->folder));
    if (tcp)
        snprintf(it->address, sizeof it->address, "http://127.0.0.1:0");
    else
        snprintf(it->address, sizeof it->address, "unix:%s/s", it->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(it->address, &address, why, sizeof why));
    it->listen_fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    assert_true(it->listen_fd >= 0);
    chainsi_address_done(&address);
    if (tcp)
        assert_true(chainsi_address_of(it->listen_fd, it->address, sizeof it->address));
    assert_int_equal(sem_init(&it->gate, 0, 0), 0);
    options.listen_fd = it->listen_fd;
    options.handler = handle;
    options.after = note_after;
    options.user = it;
    it->server = chainsi_server_start(&options, why, sizeof why);
    if (!it->server)
        fail_msg("%s", why);
}

static void stop(fixture *it)
{
    chainsi_server_free(it->server);
    close(it->listen_fd);
    sem_destroy(&it->gate);
    char path[64];
    snprintf(path, sizeof path, "%s/s", it->folder);
    unlink(path);
    rmdir(it->folder);
}

static chainsi_server_counters counters_of(fixture *it)
{
    chainsi_server_counters counters;
    chainsi_server_read_counters(it->server, &counters);
    return counters;
}

/* Waits until condition holds; fails the test if it does not within PATIENCE_MS. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t until_ = chainsi_now_ns() + PATIENCE_MS * CHAINSI_NS_PER_MS;                       \
        while (!(condition)) {                                                                     \
            assert_true(chainsi_now_ns() < until_);                                                \
            poll(NULL, 0, 1);                                                                      \
        }                                                                                          \
    } while (0)

/* ------------------------------------------------------------------------------------------------
 * callers */

static int dial(fixture *it)
{
    char why[256];
    chainsi_address address;
    assert_true(chainsi_address_parse(it->address, &address, why, sizeof why));
    int fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    if (fd < 0)
        fail_msg("%s", why);
    chainsi_address_done(&address);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads one answer with a Content-Length, and nothing behind it. "" at the connection's end. */
static const char *hear(int fd, char *text, size_t size)
{
    size_t have = 0, whole = SIZE_MAX;
    while (have < whole) {
        assert_true(have + 1 < size);
        struct pollfd watched = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
        ssize_t got = recv(fd, text + have, 1, 0);
        if (got <= 0)
            break;
        text[++have] = 0;
        char *end = whole == SIZE_MAX ? strstr(text, "\r\n\r\n") : NULL;
        if (end) {
            char *length = strstr(text, "Content-Length: ");
            whole = (size_t)(end - text) + 4 + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
    }
    text[have] = 0;
    return text;
}

static void expect(int fd, int status, const char *body)
{
    char text[8192], line[32];
    hear(fd, text, sizeof text);
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (strncmp(text, line, strlen(line)))
        fail_msg("expected %d, got: %s", status, text);
    const char *end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    if (body)
        assert_string_equal(end + 4, body);
}

/* The other end has closed, and sends nothing before that. */
static void expect_end(int fd)
{
    char byte;
    struct pollfd watched = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

static void post(int fd, const char *path, const char *body)
{
    char text[1024];
    snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
             path, strlen(body), body);
    say(fd, text);
}

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

static void *call_many(void *user)
{
    fixture *it = user;
    char why[256];
    chainsi_client *client = chainsi_client_new(it->address, why, sizeof why);
    chainsi_arena arena = { 0 };
    size_t answered = 0;
    for (int i = 0; i < 20; i++) {
        char body[32];
        chainsi_client_response response;
        chainsi_client_request request = {
            .method = "POST", .path = "/x", .body = body, .deadline_ns = CHAINSI_NEVER
        };
        request.body_size = (size_t)snprintf(body, sizeof body, "%p %d", (void *)&arena, i);
        /* A callee may have closed its end (recall): certainly not started, so once more. */
        chainsi_exchange_end end;
        do
            end = chainsi_client_exchange(client, &request, &arena, &response, why, sizeof why);
        while (end == CHAINSI_EXCHANGE_NOT_STARTED);
        if (end == CHAINSI_EXCHANGE_ANSWERED && response.body_size == request.body_size &&
            !memcmp(response.body, body, response.body_size))
            answered++;
        chainsi_arena_reset(&arena);
    }
    chainsi_client_free(client);
    chainsi_arena_done(&arena);
    return (void *)answered;
}

static void test_many_at_once(void **state)
{
    (void)state;
    /* plain, recalling, TCP, eager TCP */
    for (int kind = 0; kind < 4; kind++) {
        fixture it;
        start(&it, kind >= 2,
              (chainsi_server_options){ .slots = 4, .recall_idle = kind == 1, .eager = kind == 3 });
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

static void test_recall(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 1, .recall_idle = true });
    int first = dial(&it);
    post(first, "/x", "a");
    expect(first, 200, "a");
    AWAIT(counters_of(&it).in_flight == 0);
    int second = dial(&it);
    post(second, "/wait", "");
    /* Its next call would have had to wait here. */
    expect_end(first);
    sem_post(&it.gate);
    expect(second, 200, "");
    post(second, "/x", "b");
    expect(second, 200, "b");
    close(first);
    close(second);
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

/* ------------------------------------------------------------------------------------------------
 * callers that leave, and slow ones */

static void test_disconnect_in_mid_request(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "",
        "POST /x HTTP/1.1\r\nHo",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    };
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 1 });
        for (int i = 0; i < 4; i++) {
            int fd = dial(&it);
            if (*parts[i])
                say(fd, parts[i]);
            AWAIT(counters_of(&it).accepted == (uint64_t)i + 1);
            close(fd);
            AWAIT(counters_of(&it).connections == 0);
        }
        assert_int_equal(atomic_load(&it.handled), 0);
        stop(&it);
    }
}

static void test_half_close(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 1 });
        int fd = dial(&it);
        post(fd, "/x", "over");
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        expect(fd, 200, "over");
        expect_end(fd);
        close(fd);
        stop(&it);
    }
}

static void test_hang_up_is_seen(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 1 });
        int fd = dial(&it);
        post(fd, "/hang-up", "");
        AWAIT(atomic_load(&it.running) == 1);
        close(fd);
        AWAIT(atomic_load(&it.gone) == 1);
        AWAIT(counters_of(&it).connections == 0);
        stop(&it);
    }
}

static void test_slow_reader(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 1, .send_timeout_ms = 20 });
    int slow = dial(&it), next = dial(&it);
    say(slow, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    AWAIT(atomic_load(&it.handled) == 1);
    post(next, "/x", "hi");
    /* Nobody reads the large answer, and the slot comes free all the same. */
    expect(next, 200, "hi");
    assert_int_equal(counters_of(&it).lost, 1);
    close(slow);
    close(next);
    stop(&it);
}

/* ------------------------------------------------------------------------------------------------
 * draining */

typedef struct drainer {
    fixture *it;
    bool done;
} drainer;

static void *drain(void *user)
{
    drainer *its = user;
    its->done = chainsi_server_drain(its->it->server, CHAINSI_NEVER);
    return NULL;
}

static void test_drain(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 2 });
        int idle = dial(&it), busy = dial(&it);
        post(idle, "/x", "a");
        expect(idle, 200, "a");
        post(busy, "/wait", "b");
        AWAIT(atomic_load(&it.running) == 1);
        /* Not done while a call runs; idle ones go at once, and nothing is accepted any more. */
        assert_false(chainsi_server_drain(it.server, chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS));
        expect_end(idle);
        int late = dial(&it);
        post(late, "/x", "c");
        drainer its = { .it = &it };
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, drain, &its), 0);
        sem_post(&it.gate);
        char text[1024];
        hear(busy, text, sizeof text);
        assert_memory_equal(text, "HTTP/1.1 200 OK\r\n", 17);
        assert_non_null(strstr(text, "Connection: close\r\n"));
        expect_end(busy);
        pthread_join(thread, NULL);
        assert_true(its.done);
        assert_int_equal(counters_of(&it).connections, 0);
        assert_int_equal(atomic_load(&it.handled), 2);
        close(idle);
        close(busy);
        /* The late call waits in the kernel's queue for whoever serves this socket next. */
        chainsi_server_free(it.server);
        char why[256];
        chainsi_server_options options = {
            .listen_fd = it.listen_fd, .slots = 1, .handler = handle, .user = &it
        };
        it.server = chainsi_server_start(&options, why, sizeof why);
        assert_non_null(it.server);
        expect(late, 200, "c");
        close(late);
        stop(&it);
    }
}

static void test_drain_tells_what_was_not_read(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 1 });
    int begun = dial(&it);
    say(begun, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    AWAIT(counters_of(&it).connections == 1);
    int busy = dial(&it);
    post(busy, "/wait", "");
    AWAIT(atomic_load(&it.running) == 1);
    /* The rest comes while the only slot is busy, so that it stays unread. */
    say(begun, "defghij");
    assert_false(chainsi_server_drain(it.server, chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS));
    char byte;
    assert_int_equal(recv(begun, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    sem_post(&it.gate);
    expect(busy, 200, "");
    close(begun);
    close(busy);
    assert_int_equal(atomic_load(&it.handled), 1);
    stop(&it);
}

static void test_drain_under_load(void **state)
{
    (void)state;
    /* Callers go on calling while one server is drained after the other on the same socket: every
     * call is answered, because those that were not started are sent again. */
    fixture it;
    start(&it, false, (chainsi_server_options){ .slots = 2 });
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, &it), 0);
    for (int round = 0; round < 10; round++) {
        chainsi_server_free(it.server);
        char why[256];
        chainsi_server_options options = {
            .listen_fd = it.listen_fd, .slots = 2, .handler = handle, .user = &it
        };
        it.server = chainsi_server_start(&options, why, sizeof why);
        assert_non_null(it.server);
    }
    for (int i = 0; i < 8; i++) {
        void *answered;
        pthread_join(threads[i], &answered);
        assert_int_equal((size_t)answered, 20);
    }
    assert_int_equal(atomic_load(&it.handled), 8 * 20);
    stop(&it);
}

static void test_cannot_start(void **state)
{
    (void)state;
    char why[256] = "";
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    chainsi_server_options options = { .listen_fd = pipes[0], .slots = 1, .handler = handle };
    assert_null(chainsi_server_start(&options, why, sizeof why));
    assert_true(why[0] != 0);
    close(pipes[0]);
    close(pipes[1]);
    chainsi_server_free(NULL);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static int descriptors;

static int note_descriptors(void **state)
{
    (void)state;
    descriptors = count_descriptors();
    return 0;
}

static int compare_descriptors(void **state)
{
    (void)state;
    return count_descriptors() == descriptors ? 0 : -1;
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, note_descriptors, compare_descriptors)

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
        TEST(test_recall),
        TEST(test_eager),
        TEST(test_disconnect_in_mid_request),
        TEST(test_half_close),
        TEST(test_hang_up_is_seen),
        TEST(test_slow_reader),
        TEST(test_drain),
        TEST(test_drain_tells_what_was_not_read),
        TEST(test_drain_under_load),
        TEST(test_cannot_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
