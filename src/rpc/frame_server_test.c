/* The serving side's frames over real sockets: calls one by one, and what is no call. */
#include "rpc/frames_test_support.h"

/* ------------------------------------------------------------------------------------------------
 * one at a time */

static void test_queued_call(void **state)
{
    (void)state;
    fixture it;
    start(&it, false,
          (chainsi_server_options){ .slots = 1, .frames = true, .handler = handle_frames });
    int fd = dial(&it);
    greet(fd);
    for (uint32_t id = 5; id < 9; id++) {
        call(fd, id, CHAINSI_FRAME_SOLE, NULL, "hello");
        expect_answer(fd, id, "hello");
    }
    call(fd, 9, CHAINSI_FRAME_SOLE, NULL, "id");
    expect_answer(fd, 9, "abc");
    call(fd, 9, CHAINSI_FRAME_SOLE, NULL, "fail");
    char text[16];
    chainsi_frame frame = hear_frame(fd, text, sizeof text);
    assert_int_equal(frame.head.status, 5);
    assert_int_equal(frame.answer.retry_after_ms, 7);
    assert_int_equal(frame.answer.incarnation, 0);
    /* HTTP works beside it. */
    int http = dial(&it);
    post(http, "/x", "plain");
    expect(http, 200, "plain");
    close(http);
    close(fd);
    AWAIT(counters_of(&it).connections == 0);
    assert_int_equal(counters_of(&it).requests, 7);
    stop(&it);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    fixture it;
    start(&it, false,
          (chainsi_server_options){ .slots = 1, .frames = true, .handler = handle_frames });
    int fd = dial(&it);
    char text[1024];
    memcpy(text, CHAINSI_FRAME_PREFACE, 8);
    size_t size = 8 + write_call(text + 8, 1, CHAINSI_FRAME_SOLE, NULL, "in pieces");
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(counters_of(&it).requests, 0);
        assert_int_equal(send(fd, text + i, 1, 0), 1);
        /* A frame that isn't whole holds no slot. */
        AWAIT(counters_of(&it).in_flight == 0);
    }
    expect_answer(fd, 1, "in pieces");
    close(fd);
    stop(&it);
}

static void test_claims(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 2, (chainsi_server_options){ 0 });
    int fd = dial_direct(&its);
    greet(fd);
    char text[64];
    const int flags = CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS;
    for (uint32_t id = 0; id < 50; id++) {
        /* Whoever has the answer finds the slot free. */
        assert_int_equal(chainsi_board_free_slots(its.board), 2);
        chainsi_claim claim = claim_slot(&its);
        call(fd, id, flags, &claim, "claimed");
        chainsi_frame frame = hear_frame(fd, text, sizeof text);
        assert_int_equal(frame.head.kind, CHAINSI_FRAME_ANSWER);
        assert_true(frame.answer.incarnation == its.seat.incarnation);
    }
    /* A claim that doesn't hold any more: its caller may have sent the call elsewhere by now, so it isn't
     * run though slots are free. */
    chainsi_claim stale = claim_slot(&its);
    assert_true(chainsi_board_withdraw(its.board, &stale));
    call(fd, 100, flags, &stale, "stale");
    expect_not_started(fd, 100);
    assert_int_equal(chainsi_board_free_slots(its.board), 2);
    chainsi_claim first = claim_slot(&its), second = claim_slot(&its);
    call(fd, 101, flags, &stale, "nowhere to run");
    expect_not_started(fd, 101);
    assert_int_equal(counters_of(&its.it).not_started, 2);
    /* Nor without a claim. */
    call(fd, 102, flags, NULL, "nowhere to run");
    expect_not_started(fd, 102);
    call(fd, 103, flags, &first, "first");
    expect_answer(fd, 103, "first");
    call(fd, 104, flags, &second, "second");
    expect_answer(fd, 104, "second");
    /* Out of bounds. */
    first.slot = 5000;
    call(fd, 105, flags, &first, "out of bounds");
    expect_not_started(fd, 105);
    AWAIT(chainsi_board_free_slots(its.board) == 2);
    close(fd);
    stop_boarded(&its);
}

static void *drain(void *user)
{
    chainsi_server *server = user;
    return chainsi_server_drain(server, CHAINSI_NEVER) ? server : NULL;
}

/* Of several calls that are closed unread together their caller can't tell whether one of them was
 * begun: so a server that drains waits for them, and says so. */
