/* The serving side's frames over real sockets, with a board and without: callers are raw sockets, the handler does what
 * the body says. */
#include "rpc/server_test_support.h"

#include <sys/un.h>

enum { INCARNATION = 0x1234 };

/* ------------------------------------------------------------------------------------------------
 * the service */

/* "wait" waits for the gate; anything else is echoed. Beside it the first descriptor is read from. */
static void handle_frames(void *user, chainsi_server_request *request,
                          chainsi_server_response *response)
{
    fixture *it = user;
    if (!request->frame) {
        handle(user, request, response);
        return;
    }
    int running = atomic_fetch_add(&it->running, 1) + 1, most = atomic_load(&it->most_running);
    while (running > most && !atomic_compare_exchange_weak(&it->most_running, &most, running)) {
    }
    atomic_fetch_add(&it->handled, 1);
    assert_int_equal(request->body[request->body_size], 0);
    if (!strcmp(request->body, "wait")) {
        while (sem_wait(&it->gate)) {
        }
    } else if (!strcmp(request->body, "fail")) {
        response->status = 5;
        response->retry_after_ms = 7;
    } else if (!strcmp(request->body, "descriptors")) {
        for (int i = 0; i < request->fd_count; i++) {
            char text[16];
            ssize_t got = read(request->fds[i], text, sizeof text);
            chainsi_buffer_add(response->body, text, got > 0 ? (size_t)got : 0);
        }
        response->fds[response->fd_count++] = request->fds[0];
        request->fds[0] = -1;
    } else if (!strcmp(request->body, "large")) {
        memset(chainsi_buffer_reserve(response->body, LARGE), 'x', LARGE);
        response->body->size = LARGE;
    } else if (!strcmp(request->body, "id")) {
        chainsi_buffer_add(response->body, request->frame->request_id,
                           request->frame->call.request_id_size);
    } else {
        chainsi_buffer_add(response->body, request->body, request->body_size);
    }
    atomic_fetch_sub(&it->running, 1);
}

typedef struct boarded {
    fixture it;
    chainsi_board *board;
    chainsi_seat seat;
} boarded;

static void start_boarded(boarded *its, int slots, chainsi_server_options options)
{
    int memory = chainsi_board_create(0);
    its->board = chainsi_board_open(memory);
    assert_non_null(its->board);
    close(memory);
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(INCARNATION + (uint64_t)getpid(), &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_true(chainsi_board_join(its->board, (uint32_t)slots, INCARNATION + (uint64_t)getpid(),
                                   &its->seat));
    options.slots = slots;
    options.frames = true;
    options.handler = handle_frames;
    options.direct = true;
    options.direct_fd = fd;
    options.seat = &its->seat;
    start(&its->it, false, options);
}

static void stop_boarded(boarded *its)
{
    stop(&its->it);
    chainsi_board_close(its->board);
}

static int dial_direct(boarded *its)
{
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(its->seat.incarnation, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

/* ------------------------------------------------------------------------------------------------
 * callers */

static chainsi_claim claim_slot(boarded *its)
{
    chainsi_claim claim;
    AWAIT(chainsi_board_claim(its->board, 0, 0, &claim));
    return claim;
}

/* A CALL as it stands on the wire. */
static size_t write_call(char *text, uint32_t id, int flags, const chainsi_claim *claim,
                         const char *body)
{
    chainsi_frame frame = {
        .head = { .kind = CHAINSI_FRAME_CALL,
                  .flags = (uint8_t)flags,
                  .id = id,
                  .body_size = strlen(body) },
        .call = { .deadline_ns = CHAINSI_NEVER,
                  .slot = claim ? claim->slot : CHAINSI_FRAME_NO_SLOT,
                  .claim = claim ? claim->word : 0,
                  .request_id_size = 3 },
        .request_id = "abc",
    };
    size_t size = chainsi_frame_write(&frame, text);
    memcpy(text + size, body, strlen(body));
    return size + strlen(body);
}

static void greet(int fd)
{
    assert_int_equal(send(fd, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE, MSG_NOSIGNAL),
                     CHAINSI_FRAME_PREFACE_SIZE);
}

static void call(int fd, uint32_t id, int flags, const chainsi_claim *claim, const char *body)
{
    char text[1024];
    size_t size = write_call(text, id, flags, claim, body);
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
}

static void read_exactly(int fd, void *data, size_t size)
{
    for (size_t have = 0; have < size;) {
        struct pollfd watched = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
        ssize_t got = recv(fd, (char *)data + have, size - have, 0);
        assert_true(got > 0);
        have += (size_t)got;
    }
}

/* Reads one frame; body gets a NUL. */
static chainsi_frame hear_frame(int fd, char *body, size_t body_size)
{
    chainsi_frame frame = { 0 };
    read_exactly(fd, &frame.head, sizeof frame.head);
    read_exactly(fd, &frame.answer, sizeof frame.answer);
    assert_true(frame.head.body_size < body_size);
    read_exactly(fd, body, frame.head.body_size);
    body[frame.head.body_size] = 0;
    return frame;
}

static void expect_answer(int fd, uint32_t id, const char *body)
{
    char text[1024];
    chainsi_frame frame = hear_frame(fd, text, sizeof text);
    assert_int_equal(frame.head.kind, CHAINSI_FRAME_ANSWER);
    assert_int_equal(frame.head.id, id);
    assert_int_equal(frame.head.status, 0);
    assert_string_equal(text, body);
}

static void expect_not_started(int fd, uint32_t id)
{
    char text[16];
    chainsi_frame frame = hear_frame(fd, text, sizeof text);
    assert_int_equal(frame.head.kind, CHAINSI_FRAME_NOT_STARTED);
    assert_int_equal(frame.head.id, id);
}

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
    /* A claim that doesn't hold any more: any slot will do, as long as there is one. */
    chainsi_claim stale = claim_slot(&its);
    assert_true(chainsi_board_withdraw(its.board, &stale));
    call(fd, 100, flags, &stale, "stale");
    expect_answer(fd, 100, "stale");
    chainsi_claim first = claim_slot(&its), second = claim_slot(&its);
    call(fd, 101, flags, &stale, "nowhere to run");
    expect_not_started(fd, 101);
    assert_int_equal(counters_of(&its.it).not_started, 1);
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
    expect_answer(fd, 105, "out of bounds");
    AWAIT(chainsi_board_free_slots(its.board) == 2);
    close(fd);
    stop_boarded(&its);
}

static void test_queue_beside_claims(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 1, (chainsi_server_options){ .recall_idle = true });
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
    /* Those that come with claims stay when the last slot is taken, others go. */
    AWAIT(chainsi_board_free_slots(its.board) == 1);
    claim = claim_slot(&its);
    call(fd, 3, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS, &claim, "wait");
    expect_end(queued);
    expect_end(http);
    sem_post(&its.it.gate);
    expect_answer(fd, 3, "");
    close(queued);
    close(http);
    close(fd);
    stop_boarded(&its);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_queued_call),
        TEST(test_byte_by_byte),
        TEST(test_claims),
        TEST(test_queue_beside_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
