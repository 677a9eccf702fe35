/* Gathering spans from rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ring.h"
#include "control/collector.h"

static void write_message(chainsi_ring *ring, uint64_t trace, const char *message)
{
    chainsi_span_record record;
    const chainsi_span span = {
        .trace_low = trace,
        .id = trace,
        .ended_ns = 1,
        .kind = CHAINSI_SPAN_SERVED,
        .chainlet = "reader",
        .message = message,
    };
    assert_true(chainsi_ring_write(ring, record.words, chainsi_span_pack(&span, &record)));
}

static void write_span(chainsi_ring *ring, uint64_t trace)
{
    write_message(ring, trace, NULL);
}

/* Notes which traces it was handed, in decimal digits. */
static void note(void *user, const char *chain, const chainsi_span *span, int64_t unix_offset_ns)
{
    char *noted = user;
    assert_string_equal(chain, "books");
    assert_true(unix_offset_ns > 0);
    size_t size = strlen(noted);
    noted[size] = (char)('0' + span->trace_low);
    noted[size + 1] = 0;
}

typedef struct fixture {
    uv_loop_t loop;
    int fd;
    chainsi_ring *ring;
    chainsi_collector *collector;
    chainsi_collected *collected;
    chainsi_redactor *redactor; /* of the test that has one; it outlives the collector */
    char noted[16];
} fixture;

static void begin_collector(fixture *it)
{
    it->noted[0] = 0;
    it->collector = chainsi_collector_new(&it->loop);
    chainsi_collector_set_taker(it->collector, note, it->noted);
    it->collected = chainsi_collector_add(it->collector, "books", it->fd);
    assert_non_null(it->collected);
}

static void end_collector(fixture *it)
{
    chainsi_collector_remove(it->collected);
    chainsi_collector_free(it->collector);
    uv_run(&it->loop, UV_RUN_DEFAULT); /* its timer doesn't keep it alive */
}

static int begin(void **state)
{
    static fixture it;
    it = (fixture){ .fd = chainsi_ring_create() };
    uv_loop_init(&it.loop);
    it.ring = chainsi_ring_open(it.fd);
    assert_non_null(it.ring);
    begin_collector(&it);
    *state = &it;
    return 0;
}

static int end(void **state)
{
    fixture *it = *state;
    end_collector(it);
    chainsi_ring_close(it->ring);
    close(it->fd);
    assert_int_equal(uv_loop_close(&it->loop), 0);
    chainsi_redactor_free(it->redactor);
    return 0;
}

static void what_is_told_is_kept_and_handed_on_once(void **state)
{
    fixture *it = *state;
    write_span(it->ring, 1);
    write_span(it->ring, 2);
    chainsi_collector_collect(it->collector);
    chainsi_collector_collect(it->collector);
    write_span(it->ring, 3);
    chainsi_collector_collect(it->collector);
    assert_string_equal(it->noted, "123");
    assert_int_equal(chainsi_traces_count(chainsi_collector_traces(it->collector)), 3);
    assert_int_equal(chainsi_collector_lost(it->collector), 0);
}

static void what_is_no_span_is_lost(void **state)
{
    fixture *it = *state;
    const uint64_t nonsense[4] = { 1, 2, 3, 4 };
    chainsi_ring_write(it->ring, nonsense, sizeof nonsense);
    write_span(it->ring, 1);
    chainsi_collector_collect(it->collector);
    assert_string_equal(it->noted, "1");
    assert_int_equal(chainsi_collector_lost(it->collector), 1);
    chainsi_collector_remove(it->collected);
    it->collected = NULL;
    assert_int_equal(chainsi_collector_lost(it->collector), 1);
}

static void the_next_one_keeps_all_and_hands_on_what_is_new(void **state)
{
    fixture *it = *state;
    write_span(it->ring, 1);
    write_span(it->ring, 2);
    chainsi_collector_collect(it->collector);
    /* It ends as when it is killed: nothing is read any more. */
    chainsi_collector *killed = it->collector;
    chainsi_collected *left = it->collected;
    begin_collector(it);
    write_span(it->ring, 3);
    chainsi_collector_collect(it->collector);
    assert_string_equal(it->noted, "3");
    assert_int_equal(chainsi_traces_count(chainsi_collector_traces(it->collector)), 3);
    assert_int_equal(chainsi_collector_lost(it->collector), 0);
    chainsi_collector_set_taker(killed, NULL, NULL);
    chainsi_collector_remove(left);
    chainsi_collector_free(killed);
}

