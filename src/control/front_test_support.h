/* What tests of the front door share: one on a clock of their own, and clients of it. libuv asks clock_gettime, and
 * here that is this file's. */
#ifndef CHAINSI_CONTROL_FRONT_TEST_SUPPORT_H
#define CHAINSI_CONTROL_FRONT_TEST_SUPPORT_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/front.h"

static int64_t skipped_ms;

/* In the place of libc's, for libuv as well. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += skipped_ms / 1000;
    now->tv_nsec += skipped_ms % 1000 * 1000000;
    if (now->tv_nsec >= 1000000000) {
        now->tv_nsec -= 1000000000;
        now->tv_sec++;
    }
    return result;
}

enum {
    MARGIN_MS = 2000, /* that a test may really take between two looks at the clock */
    PATIENCE = 20000, /* turns of the loop, of a millisecond at most each */
};

typedef struct door {
    uv_loop_t loop;
    chainsi_front *front;
    int port, requests;
    bool finished;
    chainsi_exchange *kept; /* a request that waits for its answer */
} door;

static inline size_t max_body(void *user, const chainsi_http_request *request)
{
    (void)user;
    (void)request;
    return 64 * 1024 * 1024;
}

/* What becomes of a request is the test's to say; user: the door. */
static void on_request(void *user, chainsi_exchange *exchange);

static inline void on_finished(void *user)
{
    ((door *)user)->finished = true;
}

static inline void open_door(door *it, const chainsi_front_options *more)
{
    *it = (door){ 0 };
    assert_int_equal(uv_loop_init(&it->loop), 0);
    chainsi_front_options options = *more;
    options.max_body = max_body;
    options.on_request = on_request;
    options.on_finished = on_finished;
    options.user = it;
    it->front = chainsi_front_new(&it->loop, &options);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(chainsi_front_open(it->front, fd), 0);
    close(fd);
    it->port = ntohs(address.sin_port);
}

static inline void close_door(door *it)
{
    chainsi_front_stop(it->front);
    chainsi_front_finish(it->front);
    skipped_ms += 10000;
    for (int i = 0; i < PATIENCE && !it->finished; i++)
        uv_run(&it->loop, UV_RUN_ONCE);
    assert_true(it->finished);
    chainsi_front_free(it->front);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&it->loop), 0);
}

static inline int enter(door *it)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)it->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Lets the front do all that it can do now. */
static inline void settle(door *it)
{
    for (int quiet = 0; quiet < 5;) {
        uv_run(&it->loop, UV_RUN_NOWAIT);
        struct pollfd loop = { .fd = uv_backend_fd(&it->loop), .events = POLLIN };
        quiet = poll(&loop, 1, 1) > 0 ? 0 : quiet + 1;
    }
}

static inline void say(door *it, int fd, const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t put = send(fd, (const char *)data + at, size - at, MSG_NOSIGNAL);
        assert_true(put > 0 || errno == EAGAIN);
        at += put > 0 ? (size_t)put : 0;
        settle(it);
    }
}

static inline void say_text(door *it, int fd, const char *text)
{
    say(it, fd, text, strlen(text));
}

/* What has come, as a text in `space`; NULL when the connection has ended. */
static inline const char *hear(door *it, int fd, char *space, size_t size)
{
    settle(it);
    ssize_t got = recv(fd, space, size - 1, 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return NULL;
    space[got > 0 ? got : 0] = 0;
    return space;
}

/* Whether the connection is open and says nothing. */
static inline bool is_quiet(door *it, int fd)
{
    char space[64];
    const char *text = hear(it, fd, space, sizeof space);
    return text && !*text;
}

static inline void skip_ms(door *it, int64_t ms)
{
    skipped_ms += ms;
    settle(it);
}

#endif
