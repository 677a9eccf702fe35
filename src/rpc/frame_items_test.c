/* The serving side of calls that take items, over real sockets. */
#include "rpc/frames_test_support.h"

#include "rpc/parts.h"

enum { SOLE_ITEMS = CHAINSI_FRAME_SOLE | CHAINSI_FRAME_TAKES_ITEMS, ITEM_BYTES = 4096 };

static atomic_int sent;        /* items */
static atomic_int parts_ended; /* 1 + how the last handler's parts ended */
static int stall_ms;           /* of the next handler; 0: as ever */

static size_t write_item(char *data, uint32_t id, const char *text, int attachments)
{
    chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_ITEM,
                                      .id = id,
                                      .attachments = (uint8_t)attachments,
                                      .body_size = strlen(text) } };
    size_t size = chainsi_frame_write(&frame, data);
    memcpy(data + size, text, strlen(text));
    return size + strlen(text);
}

/* Small items until the socket is full, which is before anything waits. */
static void fill(const chainsi_server_request *request)
{
    char data[CHAINSI_FRAME_MAX_HEAD + 16];
    size_t size = write_item(data, request->frame->head.id, "item", 0);
    while (send(request->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size)
        atomic_fetch_add(&sent, 1);
}

/* The body says how many items: "3", padded to ITEM_BYTES each with "3 large", each with a
 * descriptor beside it with "3 attached"; behind them come as many as the socket takes with "3 and
 * full". The answer is "done". */
static void handle_items(void *user, chainsi_server_request *request,
                         chainsi_server_response *response)
{
    (void)user;
    int count = atoi(request->body), fd = -1;
    chainsi_parts *parts = chainsi_arena_alloc(request->arena, sizeof *parts);
    chainsi_parts_init(parts, request, response, stall_ms);
    if (strstr(request->body, "attached"))
        fd = dup(2);
    for (int i = 0; i < count; i++) {
        char text[ITEM_BYTES + 1] = { 0 }, data[CHAINSI_FRAME_MAX_HEAD + ITEM_BYTES];
        if (strstr(request->body, "large"))
            memset(text, 'x', ITEM_BYTES);
        else
            snprintf(text, sizeof text, "item %d", i);
        size_t size = write_item(data, request->frame->head.id, text, fd >= 0);
        response->parts = parts;
        if (chainsi_parts_send_item(parts, data, size, &fd, fd >= 0, CHAINSI_NEVER) !=
            CHAINSI_PARTS_SENT)
            break;
        atomic_fetch_add(&sent, 1);
    }
    if (strstr(request->body, "full"))
        fill(request);
    if (fd >= 0)
        close(fd);
    chainsi_buffer_add_text(response->body, "done");
    atomic_store(&parts_ended, 1 + (int)parts->end);
}

static void start_items(boarded *its, int slots)
{
    start_boarded(its, slots, (chainsi_server_options){ .handler = handle_items });
    atomic_store(&sent, 0);
    atomic_store(&parts_ended, 0);
    stall_ms = 0;
}

static void expect_item(int fd, uint32_t id, const char *text)
{
    char body[ITEM_BYTES + 1] = { 0 };
    chainsi_frame_head head;
    read_exactly(fd, &head, sizeof head);
    assert_int_equal(head.kind, CHAINSI_FRAME_ITEM);
    assert_int_equal(head.id, id);
    assert_true(head.body_size < sizeof body);
    read_exactly(fd, body, head.body_size);
    if (text)
        assert_string_equal(body, text);
    else
        assert_int_equal(head.body_size, ITEM_BYTES);
}

static void test_items_before_their_answer(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 2);
    int fd = dial_direct(&its);
    greet(fd);
    for (uint32_t id = 0; id < 50; id++) {
        /* Whoever has the answer finds the slot free. */
        assert_int_equal(chainsi_board_free_slots(its.board), 2);
        chainsi_claim claim = claim_slot(&its);
        call(fd, id, SOLE_ITEMS | CHAINSI_FRAME_KEEPS, &claim, id % 2 ? "3" : "0");
        if (id % 2)
            for (int i = 0; i < 3; i++)
                expect_item(fd, id, (const char *[]){ "item 0", "item 1", "item 2" }[i]);
        expect_answer(fd, id, "done");
    }
    /* By the queue. */
    int queued = dial(&its.it);
    greet(queued);
    call(queued, 1, SOLE_ITEMS, NULL, "1");
    expect_item(queued, 1, "item 0");
    expect_answer(queued, 1, "done");
    assert_int_equal(counters_of(&its.it).lost, 0);
    close(queued);
    close(fd);
    stop_boarded(&its);
}

static void test_a_slow_reader_holds_its_slot(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 2);
    int fd = dial_direct(&its), other = dial_direct(&its);
    greet(fd);
    greet(other);
    chainsi_claim claim = claim_slot(&its);
    call(fd, 1, SOLE_ITEMS, &claim, "2000 large");
    for (int before = -1; before != atomic_load(&sent) || !before;) {
        before = atomic_load(&sent);
        poll(NULL, 0, 30);
    }
    assert_true(atomic_load(&sent) < 200); /* what a socket holds */
    assert_int_equal(counters_of(&its.it).in_flight, 1);
    assert_int_equal(chainsi_board_free_slots(its.board), 1);
    for (uint32_t id = 0; id < 20; id++) {
        claim = claim_slot(&its);
        call(other, id, SOLE_ITEMS, &claim, "0");
        expect_answer(other, id, "done");
    }
    for (int i = 0; i < 2000; i++)
        expect_item(fd, 1, NULL);
    expect_answer(fd, 1, "done");
    AWAIT(chainsi_board_free_slots(its.board) == 2);
    close(fd);
    close(other);
    stop_boarded(&its);
}

