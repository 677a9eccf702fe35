/* The serving side when somebody leaves: callers that hang up or don't read, and a server that drains. */
#include "rpc/server_test_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