static void test_claims_that_come_while_draining(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 4, (chainsi_server_options){ .late_claim_ms = PATIENCE_MS });
    /* Connections of both kinds, and one that nobody may have accepted yet. */
    int fds[] = { dial_direct(&its), dial(&its.it) }, silent = dial_direct(&its);
    chainsi_claim claims[4];
    for (int i = 0; i < 2; i++) {
        greet(fds[i]);
        chainsi_claim claim = claim_slot(&its);
        call(fds[i], 1, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, i ? NULL : &claim, "hello");
        expect_answer(fds[i], 1, "hello");
        chainsi_board_withdraw(its.board, &claim);
    }
    for (int i = 0; i < 4; i++)
        claims[i] = claim_slot(&its);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain, its.it.server), 0);
    AWAIT(!chainsi_board_slots(its.board, NULL));
    for (int i = 0; i < 2; i++) {
        char text[2048];
        size_t size = write_call(text, 7, CHAINSI_FRAME_KEEPS, &claims[i * 2], "late");
        size += write_call(text + size, 8, CHAINSI_FRAME_KEEPS, &claims[i * 2 + 1], "later");
        assert_int_equal(send(fds[i], text, size, MSG_NOSIGNAL), size);
        uint32_t ids = 0;
        for (int k = 0; k < 2; k++) {
            chainsi_frame frame = hear_frame(fds[i], text, sizeof text);
            assert_int_equal(frame.head.kind, CHAINSI_FRAME_NOT_STARTED);
            ids += frame.head.id;
        }
        assert_int_equal(ids, 7 + 8);
    }
    void *drained;
    pthread_join(thread, &drained);
    assert_non_null(drained);
    expect_end(silent);
    for (int i = 0; i < 2; i++) {
        expect_end(fds[i]);
        close(fds[i]);
    }
    close(silent);
    assert_int_equal(atomic_load(&its.it.handled), 2);
    stop_boarded(&its);
}

static void test_claims_that_never_come(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 2, (chainsi_server_options){ .late_claim_ms = 10 });
    int fd = dial_direct(&its);
    greet(fd);
    claim_slot(&its);
    assert_non_null(drain(its.it.server));
    expect_end(fd);
    close(fd);
    stop_boarded(&its);
}

/* Calls that come by the queue slowly find all slots taken when they are whole: they wait, as they have
 * nowhere else to go. */
static void test_slow_calls_from_the_queue(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 1, (chainsi_server_options){ .shared = true });
    int direct = dial_direct(&its), slow[3];
    greet(direct);
    char text[3][1024];
    size_t sizes[3];
    for (uint32_t i = 0; i < 3; i++) {
        slow[i] = dial(&its.it);
        memcpy(text[i], CHAINSI_FRAME_PREFACE, 8);
        sizes[i] =
            8 + write_call(text[i] + 8, i, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, NULL, "slow");
        assert_int_equal(send(slow[i], text[i], sizes[i] / 2, MSG_NOSIGNAL), sizes[i] / 2);
        AWAIT(counters_of(&its.it).connections == i + 2);
        await_read(slow[i]);
        AWAIT(counters_of(&its.it).in_flight == 0);
    }
    chainsi_claim claim = claim_slot(&its);
    call(direct, 9, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, &claim, "wait");
    AWAIT(counters_of(&its.it).in_flight == 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            send(slow[i], text[i] + sizes[i] / 2, sizes[i] - sizes[i] / 2, MSG_NOSIGNAL),
            sizes[i] - sizes[i] / 2);
    AWAIT(counters_of(&its.it).waiting == 3);
    close(slow[1]); /* its caller leaves: it isn't run */
    sem_post(&its.it.gate);
    expect_answer(direct, 9, "");
    expect_answer(slow[0], 0, "slow");
    expect_answer(slow[2], 2, "slow");
    AWAIT(counters_of(&its.it).waiting == 0);
    AWAIT(chainsi_board_free_slots(its.board) == 1);
    assert_int_equal(counters_of(&its.it).requests, 3);
    assert_int_equal(counters_of(&its.it).not_started, 0);
    close(slow[0]);
    close(slow[2]);
    close(direct);
    stop_boarded(&its);
}

