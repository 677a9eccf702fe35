/* Slots over TCP, at the serving side: calls that are not to wait, wants, and slots that are kept for a connection. */
#include "rpc/server_test_support.h"

#include "rpc/grants.h"

/* A server with these options, which accepts eagerly over TCP. */
static void start_granting(fixture *it, chainsi_server_options options)
{
    options.eager = true;
    start(it, true, options);
}

static void post_refusing(int fd, const char *path, const char *body)
{
    char text[512];
    snprintf(text, sizeof text,
             "POST %s HTTP/1.1\r\nHost: x\r\n" CHAINSI_GRANTS_REFUSE
             "Content-Length: %zu\r\n\r\n%s",
             path, strlen(body), body);
    say(fd, text);
}

static void want(int fd)
{
    post(fd, CHAINSI_GRANTS_PATH, "");
}

/* The next answer has this status and these lines. */
static void expect_lines(int fd, int status, const char *lines)
{
    char text[2048], line[32];
    hear(fd, text, sizeof text);
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (strncmp(text, line, strlen(line)) != 0 || !strstr(text, lines))
        fail_msg("expected %d with %s, got: %s", status, lines, text);
}

/* A call in the only slot, which ends when the gate is opened. */
static int occupy(fixture *it)
{
    int fd = dial(it);
    post(fd, "/wait", "");
    AWAIT(atomic_load(&it->running) == 1);
    return fd;
}

static void leave(fixture *it, int fd)
{
    sem_post(&it->gate);
    expect(fd, 200, "");
    close(fd);
}

static void test_header(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        uint32_t free, total;
    } cases[] = {
        { "0/1", true, 0, 1 },
        { "4/4", true, 4, 4 },
        { "999999999/999999999", true, 999999999, 999999999 },
        { "1000000000/1000000000", false, 0, 0 },
        { "2/1", false, 0, 0 },
        { "0/0", false, 0, 0 },
        { "", false, 0, 0 },
        { "1", false, 0, 0 },
        { "1/", false, 0, 0 },
        { "/1", false, 0, 0 },
        { "1/1 ", false, 0, 0 },
        { "-1/1", false, 0, 0 },
        { "1 /1", false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* A copy of just its size, so that a sanitizer sees every byte too many. */
        size_t size = strlen(cases[i].text);
        char *text = malloc(size + !size);
        memcpy(text, cases[i].text, size);
        chainsi_http_head head = { .header_count = 1,
                                   .headers = { { { "x-chains-slots", 14 }, { text, size } } } };
        chainsi_grants_slots slots = { 7, 7 };
        assert_int_equal(chainsi_grants_read(&head, &slots), cases[i].good);
        assert_int_equal(slots.free, cases[i].good ? cases[i].free : 7);
        assert_int_equal(slots.total, cases[i].good ? cases[i].total : 7);
        free(text);
    }
    chainsi_http_head none = { .header_count = 0 };
    chainsi_grants_slots slots;
    assert_false(chainsi_grants_read(&none, &slots));
}

static void test_calls_that_are_not_to_wait(void **state)
{
    (void)state;
    fixture it;
    start_granting(&it, (chainsi_server_options){ .slots = 2 });
    int fd = dial(&it), first = occupy(&it), second = dial(&it);
    /* The slot of the call itself is free when it is answered. */
    post_refusing(fd, "/x", "1");
    expect_lines(fd, 200, "X-Chains-Slots: 1/2\r\n");
    post(second, "/wait", "");
    AWAIT(atomic_load(&it.running) == 2);
    for (int i = 0; i < 2; i++) {
        post_refusing(fd, "/x", "2");
        expect_lines(fd, 503,
                     "X-Chains-Not-Started: 1\r\nX-Chains-Slots: 0/2\r\n\r\n"
                     "{\"error\":{\"status\":\"UNAVAILABLE\"");
    }
    assert_int_equal(counters_of(&it).not_started, 2);
    /* Nor does it overtake one that waits. */
    int waiting = dial(&it);
    post(waiting, "/wait", "");
    AWAIT(counters_of(&it).waiting == 1);
    post_refusing(fd, "/x", "3");
    expect_lines(fd, 503, "X-Chains-Slots: 0/2\r\n");
    sem_post(&it.gate);
    sem_post(&it.gate);
    sem_post(&it.gate);
    expect(first, 200, "");
    expect(second, 200, "");
    expect(waiting, 200, "");
    AWAIT(counters_of(&it).in_flight == 0);
    post_refusing(fd, "/x", "4");
    expect_lines(fd, 200, "X-Chains-Slots: 2/2\r\n");
    /* A plain client hears nothing of it. */
    char text[1024];
    post(fd, "/x", "5");
    assert_null(strstr(hear(fd, text, sizeof text), "X-Chains"));
    assert_int_equal(atomic_load(&it.handled), 6);
    close(first);
    close(second);
    close(waiting);
    close(fd);
    stop(&it);
}

