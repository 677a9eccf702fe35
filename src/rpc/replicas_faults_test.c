/* Calls to several replicas of which one misbehaves: a peer that follows a script, beside a server that doesn't. */
#include "rpc/replicas_test_support.h"

#include "rpc/client_test_support.h"

#define REFUSAL                                                                                    \
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nX-Chains-Not-Started: 1\r\n"         \
    "X-Chains-Slots: 0/1\r\n\r\n"
#define GRANT "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Chains-Slots: 0/1\r\n\r\n"

/* A peer and a server with one slot, whose slot is taken. */
typedef struct pair {
    peer bad;
    group it;
    int running;
} pair;

static void start_pair(pair *both, void (*script)(peer *, int, int))
{
    both->it = (group){ .count = 0 };
    start_peer(&both->bad, true, script);
    add_address(&both->it, both->bad.address);
    add_server(&both->it, (chainsi_server_options){ .slots = 1 });
    open_set(&both->it, (chainsi_replicas_options){ 0 });
    both->running = dial(&both->it.servers[0]);
    post(both->running, "/wait", "");
    AWAIT(atomic_load(&both->it.servers[0].running) == 1);
}

static void free_slot(pair *both)
{
    open_gate(&both->it.servers[0]);
    expect(both->running, 200, "");
    close(both->running);
    both->running = -1;
}

static void stop_pair(pair *both)
{
    if (both->running >= 0)
        free_slot(both);
    stop_group(&both->it);
    stop_peer(&both->bad);
}

static bool is_want(const peer *it)
{
    return !strncmp(it->seen, "POST /slot ", 11);
}

static void refuse_and_be_silent(peer *it, int fd, int index)
{
    (void)index;
    while (read_request(it, fd))
        if (!is_want(it))
            send_text(fd, REFUSAL);
    it->saw_end = true;
}

static void test_a_want_that_is_never_answered(void **state)
{
    (void)state;
    pair both;
    start_pair(&both, refuse_and_be_silent);
    asked call = { 0 };
    begin(&call, &both.it, "/x");
    AWAIT(counters_of(&both.it.servers[0]).waiting == 1);
    free_slot(&both);
    end_well(&call);
    await_close(&both.bad);
    assert_true(both.bad.saw_end); /* it was withdrawn */
    stop_pair(&both);
}

static void grant_and_die(peer *it, int fd, int index)
{
    while (index == 0 && read_request(it, fd)) {
        if (!is_want(it)) {
            send_text(fd, REFUSAL);
            continue;
        }
        /* The end goes with the answer: else the call might be on its way, and nobody would know what became of it. */
        send(fd, GRANT, sizeof GRANT - 1, MSG_NOSIGNAL | MSG_MORE);
        shutdown(fd, SHUT_WR);
        return;
    }
}

static void test_a_replica_that_grants_and_dies(void **state)
{
    (void)state;
    pair both;
    start_pair(&both, grant_and_die);
    asked call = { 0 };
    begin(&call, &both.it, "/x");
    /* The call that met a closed connection wasn't started: it waits again, and is answered elsewhere. */
    AWAIT(count_calls(&both.it).granted == 1);
    await_close(&both.bad);
    await_close(&both.bad);
    free_slot(&both);
    end_well(&call);
    stop_pair(&both);
}

static void grant_and_refuse(peer *it, int fd, int index)
{
    (void)index;
    while (read_request(it, fd))
        send_text(fd, is_want(it) ? GRANT : REFUSAL);
}

static void test_a_replica_that_grants_and_refuses_for_ever(void **state)
{
    (void)state;
    group it = { .count = 0 };
    peer bad;
    start_peer(&bad, true, grant_and_refuse);
    add_address(&it, bad.address);
    add_address(&it, "http://127.0.0.1:1"); /* nobody */
    open_set(&it, (chainsi_replicas_options){ 0 });
    asked call = { .of = &it, .path = "/x" };
    ask_one(&call);
    assert_int_equal(call.end, CHAINSI_EXCHANGE_NOT_STARTED);
    assert_string_equal(call.why, "its replicas refuse calls for which they kept a slot");
    stop_group(&it);
    stop_peer(&bad);
}

static void read_and_die(peer *it, int fd, int index)
{
    (void)index;
    read_request(it, fd);
}

static void test_what_may_have_started_is_not_sent_again(void **state)
{
    (void)state;
    pair both;
    start_pair(&both, read_and_die);
    free_slot(&both);
    asked calls[2] = { { .of = &both.it, .path = "/x" }, { .of = &both.it, .path = "/x" } };
    /* One of the two meets the peer: which begins depends on the process's number. */
    ask_one(&calls[0]);
    ask_one(&calls[1]);
    int lost = 0;
    for (int i = 0; i < 2; i++)
        lost += calls[i].end == CHAINSI_EXCHANGE_MAYBE_STARTED;
    assert_int_equal(lost, 1);
    assert_int_equal(atomic_load(&both.it.servers[0].handled), 2);
    /* And it is left alone. */
    ask_one(&calls[0]);
    assert_int_equal(calls[0].end, CHAINSI_EXCHANGE_ANSWERED);
    stop_pair(&both);
}

