/* Calls that take items, against replicas that follow a script. */
#include "rpc/link_test_support.h"

#include "rpc/descriptors_test_support.h"

typedef struct caller {
    stand *place;
    chainsi_arena arena;
    chainsi_link_sink sink;
    chainsi_link_answer answer;
    chainsi_link_request request;
    char why[256];
    int heard;
    int stop_at;    /* the item that is one too many; below 0: none */
    int64_t gap_ns; /* from each item on; 0: none */
    size_t bytes;
    char first[64];
    int attached; /* descriptors that came */
} caller;

static bool take(void *user, char *item, size_t size, const int *attachments, int count)
{
    caller *it = user;
    if (!it->heard)
        snprintf(it->first, sizeof it->first, "%.*s", (int)size, item);
    memset(item, '#', size);
    /* What is done with the arena meanwhile harms nothing. */
    memset(chainsi_arena_alloc_raw(&it->arena, 100), '!', 100);
    it->bytes += size;
    for (int i = 0; i < count; i++)
        close(attachments[i]);
    it->attached += count;
    if (it->gap_ns)
        it->sink.deadline_ns = chainsi_now_ns() + it->gap_ns;
    return it->heard++ != it->stop_at;
}

static caller make_caller(stand *place)
{
    return (caller){ .place = place,
                     .sink = { .take = take, .deadline_ns = CHAINSI_NEVER },
                     .stop_at = -1,
                     .request = { .interface = 7,
                                  .request_id = "r1",
                                  .body = "hello",
                                  .body_size = 5,
                                  .max_body = 1000,
                                  .deadline_ns = CHAINSI_NEVER } };
}

static chainsi_exchange_end call(caller *it)
{
    it->why[0] = 0;
    it->heard = it->attached = 0;
    it->bytes = 0;
    it->sink.user = it;
    it->sink.deadline_ns = CHAINSI_NEVER;
    it->request.sink = &it->sink;
    chainsi_exchange_end end = chainsi_link_exchange(it->place->link, &it->request, &it->arena,
                                                     &it->answer, it->why, sizeof it->why);
    assert_true(end == CHAINSI_EXCHANGE_ANSWERED || it->why[0]);
    assert_true(end == CHAINSI_EXCHANGE_ANSWERED || it->answer.attachment_count == 0);
    assert_int_equal(it->place->board ? chainsi_board_waiting(it->place->board) : 0, 0);
    return end;
}

/* ------------------------------------------------------------------------------------------------
 * scripts */

static size_t write_frame(char *out, chainsi_frame_kind kind, uint32_t id, const char *body)
{
    chainsi_frame frame = { .head = { .kind = (uint8_t)kind, .id = id } };
    frame.head.body_size = strlen(body);
    size_t size = chainsi_frame_write(&frame, out);
    memcpy(out + size, body, strlen(body));
    return size + strlen(body);
}

static void say(stand_in *it, int connection, const chainsi_frame *call, const char *item)
{
    char data[256];
    stand_in_send(it, connection, data, write_frame(data, CHAINSI_FRAME_ITEM, call->head.id, item));
}

static void three(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    say(it, connection, frame, "one");
    say(it, connection, frame, "");
    say(it, connection, frame, "three");
    stand_in_echo(it, connection, frame, body);
}

static void three_byte_by_byte(stand_in *it, int connection, const chainsi_frame *frame,
                               const char *body)
{
    char data[1024];
    size_t size = 0;
    const uint32_t id = frame->head.id;
    size += write_frame(data + size, CHAINSI_FRAME_ITEM, id, "one");
    size += write_frame(data + size, CHAINSI_FRAME_ITEM, id, "");
    size += write_frame(data + size, CHAINSI_FRAME_ITEM, id, "three");
    for (size_t i = 0; i < size; i++)
        stand_in_send(it, connection, data + i, 1);
    stand_in_echo(it, connection, frame, body);
}

static void none(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    stand_in_echo(it, connection, frame, body);
}

static void three_then_fail(stand_in *it, int connection, const chainsi_frame *frame,
                            const char *body)
{
    (void)body;
    say(it, connection, frame, "one");
    say(it, connection, frame, "");
    say(it, connection, frame, "three");
    stand_in_answer(it, connection, frame, 5, "hello", 5);
}

