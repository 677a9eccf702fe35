/* Calls to hundreds of replicas over TCP: which of them are in use, and that no call waits while any has a free slot. The
 * replicas are few servers, each behind many addresses of this machine. */
#include "rpc/replicas_test_support.h"

enum { CROWD = 600 };

/* Addresses 127.0.x.y, the same port each; of the server that listens on all of them. */
typedef struct crowd {
    group
        it; /* servers[0] is behind `shown` addresses, servers[1] behind one more, if it is there */
    atomic_int shown, looked_up;
} crowd;

static uint16_t port_of(const fixture *server)
{
    return (uint16_t)atoi(strrchr(server->address, ':') + 1);
}

static bool find(void *user, const char *host, uint16_t port, chainsi_found *found, char *why,
                 size_t why_size)
{
    crowd *made = user;
    (void)host, (void)port, (void)why, (void)why_size;
    for (int i = 0; i < atomic_load(&made->shown); i++) {
        char number[CHAINSI_LOOKUP_HOST];
        snprintf(number, sizeof number, "127.0.%d.%d", 1 + i / 200, 1 + i % 200);
        chainsi_found_add(found, number, port_of(&made->it.servers[0]));
    }
    if (made->it.count > 1)
        chainsi_found_add(found, "127.0.0.1", port_of(&made->it.servers[1]));
    atomic_fetch_add(&made->looked_up, 1);
    return true;
}

/* servers[0] listens on every address of the machine, and has this many slots. */
static void start_crowd(crowd *made, int shown, int slots)
{
    *made = (crowd){ .shown = shown };
    fixture *server = &made->it.servers[made->it.count++];
    start_at(server, "http://0.0.0.0:0", (chainsi_server_options){ .slots = slots, .eager = true });
    snprintf(made->it.addresses, sizeof made->it.addresses, "http://replicas.test");
}

static void open_crowd(crowd *made)
{
    open_set(&made->it, (chainsi_replicas_options){ .lookup = find, .user = made, .lookup_ms = 5 });
}

static void ask_well(crowd *made, const char *path)
{
    asked call = { .of = &made->it, .path = path };
    ask_one(&call);
    if (call.end != CHAINSI_EXCHANGE_ANSWERED)
        fail_msg("%s", call.why);
    assert_int_equal(call.status, 200);
}

static void test_only_some_are_in_use(void **state)
{
    (void)state;
    crowd made;
    start_crowd(&made, CROWD, 64);
    open_crowd(&made);
    for (int i = 0; i < 1000; i++)
        ask_well(&made, "/x");
    chainsi_replicas_counters counters = count_calls(&made.it);
    assert_int_equal(counters.replicas, CROWD);
    assert_int_equal(counters.used, CHAINSI_USED_FIRST);
    assert_in_range(counters_of(&made.it.servers[0]).connections, 1, CHAINSI_USED_FIRST);
    stop_group(&made.it);
}

/* A call at each of more replicas than there are in use at first. */
static void test_more_are_taken_in_as_they_are_needed(void **state)
{
    (void)state;
    enum { CALLS = 3 * CHAINSI_USED_FIRST };
    crowd made;
    start_crowd(&made, CROWD, CALLS);
    open_crowd(&made);
    asked *calls = calloc(CALLS, sizeof *calls);
    for (int i = 0; i < CALLS; i++) {
        begin(&calls[i], &made.it, "/wait");
        AWAIT(count_running(&made.it) == i + 1);
    }
    /* Of a replica that has said nothing yet one slot is believed. */
    assert_in_range(count_calls(&made.it).used, CALLS, CALLS + CHAINSI_USED_SPARE);
    for (int i = 0; i < CALLS; i++)
        open_gate(&made.it.servers[0]);
    for (int i = 0; i < CALLS; i++)
        end_well(&calls[i]);
    free(calls);
    stop_group(&made.it);
}

/* All addresses but one are those of a server whose only slot is taken. */
static void test_the_only_free_one_is_found(void **state)
{
    (void)state;
    crowd made;
    start_crowd(&made, CROWD, 1);
    add_server(&made.it, (chainsi_server_options){ .slots = 1 });
    snprintf(made.it.addresses, sizeof made.it.addresses, "http://replicas.test");
    open_crowd(&made);
    int fd = dial(&made.it.servers[0]);
    post(fd, "/wait", "");
    AWAIT(atomic_load(&made.it.servers[0].running) == 1);
    for (int i = 0; i < 3; i++) {
        ask_well(&made, "/x");
        assert_int_equal(atomic_load(&made.it.servers[1].handled), i + 1);
    }
    assert_in_range(count_calls(&made.it).used, 1, CHAINSI_USED_FIRST + CHAINSI_USED_SPARE);
    open_gate(&made.it.servers[0]);
    expect(fd, 200, "");
    close(fd);
    stop_group(&made.it);
}

static void test_they_come_and_go(void **state)
{
    (void)state;
    static const int counts[] = { CROWD, 3, 100, 0, CHAINSI_USED_FIRST + 1, 1, CROWD };
    crowd made;
    start_crowd(&made, CROWD, 4);
    open_crowd(&made);
    asked running = { 0 };
    begin(&running, &made.it, "/wait");
    AWAIT(count_running(&made.it) == 1);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        atomic_store(&made.shown, counts[i]);
        asked call = { .of = &made.it, .path = "/x" };
        do
            ask_one(&call);
        while (count_calls(&made.it).replicas != counts[i]);
        const int used = count_calls(&made.it).used;
        assert_in_range(used, counts[i] < CHAINSI_USED_FIRST ? counts[i] : CHAINSI_USED_FIRST,
                        counts[i]);
        if (counts[i])
            ask_well(&made, "/x");
    }
    open_gate(&made.it.servers[0]);
    end_well(&running); /* whose replica may have left and come again */
    stop_group(&made.it);
}

static void *ask_many(void *user)
{
    for (int i = 0; i < 200; i++)
        ask_well(user, "/x");
    return NULL;
}

/* Threads that call, wait and lead while replicas come and go, and slots are few. */
static void test_under_load(void **state)
{
    (void)state;
    crowd made;
    start_crowd(&made, CROWD, 2);
    open_crowd(&made);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &made), 0);
    for (int i = 0; i < 20; i++) {
        int looked_up = atomic_load(&made.looked_up);
        atomic_store(&made.shown, i % 2 ? CROWD : CROWD / 3);
        asked call = { .of = &made.it, .path = "/x" };
        while (atomic_load(&made.looked_up) == looked_up)
            ask_one(&call);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&made.it.servers[0].handled) >= 8 * 200);
    stop_group(&made.it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_some_are_in_use),
        TEST(test_more_are_taken_in_as_they_are_needed),
        TEST(test_the_only_free_one_is_found),
        TEST(test_they_come_and_go),
        TEST(test_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
