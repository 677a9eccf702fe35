/* Clients in HTTP that keep their connections, at servers that share a socket and have no slot free. */
#include "rpc/frames_test_support.h"

static chainsi_server_options shared_options(int slots)
{
    return (chainsi_server_options){
        .slots = slots, .shared = true, .frames = true, .handler = handle_frames
    };
}

/* A client whose connection is kept after an answer. */
static int keep_one(fixture *it)
{
    int fd = dial(it);
    post(fd, "/x", "first");
    expect(fd, 200, "first");
    return fd;
}

/* One more server on the fixture's socket, as of a replica that joins. */
static chainsi_server *join_another(fixture *it, chainsi_server_options options)
{
    char why[256];
    options.listen_fd = it->listen_fd;
    options.user = it;
    chainsi_server *server = chainsi_server_start(&options, why, sizeof why);
    if (!server)
        fail_msg("%s", why);
    return server;
}

/* Has a call run in the fixture's only slot; its connection. */
static int occupy(fixture *it)
{
    int fd = dial(it);
    post(fd, "/wait", "");
    AWAIT(atomic_load(&it->running) == 1);
    return fd;
}

/* What comes while the slot is taken waits in the socket's queue, and no connection is closed. */
static void test_requests_wait_in_the_queue(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, shared_options(1));
    int kept = keep_one(&it), fresh = dial(&it), leaving = keep_one(&it);
    AWAIT(counters_of(&it).connections == 3);
    AWAIT(counters_of(&it).in_flight == 0);
    int running = occupy(&it);
    assert_int_equal(counters_of(&it).connections, 4); /* idle ones stay */
    post(kept, "/x", "kept");
    AWAIT(counters_of(&it).connections == 3);
    post(fresh, "/x", "fresh");
    AWAIT(counters_of(&it).connections == 2);
    close(leaving);
    AWAIT(counters_of(&it).connections == 1);
    assert_int_equal(counters_of(&it).waiting, 0);
    sem_post(&it.gate);
    expect(running, 200, "");
    expect(kept, 200, "kept");
    expect(fresh, 200, "fresh");
    /* They are as good as before. */
    post(kept, "/x", "once more");
    expect(kept, 200, "once more");
    assert_int_equal(atomic_load(&it.handled), 6);
    close(kept);
    close(fresh);
    close(running);
    AWAIT(counters_of(&it).connections == 0);
    stop(&it);
}

/* A replica that joins takes what waits, and what comes on connections to the other one. */
static void test_another_replica_takes_them(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, shared_options(1));
    int early = keep_one(&it), late = keep_one(&it);
    int running = occupy(&it);
    post(early, "/x", "early");
    AWAIT(counters_of(&it).connections == 2);
    chainsi_server *another = join_another(&it, shared_options(1));
    expect(early, 200, "early");
    post(late, "/x", "late");
    expect(late, 200, "late");
    sem_post(&it.gate);
    expect(running, 200, "");
    close(early);
    close(late);
    close(running);
    chainsi_server_free(another);
    stop(&it);
}

/* What waits outlives the replica that it came to. */
static void test_outlives_its_replica(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, shared_options(1));
    int kept = keep_one(&it), running = occupy(&it);
    post(kept, "/x", "kept");
    AWAIT(counters_of(&it).connections == 1);
    sem_post(&it.gate);
    /* Whether it is accepted before that or not. */
    chainsi_server_free(it.server);
    chainsi_server_options options = shared_options(1);
    it.server = join_another(&it, options);
    expect(running, 200, "");
    expect(kept, 200, "kept");
    close(kept);
    close(running);
    stop(&it);
}

/* Of a request that came in part something was read: it waits at its replica. */
static void test_half_a_request_stays(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, shared_options(1));
    int half = dial(&it);
    say(half, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    await_read(half);
    AWAIT(counters_of(&it).in_flight == 0);
    int running = occupy(&it);
    say(half, "cd");
    AWAIT(counters_of(&it).waiting == 1);
    sem_post(&it.gate);
    expect(running, 200, "");
    expect(half, 200, "abcd");
    close(half);
    close(running);
    stop(&it);
}