static void a_ring_that_is_removed_is_read_once_more(void **state)
{
    fixture *it = *state;
    write_span(it->ring, 7);
    chainsi_collector_remove(it->collected);
    it->collected = NULL;
    assert_string_equal(it->noted, "7");
}

/* What is kept of the message of that trace. */
static const char *message_of(const fixture *it, uint64_t trace)
{
    const chainsi_trace_kept *kept =
        chainsi_traces_find(chainsi_collector_traces(it->collector), 0, trace);
    assert_non_null(kept);
    return kept->spans->span.message;
}

static void secrets_are_taken_out_of_messages(void **state)
{
    fixture *it = *state;
    static const char secret[] = "hunter2hunter2";
    char cut[CHAINSI_SPAN_MESSAGE + 1], expected[2 * CHAINSI_SPAN_MESSAGE];
    it->redactor = chainsi_redactor_new();
    chainsi_redactor_add(it->redactor, "token", secret, sizeof secret - 1);
    chainsi_collector_redact(it->collector, it->redactor);
    write_message(it->ring, 1, "no entry with hunter2hunter2, nor with hunter");
    write_message(it->ring, 2, "nothing of that kind");
    write_span(it->ring, 3);
    /* One that ends within the secret. */
    memset(cut, '.', sizeof cut);
    memcpy(cut + CHAINSI_SPAN_MESSAGE - 6, secret, 6);
    cut[CHAINSI_SPAN_MESSAGE] = 0;
    write_message(it->ring, 4, cut);
    chainsi_collector_collect(it->collector);
    assert_string_equal(message_of(it, 1), "no entry with [redacted:token], nor with hunter");
    assert_string_equal(message_of(it, 2), "nothing of that kind");
    assert_string_equal(message_of(it, 3), "");
    snprintf(expected, sizeof expected, "%.*s[redacted]", CHAINSI_SPAN_MESSAGE - 6, cut);
    assert_string_equal(message_of(it, 4), expected);
    assert_string_equal(it->noted, "1234");
}

static void stop_timer(uv_timer_t *timer)
{
    uv_timer_stop(timer);
}

static void count_calls(void *user)
{
    ++*(int *)user;
}

static void calls_are_looked_for_soon_after(void **state)
{
    fixture *it = *state;
    int heard = 0;
    chainsi_collector_set_listener(it->collector, count_calls, &heard);
    write_span(it->ring, 5);
    chainsi_collector_expect(it->collector);
    chainsi_collector_expect(it->collector);
    assert_int_equal(heard, 2);
    uv_timer_t alive; /* the collector's own timer doesn't keep the loop running */
    uv_timer_init(&it->loop, &alive);
    uv_timer_start(&alive, stop_timer, 60 * 1000, 0);
    while (!*it->noted && uv_is_active((uv_handle_t *)&alive))
        uv_run(&it->loop, UV_RUN_ONCE);
    assert_string_equal(it->noted, "5");
    assert_int_equal(heard, 3); /* by what was read */
    uv_close((uv_handle_t *)&alive, NULL);
    uv_run(&it->loop, UV_RUN_NOWAIT); /* which closes it */
}

static void without_one_nothing_is_done(void **state)
{
    (void)state;
    assert_null(chainsi_collector_add(NULL, "books", 0));
    chainsi_collector_expect(NULL);
    chainsi_collector_remove(NULL);
    chainsi_collector_free(NULL);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_is_told_is_kept_and_handed_on_once),
        TEST(what_is_no_span_is_lost),
        TEST(the_next_one_keeps_all_and_hands_on_what_is_new),
        TEST(a_ring_that_is_removed_is_read_once_more),
        TEST(secrets_are_taken_out_of_messages),
        TEST(calls_are_looked_for_soon_after),
        cmocka_unit_test(without_one_nothing_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