static void test_queue_beside_claims(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 1, (chainsi_server_options){ .shared = true });
    int fd = dial_direct(&its);
    greet(fd);
    /* A claim keeps those in the queue waiting until it ends; then they come next. */
    chainsi_claim claim = claim_slot(&its);
    int queued = dial(&its.it), http = dial(&its.it);
    greet(queued);
    call(queued, 1, CHAINSI_FRAME_SOLE, NULL, "queued");
    post(http, "/x", "http");
    call(fd, 2, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, &claim, "claimed");
    expect_answer(fd, 2, "claimed");
    expect_answer(queued, 1, "queued");
    expect(http, 200, "http");
    /* A claim that is withdrawn tells nobody, and one whose call never comes is taken back. */
    for (int round = 0; round < 2; round++) {
        claim = claim_slot(&its);
        int late = dial(&its.it);
        post(late, "/x", "late");
        if (round == 0)
            assert_true(chainsi_board_withdraw(its.board, &claim));
        expect(late, 200, "late");
        close(late);
    }
    /* Those that come with claims stay when the last slot is taken, and so do clients in HTTP; others go. */
    AWAIT(chainsi_board_free_slots(its.board) == 1);
    claim = claim_slot(&its);
    call(fd, 3, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, &claim, "wait");
    expect_end(queued);
    post(http, "/x", "again");
    AWAIT(counters_of(&its.it).connections == 1); /* it waits in the queue */
    sem_post(&its.it.gate);
    expect_answer(fd, 3, "");
    expect(http, 200, "again");
    close(queued);
    close(http);
    close(fd);
    stop_boarded(&its);
}

static void test_descriptors(void **state)
{
    (void)state;
    fixture it;
    start(&it, false,
          (chainsi_server_options){ .slots = 1, .frames = true, .handler = handle_frames });
    int fd = dial(&it);
    greet(fd);
    AWAIT(counters_of(&it).connections == 1);
    int before = count_descriptors();
    /* SOLE, and as one of several; the answer brings the first descriptor back. */
    for (int sole = 1; sole >= 0; sole--) {
        int pipes[2][2];
        assert_int_equal(pipe(pipes[0]) | pipe(pipes[1]), 0);
        assert_int_equal(write(pipes[0][1], "ab", 2) + write(pipes[1][1], "cd", 2), 4);
        chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_CALL,
                                          .flags = sole ? CHAINSI_FRAME_SOLE : 0,
                                          .id = 1,
                                          .attachments = 2,
                                          .body_size = 11 },
                                .call = { .deadline_ns = CHAINSI_NEVER,
                                          .slot = CHAINSI_FRAME_NO_SLOT } };
        char text[256];
        size_t size = chainsi_frame_write(&frame, text);
        memcpy(text + size, "descriptors", 11);
        send_with_descriptors(fd, text, size + 11, (int[]){ pipes[0][0], pipes[1][0] }, 2);
        int back = -1;
        expect_with_descriptor(fd, 1, "abcd", &back);
        assert_int_equal(write(pipes[0][1], "ef", 2), 2);
        assert_int_equal(read(back, text, sizeof text), 2);
        close(back);
        for (int i = 0; i < 2; i++) {
            close(pipes[i][0]);
            close(pipes[i][1]);
        }
    }
    AWAIT(count_descriptors() == before);
    /* A frame that says it has descriptors and has none ends the connection. */
    chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_CALL, .attachments = 1 } };
    char text[256];
    assert_true(send(fd, text, chainsi_frame_write(&frame, text), 0) > 0);
    expect_end(fd);
    close(fd);
    /* Those that nobody asked for are closed with the connection; more than may be end it. */
    for (int count = 1; count <= CHAINSI_FRAME_MAX_ATTACHMENTS + 1;
         count += CHAINSI_FRAME_MAX_ATTACHMENTS) {
        fd = dial(&it);
        greet(fd);
        int many[CHAINSI_FRAME_MAX_ATTACHMENTS + 1];
        for (int i = 0; i < count; i++)
            many[i] = 0;
        size_t size = write_call(text, 1, CHAINSI_FRAME_SOLE, NULL, "x");
        send_with_descriptors(fd, text, size, many, count);
        if (count == 1)
            expect_answer(fd, 1, "x");
        else
            expect_end(fd);
        close(fd);
    }
    AWAIT(counters_of(&it).connections == 0);
    stop(&it);
}

/* ------------------------------------------------------------------------------------------------
 * what no caller of ours sends */

