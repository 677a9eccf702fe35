/* The calling side between Chainlets, against replicas that follow a script. */
#include "rpc/link_test_support.h"

#include "rpc/descriptors_test_support.h"

typedef struct caller {
    stand *place;
    chainsi_arena arena;
    chainsi_link_answer answer;
    chainsi_link_request request;
    char why[256];
} caller;

static chainsi_exchange_end call(caller *it)
{
    it->why[0] = 0;
    chainsi_exchange_end end = chainsi_link_exchange(it->place->link, &it->request, &it->arena,
                                                     &it->answer, it->why, sizeof it->why);
    assert_true(end == CHAINSI_EXCHANGE_ANSWERED || it->why[0]);
    assert_int_equal(it->place->board ? chainsi_board_waiting(it->place->board) : 0, 0);
    return end;
}

static caller make_caller(stand *place)
{
    return (caller){ .place = place,
                     .request = { .interface = 7,
                                  .request_id = "r1",
                                  .trace_id = { 1, 2 },
                                  .span_id = { 3 },
                                  .body = "hello",
                                  .body_size = 5,
                                  .deadline_ns = CHAINSI_NEVER } };
}

static void expect_echo(caller *it)
{
    chainsi_exchange_end end = call(it);
    if (end != CHAINSI_EXCHANGE_ANSWERED)
        fail_msg("%d: %s", end, it->why);
    assert_int_equal(it->answer.status, 0);
    assert_int_equal(it->answer.body_size, it->request.body_size);
    assert_memory_equal(it->answer.body, it->request.body, it->request.body_size);
    assert_int_equal(it->answer.body[it->answer.body_size], 0);
}

/* ------------------------------------------------------------------------------------------------
 * ways */

static void test_claimed(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in replica = {
        .shared_fd = -1, .board = place.board, .slots = 2, .handle = stand_in_echo
    };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    me.request.deadline_ns = chainsi_now_ns() + 60 * INT64_C(1000000000);
    for (int i = 0; i < 20; i++)
        expect_echo(&me);
    assert_int_equal(me.answer.incarnation, replica.seat.incarnation);
    stand_in_stop(&replica);
    assert_int_equal(replica.accepted, 1);
    assert_int_equal(replica.calls, 20);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS);
    assert_int_equal(replica.last.call.interface, 7);
    assert_int_equal(replica.last.call.deadline_ns, me.request.deadline_ns);
    assert_int_equal(replica.last.call.trace_id[1], 2);
    assert_int_equal(replica.last.call.span_id[0], 3);
    assert_true(replica.last.call.slot < 2);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void test_without_a_board(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, false, 0);
    stand_in replica = { .shared_fd = place.shared_fd, .handle = stand_in_echo };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    for (int i = 0; i < 20; i++)
        expect_echo(&me);
    assert_int_equal(me.answer.incarnation, 0);
    stand_in_stop(&replica);
    assert_int_equal(replica.accepted, 1);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_SOLE);
    assert_true(replica.last.call.slot == CHAINSI_FRAME_NO_SLOT);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void note_waiting(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    *(uint32_t *)it->user = chainsi_board_waiting(it->board);
    stand_in_echo(it, connection, frame, body);
}

static void test_queued_while_no_slot_is_free(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    uint32_t waiting = 0;
    stand_in replica = { .shared_fd = place.shared_fd,
                         .board = place.board,
                         .slots = 1,
                         .handle = note_waiting,
                         .user = &waiting };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    chainsi_claim taken;
    assert_true(chainsi_board_claim(place.board, 0, 0, &taken));
    expect_echo(&me);
    assert_int_equal(waiting, 1);
    assert_true(replica.last.call.slot == CHAINSI_FRAME_NO_SLOT);
    assert_int_equal(replica.last.call.claim, 0);
    /* The connection is one to the replica that answered. */
    assert_true(chainsi_board_withdraw(place.board, &taken));
    expect_echo(&me);
    assert_int_equal(waiting, 0);
    assert_int_equal(replica.last.call.slot, 0);
    stand_in_stop(&replica);
    assert_int_equal(replica.accepted, 1);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void test_queue_is_full(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 1);
    caller me = make_caller(&place);
    assert_true(chainsi_board_enter_queue(place.board));
    chainsi_exchange_end end = chainsi_link_exchange(place.link, &me.request, &me.arena, &me.answer,
                                                     me.why, sizeof me.why);
    assert_int_equal(end, CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(me.answer.error, EAGAIN);
    chainsi_board_leave_queue(place.board);
    me.request.deadline_ns = chainsi_now_ns() + 10 * CHAINSI_NS_PER_MS;
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_DEADLINE);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, false, 0);
    unlink(place.path);
    caller me = make_caller(&place);
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(me.answer.error, ENOENT);
    close_stand(&place);
}

