/* Calls to several replicas over TCP: where they go, how they wait, and replicas that come and go. Those that misbehave
 * are in rpc/replicas_faults_test.c. */
#include "rpc/replicas_test_support.h"

#include <sys/eventfd.h>

/* ------------------------------------------------------------------------------------------------
 * where calls go */

static void test_each_slot_gets_a_call(void **state)
{
    (void)state;
    group it;
    start_group(&it, 3, 2);
    asked calls[6] = { 0 };
    for (int i = 0; i < 6; i++) {
        begin(&calls[i], &it, "/wait");
        AWAIT(count_running(&it) == i + 1);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&it.servers[i].running), 2);
        open_gate(&it.servers[i]);
        open_gate(&it.servers[i]);
    }
    for (int i = 0; i < 6; i++)
        end_well(&calls[i]);
    stop_group(&it);
}

static void test_waiting_calls_go_to_whatever_frees_a_slot(void **state)
{
    (void)state;
    group it;
    int fds[MOST_SERVERS];
    start_group(&it, 3, 1);
    fill(&it, fds);
    asked first = { 0 }, second = { 0 };
    begin(&first, &it, "/first");
    AWAIT(count_calls(&it).waiting == 1 && count_calls(&it).wants == 3);
    begin(&second, &it, "/wait");
    AWAIT(count_calls(&it).waiting == 2);
    AWAIT(counters_of(&it.servers[1]).waiting == 1);
    /* The slot that comes free serves both, one after the other. */
    open_gate(&it.servers[1]);
    expect(fds[1], 200, "");
    end_well(&first);
    AWAIT(atomic_load(&it.servers[1].running) == 1);
    open_gate(&it.servers[1]);
    end_well(&second);
    assert_int_equal(atomic_load(&it.servers[1].handled), 3);
    close(fds[1]);
    fds[1] = -1;
    /* Nobody waits, so nothing is wanted. */
    AWAIT(count_calls(&it).wants == 0);
    for (int i = 0; i < 3; i++)
        AWAIT(counters_of(&it.servers[i]).waiting == 0);
    assert_int_equal(count_calls(&it).granted, 2);
    release(&it, fds);
    stop_group(&it);
}

/* A busy replica costs nothing but its own slot. */
static void *ask_many(void *user)
{
    size_t answered = 0;
    for (int i = 0; i < 25; i++) {
        asked call = { .of = user, .path = "/x" };
        ask_one(&call);
        answered += call.end == CHAINSI_EXCHANGE_ANSWERED && call.status == 200;
    }
    return (void *)answered;
}

static void test_one_replica_is_busy_for_good(void **state)
{
    (void)state;
    group it;
    start_group(&it, 3, 1);
    int fd = dial(&it.servers[0]);
    post(fd, "/wait", "");
    AWAIT(atomic_load(&it.servers[0].running) == 1);
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &it), 0);
    for (int i = 0; i < 6; i++) {
        void *answered;
        pthread_join(threads[i], &answered);
        assert_int_equal((size_t)answered, 25);
    }
    assert_int_equal(atomic_load(&it.servers[0].handled), 1);
    assert_true(atomic_load(&it.servers[1].handled) > 0);
    assert_true(atomic_load(&it.servers[2].handled) > 0);
    open_gate(&it.servers[0]);
    expect(fd, 200, "");
    close(fd);
    stop_group(&it);
}

static void test_plain_clients_beside(void **state)
{
    (void)state;
    group it;
    int fds[MOST_SERVERS];
    start_group(&it, 2, 1);
    fill(&it, fds);
    int plain = dial(&it.servers[0]);
    post(plain, "/x", "plain");
    AWAIT(counters_of(&it.servers[0]).waiting == 1);
    asked call = { 0 };
    begin(&call, &it, "/x");
    AWAIT(counters_of(&it.servers[0]).waiting == 2);
    open_gate(&it.servers[0]);
    expect(plain, 200, "plain");
    end_well(&call);
    expect(fds[0], 200, "");
    close(fds[0]);
    close(plain);
    fds[0] = -1;
    release(&it, fds);
    stop_group(&it);
}