static void test_nonsense(void **state)
{
    (void)state;
    fixture it;
    start(&it, false,
          (chainsi_server_options){
              .slots = 1, .frames = true, .handler = handle_frames, .max_body = 10 });
    char text[1024];
    /* A preface that isn't: it is HTTP's to refuse. */
    int fd = dial(&it);
    say(fd, "\1chains2");
    expect(fd, 400, NULL);
    close(fd);
    const struct {
        chainsi_frame_head head;
        const char *what;
    } heads[] = {
        { { .kind = 9 }, "no such kind" },
        { { .kind = CHAINSI_FRAME_ANSWER }, "an answer" },
        { { .kind = CHAINSI_FRAME_NOT_STARTED }, "a refusal" },
        { { .kind = CHAINSI_FRAME_CANCEL, .body_size = 1 }, "a cancellation with a body" },
        { { .kind = CHAINSI_FRAME_CALL, .body_size = 11 }, "a body past the limit" },
        { { .kind = CHAINSI_FRAME_CALL, .attachments = 17 }, "too many descriptors" },
        { { .kind = CHAINSI_FRAME_HANDOVER }, "a handover of nothing" },
        { { .kind = CHAINSI_FRAME_HANDOVER, .attachments = 2 }, "a handover of two" },
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        for (int after = 0; after < 2; after++) {
            fd = dial(&it);
            greet(fd);
            if (after) { /* as one of several */
                call(fd, 1, 0, NULL, "x");
                expect_answer(fd, 1, "x");
            }
            memset(text, 0, sizeof text);
            memcpy(text, &heads[i].head, sizeof heads[i].head);
            assert_int_equal(send(fd, text, 200, MSG_NOSIGNAL), 200);
            expect_end(fd);
            close(fd);
        }
    }
    /* A request id past the limit, and one at it. */
    for (uint32_t more = 0; more < 2; more++) {
        fd = dial(&it);
        greet(fd);
        chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_CALL, .body_size = 2 },
                                .call = { .deadline_ns = CHAINSI_NEVER,
                                          .slot = CHAINSI_FRAME_NO_SLOT } };
        frame.call.request_id_size = CHAINSI_FRAME_MAX_REQUEST_ID + more;
        size_t size = sizeof frame.head + sizeof frame.call;
        memset(text, 'i', sizeof text);
        memcpy(text, &frame.head, sizeof frame.head);
        memcpy(text + sizeof frame.head, &frame.call, sizeof frame.call);
        memcpy(text + size + frame.call.request_id_size, "id", 2);
        size += frame.call.request_id_size + 2;
        assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
        if (more) {
            expect_end(fd);
        } else {
            char body[256];
            chainsi_frame answer = hear_frame(fd, body, sizeof body);
            assert_int_equal(answer.head.body_size, CHAINSI_FRAME_MAX_REQUEST_ID);
        }
        close(fd);
    }
    /* Callers that end in the middle. */
    size_t whole = write_call(text, 1, 0, NULL, "truncated!");
    for (size_t size = 0; size < whole; size += 7) {
        fd = dial(&it);
        greet(fd);
        assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
        close(fd);
    }
    AWAIT(counters_of(&it).connections == 0);
    /* The body at the limit. */
    fd = dial(&it);
    greet(fd);
    call(fd, 1, 0, NULL, "0123456789");
    expect_answer(fd, 1, "0123456789");
    close(fd);
    stop(&it);
    /* A frame that doesn't come to its end. */
    start(&it, false,
          (chainsi_server_options){
              .slots = 1, .frames = true, .handler = handle_frames, .request_timeout_ms = 40 });
    for (int after = 0; after < 2; after++) {
        fd = dial(&it);
        greet(fd);
        if (after) {
            call(fd, 1, 0, NULL, "x");
            expect_answer(fd, 1, "x");
        }
        assert_int_equal(send(fd, text, whole - 1, MSG_NOSIGNAL), whole - 1);
        expect_end(fd);
        close(fd);
    }
    stop(&it);
}