static void test_replicas_that_are_gone(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in first = { .shared_fd = -1, .board = place.board, .slots = 4, .handle = stand_in_echo };
    stand_in second = {
        .shared_fd = place.shared_fd, .board = place.board, .slots = 4, .handle = stand_in_echo
    };
    stand_in_start(&first);
    caller me = make_caller(&place);
    expect_echo(&me);
    assert_int_equal(me.answer.incarnation, first.seat.incarnation);
    stand_in_start(&second);
    /* With a kept connection to it, which is closed by now. */
    stand_in_kill(&first);
    for (int i = 0; i < 5; i++) {
        expect_echo(&me);
        assert_int_equal(me.answer.incarnation, second.seat.incarnation);
    }
    uint32_t replicas;
    chainsi_claim taken[4];
    assert_int_equal(chainsi_board_claim_many(place.board, second.seat.incarnation,
                                              first.seat.incarnation, taken, 4),
                     4);
    expect_echo(&me);
    chainsi_board_slots(place.board, &replicas);
    assert_int_equal(replicas, 1); /* it was buried */
    /* All are gone: the call waits in the queue for whoever comes. */
    stand_in_kill(&second);
    stand_in third = {
        .shared_fd = place.shared_fd, .board = place.board, .slots = 1, .handle = stand_in_echo
    };
    stand_in_start(&third);
    expect_echo(&me);
    stand_in_stop(&third);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

/* ------------------------------------------------------------------------------------------------
 * ends */

static void hang_up(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    (void)frame, (void)body;
    stand_in_close(it, connection);
}

static void hang_up_in_the_answer(stand_in *it, int connection, const chainsi_frame *frame,
                                  const char *body)
{
    (void)body;
    chainsi_frame answer = {
        .head = { .kind = CHAINSI_FRAME_ANSWER, .id = frame->head.id, .body_size = 10 }
    };
    char data[CHAINSI_FRAME_MAX_HEAD];
    stand_in_send(it, connection, data, chainsi_frame_write(&answer, data));
    stand_in_close(it, connection);
}

static void refuse(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    (void)body;
    stand_in_refuse(it, connection, frame);
}

static void answer_nothing(stand_in *it, int connection, const chainsi_frame *frame,
                           const char *body)
{
    (void)it, (void)connection, (void)frame, (void)body;
}

static void answer_failed(stand_in *it, int connection, const chainsi_frame *frame,
                          const char *body)
{
    (void)body;
    stand_in_answer(it, connection, frame, 5, "none", 4);
}

static void answer_byte_by_byte(stand_in *it, int connection, const chainsi_frame *frame,
                                const char *body)
{
    chainsi_frame answer = {
        .head = { .kind = CHAINSI_FRAME_ANSWER,
                  .id = frame->head.id,
                  .body_size = frame->head.body_size },
        .answer = { .incarnation = it->seat.incarnation },
    };
    char data[CHAINSI_FRAME_MAX_HEAD];
    size_t head = chainsi_frame_write(&answer, data);
    if (frame->call.slot != CHAINSI_FRAME_NO_SLOT)
        chainsi_seat_free(&it->seat, frame->call.slot, 1000);
    for (size_t i = 0; i < head; i++)
        stand_in_send(it, connection, data + i, 1);
    for (size_t i = 0; i < frame->head.body_size; i++)
        stand_in_send(it, connection, body + i, 1);
}

static void answer_another_id(stand_in *it, int connection, const chainsi_frame *frame,
                              const char *body)
{
    chainsi_frame other = *frame;
    other.head.id++;
    stand_in_echo(it, connection, &other, body);
}

static void answer_in_http(stand_in *it, int connection, const chainsi_frame *frame,
                           const char *body)
{
    (void)frame, (void)body;
    stand_in_send(it, connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
}

static void answer_too_much(stand_in *it, int connection, const chainsi_frame *frame,
                            const char *body)
{
    (void)body;
    char *data = calloc(1, 1001);
    stand_in_answer(it, connection, frame, 0, data, 1001);
    free(data);
}

/* The end of one call, with and without a board. */
static void test_ends(void **state)
{
    (void)state;
    static const struct {
        void (*handle)(stand_in *, int, const chainsi_frame *, const char *);
        chainsi_exchange_end end;
        int status;
    } cases[] = {
        { stand_in_echo, CHAINSI_EXCHANGE_ANSWERED, 0 },
        { answer_byte_by_byte, CHAINSI_EXCHANGE_ANSWERED, 0 },
        { answer_failed, CHAINSI_EXCHANGE_ANSWERED, 5 },
        { hang_up, CHAINSI_EXCHANGE_MAYBE_STARTED, 0 },
        { hang_up_in_the_answer, CHAINSI_EXCHANGE_MAYBE_STARTED, 0 },
        { refuse, CHAINSI_EXCHANGE_NOT_STARTED, 0 },
        { answer_another_id, CHAINSI_EXCHANGE_PROTOCOL, 0 },
        { answer_in_http, CHAINSI_EXCHANGE_PROTOCOL, 0 },
        { answer_too_much, CHAINSI_EXCHANGE_PROTOCOL, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases * 2; i++) {
        stand place;
        open_stand(&place, i % 2, 0);
        stand_in replica = { .shared_fd = place.shared_fd,
                             .board = place.board,
                             .slots = 1,
                             .handle = cases[i / 2].handle };
        stand_in_start(&replica);
        caller me = make_caller(&place);
        me.request.max_body = 1000;
        assert_int_equal(call(&me), cases[i / 2].end);
        if (cases[i / 2].end == CHAINSI_EXCHANGE_ANSWERED)
            assert_int_equal(me.answer.status, cases[i / 2].status);
        if (cases[i / 2].handle == refuse)
            assert_int_equal(me.answer.retry_after_ms, 3);
        stand_in_stop(&replica);
        chainsi_arena_done(&me.arena);
        close_stand(&place);
    }
}

static void test_deadline_and_interrupt(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in replica = {
        .shared_fd = -1, .board = place.board, .slots = 4, .handle = answer_nothing
    };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    static const int deadlines_ms[] = { 0, 1, 3, 40 };
    for (size_t i = 0; i < 4; i++) {
        me.request.deadline_ns = chainsi_now_ns() + deadlines_ms[i] * CHAINSI_NS_PER_MS;
        assert_int_equal(call(&me), CHAINSI_EXCHANGE_DEADLINE);
        assert_true(chainsi_now_ns() >= me.request.deadline_ns);
    }
    stand_in_stop(&replica);
    /* The callee hears of it by the end of the connection. */
    assert_int_equal(replica.accepted, replica.hang_ups + replica.connection_count);
    stand_in_start(&replica);
    int wake = eventfd(1, EFD_CLOEXEC);
    chainsi_interrupt interrupt = { .count = 1, .watch = { { wake, POLLIN } } };
    me.request.deadline_ns = CHAINSI_NEVER;
    me.request.interrupt = &interrupt;
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_INTERRUPTED);
    close(wake);
    stand_in_stop(&replica);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void test_a_replica_that_stands_still(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in stopped = {
        .shared_fd = -1, .board = place.board, .slots = 4, .handle = stand_in_echo
    };
    stand_in other = {
        .shared_fd = place.shared_fd, .board = place.board, .slots = 4, .handle = stand_in_echo
    };
    stand_in_start(&stopped);
    caller me = make_caller(&place);
    expect_echo(&me);
    atomic_store(&stopped.deaf, true);
    stand_in_wake(&stopped);
    stand_in_start(&other);
    for (int i = 0; i < 10; i++) {
        expect_echo(&me);
        assert_int_equal(me.answer.incarnation, other.seat.incarnation);
    }
    assert_int_equal(stopped.calls, 1);
    stand_in_stop(&other);
    /* Nobody else has a slot: it gives up, and the queue has the call. */
    stand_in queue = { .shared_fd = place.shared_fd, .handle = stand_in_echo };
    stand_in_start(&queue);
    expect_echo(&me);
    stand_in_stop(&queue);
    atomic_store(&stopped.deaf, false);
    stand_in_stop(&stopped);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

/* ------------------------------------------------------------------------------------------------
 * sizes and descriptors */

static void test_large_bodies(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in replica = {
        .shared_fd = -1, .board = place.board, .slots = 1, .handle = stand_in_echo
    };
    stand_in_start(&replica);
    static const size_t sizes[] = { 0, 1, 3000, 4095, 4096, 70000, 1 << 20, 3 << 20 };
    char *data = malloc(3 << 20);
    for (size_t i = 0; i < 3 << 20; i++)
        data[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        caller me = make_caller(&place);
        me.request.body = data;
        me.request.body_size = sizes[i];
        me.request.max_body = sizes[i] ? sizes[i] : 1;
        expect_echo(&me);
        expect_echo(&me); /* behind something in the arena */
        chainsi_arena_done(&me.arena);
    }
    free(data);
    stand_in_stop(&replica);
    assert_int_equal(replica.accepted, 1);
    close_stand(&place);
}

static void answer_with_descriptor(stand_in *it, int connection, const chainsi_frame *frame,
                                   const char *body)
{
    (void)body;
    int *fd = it->user;
    chainsi_frame answer = {
        .head = { .kind = CHAINSI_FRAME_ANSWER, .id = frame->head.id, .attachments = 1 }
    };
    char data[CHAINSI_FRAME_MAX_HEAD];
    struct iovec part = { data, chainsi_frame_write(&answer, data) };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.head), fd, sizeof *fd);
    assert_int_equal(sendmsg(it->connections[connection].fd, &message, 0), part.iov_len);
}

static void test_descriptors_travel(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, false, 0);
    int fd = eventfd(7, EFD_CLOEXEC);
    stand_in replica = { .shared_fd = place.shared_fd,
                         .handle = answer_with_descriptor,
                         .user = &fd };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    me.request.attachments = &fd;
    me.request.attachment_count = 1;
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_ANSWERED);
    assert_int_equal(me.answer.attachment_count, 1);
    assert_true(fcntl(me.answer.attachments[0], F_GETFD) & FD_CLOEXEC);
    uint64_t number = 0;
    assert_int_equal(read(me.answer.attachments[0], &number, sizeof number), 8);
    assert_int_equal(number, 7);
    close(me.answer.attachments[0]);
    stand_in_stop(&replica);
    assert_int_equal(replica.last.head.attachments, 1);
    close(fd);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void test_kept_connections_are_bounded(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, false, 0);
    for (int i = 0; i < CHAINSI_MAX_IDLE + 1; i++) {
        chainsi_wire wire;
        assert_int_equal(chainsi_link_connect(place.link, 0, &wire), 0);
        wire.incarnation = (uint64_t)i + 1;
        chainsi_link_keep(place.link, &wire);
        assert_int_equal(wire.fd, -1);
    }
    chainsi_wire wire;
    assert_false(chainsi_link_take(place.link, 1, &wire)); /* the oldest went */
    assert_true(chainsi_link_take(place.link, 2, &wire));
    chainsi_wire_close(&wire);
    chainsi_link_forget(place.link, 3);
    assert_false(chainsi_link_take(place.link, 3, &wire));
    close_stand(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_claimed),
        TEST(test_without_a_board),
        TEST(test_queued_while_no_slot_is_free),
        TEST(test_queue_is_full),
        TEST(test_nobody_listens),
        TEST(test_replicas_that_are_gone),
        TEST(test_ends),
        TEST(test_deadline_and_interrupt),
        TEST(test_a_replica_that_stands_still),
        TEST(test_large_bodies),
        TEST(test_descriptors_travel),
        TEST(test_kept_connections_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
