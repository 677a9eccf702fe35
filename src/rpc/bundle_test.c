/* Several calls on one framed connection, and framed connections of a server that drains. */
#include "rpc/frames_test_support.h"

/* ------------------------------------------------------------------------------------------------
 * several at once */

static void test_several(void **state)
{
    (void)state;
    for (int slots = 1; slots <= 4; slots += 3) {
        boarded its;
        start_boarded(&its, slots, (chainsi_server_options){ 0 });
        int fd = dial_direct(&its);
        char text[64 * 1024], body[32];
        size_t size = 8;
        memcpy(text, CHAINSI_FRAME_PREFACE, 8);
        enum { COUNT = 4 };
        for (int round = 0; round < 100; round++) {
            chainsi_claim claims[COUNT];
            for (int i = 0; i < slots; i++)
                claims[i] = claim_slot(&its);
            for (int i = 0; i < slots; i++) {
                snprintf(body, sizeof body, "call %d", i);
                size += write_call(text + size, (uint32_t)(round * COUNT + i), CHAINSI_FRAME_KEEPS,
                                   &claims[i], body);
            }
            assert_int_equal(send(fd, text, size, 0), size);
            size = 0;
            bool seen[COUNT] = { false };
            for (int i = 0; i < slots; i++) {
                chainsi_frame frame = hear_frame(fd, body, sizeof body);
                int index = (int)frame.head.id - round * COUNT;
                assert_in_range(index, 0, slots - 1);
                assert_false(seen[index]);
                seen[index] = true;
                assert_int_equal(frame.head.kind, CHAINSI_FRAME_ANSWER);
                assert_int_equal(body[5], '0' + index);
            }
            /* Whoever has the answers finds the slots free. */
            assert_int_equal(chainsi_board_free_slots(its.board), slots);
        }
        assert_int_equal(counters_of(&its.it).not_started, 0);
        close(fd);
        stop_boarded(&its);
    }
}

static void test_several_spread(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 2, (chainsi_server_options){ 0 });
    int fd = dial_direct(&its);
    greet(fd);
    /* Calls of one write run at the same time, if there are slots. */
    chainsi_claim claims[2] = { claim_slot(&its), claim_slot(&its) };
    char text[1024];
    size_t size = write_call(text, 0, 0, &claims[0], "meet");
    size += write_call(text + size, 1, 0, &claims[1], "meet");
    assert_int_equal(send(fd, text, size, 0), size);
    hear_frame(fd, text, sizeof text);
    hear_frame(fd, text, sizeof text);
    /* An answer doesn't wait for a call that takes long, wherever it stands. */
    for (int first = 0; first < 2; first++) {
        claims[0] = claim_slot(&its);
        claims[1] = claim_slot(&its);
        size = write_call(text, 2, 0, &claims[0], first ? "short" : "wait");
        size += write_call(text + size, 3, 0, &claims[1], first ? "wait" : "short");
        assert_int_equal(send(fd, text, size, 0), size);
        expect_answer(fd, first ? 2 : 3, "short");
        sem_post(&its.it.gate);
        expect_answer(fd, first ? 3 : 2, "");
    }
    /* What has no claim takes what is free, or nothing. */
    claims[0] = claim_slot(&its);
    size = write_call(text, 4, 0, NULL, "wait");
    assert_int_equal(send(fd, text, size, 0), size);
    AWAIT(atomic_load(&its.it.running) == 1);
    size = write_call(text, 5, 0, NULL, "x");
    assert_int_equal(send(fd, text, size, 0), size);
    expect_not_started(fd, 5);
    call(fd, 6, 0, &claims[0], "y");
    expect_answer(fd, 6, "y");
    sem_post(&its.it.gate);
    expect_answer(fd, 4, "");
    /* One that says it comes alone, but doesn't. */
    size = write_call(text, 7, CHAINSI_FRAME_SOLE, NULL, "z");
    size += write_call(text + size, 8, CHAINSI_FRAME_SOLE, NULL, "z");
    assert_int_equal(send(fd, text, size, 0), size);
    hear_frame(fd, text, sizeof text);
    hear_frame(fd, text, sizeof text);
    /* And one that does, later on. */
    call(fd, 9, CHAINSI_FRAME_SOLE, NULL, "alone");
    expect_answer(fd, 9, "alone");
    close(fd);
    stop_boarded(&its);
}

