/* Spans on their way to another machine: each is told once, whoever asks, and a body that isn't ours is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/span_batch.h"

typedef struct fixture {
    chainsi_span_teller teller;
    chainsi_buffer body;
} fixture;

static int open_fixture(void **state)
{
    fixture *made = calloc(1, sizeof *made);
    int fd = chainsi_ring_create();
    made->teller.ring = chainsi_ring_open(fd);
    close(fd);
    pthread_mutex_init(&made->teller.lock, NULL);
    assert_non_null(made->teller.ring);
    *state = made;
    return 0;
}

static int close_fixture(void **state)
{
    fixture *made = *state;
    chainsi_ring_close(made->teller.ring);
    pthread_mutex_destroy(&made->teller.lock);
    chainsi_buffer_done(&made->body);
    free(made);
    return 0;
}

/* Tells of a call with this number. */
static void tell(fixture *made, uint64_t id)
{
    chainsi_span_record record;
    chainsi_span span = {
        .trace_high = 1,
        .trace_low = 2,
        .id = id,
        .began_ns = 100,
        .ended_ns = 200,
        .kind = CHAINSI_SPAN_SERVED,
        .chainlet = "worker",
        .message = "x",
    };
    assert_true(
        chainsi_ring_write(made->teller.ring, record.words, chainsi_span_pack(&span, &record)));
}

/* Asks for what follows `after`, and expects count spans, numbered from first on. The number to ask with next. */
static uint64_t expect(fixture *made, uint64_t after, uint64_t first, uint32_t count, uint64_t lost)
{
    chainsi_span_batch batch;
    chainsi_span span;
    char why[256];
    made->body.size = 0;
    uint64_t next = chainsi_span_batch_write(&made->teller, after, &made->body);
    assert_true(chainsi_span_batch_open(&batch, made->body.data, made->body.size, why, sizeof why));
    assert_int_equal(batch.head.count, count);
    for (uint64_t id = first; id < first + count; id++) {
        assert_true(chainsi_span_batch_next(&batch, &span));
        assert_true(span.id == id);
        assert_string_equal(span.chainlet, "worker");
        assert_string_equal(span.message, "x");
    }
    assert_false(chainsi_span_batch_next(&batch, &span));
    assert_true(batch.head.lost == lost);
    assert_int_equal(batch.left, 0);
    return next;
}

static void each_is_told_once(void **state)
{
    fixture *made = *state;
    uint64_t next = expect(made, 0, 0, 0, 0);
    tell(made, 1);
    tell(made, 2);
    next = expect(made, next, 1, 2, 0);
    assert_true(expect(made, next, 0, 0, 0) == next);
    tell(made, 3);
    assert_true(expect(made, next, 3, 1, 0) == expect(made, next, 3, 1, 0)); /* asked twice */
    expect(made, 0, 1, 3, 0);
}

static void the_numbers_of_another_process_are_none(void **state)
{
    fixture *made = *state;
    tell(made, 1);
    uint64_t next = expect(made, 0, 1, 1, 0);
    made->teller.process ^= 1; /* started in its place */
    expect(made, next, 1, 1, 0);
    expect(made, UINT64_MAX, 1, 1, 0);
    /* One that has not been given yet: nothing is there. */
    expect(made, (made->teller.process << 40) + 1000, 0, 0, 0);
}

static void what_is_too_much_for_one_answer_comes_with_the_next(void **state)
{
    fixture *made = *state;
    for (uint64_t id = 1; id <= CHAINSI_SPAN_BATCH_MOST + 5; id++)
        tell(made, id);
    uint64_t next = expect(made, 0, 1, CHAINSI_SPAN_BATCH_MOST, 0);
    chainsi_span_batch_head head;
    memcpy(&head, made->body.data, sizeof head);
    assert_int_equal(head.left, 5);
    expect(made, next, CHAINSI_SPAN_BATCH_MOST + 1, 5, 0);
    memcpy(&head, made->body.data, sizeof head);
    assert_int_equal(head.left, 0);
}

static void what_was_written_over_is_counted(void **state)
{
    fixture *made = *state;
    uint64_t next = expect(made, 0, 0, 0, 0);
    for (uint64_t id = 1; id <= CHAINSI_RING_RECORDS + 7; id++)
        tell(made, id);
    expect(made, next, 8, CHAINSI_SPAN_BATCH_MOST, 7);
    expect(made, next, 8, CHAINSI_SPAN_BATCH_MOST, 7);
}

/* Refused, with that in the reason. */
static void expect_refusal(const void *body, size_t size, const char *reason)
{
    chainsi_span_batch batch;
    char why[256] = "";
    assert_false(chainsi_span_batch_open(&batch, body, size, why, sizeof why));
    assert_non_null(strstr(why, reason));
}

static void another_release_is_refused(void **state)
{
    fixture *made = *state;
    tell(made, 1);
    chainsi_span_batch_write(&made->teller, 0, &made->body);
    chainsi_span_batch_head *head = (void *)made->body.data;
    expect_refusal(made->body.data, sizeof *head - 1, "no spans");
    head->version++;
    expect_refusal(made->body.data, made->body.size, "version 2");
    head->version--;
    head->record_size += 8;
    expect_refusal(made->body.data, made->body.size, "640 bytes");
    head->record_size -= 8;
    head->magic[0] = 'X';
    expect_refusal(made->body.data, made->body.size, "no spans");
}

static void what_is_cut_off_or_no_span_is_lost(void **state)
{
    fixture *made = *state;
    chainsi_span_batch batch;
    chainsi_span span;
    char why[256];
    for (uint64_t id = 1; id <= 3; id++)
        tell(made, id);
    chainsi_span_batch_write(&made->teller, 0, &made->body);
    const size_t each = (made->body.size - sizeof batch.head) / 3;
    for (size_t size = sizeof batch.head; size <= made->body.size; size++) {
        char *body = malloc(size); /* so that it is noticed who reads beyond it */
        memcpy(body, made->body.data, size);
        assert_true(chainsi_span_batch_open(&batch, body, size, why, sizeof why));
        const size_t whole = (size - sizeof batch.head) / each;
        for (size_t i = 0; i < whole; i++)
            assert_true(chainsi_span_batch_next(&batch, &span));
        assert_false(chainsi_span_batch_next(&batch, &span));
        assert_int_equal(batch.head.lost, 3 - whole);
        free(body);
    }
    memset(made->body.data + sizeof batch.head + each + 8, 0xff, each - 8); /* the second one */
    assert_true(chainsi_span_batch_open(&batch, made->body.data, made->body.size, why, sizeof why));
    assert_true(chainsi_span_batch_next(&batch, &span) && span.id == 1);
    assert_true(chainsi_span_batch_next(&batch, &span) && span.id == 3);
    assert_int_equal(batch.head.lost, 1);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(each_is_told_once),
        TEST(the_numbers_of_another_process_are_none),
        TEST(what_is_too_much_for_one_answer_comes_with_the_next),
        TEST(what_was_written_over_is_counted),
        TEST(another_release_is_refused),
        TEST(what_is_cut_off_or_no_span_is_lost),
    };
    return cmocka_run_group_tests_name("span batch", tests, NULL, NULL);
}