static void hang_up_behind_an_item(stand_in *it, int connection, const chainsi_frame *frame,
                                   const char *body)
{
    (void)body;
    say(it, connection, frame, "one");
    stand_in_close(it, connection);
}

static void hang_up_in_an_item(stand_in *it, int connection, const chainsi_frame *frame,
                               const char *body)
{
    (void)body;
    char data[256];
    say(it, connection, frame, "one");
    size_t size = write_frame(data, CHAINSI_FRAME_ITEM, frame->head.id, "two");
    stand_in_send(it, connection, data, size - 1);
    stand_in_close(it, connection);
}

static void hang_up(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    (void)frame, (void)body;
    stand_in_close(it, connection);
}

static void refuse(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    (void)body;
    stand_in_refuse(it, connection, frame);
}

static void refuse_behind_an_item(stand_in *it, int connection, const chainsi_frame *frame,
                                  const char *body)
{
    (void)body;
    say(it, connection, frame, "one");
    stand_in_refuse(it, connection, frame);
}

static void say_to_another(stand_in *it, int connection, const chainsi_frame *frame,
                           const char *body)
{
    chainsi_frame other = *frame;
    other.head.id++;
    say(it, connection, frame, "one");
    say(it, connection, &other, "two");
    stand_in_echo(it, connection, frame, body);
}

static void say_too_much(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    chainsi_frame item = {
        .head = { .kind = CHAINSI_FRAME_ITEM, .id = frame->head.id, .body_size = 1001 }
    };
    char data[CHAINSI_FRAME_MAX_HEAD];
    (void)body;
    say(it, connection, frame, "one");
    stand_in_send(it, connection, data, chainsi_frame_write(&item, data));
}

static void announce_descriptors(stand_in *it, int connection, const chainsi_frame *frame,
                                 const char *body)
{
    chainsi_frame item = {
        .head = { .kind = CHAINSI_FRAME_ITEM, .id = frame->head.id, .attachments = 3 }
    };
    char data[CHAINSI_FRAME_MAX_HEAD];
    (void)body;
    say(it, connection, frame, "one");
    stand_in_send(it, connection, data, chainsi_frame_write(&item, data));
}

static void say_one(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    (void)body;
    say(it, connection, frame, "one");
}

/* ------------------------------------------------------------------------------------------------ */

/* The end of one call, with and without a board. */
static void test_ends(void **state)
{
    (void)state;
    static const struct {
        void (*handle)(stand_in *, int, const chainsi_frame *, const char *);
        chainsi_exchange_end end;
        int status, heard;
        bool kept; /* the connection, for the next call */
    } cases[] = {
        { three, CHAINSI_EXCHANGE_ANSWERED, 0, 3, true },
        { three_byte_by_byte, CHAINSI_EXCHANGE_ANSWERED, 0, 3, true },
        { none, CHAINSI_EXCHANGE_ANSWERED, 0, 0, true },
        { three_then_fail, CHAINSI_EXCHANGE_ANSWERED, 5, 3, true },
        { hang_up, CHAINSI_EXCHANGE_MAYBE_STARTED, 0, 0, false },
        { hang_up_behind_an_item, CHAINSI_EXCHANGE_MAYBE_STARTED, 0, 1, false },
        { hang_up_in_an_item, CHAINSI_EXCHANGE_MAYBE_STARTED, 0, 1, false },
        { refuse, CHAINSI_EXCHANGE_NOT_STARTED, 0, 0, true },
        { refuse_behind_an_item, CHAINSI_EXCHANGE_PROTOCOL, 0, 1, false },
        { say_to_another, CHAINSI_EXCHANGE_PROTOCOL, 0, 1, false },
        { say_too_much, CHAINSI_EXCHANGE_PROTOCOL, 0, 1, false },
        { announce_descriptors, CHAINSI_EXCHANGE_PROTOCOL, 0, 1, false },
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
        chainsi_exchange_end end = call(&me);
        if (end != cases[i / 2].end)
            fail_msg("%zu: %d: %s", i / 2, end, me.why);
        assert_int_equal(me.heard, cases[i / 2].heard);
        if (me.heard)
            assert_string_equal(me.first, "one");
        if (end == CHAINSI_EXCHANGE_ANSWERED) {
            assert_int_equal(me.answer.status, cases[i / 2].status);
            assert_int_equal(me.answer.body_size, 5);
            assert_string_equal(me.answer.body, "hello");
        }
        chainsi_wire wire;
        bool kept = chainsi_link_take(place.link, 0, &wire);
        assert_int_equal(kept, cases[i / 2].kept);
        if (kept)
            chainsi_wire_close(&wire);
        stand_in_stop(&replica);
        assert_true(replica.last.head.flags & CHAINSI_FRAME_SOLE);
        assert_true(replica.last.head.flags & CHAINSI_FRAME_TAKES_ITEMS);
        chainsi_arena_done(&me.arena);
        close_stand(&place);
    }
}

