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

static pods *start_at_port(uint16_t port)
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

/* What has come by that connection is answered well. */
static void answer(pods *of, int fd, const call *asked)
{
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    RUN_UNTIL(of, asked->ended);
    expect_answer(asked);
}

/* A pod that is the test itself, and a call that has come to it. */
typedef struct meeting {
    spot at;
    pods *of;
    const call *asked;
    int fd; /* of its connection; the test's */
    char text[1024];
} meeting;

/* Another call, which comes as well. */
static void ask_again(meeting *it)
{
    it->asked = ask(it->of, "/");
    it->fd = take_request(it->of, &it->at, it->text);
}

static void meet(meeting *it)
{
    it->at = open_spot(8);
    it->of = start_at_port(it->at.port);
    ask_again(it);
}

static void part(meeting *it)
{
    close_spot(it->of, &it->at);
}

/* The call isn't answered: its connection ends. */
static void break_off(meeting *it)
{
    close(it->fd);
    RUN_UNTIL(it->of, it->asked->ended);
}

/* One call of a set, and how it ends. */
static void ask_well(pods *of)
{
    const call *it = ask(of, "/");
    RUN_UNTIL(of, it->ended);
    expect_answer(it);
}

/* So many calls have come, and all have been answered. */
static void expect_answers(pods *of, int count)
{
    RUN_UNTIL(of, of->ended == count);
    for (int i = 0; i < count; i++)
        expect_answer(&of->calls[i]);
}

static void one_that_refuses_is_passed_by(void **state)
{
    (void)state;
    pods *of = start_pods(1, 4, 10);
    chainsi_endpoint endpoints[] = { endpoint_at(free_port()),
                                     endpoint_at(port_of(&of->servers[0])) };
    chainsi_upstream_set_endpoints(of->set, endpoints, 2);
    for (int i = 0; i < 12; i++)
        ask_well(of);
    assert_int_equal(handled_at(of, 0), 12);
    stop_pods(of);
}

static void where_all_refuse_calls_wait(void **state)
{
    (void)state;
    const uint16_t port = free_port();
    pods *of = start_at_port(port);
    for (int i = 0; i < 3; i++)
        ask(of, "/");
    RUN_UNTIL(of, of->set->set->failing == 1);
    expect_load(of, 0, 3);
    add_pod(of, (chainsi_server_options){ .slots = 2 });
    use_pods(of, 1);
    expect_answers(of, 3);
    stop_pods(of);
}

static void nobody_waits_for_good_for_one_that_refuses(void **state)
{
    (void)state;
    const uint16_t port = free_port();
    pods *of = start_at_port(port);
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
    expect_answers(of, 3);
    assert_int_equal(handled_at(of, 0), 3);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(silent.listen_fd);
    stop_pods(of);
}

static void what_breaks_off_while_it_runs_is_lost(void **state)
{
    (void)state;
    meeting it;
    meet(&it);
    assert_false(chainsi_upstream_is_unread(it.asked->call)); /* as far as anybody knows */
    break_off(&it);
    assert_int_equal(it.asked->end, CHAINSI_UPSTREAM_LOST);
    assert_non_null(strstr(it.asked->why, "127.0.0.1:"));
    /* In the middle of an answer. */
    ask_again(&it);
    say(it.fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{");
    RUN_UNTIL(it.of, it.asked->size == 1);
    break_off(&it);
    assert_int_equal(it.asked->end, CHAINSI_UPSTREAM_LOST);
    /* It was reached all the same. */
    assert_int_equal(it.of->set->set->failing, 0);
    part(&it);
}

static void what_is_lost_waits_for_its_reason(void **state)
{
    (void)state;
    meeting it = { .at = open_spot(8) };
    it.of = start_at_port(it.at.port);
    chainsi_upstream_promise_losses(it.of->set);
    ask_again(&it);
    close(it.fd);
    RUN_UNTIL(it.of, chainsi_upstream_read_load(it.of->set).running == 0);
    assert_false(it.asked->ended);
    chainsi_upstream_note_loss(it.of->set, CHAINSI_LOSS_MEMORY);
    assert_true(it.asked->ended);
    assert_int_equal(it.asked->end, CHAINSI_UPSTREAM_EXHAUSTED);
    part(&it);
}

/* A kept connection that was closed before the next call: that finds another. */
static void a_closed_connection_is_nobodys_news(void **state)
{
    (void)state;
    meeting it;
    meet(&it);
    answer(it.of, it.fd, it.asked);
    /* The loop doesn't go round between that and the next call. */
    close(it.fd);
    ask_again(&it);
    answer(it.of, it.fd, it.asked);
    close(it.fd);
    part(&it);
}

/* By one that takes no calls any more: it isn't the answer. */
static void what_was_turned_down_goes_elsewhere(void **state)
{
    (void)state;
    meeting it;
    meet(&it);
    say(it.fd,
        "HTTP/1.1 503 Service Unavailable\r\nX-Chains-Not-Started: 1\r\nConnection: close\r\n"
        "Content-Length: 4\r\n\r\nbusy");
    close(it.fd);
    it.fd = take_request(it.of, &it.at, it.text);
    assert_false(it.asked->ended);
    answer(it.of, it.fd, it.asked);
    assert_int_equal(it.asked->size, 2);
    close(it.fd);
    part(&it);
}

static void times_are_said_anew(void **state)
{
    (void)state;
    char text[1024];
    spot it = open_spot(8);
    pods *of = start_at_port(it.port);
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
    answer(of, fd, asked);
    close(fd);
    close_spot(of, &it);
}

static void a_call_may_be_cancelled_on_its_way(void **state)
{
    (void)state;
    spot it = open_spot(8);
    pods *of = start_at_port(it.port);
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
    meeting it;
    meet(&it);
    say(it.fd, "SSH-2.0-OpenSSH\r\n\r\n");
    RUN_UNTIL(it.of, it.asked->ended);
    assert_int_equal(it.asked->end, CHAINSI_UPSTREAM_PROTOCOL);
    expect_load(it.of, 0, 0);
    close(it.fd);
    part(&it);
}

static void pods_may_have_long_addresses(void **state)
{
    (void)state;
    meeting it = { .at.listen_fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t size = sizeof address;
    if (it.at.listen_fd < 0 || bind(it.at.listen_fd, (struct sockaddr *)&address, size)) {
        close(it.at.listen_fd);
        skip(); /* there is no IPv6 here */
    }
    assert_int_equal(listen(it.at.listen_fd, 8), 0);
    assert_int_equal(getsockname(it.at.listen_fd, (struct sockaddr *)&address, &size), 0);
    it.of = start_pods(0, 1, 10);
    const chainsi_endpoint endpoint = { .host = "::1", .port = ntohs(address.sin6_port) };
    chainsi_upstream_set_endpoints(it.of->set, &endpoint, 1);
    ask_again(&it);
    answer(it.of, it.fd, it.asked);
    close(it.fd);
    ask_again(&it);
    break_off(&it);
    assert_non_null(strstr(it.asked->why, "[::1]:"));
    part(&it);
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
    ask_well(of);
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