/* It keeps its slot until there is some, as it keeps a thread. */
static void test_an_answer_that_finds_no_room(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 1);
    int fd = dial_direct(&its);
    greet(fd);
    chainsi_claim claim = claim_slot(&its);
    call(fd, 1, SOLE_ITEMS, &claim, "1 and full");
    AWAIT(atomic_load(&parts_ended));
    for (int i = 0; i < 30; i++) {
        poll(NULL, 0, 1);
        assert_int_equal(chainsi_board_free_slots(its.board), 0);
    }
    expect_item(fd, 1, "item 0");
    for (int i = 1; i < atomic_load(&sent); i++)
        expect_item(fd, 1, "item");
    expect_answer(fd, 1, "done");
    AWAIT(chainsi_board_free_slots(its.board) == 1);
    close(fd);
    stop_boarded(&its);
}

/* Waits until the handler's parts have ended, and the slot is free again. */
static void expect_end_of_parts(boarded *its, chainsi_parts_end end)
{
    AWAIT(atomic_load(&parts_ended));
    assert_int_equal(atomic_load(&parts_ended), 1 + (int)end);
    AWAIT(counters_of(&its->it).connections == 0);
    AWAIT(chainsi_board_free_slots(its->board) == 1);
    assert_int_equal(counters_of(&its->it).lost, 1);
}

static void test_a_reader_that_leaves(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 1);
    int fd = dial_direct(&its);
    greet(fd);
    chainsi_claim claim = claim_slot(&its);
    call(fd, 1, SOLE_ITEMS, &claim, "1000000 large");
    expect_item(fd, 1, NULL);
    close(fd);
    expect_end_of_parts(&its, CHAINSI_PARTS_GONE);
    stop_boarded(&its);
}

/* An item was cut off, and no answer follows that could be taken for its rest. */
static void test_a_reader_that_stands_still(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 1);
    stall_ms = 30;
    int fd = dial_direct(&its);
    greet(fd);
    chainsi_claim claim = claim_slot(&its);
    call(fd, 1, SOLE_ITEMS, &claim, "1000000 large");
    expect_end_of_parts(&its, CHAINSI_PARTS_STALLED);
    int whole = atomic_load(&sent);
    for (int i = 0; i < whole; i++)
        expect_item(fd, 1, NULL);
    char rest[2 * ITEM_BYTES];
    ssize_t got = recv(fd, rest, sizeof rest, MSG_WAITALL);
    assert_in_range(got, 0, ITEM_BYTES + (ssize_t)sizeof(chainsi_frame_head) - 1);
    close(fd);
    stop_boarded(&its);
}

static void test_descriptors(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 1);
    int fd = dial_direct(&its);
    greet(fd);
    chainsi_claim claim = claim_slot(&its);
    call(fd, 1, SOLE_ITEMS, &claim, "2 attached");
    for (int i = 0; i < 2; i++) {
        int got = -1;
        expect_with_descriptor(fd, 1, i ? "item 1" : "item 0", &got);
        close(got);
    }
    expect_answer(fd, 1, "done");
    close(fd);
    stop_boarded(&its);
}

/* A call with items is alone on its connection. */
static void test_calls_that_are_not_alone(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 2);
    for (int pipelined = 0; pipelined < 2; pipelined++) {
        int fd = dial_direct(&its);
        greet(fd);
        char text[512];
        size_t size =
            write_call(text, 1, pipelined ? SOLE_ITEMS : CHAINSI_FRAME_TAKES_ITEMS, NULL, "1");
        if (pipelined)
            size += write_call(text + size, 2, CHAINSI_FRAME_SOLE, NULL, "0");
        assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
        expect_end(fd);
        close(fd);
    }
    AWAIT(counters_of(&its.it).connections == 0);
    assert_int_equal(counters_of(&its.it).requests, 0);
    assert_int_equal(chainsi_board_free_slots(its.board), 2);
    stop_boarded(&its);
}

/* On a connection that has carried several calls at once, as soon as those are answered. */
static void test_behind_a_bundle(void **state)
{
    (void)state;
    boarded its;
    start_items(&its, 4);
    int fd = dial_direct(&its);
    greet(fd);
    for (uint32_t id = 0; id < 300; id++) {
        chainsi_claim claim = claim_slot(&its);
        call(fd, id, 0, &claim, "0");
        expect_answer(fd, id, "done");
        claim = claim_slot(&its);
        call(fd, id, SOLE_ITEMS, &claim, "1");
        expect_item(fd, id, "item 0");
        expect_answer(fd, id, "done");
    }
    close(fd);
    stop_boarded(&its);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_items_before_their_answer),    TEST(test_a_slow_reader_holds_its_slot),
        TEST(test_an_answer_that_finds_no_room), TEST(test_a_reader_that_leaves),
        TEST(test_a_reader_that_stands_still),   TEST(test_descriptors),
        TEST(test_calls_that_are_not_alone),     TEST(test_behind_a_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