/* Calls that take microseconds are run one after the other; one that then takes long holds nobody up. */
static void test_short_calls(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 2, (chainsi_server_options){ 0 });
    int fd = dial_direct(&its);
    greet(fd);
    char text[1024], body[64];
    for (int round = 0; round < 20; round++) {
        for (uint32_t id = 0; id < 200; id += 2) {
            chainsi_claim claims[2] = { claim_slot(&its), claim_slot(&its) };
            size_t size = write_call(text, id, 0, &claims[0], "short");
            size += write_call(text + size, id + 1, 0, &claims[1], "short");
            assert_int_equal(send(fd, text, size, 0), size);
            hear_frame(fd, body, sizeof body);
            hear_frame(fd, body, sizeof body);
        }
        bool first = round % 2;
        chainsi_claim claims[2] = { claim_slot(&its), claim_slot(&its) };
        size_t size = write_call(text, 1000, 0, &claims[0], first ? "short" : "wait");
        size += write_call(text + size, 1001, 0, &claims[1], first ? "wait" : "short");
        assert_int_equal(send(fd, text, size, 0), size);
        expect_answer(fd, first ? 1000 : 1001, "short");
        sem_post(&its.it.gate);
        expect_answer(fd, first ? 1001 : 1000, "");
    }
    close(fd);
    stop_boarded(&its);
}

static void cancel(int fd, uint32_t id)
{
    chainsi_frame_head head = { .kind = CHAINSI_FRAME_CANCEL, .id = id };
    assert_int_equal(send(fd, &head, sizeof head, 0), sizeof head);
}

static void test_cancel(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 1, (chainsi_server_options){ 0 });
    int fd = dial_direct(&its);
    greet(fd);
    /* One that runs, while all slots are busy. */
    chainsi_claim claim = claim_slot(&its);
    call(fd, 1, 0, &claim, "endure");
    AWAIT(atomic_load(&its.it.running) == 1);
    cancel(fd, 7); /* one that isn't there */
    cancel(fd, 1);
    expect_answer(fd, 1, "");
    assert_int_equal(atomic_load(&its.it.gone), 1);
    /* One that was answered. */
    cancel(fd, 1);
    /* The caller leaves: what runs is cancelled, its slot comes free. */
    claim = claim_slot(&its);
    call(fd, 2, 0, &claim, "endure");
    AWAIT(atomic_load(&its.it.running) == 1);
    close(fd);
    AWAIT(atomic_load(&its.it.gone) == 2);
    AWAIT(counters_of(&its.it).connections == 0);
    AWAIT(chainsi_board_free_slots(its.board) == 1);
    /* The same for one that came alone. */
    fd = dial_direct(&its);
    greet(fd);
    claim = claim_slot(&its);
    call(fd, 3, CHAINSI_FRAME_SOLE, &claim, "endure");
    AWAIT(atomic_load(&its.it.running) == 1);
    close(fd);
    AWAIT(atomic_load(&its.it.gone) == 3);
    AWAIT(counters_of(&its.it).connections == 0);
    stop_boarded(&its);
}

static void test_slow_reader_of_several(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 2, (chainsi_server_options){ 0 });
    int fd = dial_direct(&its), other = dial_direct(&its);
    greet(fd);
    greet(other);
    enum { COUNT = 3 };
    call(fd, 0, 0, NULL, "large");
    /* Nobody reads 32 MiB; the slots come free, and others are served. What comes next of that
     * connection waits. */
    AWAIT(atomic_load(&its.it.handled) == 1);
    AWAIT(counters_of(&its.it).in_flight == 0);
    assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PATIENCE_MS), 1);
    for (uint32_t i = 1; i < COUNT; i++)
        call(fd, i, 0, NULL, "large");
    for (uint32_t i = 0; i < 50; i++) {
        call(other, i, CHAINSI_FRAME_SOLE, NULL, "hi");
        expect_answer(other, i, "hi");
    }
    assert_int_equal(atomic_load(&its.it.handled), 51);
    char *body = malloc(LARGE + 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        chainsi_frame frame = hear_frame(fd, body, LARGE + 1);
        assert_int_equal(frame.head.body_size, LARGE);
        assert_int_equal(body[LARGE - 1], 'x');
    }
    free(body);
    call(fd, 100, CHAINSI_FRAME_SOLE, NULL, "afterwards");
    expect_answer(fd, 100, "afterwards");
    close(fd);
    close(other);
    stop_boarded(&its);
    /* One that reads nothing for too long is cut off. */
    fixture it;
    start(&it, false,
          (chainsi_server_options){
              .slots = 1, .frames = true, .handler = handle_frames, .send_timeout_ms = 50 });
    fd = dial(&it);
    greet(fd);
    call(fd, 1, 0, NULL, "large");
    AWAIT(counters_of(&it).accepted == 1);
    AWAIT(counters_of(&it).connections == 0);
    close(fd);
    stop(&it);
}