static void test_a_want_is_granted_in_its_turn(void **state)
{
    (void)state;
    fixture it;
    start_granting(&it, (chainsi_server_options){ .slots = 1, .lease_ms = PATIENCE_MS });
    int running = occupy(&it), wanting = dial(&it), waiting = dial(&it), other = dial(&it);
    want(wanting);
    AWAIT(counters_of(&it).waiting == 1);
    post(waiting, "/x", "behind it");
    AWAIT(counters_of(&it).waiting == 2);
    leave(&it, running);
    expect_lines(wanting, 200, "X-Chains-Slots: 0/1\r\n");
    /* The slot is the connection's: for others it is taken, whatever they ask. */
    assert_int_equal(counters_of(&it).in_flight, 1);
    post_refusing(other, "/x", "no");
    expect_lines(other, 503, "X-Chains-Slots: 0/1\r\n");
    assert_int_equal(counters_of(&it).waiting, 1);
    /* Its call runs before what waits. */
    post_refusing(wanting, "/x", "granted");
    expect(wanting, 200, "granted");
    expect(waiting, 200, "behind it");
    /* With a slot free a want is granted at once, again and again. */
    AWAIT(counters_of(&it).in_flight == 0);
    for (int i = 0; i < 3; i++) {
        want(wanting);
        expect_lines(wanting, 200, "X-Chains-Slots: 0/1\r\n");
        assert_int_equal(counters_of(&it).in_flight, 1);
    }
    /* Any call uses it; and two in one write. */
    say(wanting, "POST /slot HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
                 "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    expect(wanting, 200, "");
    expect(wanting, 200, "hi");
    close(wanting);
    close(waiting);
    close(other);
    AWAIT(counters_of(&it).in_flight == 0);
    stop(&it);
}

static void test_a_kept_slot_is_given_back(void **state)
{
    (void)state;
    for (int lapses = 0; lapses < 2; lapses++) {
        fixture it;
        start_granting(
            &it, (chainsi_server_options){ .slots = 2, .lease_ms = lapses ? 20 : PATIENCE_MS });
        int wanting[2] = { dial(&it), dial(&it) }, waiting[2] = { dial(&it), dial(&it) };
        for (int i = 0; i < 2; i++) {
            want(wanting[i]);
            expect_lines(wanting[i], 200, "X-Chains-Slots: ");
        }
        /* They wait for both slots at once: each must be woken. */
        for (int i = 0; i < 2; i++)
            post(waiting[i], "/wait", "");
        if (!lapses) {
            AWAIT(counters_of(&it).waiting == 2);
            close(wanting[0]);
            close(wanting[1]);
        }
        AWAIT(atomic_load(&it.running) == 2);
        if (lapses) {
            /* Too late: it is a call like any other. */
            post_refusing(wanting[0], "/x", "late");
            expect(wanting[0], 503, NULL);
            close(wanting[0]);
            close(wanting[1]);
        }
        for (int i = 0; i < 2; i++)
            sem_post(&it.gate);
        for (int i = 0; i < 2; i++) {
            expect(waiting[i], 200, "");
            close(waiting[i]);
        }
        AWAIT(counters_of(&it).in_flight == 0);
        stop(&it);
    }
}

static void test_wants_are_withdrawn(void **state)
{
    (void)state;
    fixture it;
    start_granting(&it, (chainsi_server_options){ .slots = 1, .max_waiting = 3 });
    int running = occupy(&it), wanting[3], refused = dial(&it), waiting = dial(&it);
    for (int i = 0; i < 3; i++) {
        wanting[i] = dial(&it);
        want(wanting[i]);
        AWAIT(counters_of(&it).waiting == (uint64_t)i + 1);
    }
    want(refused);
    expect_lines(refused, 429, "X-Chains-Not-Started: 1\r\n");
    /* The one in the middle, the last, the first: what is left stays in order. */
    close(wanting[1]);
    AWAIT(counters_of(&it).waiting == 2);
    close(wanting[2]);
    AWAIT(counters_of(&it).waiting == 1);
    post(waiting, "/x", "waited");
    AWAIT(counters_of(&it).waiting == 2);
    close(wanting[0]);
    AWAIT(counters_of(&it).waiting == 1);
    want(refused);
    AWAIT(counters_of(&it).waiting == 2);
    leave(&it, running);
    expect(waiting, 200, "waited");
    expect(refused, 200, "");
    close(waiting);
    close(refused);
    AWAIT(counters_of(&it).in_flight == 0);
    stop(&it);
}

static void *drain(void *user)
{
    return (void *)(intptr_t)chainsi_server_drain(user, CHAINSI_NEVER);
}

static void test_draining(void **state)
{
    (void)state;
    fixture it;
    start_granting(&it, (chainsi_server_options){ .slots = 2, .lease_ms = PATIENCE_MS });
    int running = occupy(&it), granted = dial(&it), wanting = dial(&it), kept = dial(&it);
    want(granted);
    expect(granted, 200, "");
    want(wanting);
    AWAIT(counters_of(&it).waiting == 1);
    post_refusing(kept, "/x", "");
    expect(kept, 503, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain, it.server), 0);
    /* Who only wants is sent away, and who calls without knowing is told; whoever was promised a slot may use it. */
    expect_end(wanting);
    post_refusing(kept, "/x", "");
    expect_lines(kept, 503, "Connection: close\r\nX-Chains-Not-Started: 1\r\n");
    expect_end(kept);
    post_refusing(granted, "/x", "promised");
    expect_lines(granted, 200, "Connection: close\r\n");
    expect_end(granted);
    leave(&it, running);
    void *all;
    pthread_join(thread, &all);
    assert_true((bool)(intptr_t)all);
    close(granted);
    close(wanting);
    close(kept);
    stop(&it);
}

