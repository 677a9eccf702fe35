/* Pods that can't be reached, that break off, and what is said to them: a server of bytes stands for them. */
#include <signal.h>

#include "control/upstream_set_test_support.h"

/* Listening sockets of which the test itself is the server. */
typedef struct spot {
    int listen_fd;
    uint16_t port;
} spot;

static spot open_spot(int backlog)
{
    spot it = { .listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    assert_int_equal(bind(it.listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(it.listen_fd, backlog), 0);
    assert_int_equal(getsockname(it.listen_fd, (struct sockaddr *)&address, &size), 0);
    it.port = ntohs(address.sin_port);
    return it;
}

/* A port that nobody listens on. */
static uint16_t free_port(void)
{
    spot it = open_spot(1);
    close(it.listen_fd);
    return it.port;
}

static int is_there(const spot *it)
{
    struct pollfd watched = { .fd = it->listen_fd, .events = POLLIN };
    return poll(&watched, 1, 0);
}

/* The next connection. */
static int take_connection(pods *of, const spot *it)
{
    RUN_UNTIL(of, is_there(it));
    return accept4(it->listen_fd, NULL, NULL, SOCK_CLOEXEC);
}

/* Reads a request whose last two bytes are its body "{}". */
static void read_request(pods *of, int fd, char text[1024])
{
    size_t have = 0;
    text[0] = 0;
    while (!strstr(text, "\r\n\r\n{}")) {
        ssize_t got = -1;
        RUN_UNTIL(of, (got = recv(fd, text + have, 1023 - have, MSG_DONTWAIT)) >= 0);
        assert_true(got > 0);
        have += (size_t)got;
        text[have] = 0;
    }
}

static pods *start_at(uint16_t port)
{
    const chainsi_endpoint endpoint = endpoint_at(port);
    pods *of = start_pods(0, 2, 10);
    chainsi_upstream_set_endpoints(of->set, &endpoint, 1);
    return of;
}

/* The next connection, whose request was read. */
static int take_request(pods *of, const spot *it, char text[1024])
{
    int fd = take_connection(of, it);
    read_request(of, fd, text);
    return fd;
}

static void close_spot(pods *of, const spot *it)
{
    close(it->listen_fd);
    stop_pods(of);
}

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

static void one_that_refuses_is_passed_by(void **state)
{
    (void)state;
    pods *of = start_pods(1, 4, 10);
    chainsi_endpoint endpoints[] = { endpoint_at(free_port()),
                                     endpoint_at(port_of(&of->servers[0])) };
    chainsi_upstream_set_endpoints(of->set, endpoints, 2);
    for (int i = 0; i < 12; i++) {
        const call *it = ask(of, "/");
        RUN_UNTIL(of, it->ended);
        expect_answer(it);
    }
    assert_int_equal(handled_at(of, 0), 12);
    stop_pods(of);
}

static void where_all_refuse_calls_wait(void **state)
{
    (void)state;
    const uint16_t port = free_port();
    pods *of = start_at(port);
    for (int i = 0; i < 3; i++)
        ask(of, "/");
    RUN_UNTIL(of, of->set->set->failing == 1);
    expect_load(of, 0, 3);
    add_pod(of, (chainsi_server_options){ .slots = 2 });
    use_pods(of, 1);
    RUN_UNTIL(of, of->ended == 3);
    for (int i = 0; i < 3; i++)
        expect_answer(&of->calls[i]);
    stop_pods(of);
}

static void nobody_waits_for_good_for_one_that_refuses(void **state)
{
    (void)state;
    const uint16_t port = free_port();
    pods *of = start_at(port);
    of->set->set->reach_ms = 50;
    ask(of, "/");
    ask(of, "/");
    RUN_UNTIL(of, of->ended == 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(of->calls[i].end, CHAINSI_UPSTREAM_UNREACHABLE);
        assert_non_null(strstr(of->calls[i].why, "127.0.0.1:"));
        assert_non_null(strstr(of->calls[i].why, "refused"));
    }
    stop_pods(of);
}

/* Its queue of connections is full, and it takes none. */
static void one_that_does_not_answer_is_passed_by(void **state)
{
    (void)state;
    enum { FILLERS = 4 };
    spot silent = open_spot(0);
    int fillers[FILLERS];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(silent.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    pods *of = start_pods(1, 1, 10);
    chainsi_endpoint endpoints[] = { endpoint_at(silent.port),
                                     endpoint_at(port_of(&of->servers[0])) };
    chainsi_upstream_set_endpoints(of->set, endpoints, 2);
    for (int i = 0; i < 3; i++)
        ask(of, "/");
    RUN_UNTIL(of, of->ended == 3);
    for (int i = 0; i < 3; i++)
        expect_answer(&of->calls[i]);
    assert_int_equal(handled_at(of, 0), 3);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(silent.listen_fd);
    stop_pods(of);
}

static void what_breaks_off_while_it_runs_is_lost(void **state)
{
    (void)state;
    char text[1024];
    spot it = open_spot(8);
    pods *of = start_at(it.port);
    const call *asked = ask(of, "/");
    int fd = take_request(of, &it, text);
    assert_false(chainsi_upstream_is_unread(asked->call)); /* as far as anybody knows */
    close(fd);
    RUN_UNTIL(of, asked->ended);
    assert_int_equal(asked->end, CHAINSI_UPSTREAM_LOST);
    assert_non_null(strstr(asked->why, "127.0.0.1:"));
    /* In the middle of an answer. */
    asked = ask(of, "/");
    fd = take_request(of, &it, text);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{");
    RUN_UNTIL(of, asked->size == 1);
    close(fd);
    RUN_UNTIL(of, asked->ended);
    assert_int_equal(asked->end, CHAINSI_UPSTREAM_LOST);
    /* It was reached all the same. */
    assert_int_equal(of->set->set->failing, 0);
    close_spot(of, &it);
}

static void what_is_lost_waits_for_its_reason(void **state)
{
    (void)state;
    char text[1024];
    spot it = open_spot(8);
    pods *of = start_at(it.port);
    chainsi_upstream_promise_losses(of->set);
    const call *asked = ask(of, "/");
    int fd = take_request(of, &it, text);
    close(fd);
    RUN_UNTIL(of, chainsi_upstream_read_load(of->set).running == 0);
    assert_false(asked->ended);
    chainsi_upstream_note_loss(of->set, CHAINSI_LOSS_MEMORY);
    assert_true(asked->ended);
    assert_int_equal(asked->end, CHAINSI_UPSTREAM_EXHAUSTED);
    close_spot(of, &it);
}

/* A kept connection that was closed before the next call: that finds another. */
static void a_closed_connection_is_nobodys_news(void **state)
{
    (void)state;
    char text[1024];
    spot it = open_spot(8);
    pods *of = start_at(it.port);
    const call *first = ask(of, "/");
    int fd = take_request(of, &it, text);
    say(fd, answer);
    RUN_UNTIL(of, first->ended);
    expect_answer(first);
    /* The loop doesn't go round between that and the next call. */
    close(fd);
    const call *second = ask(of, "/");
    fd = take_request(of, &it, text);
    say(fd, answer);
    RUN_UNTIL(of, second->ended);
    expect_answer(second);
    close(fd);
    close_spot(of, &it);
}

/* By one that takes no calls any more: it isn't the answer. */
static void what_was_turned_down_goes_elsewhere(void **state)
{
    (void)state;
    char text[1024];
    spot it = open_spot(8);
    pods *of = start_at(it.port);
    const call *asked = ask(of, "/");
    int fd = take_request(of, &it, text);
    say(fd, "HTTP/1.1 503 Service Unavailable\r\nX-Chains-Not-Started: 1\r\nConnection: close\r\n"
            "Content-Length: 4\r\n\r\nbusy");
    close(fd);
    fd = take_request(of, &it, text);
    assert_false(asked->ended);
    say(fd, answer);
    RUN_UNTIL(of, asked->ended);
    expect_answer(asked);
    assert_int_equal(asked->size, 2);
    close(fd);
    close_spot(of, &it);
}

static void times_are_said_anew(void **state)
{
    (void)state;
    char text[1024];
    spot it = open_spot(8);
    pods *of = start_at(it.port);
    call *asked = ask_with(of, "/",
                           "x-chains-timeout-ms: 60000\r\nX-Chains-Made-Us: 12345\r\nX-Mine: 1\r\n"
                           "X-Chains-Busy: x\r\n",
                           "{}", 2);
    asked->call->trip->since_ns -= 1000 * CHAINSI_NS_PER_MS; /* it has waited */
    int fd = take_request(of, &it, text);
    assert_non_null(strstr(text, "\r\nX-Mine: 1\r\n"));
    assert_non_null(strstr(text, "\r\nX-Chains-Busy: refuse\r\n"));
    assert_null(strstr(text, "Made-Us"));
    assert_null(strstr(text, "Busy: x"));
    const char *left = strstr(text, "\r\nX-Chains-Timeout-Ms: ");
    assert_non_null(left);
    assert_true(atoi(left + 23) <= 59000 && atoi(left + 23) > 0);
    say(fd, answer);
    RUN_UNTIL(of, asked->ended);
    expect_answer(asked);
    close(fd);
    close_spot(of, &it);
}

static void a_call_may_be_cancelled_on_its_way(void **state)
{
    (void)state;
    spot it = open_spot(8);
    pods *of = start_at(it.port);
    chainsi_upstream_cancel(ask(of, "/")->call); /* it is being connected */
    expect_load(of, 0, 0);
    char *large = calloc(1, LARGE);
    const call *sends = ask_with(of, "/", "", large, LARGE); /* and this one is being sent */
    const int first = take_connection(of, &it), second = take_connection(of, &it);
    char byte[2];
    RUN_UNTIL(of, recv(second, byte, 1, MSG_DONTWAIT) == 1);
    assert_true(chainsi_upstream_is_unread(sends->call)); /* a part of it is still here */
    chainsi_upstream_cancel(sends->call);
    expect_load(of, 0, 0);
    assert_int_equal(of->ended, 0);
    free(large);
    close(first);
    close(second);
    close_spot(of, &it);
}

static void events_may_be_held_back(void **state)
{
    (void)state;
    pods *of = start_pods(1, 1, 10);
    call *it = ask(of, "/large");
    chainsi_upstream_pause(it->call);
    RUN_UNTIL(of, handled_at(of, 0) == 1 && !running_at(of, 0));
    assert_int_equal(it->size, 0);
    chainsi_upstream_resume(it->call);
    RUN_UNTIL(of, it->ended);
    expect_answer(it);
    assert_int_equal(it->size, LARGE + 2);
    stop_pods(of);
}

static void large_requests_are_sent_whole(void **state)
{
    (void)state;
    pods *of = start_pods(2, 1, 10);
    char *large = malloc(LARGE);
    memset(large, 'x', LARGE);
    for (int i = 0; i < 3; i++)
        ask_with(of, "/", "", large, LARGE);
    RUN_UNTIL(of, of->ended == 3);
    for (int i = 0; i < 3; i++) {
        expect_answer(&of->calls[i]);
        assert_int_equal(of->calls[i].size, LARGE);
    }
    free(large);
    stop_pods(of);
}

static void what_is_no_http_is_told(void **state)
{
    (void)state;
    char text[1024];
    spot it = open_spot(8);
    pods *of = start_at(it.port);
    const call *asked = ask(of, "/");
    int fd = take_request(of, &it, text);
    say(fd, "SSH-2.0-OpenSSH\r\n\r\n");
    RUN_UNTIL(of, asked->ended);
    assert_int_equal(asked->end, CHAINSI_UPSTREAM_PROTOCOL);
    expect_load(of, 0, 0);
    close(fd);
    close_spot(of, &it);
}

static void pods_may_have_long_addresses(void **state)
{
    (void)state;
    char text[1024];
    spot it = { .listen_fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t size = sizeof address;
    if (it.listen_fd < 0 || bind(it.listen_fd, (struct sockaddr *)&address, size)) {
        close(it.listen_fd);
        skip(); /* there is no IPv6 here */
    }
    assert_int_equal(listen(it.listen_fd, 8), 0);
    assert_int_equal(getsockname(it.listen_fd, (struct sockaddr *)&address, &size), 0);
    pods *of = start_pods(0, 1, 10);
    const chainsi_endpoint endpoint = { .host = "::1", .port = ntohs(address.sin6_port) };
    chainsi_upstream_set_endpoints(of->set, &endpoint, 1);
    const call *asked = ask(of, "/");
    int fd = take_request(of, &it, text);
    say(fd, answer);
    RUN_UNTIL(of, asked->ended);
    expect_answer(asked);
    close(fd);
    asked = ask(of, "/");
    close(take_request(of, &it, text));
    RUN_UNTIL(of, asked->ended);
    assert_non_null(strstr(asked->why, "[::1]:"));
    close_spot(of, &it);
}

static void no_addresses_are_left_out(void **state)
{
    (void)state;
    pods *of = start_pods(1, 1, 10);
    chainsi_endpoint endpoints[] = {
        { .host = "", .port = 1 },          { .host = "pod.example", .port = 80 },
        { .host = "1.2.3", .port = 80 },    endpoint_at(port_of(&of->servers[0])),
        { .host = "1.2.3.4.5", .port = 1 }, endpoint_at(port_of(&of->servers[0])),
    };
    memset(endpoints[4].host, 'x', sizeof endpoints[4].host); /* without an end */
    chainsi_upstream_set_endpoints(of->set, endpoints, 6);
    assert_int_equal(of->set->set->count, 1);
    const call *it = ask(of, "/");
    RUN_UNTIL(of, it->ended);
    expect_answer(it);
    stop_pods(of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_refuses_is_passed_by),
        TEST(where_all_refuse_calls_wait),
        TEST(nobody_waits_for_good_for_one_that_refuses),
        TEST(one_that_does_not_answer_is_passed_by),
        TEST(what_breaks_off_while_it_runs_is_lost),
        TEST(what_is_lost_waits_for_its_reason),
        TEST(a_closed_connection_is_nobodys_news),
        TEST(what_was_turned_down_goes_elsewhere),
        TEST(times_are_said_anew),
        TEST(a_call_may_be_cancelled_on_its_way),
        TEST(events_may_be_held_back),
        TEST(large_requests_are_sent_whole),
        TEST(what_is_no_http_is_told),
        TEST(pods_may_have_long_addresses),
        TEST(no_addresses_are_left_out),
    };
    return cmocka_run_group_tests(tests, open_first_loop, NULL);
}