/* Who takes no items gets none, and calls of both kinds share their connections. */
static void test_beside_plain_calls(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in replica = { .shared_fd = -1, .board = place.board, .slots = 1, .handle = three };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(&me), CHAINSI_EXCHANGE_ANSWERED);
    assert_int_equal(replica.accepted, 1);
    me.request.sink = NULL;
    assert_int_equal(chainsi_link_exchange(place.link, &me.request, &me.arena, &me.answer, me.why,
                                           sizeof me.why),
                     CHAINSI_EXCHANGE_PROTOCOL);
    assert_string_equal(me.why, "it is no answer to the call");
    stand_in_stop(&replica);
    assert_false(replica.last.head.flags & CHAINSI_FRAME_TAKES_ITEMS);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void three_then_more(stand_in *it, int connection, const chainsi_frame *frame,
                            const char *body)
{
    char data[512];
    (void)body;
    size_t size = write_frame(data, CHAINSI_FRAME_ITEM, frame->head.id, "one");
    size += write_frame(data + size, CHAINSI_FRAME_ANSWER, frame->head.id, "hello");
    size += write_frame(data + size, CHAINSI_FRAME_ITEM, frame->head.id, "two");
    stand_in_send(it, connection, data, size);
}

/* What comes behind the answer is not heard, and the connection not used again. */
static void test_items_behind_the_answer(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, false, 0);
    stand_in replica = { .shared_fd = place.shared_fd, .handle = three_then_more };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(&me), CHAINSI_EXCHANGE_ANSWERED);
        assert_int_equal(me.heard, 1);
    }
    stand_in_stop(&replica);
    assert_int_equal(replica.accepted, 3);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static bool wait_until(atomic_int *count, int least)
{
    for (int i = 0; i < 10000 && atomic_load(count) < least; i++)
        poll(NULL, 0, 1);
    return atomic_load(count) >= least;
}

static void test_a_sink_that_wants_no_more(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, false, 0);
    stand_in replica = { .shared_fd = place.shared_fd, .handle = three };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    me.stop_at = 1;
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_INTERRUPTED);
    assert_int_equal(me.heard, 2);
    assert_true(wait_until(&replica.hang_ups, 1)); /* which cancels the callee */
    stand_in_stop(&replica);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void test_gap_deadline_and_interrupt(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in replica = { .shared_fd = -1, .board = place.board, .slots = 8, .handle = say_one };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    static const int gaps_ms[] = { 1, 3, 40 };
    for (size_t i = 0; i < 3; i++) {
        me.gap_ns = gaps_ms[i] * CHAINSI_NS_PER_MS;
        assert_int_equal(call(&me), CHAINSI_EXCHANGE_DEADLINE);
        assert_int_equal(me.heard, 1);
        assert_true(chainsi_now_ns() >= me.sink.deadline_ns);
    }
    /* The nearer of the two counts. */
    me.gap_ns = 3600 * INT64_C(1000000000);
    me.request.deadline_ns = chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS;
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_DEADLINE);
    me.request.deadline_ns = CHAINSI_NEVER;
    int wake = eventfd(1, EFD_CLOEXEC);
    chainsi_interrupt interrupt = { .count = 1, .watch = { { wake, POLLIN } } };
    me.request.interrupt = &interrupt;
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_INTERRUPTED);
    close(wake);
    stand_in_stop(&replica);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

enum { MANY = 3000 };

