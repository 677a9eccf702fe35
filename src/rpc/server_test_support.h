/* A server whose handler does what the request's path says, and callers that speak raw HTTP. */
#ifndef CHAINSI_RPC_SERVER_TEST_SUPPORT_H
#define CHAINSI_RPC_SERVER_TEST_SUPPORT_H

#include "rpc/server.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/address.h"
#include "rpc/client.h"

#include "rpc/descriptors_test_support.h"

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

__attribute__((unused)) static void handle(void *user, chainsi_server_request *request,
                                           chainsi_server_response *response)
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

__attribute__((unused)) static void note_after(void *user, chainsi_server_request *request)
{
    fixture *it = user;
    (void)request;
    atomic_fetch_add(&it->after, 1);
}

__attribute__((unused)) static bool is_probe(void *user, const chainsi_http_request *request)
{
    (void)user;
    return chainsi_slice_is(request->path, "/healthz");
}

/* at: an address, NULL for a Unix socket in the folder. */
__attribute__((unused)) static void start_at(fixture *it, const char *at,
                                             chainsi_server_options options)
{
    char why[256] = "";
    *it = (fixture){ .folder = "/tmp/chains-server-XXXXXX" };
    assert_non_null(mkdtemp(it->folder));
    if (at)
        snprintf(it->address, sizeof it->address, "%s", at);
    else
        snprintf(it->address, sizeof it->address, "unix:%s/s", it->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(it->address, &address, why, sizeof why));
    it->listen_fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    assert_true(it->listen_fd >= 0);
    chainsi_address_done(&address);
    if (at)
        assert_true(chainsi_address_of(it->listen_fd, it->address, sizeof it->address));
    assert_int_equal(sem_init(&it->gate, 0, 0), 0);
    options.listen_fd = it->listen_fd;
    if (!options.handler)
        options.handler = handle;
    options.after = note_after;
    options.user = it;
    it->server = chainsi_server_start(&options, why, sizeof why);
    if (!it->server)
        fail_msg("%s", why);
}

__attribute__((unused)) static void start(fixture *it, bool tcp, chainsi_server_options options)
{
    start_at(it, tcp ? "http://127.0.0.1:0" : NULL, options);
}

__attribute__((unused)) static void stop(fixture *it)
{
    chainsi_server_free(it->server);
    close(it->listen_fd);
    sem_destroy(&it->gate);
    char path[64];
    snprintf(path, sizeof path, "%s/s", it->folder);
    unlink(path);
    rmdir(it->folder);
}

__attribute__((unused)) static chainsi_server_counters counters_of(fixture *it)
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

__attribute__((unused)) static int dial(fixture *it)
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

__attribute__((unused)) static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Waits until the server has read what was said. */
__attribute__((unused)) static void await_read(int fd)
{
    int unread;
    AWAIT(!ioctl(fd, SIOCOUTQ, &unread) && !unread);
}

/* Reads one answer with a Content-Length, and nothing behind it. "" at the connection's end. */
__attribute__((unused)) static const char *hear(int fd, char *text, size_t size)
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

__attribute__((unused)) static void expect(int fd, int status, const char *body)
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
__attribute__((unused)) static void expect_end(int fd)
{
    char byte;
    struct pollfd watched = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

__attribute__((unused)) static void post(int fd, const char *path, const char *body)
{
    char text[1024];
    snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
             path, strlen(body), body);
    say(fd, text);
}

__attribute__((unused)) static void *call_many(void *user)
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

#endif