/* Sends a call with one end of a pipe that holds `text`. */
static void call_with_a_pipe(int fd, uint32_t id, const chainsi_claim *claim, const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    chainsi_frame frame = {
        .head = { .kind = CHAINSI_FRAME_CALL, .id = id, .attachments = 1, .body_size = 11 },
        .call = { .deadline_ns = CHAINSI_NEVER, .slot = claim->slot, .claim = claim->word }
    };
    char bytes[256];
    size_t size = chainsi_frame_write(&frame, bytes);
    memcpy(bytes + size, "descriptors", 11);
    send_with_descriptors(fd, bytes, size + 11, ends, 1);
    close(ends[0]);
}

/* Answers that leave in one write keep their descriptors apart. */
static void test_descriptors_of_several(void **state)
{
    (void)state;
    enum { CALLS = 5 };
    boarded its;
    start_boarded(&its, CALLS + 1, (chainsi_server_options){ 0 });
    int fd = dial_direct(&its);
    greet(fd);
    /* Whoever runs the first call runs the others, too, unless somebody comes to help. */
    chainsi_claim claims[CALLS + 1];
    for (int i = 0; i <= CALLS; i++)
        claims[i] = claim_slot(&its);
    call(fd, 0, 0, &claims[0], "plain");
    for (uint32_t id = 1; id <= CALLS; id++)
        call_with_a_pipe(fd, id, &claims[id], (char[]){ (char)('a' + id), 0 });
    bool heard[CALLS + 1] = { false };
    for (int i = 0; i <= CALLS; i++) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
        struct {
            chainsi_frame_head head;
            chainsi_frame_answer answer;
        } got;
        struct iovec part = { &got, sizeof got };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control,
                                  .msg_controllen = sizeof control };
        assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PATIENCE_MS), 1);
        assert_int_equal(recvmsg(fd, &message, MSG_CMSG_CLOEXEC), sizeof got);
        uint32_t id = got.head.id;
        assert_true(id <= CALLS && !heard[id]);
        heard[id] = true;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        char text[8] = { 0 };
        read_exactly(fd, text, got.head.body_size);
        if (!id) {
            assert_null(rights);
            assert_string_equal(text, "plain");
            continue;
        }
        assert_int_equal(got.head.attachments, 1);
        assert_non_null(rights);
        assert_int_equal(rights->cmsg_len, CMSG_LEN(sizeof(int)));
        int back;
        memcpy(&back, CMSG_DATA(rights), sizeof back);
        close(back);
        assert_int_equal(got.head.body_size, 1);
        assert_int_equal(text[0], 'a' + (int)id);
    }
    close(fd);
    AWAIT(counters_of(&its.it).connections == 0);
    stop_boarded(&its);
}

/* More calls than may wait in the process, of a caller that reads only afterwards. */
static void test_many_of_one_connection(void **state)
{
    (void)state;
    fixture it;
    start(&it, false,
          (chainsi_server_options){ .slots = 2, .frames = true, .handler = handle_frames });
    int fd = dial(&it);
    greet(fd);
    enum { COUNT = 5 * CHAINSI_MAX_BUNDLED };
    char text[1024];
    uint32_t sent = 0, answered = 0, not_started = 0;
    size_t size = write_call(text, sent, 0, NULL, "many");
    while (answered + not_started < COUNT) {
        struct pollfd watched = { .fd = fd, .events = POLLIN | (sent < COUNT ? POLLOUT : 0) };
        assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
        if (sent < COUNT && (watched.revents & POLLOUT)) {
            assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
            sent++;
            size = write_call(text, sent, 0, NULL, "many");
        } else {
            char body[64];
            chainsi_frame frame = hear_frame(fd, body, sizeof body);
            answered += frame.head.kind == CHAINSI_FRAME_ANSWER;
            not_started += frame.head.kind == CHAINSI_FRAME_NOT_STARTED;
        }
    }
    assert_int_equal(atomic_load(&it.handled), answered);
    assert_true(answered > 0);
    close(fd);
    stop(&it);
}

/* ------------------------------------------------------------------------------------------------
 * draining */

static void *drain(void *user)
{
    fixture *it = user;
    return (void *)(uintptr_t)chainsi_server_drain(it->server, CHAINSI_NEVER);
}