static void test_elsewhere_is_another_replica(void **state)
{
    (void)state;
    group it;
    start_group(&it, 2, 4);
    chainsi_arena arena = { 0 };
    chainsi_client_request request = { .method = "POST",
                                       .path = "/x",
                                       .deadline_ns = CHAINSI_NEVER };
    for (int i = 0; i < 10; i++) {
        chainsi_client_response response;
        char why[256];
        assert_int_equal(
            chainsi_replicas_exchange(it.set, &request, true, &arena, &response, why, sizeof why),
            CHAINSI_EXCHANGE_ANSWERED);
    }
    assert_int_equal(atomic_load(&it.servers[0].handled), 5);
    assert_int_equal(atomic_load(&it.servers[1].handled), 5);
    chainsi_arena_done(&arena);
    stop_group(&it);
}

/* What is large is not sent to busy replicas one after the other. */
static void test_large_calls(void **state)
{
    (void)state;
    group it;
    int fds[MOST_SERVERS];
    start_group(&it, 3, 1);
    fill(&it, fds);
    asked call = { .size = CHAINSI_LARGE_TRY + 1 };
    begin(&call, &it, "/x");
    AWAIT(count_calls(&it).waiting == 1);
    assert_int_equal(count_calls(&it).refused, 1);
    asked small = { .size = CHAINSI_LARGE_TRY };
    release(&it, fds);
    end_well(&call);
    fill(&it, fds);
    begin(&small, &it, "/x");
    AWAIT(count_calls(&it).waiting == 1);
    release(&it, fds);
    end_well(&small);
    stop_group(&it);
}

/* ------------------------------------------------------------------------------------------------
 * ends of waiting */