static void be_plain(peer *it, int fd, int index)
{
    (void)index;
    if (read_request(it, fd))
        send_text(fd, is_want(it) ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                                  : "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nplain");
}

static void test_servers_that_know_nothing_of_slots(void **state)
{
    (void)state;
    group it = { .count = 0 };
    peer old;
    start_peer(&old, true, be_plain);
    add_address(&it, old.address);
    add_address(&it, "http://127.0.0.1:1");
    open_set(&it, (chainsi_replicas_options){ 0 });
    asked calls[4] = { 0 };
    for (int i = 0; i < 4; i++) /* the peer serves one connection at a time: they wait in it */
        begin(&calls[i], &it, "/x");
    for (int i = 0; i < 4; i++)
        end_well(&calls[i]);
    assert_int_equal(count_calls(&it).granted, 0);
    stop_group(&it);
    stop_peer(&old);
}

/* Answers no want as it should. */
static void babble(peer *it, int fd, int index)
{
    static const char *const answers[] = {
        "SIP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Chains-Slots: 0/1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Chains-Slots: 0/1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Chains-Slots: 0/1\r\nConnection: close\r\n\r\n",
        GRANT "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    };
    while (read_request(it, fd)) {
        if (!is_want(it)) {
            send_text(fd, REFUSAL);
            continue;
        }
        send_text(fd, answers[(size_t)index % (sizeof answers / sizeof answers[0])]);
        return;
    }
}

static void test_wants_that_are_answered_badly(void **state)
{
    (void)state;
    pair both;
    start_pair(&both, babble);
    asked call = { 0 };
    begin(&call, &both.it, "/x");
    for (int i = 0; i < 7; i++)
        await_close(&both.bad);
    assert_int_equal(count_calls(&both.it).waiting, 1);
    assert_int_equal(count_calls(&both.it).granted, 0);
    free_slot(&both);
    end_well(&call);
    stop_pair(&both);
}

/* A head larger than any of ours. */
static void boast(peer *it, int fd, int index)
{
    (void)index;
    while (read_request(it, fd)) {
        if (!is_want(it)) {
            send_text(fd, REFUSAL);
            continue;
        }
        send_text(fd, "HTTP/1.1 200 OK\r\nX: ");
        char many[8192];
        memset(many, 'x', sizeof many - 1);
        many[sizeof many - 1] = 0;
        send_text(fd, many);
        return;
    }
}

static void test_a_want_that_is_answered_at_length(void **state)
{
    (void)state;
    pair both;
    start_pair(&both, boast);
    asked call = { 0 };
    begin(&call, &both.it, "/x");
    await_close(&both.bad);
    await_close(&both.bad);
    free_slot(&both);
    end_well(&call);
    stop_pair(&both);
}

/* A socket whose queue is full: connecting to it gets no answer. */
static void test_what_does_not_even_refuse_is_left_alone(void **state)
{
    (void)state;
    group it = { .count = 0 };
    char address[64], why[256];
    int fd = reserve(address, sizeof address), filling[4];
    assert_int_equal(listen(fd, 0), 0);
    chainsi_address parsed;
    assert_true(chainsi_address_parse(address, &parsed, why, sizeof why));
    for (int i = 0; i < 4; i++)
        filling[i] = chainsi_address_begin_connect(&parsed);
    chainsi_address_done(&parsed);
    add_address(&it, address);
    add_server(&it, (chainsi_server_options){ .slots = 1 });
    open_set(&it, (chainsi_replicas_options){ 0 });
    for (int i = 0; i < 20; i++) {
        asked call = { .of = &it, .path = "/x" };
        ask_one(&call);
        assert_int_equal(call.end, CHAINSI_EXCHANGE_ANSWERED);
    }
    /* Nor does it keep a waiting call from the other. */
    int running = dial(&it.servers[0]);
    post(running, "/wait", "");
    AWAIT(atomic_load(&it.servers[0].running) == 1);
    asked call = { 0 };
    begin(&call, &it, "/x");
    AWAIT(counters_of(&it.servers[0]).waiting == 1);
    open_gate(&it.servers[0]);
    expect(running, 200, "");
    end_well(&call);
    close(running);
    stop_group(&it);
    for (int i = 0; i < 4; i++)
        close(filling[i]);
    close(fd);
}

/* What a replica is told. */
static void listen_well(peer *it, int fd, int index)
{
    (void)index;
    if (read_request(it, fd))
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Chains-Slots: 1/1\r\n\r\n");
}

static bool find_peer(void *user, const char *host, uint16_t port, chainsi_found *found, char *why,
                      size_t why_size)
{
    const peer *it = user;
    (void)host, (void)port, (void)why, (void)why_size;
    chainsi_found_add(found, "127.0.0.1", (uint16_t)atoi(strrchr(it->address, ':') + 1));
    return true;
}

static void test_what_is_sent(void **state)
{
    (void)state;
    group it = { .addresses = "http://replicas.test:81/v1" };
    peer one;
    start_peer(&one, true, listen_well);
    open_set(&it, (chainsi_replicas_options){ .lookup = find_peer, .user = &one });
    asked call = { .of = &it,
                   .path = "/x",
                   .deadline_ns = chainsi_now_ns() + PATIENCE_MS * CHAINSI_NS_PER_MS };
    ask_one(&call);
    assert_int_equal(call.end, CHAINSI_EXCHANGE_ANSWERED);
    assert_ptr_equal(strstr(one.seen, "POST /v1/x HTTP/1.1\r\nHost: replicas.test:81\r\n"),
                     one.seen);
    assert_non_null(strstr(one.seen, "\r\nX-Chains-Busy: refuse\r\n"));
    const char *left = strstr(one.seen, "\r\nX-Chains-Timeout-Ms: ");
    assert_non_null(left);
    assert_in_range(atoi(left + strlen("\r\nX-Chains-Timeout-Ms: ")), 1, PATIENCE_MS);
    stop_group(&it);
    stop_peer(&one);
}

/* A system that looks names up as slowly as it likes. */
typedef struct slow_names {
    peer *at;
    int go; /* an eventfd; readable: they are found at once from now on */
    atomic_int asked;
} slow_names;

static bool find_slowly(void *user, const char *host, uint16_t port, chainsi_found *found,
                        char *why, size_t why_size)
{
    slow_names *it = user;
    struct pollfd go = { .fd = it->go, .events = POLLIN };
    atomic_fetch_add(&it->asked, 1);
    while (poll(&go, 1, -1) <= 0)
        ;
    return find_peer(it->at, host, port, found, why, why_size);
}

static void test_the_first_look_up_is_waited_for_as_long_as_a_call_may_take(void **state)
{
    (void)state;
    group it = { .addresses = "http://replicas.test:81/v1" };
    peer one;
    start_peer(&one, true, listen_well);
    slow_names names = { .at = &one, .go = eventfd(0, EFD_CLOEXEC) };
    open_set(&it, (chainsi_replicas_options){ .lookup = find_slowly, .user = &names });
    asked hurried = { .of = &it,
                      .path = "/x",
                      .deadline_ns = chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS };
    ask_one(&hurried);
    assert_int_equal(hurried.end, CHAINSI_EXCHANGE_DEADLINE);
    assert_int_equal(hurried.error, EHOSTUNREACH);
    assert_string_equal(hurried.why, "the deadline passed before its name was looked up");
    int left = eventfd(1, EFD_CLOEXEC);
    chainsi_interrupt leaves = { .count = 1, .watch = { { left, POLLIN } } };
    asked interrupted = { .of = &it, .path = "/x", .interrupt = &leaves };
    ask_one(&interrupted);
    assert_int_equal(interrupted.end, CHAINSI_EXCHANGE_INTERRUPTED);
    close(left);
    assert_int_equal(atomic_load(&names.asked), 1); /* for all who wait */
    asked patient = { 0 };
    begin(&patient, &it, "/x");
    assert_int_equal(eventfd_write(names.go, 1), 0);
    end_well(&patient);
    stop_group(&it);
    stop_peer(&one);
    close(names.go);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *addresses, *why;
    } cases[] = {
        { "http://127.0.0.1:1,", "'' is no address: it must be unix:/path, http://host:port or "
                                 "https://host[:port]" },
        { "http://127.0.0.1:1,unix:/s",
          "'unix:/s' can't be one of several: only http:// and https:// can" },
        { "https://a,https://b", "'https://a' needs TLS, which this program is without" },
        { "http://a b", "'http://a b' has something other than a path behind its host" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[256] = "";
        chainsi_replicas_options options = { .max_waiting = 1 };
        assert_null(chainsi_replicas_new(cases[i].addresses, &options, why, sizeof why));
        assert_string_equal(why, cases[i].why);
    }
    assert_true(chainsi_replicas_are_meant("http://127.0.0.1:1, http://127.0.0.1:2"));
    assert_true(chainsi_replicas_are_meant("http://llm.example:8000/v1"));
    assert_false(chainsi_replicas_are_meant("http://127.0.0.1:8000"));
    assert_false(chainsi_replicas_are_meant("http://[::1]:8000"));
    assert_true(chainsi_replicas_are_meant("https://llm.example"));
    assert_false(chainsi_replicas_are_meant("https://127.0.0.1:8000"));
    assert_false(chainsi_replicas_are_meant("unix:/a,b"));
    assert_false(chainsi_replicas_are_meant("nonsense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_want_that_is_never_answered),
        TEST(test_a_replica_that_grants_and_dies),
        TEST(test_a_replica_that_grants_and_refuses_for_ever),
        TEST(test_what_may_have_started_is_not_sent_again),
        TEST(test_servers_that_know_nothing_of_slots),
        TEST(test_wants_that_are_answered_badly),
        TEST(test_a_want_that_is_answered_at_length),
        TEST(test_what_does_not_even_refuse_is_left_alone),
        TEST(test_what_is_sent),
        TEST(test_the_first_look_up_is_waited_for_as_long_as_a_call_may_take),
        TEST(test_bad_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