static void test_drain_of_frames(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 1, (chainsi_server_options){ 0 });
    int idle = dial_direct(&its), sole = dial_direct(&its), unread = dial_direct(&its),
        several = dial_direct(&its);
    greet(idle);
    call(idle, 1, CHAINSI_FRAME_SOLE, NULL, "x");
    expect_answer(idle, 1, "x");
    greet(several);
    chainsi_claim claim = claim_slot(&its);
    call(several, 1, 0, &claim, "wait");
    AWAIT(atomic_load(&its.it.running) == 1);
    AWAIT(counters_of(&its.it).connections == 4);
    /* Begun, but not whole. */
    greet(unread);
    char text[256];
    size_t size = write_call(text, 1, CHAINSI_FRAME_SOLE, NULL, "unread");
    assert_int_equal(send(unread, text, size - 1, 0), size - 1);
    pthread_t thread;
    assert_false(chainsi_server_drain(its.it.server, chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS));
    assert_int_equal(chainsi_board_slots(its.board, NULL), 0);
    expect_end(idle);
    expect_end(unread);
    expect_end(sole);
    /* Its own socket takes nobody any more. */
    struct sockaddr_un address;
    socklen_t address_size = chainsi_board_address(its.seat.incarnation, &address);
    int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&address, address_size), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(late);
    assert_int_equal(pthread_create(&thread, NULL, drain, &its.it), 0);
    sem_post(&its.it.gate);
    expect_answer(several, 1, "");
    expect_end(several);
    void *done;
    pthread_join(thread, &done);
    assert_true(done);
    assert_int_equal(counters_of(&its.it).connections, 0);
    close(idle);
    close(sole);
    close(unread);
    close(several);
    stop_boarded(&its);
}

static atomic_bool stopping;
static atomic_int callers_answered; /* that have been answered often enough */

enum { OFTEN = 50 };

/* Counts answers of one caller. */
static void note_answers(size_t *answered, size_t more)
{
    if (*answered < OFTEN && *answered + more >= OFTEN)
        atomic_fetch_add(&callers_answered, 1);
    *answered += more;
}

/* Calls on and on, several at once; what was not started is sent again. Returns the calls answered. */
static void *call_several(void *user)
{
    boarded *its = user;
    size_t answered = 0;
    int fd = dial_direct(its);
    greet(fd);
    while (!atomic_load(&stopping)) {
        char text[2048], body[64];
        size_t size = 0;
        chainsi_claim claims[4];
        size_t count = chainsi_board_claim_many(its->board, 0, 0, claims, 4);
        for (size_t i = 0; i < count; i++)
            size += write_call(text + size, (uint32_t)i, i % 2 ? CHAINSI_FRAME_KEEPS : 0,
                               &claims[i], "on and on");
        if (!count) {
            size = write_call(text, 0, 0, NULL, "without");
            count = 1;
        }
        assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
        for (size_t i = 0; i < count; i++)
            note_answers(&answered,
                         hear_frame(fd, body, sizeof body).head.kind == CHAINSI_FRAME_ANSWER);
    }
    close(fd);
    return (void *)answered;
}

/* One call on a connection of its own. False: the connection was closed before it was read, because all
 * slots had been taken. */
static bool call_once(fixture *it, const char *data, size_t size, const char *end)
{
    int fd = dial(it);
    char text[1024] = "";
    size_t have = 0;
    bool sent = send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
    while (sent && !memmem(text, have, end, strlen(end))) {
        assert_true(have < sizeof text);
        struct pollfd watched = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
        ssize_t got = recv(fd, text + have, sizeof text - have, 0);
        if (got <= 0) {
            assert_int_equal(have, 0);
            sent = false;
        } else {
            have += (size_t)got;
        }
    }
    close(fd);
    return sent;
}

static void *call_plainly(void *user)
{
    fixture *it = user;
    size_t answered = 0;
    while (!atomic_load(&stopping)) {
        char text[1024] = CHAINSI_FRAME_PREFACE;
        if (answered % 2) {
            static const char plain[] =
                "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nplain";
            note_answers(&answered, call_once(it, plain, sizeof plain - 1, "plain"));
        } else {
            size_t size = 8 + write_call(text + 8, 1, CHAINSI_FRAME_SOLE, NULL, "queued");
            note_answers(&answered, call_once(it, text, size, "queued"));
        }
    }
    return (void *)answered;
}

/* Everything at the same time: nobody waits for ever. */
static void test_mixture(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 3, (chainsi_server_options){ .shared = true });
    atomic_store(&stopping, false);
    atomic_store(&callers_answered, 0);
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 3 ? call_several : call_plainly,
                                        i < 3 ? (void *)&its : (void *)&its.it),
                         0);
    AWAIT(atomic_load(&callers_answered) == 6);
    atomic_store(&stopping, true);
    size_t answered = 0;
    for (int i = 0; i < 6; i++) {
        void *its_own;
        pthread_join(threads[i], &its_own);
        answered += (size_t)its_own;
    }
    assert_int_equal(atomic_load(&its.it.handled), answered);
    assert_in_range(atomic_load(&its.it.most_running), 1, 3);
    AWAIT(chainsi_board_free_slots(its.board) == 3);
    AWAIT(counters_of(&its.it).connections == 0);
    stop_boarded(&its);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_several),
        TEST(test_several_spread),
        TEST(test_short_calls),
        TEST(test_cancel),
        TEST(test_descriptors_of_several),
        TEST(test_slow_reader_of_several),
        TEST(test_many_of_one_connection),
        TEST(test_drain_of_frames),
        TEST(test_mixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