/* Of a set in which one call may wait: an interrupt, while that place is taken. */
static void interrupt_the_only_one(group *it)
{
    int left = eventfd(0, EFD_CLOEXEC);
    chainsi_interrupt interrupt = { .count = 1, .watch = { { left, POLLIN } } };
    asked leaving = { .interrupt = &interrupt }, refused = { 0 };
    begin(&leaving, it, "/x");
    AWAIT(count_calls(it).waiting == 1);
    begin(&refused, it, "/x");
    pthread_join(refused.thread, NULL);
    assert_int_equal(refused.end, CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(refused.error, EAGAIN);
    uint64_t one = 1;
    assert_int_equal(write(left, &one, sizeof one), sizeof one);
    pthread_join(leaving.thread, NULL);
    assert_int_equal(leaving.end, CHAINSI_EXCHANGE_INTERRUPTED);
    close(left);
}

static void test_limits_of_waiting(void **state)
{
    (void)state;
    group it = { .count = 0 };
    int fds[MOST_SERVERS];
    add_server(&it, (chainsi_server_options){ .slots = 1 });
    add_server(&it, (chainsi_server_options){ .slots = 1 });
    open_set(&it, (chainsi_replicas_options){ .max_waiting = 1 });
    fill(&it, fds);
    /* The deadline. */
    asked late = { .deadline_ns = chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS };
    begin(&late, &it, "/x");
    pthread_join(late.thread, NULL);
    assert_int_equal(late.end, CHAINSI_EXCHANGE_DEADLINE);
    interrupt_the_only_one(&it);
    AWAIT(counters_of(&it.servers[0]).waiting == 0 && counters_of(&it.servers[1]).waiting == 0);
    release(&it, fds);
    stop_group(&it);
}

static void test_full_queues(void **state)
{
    (void)state;
    group it = { .count = 0 };
    int fds[MOST_SERVERS], waiting[2];
    for (int i = 0; i < 2; i++)
        add_server(&it, (chainsi_server_options){ .slots = 1, .max_waiting = 1 });
    open_set(&it, (chainsi_replicas_options){ 0 });
    fill(&it, fds);
    for (int i = 0; i < 2; i++) {
        waiting[i] = dial(&it.servers[i]);
        post(waiting[i], "/x", "");
        AWAIT(counters_of(&it.servers[i]).waiting == 1);
    }
    asked call = { 0 };
    begin(&call, &it, "/x");
    pthread_join(call.thread, NULL);
    assert_int_equal(call.end, CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(call.error, EAGAIN);
    release(&it, fds);
    for (int i = 0; i < 2; i++) {
        expect(waiting[i], 200, "");
        close(waiting[i]);
    }
    stop_group(&it);
}

static void test_followers_leave_and_lead(void **state)
{
    (void)state;
    group it;
    int fds[MOST_SERVERS];
    start_group(&it, 2, 1);
    fill(&it, fds);
    int left = eventfd(0, EFD_CLOEXEC);
    chainsi_interrupt interrupt = { .count = 1, .watch = { { left, POLLIN } } };
    asked calls[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        calls[i].interrupt = i < 3 && i != 1 ? &interrupt : NULL;
        begin(&calls[i], &it, "/x");
        AWAIT(count_calls(&it).waiting == i + 1);
    }
    uint64_t one = 1; /* never read: it interrupts both, the one that leads and one in the middle */
    assert_int_equal(write(left, &one, sizeof one), sizeof one);
    pthread_join(calls[0].thread, NULL);
    pthread_join(calls[2].thread, NULL);
    assert_int_equal(calls[0].end, CHAINSI_EXCHANGE_INTERRUPTED);
    assert_int_equal(calls[2].end, CHAINSI_EXCHANGE_INTERRUPTED);
    open_gate(&it.servers[0]);
    expect(fds[0], 200, "");
    end_well(&calls[1]);
    end_well(&calls[3]);
    close(fds[0]);
    fds[0] = -1;
    close(left);
    release(&it, fds);
    stop_group(&it);
}

/* ------------------------------------------------------------------------------------------------
 * replicas that come and go */

/* What a name has: the first `shown` servers of a group. */
enum { UNKNOWN = -1, SURELY_NONE = -2 };
typedef struct names {
    group *of;
    atomic_int shown; /* or one of these */
    atomic_int looked_up;
} names;

static bool find(void *user, const char *host, uint16_t port, chainsi_found *found, char *why,
                 size_t why_size)
{
    names *its = user;
    assert_string_equal(host, "replicas.test");
    assert_int_equal(port, 80);
    atomic_fetch_add(&its->looked_up, 1);
    const int shown = atomic_load(&its->shown);
    if (shown < 0)
        snprintf(why, why_size, "no such host");
    found->is_nowhere = shown == SURELY_NONE;
    for (int i = 0; i < shown; i++) {
        const char *colon = strrchr(its->of->servers[i].address, ':');
        chainsi_found_add(found, "127.0.0.1", (uint16_t)atoi(colon + 1));
    }
    return shown >= 0;
}

static void start_named_with(group *it, names *its, int shown, chainsi_replicas_options options)
{
    *it = (group){ .count = 0 };
    add_server(it, (chainsi_server_options){ .slots = 1 });
    add_server(it, (chainsi_server_options){ .slots = 1 });
    snprintf(it->addresses, sizeof it->addresses, "http://replicas.test");
    *its = (names){ .of = it };
    atomic_store(&its->shown, shown);
    options.lookup = find;
    options.user = its;
    options.lookup_ms = 5;
    open_set(it, options);
}

static void start_named(group *it, names *its, int shown)
{
    start_named_with(it, its, shown, (chainsi_replicas_options){ 0 });
}

static void test_a_replica_joins_by_name(void **state)
{
    (void)state;
    group it;
    names its;
    start_named(&it, &its, 1);
    int fd = dial(&it.servers[0]);
    post(fd, "/wait", "");
    AWAIT(atomic_load(&it.servers[0].running) == 1);
    asked call = { 0 };
    begin(&call, &it, "/x");
    AWAIT(counters_of(&it.servers[0]).waiting == 1);
    atomic_store(&its.shown, 2);
    end_well(&call);
    assert_int_equal(atomic_load(&it.servers[1].handled), 1);
    AWAIT(counters_of(&it.servers[0]).waiting == 0);
    open_gate(&it.servers[0]);
    expect(fd, 200, "");
    close(fd);
    stop_group(&it);
}

static void test_a_replica_leaves_by_name(void **state)
{
    (void)state;
    group it;
    names its;
    start_named(&it, &its, 2);
    asked running = { 0 };
    begin(&running, &it, "/wait");
    AWAIT(count_running(&it) == 1);
    atomic_store(&its.shown, 0);
    /* A call that runs where nobody is any more is answered. No other is made there. */
    asked other = { .of = &it, .path = "/x" };
    while (count_calls(&it).replicas > 0)
        ask_one(&other); /* names are looked up while calls are made */
    asked call = { .of = &it, .path = "/x" };
    ask_one(&call);
    assert_int_equal(call.end, CHAINSI_EXCHANGE_NOT_STARTED);
    open_gate(&it.servers[0]);
    open_gate(&it.servers[1]);
    end_well(&running);
    stop_group(&it);
}

static void test_a_name_that_is_not_there_yet(void **state)
{
    (void)state;
    group it;
    names its;
    start_named(&it, &its, -1);
    asked call = { .of = &it, .path = "/x" };
    ask_one(&call);
    assert_int_equal(call.end, CHAINSI_EXCHANGE_NOT_STARTED);
    assert_string_equal(call.why, "no such host");
    assert_int_equal(atomic_load(&its.looked_up), 1);
    ask_one(&call); /* nobody waits for a look-up again at once */
    assert_int_equal(call.end, CHAINSI_EXCHANGE_NOT_STARTED);
    atomic_store(&its.shown, 1);
    while (call.end == CHAINSI_EXCHANGE_NOT_STARTED)
        ask_one(&call);
    assert_int_equal(call.end, CHAINSI_EXCHANGE_ANSWERED);
    /* And stays known when it can't be looked up for a while. */
    atomic_store(&its.shown, -1);
    int looked_up = atomic_load(&its.looked_up);
    do {
        ask_one(&call);
        assert_int_equal(call.end, CHAINSI_EXCHANGE_ANSWERED);
    } while (atomic_load(&its.looked_up) < looked_up + 2);
    stop_group(&it);
}

/* ------------------------------------------------------------------------------------------------
 * at zero */

enum { EXPECTED_MS = 60000 };

static void test_calls_wait_for_the_first_replica(void **state)
{
    (void)state;
    group it;
    names its;
    for (int none = SURELY_NONE; none <= 0; none++) {
        start_named_with(&it, &its, none, (chainsi_replicas_options){ .at_zero_ms = EXPECTED_MS });
        asked calls[3] = { 0 };
        for (int i = 0; i < 3; i++)
            begin(&calls[i], &it, "/x");
        AWAIT(count_calls(&it).waiting == 3 && atomic_load(&its.looked_up) > 3);
        atomic_store(&its.shown, 1);
        for (int i = 0; i < 3; i++)
            end_well(&calls[i]);
        /* And again, when it has gone. */
        atomic_store(&its.shown, SURELY_NONE);
        while (count_calls(&it).replicas > 0) {
            /* The last one may find that it has gone. */
            asked other = { .of = &it,
                            .path = "/x",
                            .deadline_ns = chainsi_now_ns() + 10 * CHAINSI_NS_PER_MS };
            ask_one(&other);
        }
        asked call = { 0 };
        begin(&call, &it, "/x");
        AWAIT(count_calls(&it).waiting == 1);
        atomic_store(&its.shown, 2);
        end_well(&call);
        stop_group(&it);
    }
}

static void test_what_is_known_is_away_while_calls_wait(void **state)
{
    (void)state;
    group it;
    names its;
    start_named_with(&it, &its, 1, (chainsi_replicas_options){ .at_zero_ms = EXPECTED_MS });
    stop(&it.servers[0]); /* the name still has its address */
    it.servers[0].server = NULL;
    asked call = { 0 };
    begin(&call, &it, "/x");
    AWAIT(count_calls(&it).waiting == 1 && count_calls(&it).unreached > 2);
    atomic_store(&its.shown, 2);
    end_well(&call);
    stop_group(&it);
}

static void test_waiting_for_the_first_ends(void **state)
{
    (void)state;
    group it;
    names its;
    start_named_with(&it, &its, UNKNOWN,
                     (chainsi_replicas_options){ .at_zero_ms = EXPECTED_MS, .max_waiting = 1 });
    asked late = { .deadline_ns = chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS };
    begin(&late, &it, "/x");
    pthread_join(late.thread, NULL);
    assert_int_equal(late.end, CHAINSI_EXCHANGE_DEADLINE);
    assert_int_equal(late.error, EHOSTUNREACH);
    assert_string_equal(late.why, "no such host");
    interrupt_the_only_one(&it);
    stop_group(&it);
    /* Nobody comes for so long that none is expected any more. */
    start_named_with(&it, &its, SURELY_NONE, (chainsi_replicas_options){ .at_zero_ms = 30 });
    asked in_vain = { .of = &it, .path = "/x" };
    ask_one(&in_vain);
    assert_int_equal(in_vain.end, CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(in_vain.error, EHOSTUNREACH);
    assert_string_equal(in_vain.why, "no such host");
    stop_group(&it);
}

static void test_a_replica_of_the_list_joins(void **state)
{
    (void)state;
    group it = { .count = 0 };
    char address[64], why[256];
    add_server(&it, (chainsi_server_options){ .slots = 1 });
    int fd = reserve(address, sizeof address), running = dial(&it.servers[0]);
    add_address(&it, address);
    open_set(&it, (chainsi_replicas_options){ 0 });
    post(running, "/wait", "");
    AWAIT(atomic_load(&it.servers[0].running) == 1);
    asked call = { 0 };
    begin(&call, &it, "/x");
    AWAIT(counters_of(&it.servers[0]).waiting == 1);
    assert_int_equal(listen(fd, 16), 0);
    fixture joined = { .listen_fd = fd };
    chainsi_server *server = chainsi_server_start(
        &(chainsi_server_options){
            .listen_fd = fd, .slots = 1, .eager = true, .handler = handle, .user = &joined },
        why, sizeof why);
    assert_non_null(server);
    end_well(&call);
    assert_int_equal(atomic_load(&joined.handled), 1);
    open_gate(&it.servers[0]);
    expect(running, 200, "");
    close(running);
    stop_group(&it);
    chainsi_server_free(server);
    close(fd);
}

static void test_what_refuses_connections_is_left_alone(void **state)
{
    (void)state;
    group it = { .count = 0 };
    char address[64];
    int fd = reserve(address, sizeof address);
    add_address(&it, address);
    add_server(&it, (chainsi_server_options){ .slots = 1 });
    open_set(&it, (chainsi_replicas_options){ 0 });
    for (int i = 0; i < 20; i++) {
        asked call = { .of = &it, .path = "/x" };
        ask_one(&call);
        assert_int_equal(call.end, CHAINSI_EXCHANGE_ANSWERED);
    }
    stop_group(&it);
    /* Alone it is tried, and said. */
    group alone = { .count = 0 };
    add_address(&alone, address);
    add_address(&alone, address);
    open_set(&alone, (chainsi_replicas_options){ 0 });
    asked call = { .of = &alone, .path = "/x" };
    ask_one(&call);
    assert_int_equal(call.end, CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(call.error, ECONNREFUSED);
    assert_non_null(strstr(call.why, "cannot connect"));
    stop_group(&alone);
    close(fd);
}

/* Also where others have slots enough, so that no call waits. */
static void test_what_can_be_reached_again_is_called_again(void **state)
{
    (void)state;
    group it = { .count = 0 };
    char address[64], why[256];
    int fd = reserve(address, sizeof address);
    add_address(&it, address);
    add_server(&it, (chainsi_server_options){ .slots = 8 });
    open_set(&it, (chainsi_replicas_options){ 0 });
    asked call = { .of = &it, .path = "/x" };
    AWAIT((ask_one(&call), count_calls(&it).unreached > 0)); /* callers begin with either */
    assert_int_equal(listen(fd, 16), 0);
    fixture joined = { .listen_fd = fd };
    chainsi_server *server = chainsi_server_start(
        &(chainsi_server_options){
            .listen_fd = fd, .slots = 8, .eager = true, .handler = handle, .user = &joined },
        why, sizeof why);
    assert_non_null(server);
    AWAIT((ask_one(&call), atomic_load(&joined.handled) > 0));
    assert_int_equal(call.end, CHAINSI_EXCHANGE_ANSWERED);
    stop_group(&it);
    chainsi_server_free(server);
    close(fd);
}

static void test_what_fails_at_once_is_tried_again(void **state)
{
    (void)state;
    group it = { .count = 0 };
    int fds[MOST_SERVERS];
    add_server(&it, (chainsi_server_options){ .slots = 1 });
    add_address(&it, "http://255.255.255.255:1"); /* TCP refuses it without asking anybody */
    open_set(&it, (chainsi_replicas_options){ 0 });
    fill(&it, fds);
    asked call = { 0 };
    begin(&call, &it, "/x");
    AWAIT(count_calls(&it).unreached > 4);
    assert_int_equal(count_calls(&it).waiting, 1);
    release(&it, fds);
    end_well(&call);
    stop_group(&it);
}

static void *drain(void *user)
{
    chainsi_server_drain(user, CHAINSI_NEVER);
    return NULL;
}

static void test_a_replica_drains_while_calls_wait(void **state)
{
    (void)state;
    group it;
    int fds[MOST_SERVERS];
    start_group(&it, 2, 1);
    fill(&it, fds);
    asked call = { 0 };
    begin(&call, &it, "/x");
    AWAIT(counters_of(&it.servers[0]).waiting == 1 && counters_of(&it.servers[1]).waiting == 1);
    pthread_t draining;
    assert_int_equal(pthread_create(&draining, NULL, drain, it.servers[0].server), 0);
    AWAIT(counters_of(&it.servers[0]).waiting == 0);
    open_gate(&it.servers[0]);
    expect(fds[0], 200, "");
    close(fds[0]);
    fds[0] = -1;
    pthread_join(draining, NULL);
    assert_int_equal(atomic_load(&it.servers[0].handled), 1);
    open_gate(&it.servers[1]);
    expect(fds[1], 200, "");
    close(fds[1]);
    fds[1] = -1;
    end_well(&call);
    assert_int_equal(atomic_load(&it.servers[1].handled), 2);
    stop_group(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_slot_gets_a_call),
        TEST(test_waiting_calls_go_to_whatever_frees_a_slot),
        TEST(test_one_replica_is_busy_for_good),
        TEST(test_plain_clients_beside),
        TEST(test_elsewhere_is_another_replica),
        TEST(test_large_calls),
        TEST(test_limits_of_waiting),
        TEST(test_full_queues),
        TEST(test_followers_leave_and_lead),
        TEST(test_a_replica_joins_by_name),
        TEST(test_a_replica_leaves_by_name),
        TEST(test_a_name_that_is_not_there_yet),
        TEST(test_a_replica_of_the_list_joins),
        TEST(test_calls_wait_for_the_first_replica),
        TEST(test_what_is_known_is_away_while_calls_wait),
        TEST(test_waiting_for_the_first_ends),
        TEST(test_calls_wait_for_the_first_replica),
        TEST(test_what_is_known_is_away_while_calls_wait),
        TEST(test_waiting_for_the_first_ends),
        TEST(test_what_refuses_connections_is_left_alone),
        TEST(test_what_can_be_reached_again_is_called_again),
        TEST(test_what_fails_at_once_is_tried_again),
        TEST(test_a_replica_drains_while_calls_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