static void test_drain_waits_for_a_lease_to_end(void **state)
{
    (void)state;
    fixture it;
    start_granting(&it, (chainsi_server_options){ .slots = 1, .lease_ms = 20 });
    int granted = dial(&it);
    want(granted);
    expect(granted, 200, "");
    assert_true(chainsi_server_drain(it.server, CHAINSI_NEVER));
    expect_end(granted);
    close(granted);
    stop(&it);
}

static void test_draining_ends_listening(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        fixture it;
        char why[256];
        start_granting(
            &it, (chainsi_server_options){ .slots = 1, .lease_ms = 20, .ends_listening = ends });
        int idle = dial(&it);
        post(idle, "/x", "1");
        expect(idle, 200, "1");
        assert_true(chainsi_server_drain(it.server, CHAINSI_NEVER));
        expect_end(idle);
        chainsi_address address;
        assert_true(chainsi_address_parse(it.address, &address, why, sizeof why));
        int fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
        assert_int_equal(fd < 0, ends);
        if (fd >= 0)
            close(fd); /* it would have waited for who serves the socket next */
        chainsi_address_done(&address);
        close(idle);
        stop(&it);
    }
}

/* Only over TCP: elsewhere there is a board, and the path is the Chainlet's. */
static void test_elsewhere_it_is_a_path_like_any(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        fixture it;
        start(&it, tcp, (chainsi_server_options){ .slots = 1, .eager = !tcp });
        int fd = dial(&it);
        post(fd, CHAINSI_GRANTS_PATH, "mine");
        expect(fd, 200, "mine");
        assert_int_equal(atomic_load(&it.handled), 1);
        close(fd);
        stop(&it);
    }
}

/* Callers that do all of it in any order: nothing is lost, and in the end every slot is free. */
typedef struct chaos {
    fixture *of;
    unsigned seed;
    size_t answered, expected;
} chaos;

static void *run_chaos(void *user)
{
    chaos *its = user;
    char text[2048];
    for (int i = 0; i < 60; i++) {
        int fd = dial(its->of);
        int kind = rand_r(&its->seed) % 4;
        if (kind) {
            want(fd);
            if (kind == 1) { /* leaves before it hears, or after */
                if (rand_r(&its->seed) % 2)
                    hear(fd, text, sizeof text);
                close(fd);
                continue;
            }
            assert_int_equal(strncmp(hear(fd, text, sizeof text), "HTTP/1.1 200", 12), 0);
        }
        its->expected++;
        post(fd, "/x", "x");
        its->answered += !strncmp(hear(fd, text, sizeof text), "HTTP/1.1 200", 12);
        close(fd);
    }
    return NULL;
}

static void test_chaos(void **state)
{
    (void)state;
    fixture it;
    start_granting(&it, (chainsi_server_options){ .slots = 2, .lease_ms = 1, .max_waiting = 1000 });
    pthread_t threads[8];
    chaos each[8];
    for (unsigned i = 0; i < 8; i++) {
        each[i] = (chaos){ .of = &it, .seed = i };
        assert_int_equal(pthread_create(&threads[i], NULL, run_chaos, &each[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(each[i].answered, each[i].expected);
    }
    AWAIT(counters_of(&it).in_flight == 0 && counters_of(&it).waiting == 0);
    AWAIT(counters_of(&it).connections == 0);
    stop(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_header),
        TEST(test_calls_that_are_not_to_wait),
        TEST(test_a_want_is_granted_in_its_turn),
        TEST(test_a_kept_slot_is_given_back),
        TEST(test_wants_are_withdrawn),
        TEST(test_draining),
        TEST(test_drain_waits_for_a_lease_to_end),
        TEST(test_draining_ends_listening),
        TEST(test_elsewhere_it_is_a_path_like_any),
        TEST(test_chaos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