/* A caller that sends one call after another without reading is cut off, and takes no slot along. */
static void test_sole_calls_unread(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 1, (chainsi_server_options){ .send_timeout_ms = 20 });
    int fd = dial_direct(&its), other = dial_direct(&its);
    greet(fd);
    greet(other);
    char body[901] = { 0 };
    memset(body, 'x', 900);
    char text[1024];
    size_t size = write_call(text, 1, CHAINSI_FRAME_SOLE, NULL, body);
    for (;;) {
        struct pollfd watched = { .fd = fd, .events = POLLOUT };
        assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
        if (send(fd, text, size, MSG_NOSIGNAL) < 0)
            break;
    }
    AWAIT(counters_of(&its.it).lost >= 1);
    call(other, 2, CHAINSI_FRAME_SOLE, NULL, "others");
    expect_answer(other, 2, "others");
    close(fd);
    close(other);
    stop_boarded(&its);
}

/* Many callers that do nothing: they stay, also while the last slot is busy, and cost little. */
static void test_many_idle(void **state)
{
    (void)state;
    enum { IDLE = 400 };
    boarded its;
    start_boarded(&its, 1, (chainsi_server_options){ .shared = true });
    int fds[IDLE];
    for (int i = 0; i < IDLE; i++) {
        fds[i] = dial_direct(&its);
        greet(fds[i]);
        call(fds[i], 1, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, NULL, "once");
        expect_answer(fds[i], 1, "once");
    }
    chainsi_claim claim = claim_slot(&its);
    call(fds[0], 2, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, &claim, "wait");
    AWAIT(atomic_load(&its.it.running) == 1);
    sem_post(&its.it.gate);
    expect_answer(fds[0], 2, "");
    assert_int_equal(counters_of(&its.it).connections, IDLE);
    for (int i = 0; i < IDLE; i++) {
        claim = claim_slot(&its);
        call(fds[i], 3, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, &claim, "again");
        expect_answer(fds[i], 3, "again");
        close(fds[i]);
    }
    stop_boarded(&its);
}

/* Callers that don't keep to the protocol, or end in the middle, cost nobody else anything: their slots
 * come free, and the next caller is answered. */
static void test_careless_callers(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 2, (chainsi_server_options){ 0 });
    for (int round = 0; round < 20; round++) {
        int fd = dial_direct(&its);
        greet(fd);
        chainsi_claim first = claim_slot(&its), second = claim_slot(&its);
        char text[1024];
        size_t size = write_call(text, 1, 0, &second, "again");
        switch (round % 4) {
        case 0: /* two calls of one id: each is answered, which is whose, it has to know itself */
            call(fd, 1, 0, &first, "once");
            assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
            for (int i = 0; i < 2; i++) {
                char body[16];
                chainsi_frame frame = hear_frame(fd, body, sizeof body);
                assert_int_equal(frame.head.kind, CHAINSI_FRAME_ANSWER);
                assert_int_equal(frame.head.id, 1);
                assert_true(!strcmp(body, "once") || !strcmp(body, "again"));
            }
            break;
        case 1: /* half a call behind one that runs, then nothing more is sent */
            call(fd, 1, 0, &first, "once");
            assert_int_equal(send(fd, text, size / 2, MSG_NOSIGNAL), size / 2);
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
            assert_true(chainsi_board_withdraw(its.board, &second));
            break;
        case 2: /* it runs, and the caller reads nothing and goes */
            call(fd, 1, CHAINSI_FRAME_SOLE, &first, "endure");
            AWAIT(atomic_load(&its.it.running) == 1);
            assert_true(chainsi_board_withdraw(its.board, &second));
            break;
        default: /* claims whose calls never come */
            break;
        }
        close(fd);
        /* Those are taken back when somebody waits for a slot. */
        int next = dial(&its.it);
        greet(next);
        call(next, 7, CHAINSI_FRAME_SOLE, NULL, "next");
        expect_answer(next, 7, "next");
        close(next);
        /* What nobody waited for is still claimed. */
        chainsi_board_withdraw(its.board, &first);
        chainsi_board_withdraw(its.board, &second);
        AWAIT(chainsi_board_free_slots(its.board) == 2);
    }
    AWAIT(counters_of(&its.it).connections == 0);
    stop_boarded(&its);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_queued_call),
        TEST(test_byte_by_byte),
        TEST(test_claims),
        TEST(test_claims_that_come_while_draining),
        TEST(test_claims_that_never_come),
        TEST(test_queue_beside_claims),
        TEST(test_slow_calls_from_the_queue),
        TEST(test_descriptors),
        TEST(test_nonsense),
        TEST(test_careless_callers),
        TEST(test_sole_calls_unread),
        TEST(test_many_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
