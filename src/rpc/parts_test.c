/* Answers in parts, on a pair of sockets. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rpc/parts.h"

typedef struct pair {
    int ends[2]; /* ours, the client's */
    chainsi_server_request request;
    chainsi_server_response response;
    chainsi_buffer headers;
    chainsi_parts parts;
} pair;

static int open_pair(void **state)
{
    pair *it = calloc(1, sizeof *it);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, it->ends), 0);
    it->request.fd = it->ends[0];
    it->request.head.head.minor_version = 1;
    it->request.head.head.keep_alive = true;
    chainsi_buffer_add_text(&it->headers, "X-Own: 1\r\n");
    it->response = (chainsi_server_response){ .status = 200,
                                              .content_type = "text/plain",
                                              .headers = &it->headers };
    chainsi_parts_init(&it->parts, &it->request, &it->response, 0);
    *state = it;
    return 0;
}

static int close_pair(void **state)
{
    pair *it = *state;
    for (int i = 0; i < 2; i++)
        if (it->ends[i] >= 0)
            close(it->ends[i]);
    chainsi_buffer_done(&it->headers);
    free(it);
    return 0;
}

/* What the client has to read now. */
static const char *read_now(pair *it)
{
    static char text[4096];
    ssize_t got = recv(it->ends[1], text, sizeof text - 1, MSG_DONTWAIT);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static void each_part_leaves_at_once(void **state)
{
    pair *it = *state;
    assert_string_equal(read_now(it), "");
    assert_int_equal(chainsi_parts_send(&it->parts, "one", 3, false, CHAINSI_NEVER),
                     CHAINSI_PARTS_SENT);
    assert_string_equal(read_now(it), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                      "Transfer-Encoding: chunked\r\nX-Own: 1\r\n\r\n"
                                      "3\r\none\r\n");
    assert_int_equal(chainsi_parts_send(&it->parts, "twotwotwotwotwotwo", 18, false, CHAINSI_NEVER),
                     CHAINSI_PARTS_SENT);
    assert_string_equal(read_now(it), "12\r\ntwotwotwotwotwotwo\r\n");
    assert_false(it->parts.whole);
    assert_int_equal(chainsi_parts_send(&it->parts, "end", 3, true, CHAINSI_NEVER),
                     CHAINSI_PARTS_SENT);
    assert_string_equal(read_now(it), "3\r\nend\r\n0\r\n\r\n");
    assert_true(it->parts.whole);
    assert_false(it->response.close);
}

static void the_end_may_have_no_bytes(void **state)
{
    pair *it = *state;
    chainsi_parts_send(&it->parts, "a", 1, false, CHAINSI_NEVER);
    read_now(it);
    assert_int_equal(chainsi_parts_send(&it->parts, NULL, 0, true, CHAINSI_NEVER),
                     CHAINSI_PARTS_SENT);
    assert_string_equal(read_now(it), "0\r\n\r\n");
}

static void an_old_client_gets_all_up_to_the_end(void **state)
{
    pair *it = *state;
    it->request.head.head.minor_version = 0;
    chainsi_parts_send(&it->parts, "one", 3, false, CHAINSI_NEVER);
    assert_string_equal(read_now(it), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                      "Connection: close\r\nX-Own: 1\r\n\r\none");
    chainsi_parts_send(&it->parts, "end", 3, true, CHAINSI_NEVER);
    assert_string_equal(read_now(it), "end");
    assert_true(it->response.close);
}

static char megabyte[1 << 20];

static void a_reader_that_stops_is_cut_off(void **state)
{
    pair *it = *state;
    it->parts.stall_ms = 30;
    assert_int_equal(
        chainsi_parts_send(&it->parts, megabyte, sizeof megabyte, false, CHAINSI_NEVER),
        CHAINSI_PARTS_STALLED);
    /* Nothing can be said any more. */
    assert_int_equal(chainsi_parts_send(&it->parts, "a", 1, true, CHAINSI_NEVER),
                     CHAINSI_PARTS_STALLED);
    assert_false(it->parts.whole);
}

static void a_deadline_ends_the_wait(void **state)
{
    pair *it = *state;
    assert_int_equal(chainsi_parts_send(&it->parts, megabyte, sizeof megabyte, false,
                                        chainsi_now_ns() + 30 * CHAINSI_NS_PER_MS),
                     CHAINSI_PARTS_DEADLINE);
}

static void a_reader_that_left_is_noticed(void **state)
{
    pair *it = *state;
    assert_int_equal(chainsi_parts_send(&it->parts, "a", 1, false, CHAINSI_NEVER),
                     CHAINSI_PARTS_SENT);
    close(it->ends[1]);
    it->ends[1] = -1;
    assert_int_equal(chainsi_parts_send(&it->parts, "b", 1, false, CHAINSI_NEVER),
                     CHAINSI_PARTS_GONE);
}

static void *read_slowly(void *user)
{
    pair *it = user;
    static char text[3000];
    size_t all = 0;
    ssize_t got;
    while ((got = recv(it->ends[1], text, sizeof text, 0)) > 0)
        all += (size_t)got;
    return (void *)(uintptr_t)all;
}

static void a_slow_reader_is_waited_for(void **state)
{
    pair *it = *state;
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, it), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            chainsi_parts_send(&it->parts, megabyte, sizeof megabyte, i == 2, CHAINSI_NEVER),
            CHAINSI_PARTS_SENT);
    shutdown(it->ends[0], SHUT_WR);
    void *all;
    pthread_join(reader, &all);
    size_t head = strlen("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                         "Transfer-Encoding: chunked\r\nX-Own: 1\r\n\r\n");
    assert_int_equal((size_t)(uintptr_t)all,
                     head + 3 * (sizeof megabyte + strlen("100000\r\n\r\n")) + strlen("0\r\n\r\n"));
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(each_part_leaves_at_once),
        WITH_PAIR(the_end_may_have_no_bytes),
        WITH_PAIR(an_old_client_gets_all_up_to_the_end),
        WITH_PAIR(a_reader_that_stops_is_cut_off),
        WITH_PAIR(a_deadline_ends_the_wait),
        WITH_PAIR(a_reader_that_left_is_noticed),
        WITH_PAIR(a_slow_reader_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