/* What the queue has no room for waits at its replica, as it did there before. */
static void test_full_queue(void **state)
{
    (void)state;
    fixture it;
    start(&it, false, shared_options(1));
    int kept[3];
    for (int i = 0; i < 3; i++)
        kept[i] = keep_one(&it);
    int running = occupy(&it);
    assert_int_equal(listen(it.listen_fd, 0), 0); /* room for one */
    for (int i = 0; i < 3; i++) {
        post(kept[i], "/x", "kept");
        AWAIT(counters_of(&it).connections == 3);
        AWAIT(counters_of(&it).waiting == (uint64_t)i);
    }
    sem_post(&it.gate);
    expect(running, 200, "");
    for (int i = 0; i < 3; i++) {
        expect(kept[i], 200, "kept");
        close(kept[i]);
    }
    close(running);
    stop(&it);
}

/* Calls over one connection, none of which may be lost. */
static void *call_over_one(void *user)
{
    enum { CALLS = 60 };
    int fd = dial(user);
    for (int i = 0; i < CALLS; i++) {
        char body[32];
        snprintf(body, sizeof body, "%d of %d", i, fd);
        post(fd, "/x", body);
        expect(fd, 200, body);
    }
    close(fd);
    return NULL;
}

/* More clients than slots, at two replicas of which one joins while they call. */
static void test_many_keep_theirs(void **state)
{
    (void)state;
    enum { CLIENTS = 12 };
    fixture it;
    pthread_t threads[CLIENTS];
    start(&it, false, shared_options(2));
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_over_one, &it), 0);
    AWAIT(counters_of(&it).requests >= CLIENTS);
    chainsi_server *another = join_another(&it, shared_options(2));
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&it.most_running), 1, 4);
    AWAIT(counters_of(&it).connections == 0);
    chainsi_server_free(another);
    stop(&it);
}

static void hand_over(int carrier, int fd)
{
    chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_HANDOVER, .attachments = 1 } };
    char text[CHAINSI_FRAME_PREFACE_SIZE + CHAINSI_FRAME_MAX_HEAD] = CHAINSI_FRAME_PREFACE;
    size_t size = CHAINSI_FRAME_PREFACE_SIZE;
    size += chainsi_frame_write(&frame, text + size);
    send_with_descriptors(carrier, text, size, &fd, 1);
}

/* What hands a connection over has gone when that is read: whether the slot is free then or not. */
static void test_sender_is_gone(void **state)
{
    (void)state;
    for (int full = 0; full < 2; full++) {
        fixture it;
        start(&it, false, shared_options(1));
        int carrier = dial(&it), ends[2], running = -1;
        AWAIT(counters_of(&it).connections == 1);
        AWAIT(counters_of(&it).in_flight == 0);
        if (full)
            running = occupy(&it);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        post(ends[0], "/x", "handed");
        hand_over(carrier, ends[1]);
        close(ends[1]);
        close(carrier);
        if (full) {
            AWAIT(counters_of(&it).connections == 1);
            sem_post(&it.gate);
            expect(running, 200, "");
            close(running);
        }
        expect(ends[0], 200, "handed");
        close(ends[0]);
        stop(&it);
    }
}

/* Only a connection is taken, and only where connections come back. */
static void test_what_is_no_connection(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        fixture it;
        chainsi_server_options options = shared_options(1);
        options.shared = shared;
        start(&it, false, options);
        int before = count_descriptors(), ends[2];
        if (shared)
            assert_int_equal(pipe(ends), 0);
        else
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        int carrier = dial(&it);
        hand_over(carrier, ends[0]);
        expect_end(carrier);
        close(carrier);
        close(ends[0]);
        close(ends[1]);
        AWAIT(count_descriptors() == before);
        AWAIT(counters_of(&it).connections == 0);
        close(keep_one(&it));
        stop(&it);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests_wait_in_the_queue),
        TEST(test_another_replica_takes_them),
        TEST(test_outlives_its_replica),
        TEST(test_half_a_request_stays),
        TEST(test_full_queue),
        TEST(test_many_keep_theirs),
        TEST(test_sender_is_gone),
        TEST(test_what_is_no_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