static void say_much(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    char item[901] = { 0 }, data[CHAINSI_FRAME_MAX_HEAD + sizeof item];
    for (int i = 0; i < MANY; i++) {
        memset(item, 'x', (size_t)i % (sizeof item - 1));
        item[(size_t)i % (sizeof item - 1)] = 0;
        stand_in_send(it, connection, data,
                      write_frame(data, CHAINSI_FRAME_ITEM, frame->head.id, item));
    }
    stand_in_echo(it, connection, frame, body);
}

/* More than a socket holds, in memory that doesn't grow with it. */
static void test_many(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    stand_in replica = { .shared_fd = -1, .board = place.board, .slots = 1, .handle = say_much };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    size_t expected = 0;
    for (int i = 0; i < MANY; i++)
        expected += (size_t)i % 900;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call(&me), CHAINSI_EXCHANGE_ANSWERED);
        assert_int_equal(me.heard, MANY);
        assert_int_equal(me.bytes, expected);
        assert_string_equal(me.answer.body, "hello");
    }
    stand_in_stop(&replica);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

static void send_with_descriptors(int socket_fd, chainsi_frame_kind kind, uint32_t id,
                                  uint8_t announced, int count)
{
    int fds[CHAINSI_FRAME_MAX_ATTACHMENTS];
    for (int i = 0; i < count; i++)
        fds[i] = eventfd(0, EFD_CLOEXEC);
    chainsi_frame frame = { .head = { .kind = (uint8_t)kind, .id = id, .attachments = announced } };
    char data[CHAINSI_FRAME_MAX_HEAD];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fds)] = { 0 };
    size_t bytes = (size_t)count * sizeof *fds;
    struct iovec part = { data, chainsi_frame_write(&frame, data) };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = CMSG_SPACE(bytes) };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(rights), fds, bytes);
    assert_int_equal(sendmsg(socket_fd, &message, MSG_NOSIGNAL), part.iov_len);
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static void say_with_descriptors(stand_in *it, int connection, const chainsi_frame *frame,
                                 const char *body)
{
    int fd = it->connections[connection].fd;
    (void)body;
    say(it, connection, frame, "one");
    send_with_descriptors(fd, CHAINSI_FRAME_ITEM, frame->head.id, 2, 2);
    send_with_descriptors(fd, CHAINSI_FRAME_ITEM, frame->head.id, 16, 16);
    say(it, connection, frame, "four");
    send_with_descriptors(fd, CHAINSI_FRAME_ANSWER, frame->head.id, 3, 3);
}

static void say_with_more_than_announced(stand_in *it, int connection, const chainsi_frame *frame,
                                         const char *body)
{
    int fd = it->connections[connection].fd;
    (void)body;
    for (int i = 0; i < 4; i++)
        send_with_descriptors(fd, CHAINSI_FRAME_ITEM, frame->head.id, 1, 16);
    send_with_descriptors(fd, CHAINSI_FRAME_ANSWER, frame->head.id, 1, 1);
}

static void test_descriptors(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, false, 0);
    stand_in replica = { .shared_fd = place.shared_fd, .handle = say_with_descriptors };
    stand_in_start(&replica);
    caller me = make_caller(&place);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call(&me), CHAINSI_EXCHANGE_ANSWERED);
        assert_int_equal(me.heard, 4);
        assert_int_equal(me.attached, 18);
        assert_int_equal(me.answer.attachment_count, 3);
        while (me.answer.attachment_count)
            close(me.answer.attachments[--me.answer.attachment_count]);
    }
    stand_in_stop(&replica);
    assert_int_equal(replica.accepted, 1);
    /* What nobody announced is closed with the connection. */
    stand_in other = { .shared_fd = place.shared_fd, .handle = say_with_more_than_announced };
    stand_in_start(&other);
    assert_int_equal(call(&me), CHAINSI_EXCHANGE_ANSWERED);
    assert_int_equal(me.attached, 4);
    close(me.answer.attachments[0]);
    chainsi_wire wire;
    assert_false(chainsi_link_take(place.link, 0, &wire));
    stand_in_stop(&other);
    chainsi_arena_done(&me.arena);
    close_stand(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ends),
        TEST(test_beside_plain_calls),
        TEST(test_items_behind_the_answer),
        TEST(test_a_sink_that_wants_no_more),
        TEST(test_gap_deadline_and_interrupt),
        TEST(test_many),
        TEST(test_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
