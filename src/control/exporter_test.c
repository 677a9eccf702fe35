/* The exporter against a server that answers as a case wants it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/courier_test_support.h"
#include "control/exchange.h"
#include "control/exporter.h"
#include "control/front.h"
#include "control/handle.h"
#include "rpc/address.h"

enum { SILENT = -1, PATIENCE_MS = 60 * 1000 };

/* A server on the loop that the exporter is on. */
typedef struct server {
    uv_loop_t loop;
    uv_timer_t *patience; /* a test that hangs ends */
    chainsi_front *front;
    chainsi_courier *courier;
    int fd;
    char url[128];
    const int *statuses; /* of the answers in turn; SILENT: none comes; the last one goes on */
    const char *headers; /* of every answer */
    size_t requests, spans;
    char last[65536]; /* body */
    char key[64];     /* the header api-key */
    size_t until;     /* requests after which the loop stops */
} server;

static server it;

static size_t max_body(void *user, const chainsi_http_request *request)
{
    (void)user;
    (void)request;
    return sizeof it.last - 1;
}

static size_t count_spans(const char *body)
{
    size_t count = 0;
    for (const char *at = body; (at = strstr(at, "\"spanId\"")); at++)
        count++;
    return count;
}

static void on_request(void *user, chainsi_exchange *exchange)
{
    (void)user;
    const chainsi_slice *key = chainsi_http_find(&exchange->request.head, "api-key");
    assert_true(chainsi_slice_is(exchange->request.path, "/v1/traces"));
    assert_int_equal(exchange->request.method, CHAINSI_HTTP_POST);
    snprintf(it.key, sizeof it.key, "%.*s", key ? (int)key->size : 0, key ? key->data : "");
    snprintf(it.last, sizeof it.last, "%s", exchange->body);
    const int status = *it.statuses;
    if (it.statuses[1])
        it.statuses++;
    if (status / 100 == 2)
        it.spans += count_spans(exchange->body);
    if (++it.requests == it.until)
        uv_stop(&it.loop);
    if (status == SILENT)
        return;
    chainsi_buffer lines = { 0 };
    chainsi_buffer_add_text(&lines, it.headers);
    chainsi_exchange_answer(exchange, status, "application/json", &lines, "{}", 2);
    chainsi_buffer_done(&lines);
}

static void on_finished(void *user)
{
    (void)user;
}

static void on_impatient(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing came for a minute, after %zu requests", it.requests);
}

static void begin(const int *statuses)
{
    char why[256];
    chainsi_address address;
    it = (server){ .statuses = statuses, .headers = "" };
    uv_loop_init(&it.loop);
    it.patience = chainsi_timer_new(&it.loop, &it);
    uv_timer_start(it.patience, on_impatient, PATIENCE_MS, 0);
    uv_unref((uv_handle_t *)it.patience);
    assert_true(chainsi_address_parse("http://127.0.0.1:0", &address, why, sizeof why));
    it.fd = chainsi_address_listen(&address, 16, why, sizeof why);
    chainsi_address_done(&address);
    assert_true(it.fd >= 0);
    char base[100];
    assert_true(chainsi_address_of(it.fd, base, sizeof base));
    snprintf(it.url, sizeof it.url, "%s/v1/traces", base);
    it.front = chainsi_front_new(&it.loop, &(chainsi_front_options){ .max_body = max_body,
                                                                     .on_request = on_request,
                                                                     .on_finished = on_finished });
    assert_int_equal(chainsi_front_open(it.front, it.fd), 0);
    it.courier = new_courier(&it.loop);
}

static chainsi_otlp_settings settings(void)
{
    static const chainsi_otlp_pair key = { "api-key", "secret" };
    return (chainsi_otlp_settings){
        .url = it.url,
        .headers = { (chainsi_otlp_pair *)&key, 1 },
        .service_name = "door",
        .timeout_ms = 10000,
    };
}

static const chainsi_export_policy quick = {
    .most_queued = 50,
    .batch = 10,
    .delay_ms = 1,
    .first_pause_ms = 1,
    .longest_pause_ms = 2,
    .attempts = 3,
    .finish_ms = 200,
};

/* An exporter to a server that answers so. */
static chainsi_exporter *begin_exporting(const int *statuses)
{
    begin(statuses);
    const chainsi_otlp_settings given = settings();
    return chainsi_exporter_new(&it.loop, it.courier, &given, &quick);
}

static void take(chainsi_exporter *exporter, int count)
{
    for (int i = 0; i < count; i++) {
        const chainsi_span span = {
            .trace_low = 1,
            .id = (uint64_t)i + 1,
            .ended_ns = 1,
            .kind = CHAINSI_SPAN_SERVED,
            .chainlet = "reader",
            .callee = "",
            .request_id = "",
            .raised_by = "",
            .file = "",
            .message = "",
        };
        chainsi_exporter_take(exporter, "books", &span, 0);
    }
}

static void run_until(size_t requests)
{
    it.until = requests;
    if (it.requests < requests)
        uv_run(&it.loop, UV_RUN_DEFAULT);
    assert_true(it.requests >= requests);
}

/* Until the exporter has heard what became of what was sent. */
static void run_until_counted(const chainsi_exporter *exporter, uint64_t count)
{
    while (chainsi_exporter_sent(exporter) + chainsi_exporter_dropped(exporter) < count)
        uv_run(&it.loop, UV_RUN_ONCE);
}

static void end(chainsi_exporter *exporter)
{
    chainsi_exporter_free(exporter);
    chainsi_courier_free(it.courier);
    chainsi_front_stop(it.front);
    chainsi_front_finish(it.front);
    close(it.fd);
    chainsi_handle_close(it.patience);
    uv_run(&it.loop, UV_RUN_DEFAULT);
    chainsi_front_free(it.front);
    uv_run(&it.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&it.loop), 0);
}

static void everything_is_sent_in_batches(void **state)
{
    (void)state;
    static const int statuses[] = { 200, 0 };
    chainsi_exporter *exporter = begin_exporting(statuses);
    take(exporter, 25);
    run_until_counted(exporter, 25);
    assert_int_equal(it.requests, 3);
    assert_int_equal(it.spans, 25);
    assert_int_equal(chainsi_exporter_sent(exporter), 25);
    assert_string_equal(it.key, "secret");
    take(exporter, 1);
    run_until_counted(exporter, 26);
    assert_int_equal(it.requests, 4);
    assert_int_equal(chainsi_exporter_dropped(exporter), 0);
    end(exporter);
}

static void what_may_get_better_is_sent_again(void **state)
{
    (void)state;
    static const int statuses[] = { 503, 429, 200, 0 };
    chainsi_exporter *exporter = begin_exporting(statuses);
    take(exporter, 5);
    run_until_counted(exporter, 5);
    assert_int_equal(it.requests, 3);
    assert_int_equal(it.spans, 5);
    assert_int_equal(chainsi_exporter_sent(exporter), 5);
    end(exporter);
}

static void it_is_given_up_in_the_end(void **state)
{
    (void)state;
    static const int statuses[] = { 503, 503, 503, 200, 0 };
    chainsi_exporter *exporter = begin_exporting(statuses);
    take(exporter, 12); /* a batch, and two of the next */
    run_until_counted(exporter, 12);
    assert_int_equal(it.requests, 4);
    assert_int_equal(chainsi_exporter_dropped(exporter), 10);
    assert_int_equal(chainsi_exporter_sent(exporter), 2);
    end(exporter);
}

static void what_will_not_get_better_is_dropped_at_once(void **state)
{
    (void)state;
    static const int statuses[] = { 400, 200, 0 };
    chainsi_exporter *exporter = begin_exporting(statuses);
    take(exporter, 11);
    run_until_counted(exporter, 11);
    assert_int_equal(it.requests, 2);
    assert_int_equal(chainsi_exporter_dropped(exporter), 10);
    assert_int_equal(it.spans, 1);
    end(exporter);
}

static void a_full_queue_drops_what_comes_and_counts_it(void **state)
{
    (void)state;
    static const int statuses[] = { 200, 0 };
    chainsi_exporter *exporter = begin_exporting(statuses);
    take(exporter, 57);
    assert_int_equal(chainsi_exporter_dropped(exporter), 7);
    run_until_counted(exporter, 57);
    assert_int_equal(it.spans, 50);
    end(exporter);
}

static void a_server_that_is_silent_is_left_in_time(void **state)
{
    (void)state;
    static const int statuses[] = { SILENT, 200, 0 };
    begin(statuses);
    chainsi_otlp_settings given = settings();
    given.timeout_ms = 20;
    chainsi_exporter *exporter = chainsi_exporter_new(&it.loop, it.courier, &given, &quick);
    take(exporter, 1);
    run_until_counted(exporter, 1);
    assert_int_equal(it.requests, 2);
    assert_int_equal(it.spans, 1);
    end(exporter);
}

static void nobody_there_is_no_trouble(void **state)
{
    (void)state;
    static const int statuses[] = { 200, 0 };
    begin(statuses);
    chainsi_otlp_settings given = settings();
    given.url = "http://127.0.0.1:1/v1/traces";
    chainsi_exporter *exporter = chainsi_exporter_new(&it.loop, it.courier, &given, &quick);
    take(exporter, 3);
    run_until_counted(exporter, 3);
    assert_int_equal(chainsi_exporter_dropped(exporter), 3);
    end(exporter);
}

static void what_is_left_is_sent_at_the_end(void **state)
{
    (void)state;
    static const int statuses[] = { 200, 0 };
    static const chainsi_export_policy slow = {
        .most_queued = 50, .batch = 10, .delay_ms = 1000 * 1000, .attempts = 3, .finish_ms = 10000
    };
    begin(statuses);
    chainsi_otlp_settings given = settings();
    chainsi_exporter *exporter = chainsi_exporter_new(&it.loop, it.courier, &given, &slow);
    take(exporter, 5);
    chainsi_exporter_finish(exporter);
    run_until_counted(exporter, 5);
    assert_int_equal(it.spans, 5);
    end(exporter);
}

static void the_end_does_not_wait_for_a_silent_server(void **state)
{
    (void)state;
    static const int statuses[] = { SILENT, 0 };
    chainsi_exporter *exporter = begin_exporting(statuses);
    take(exporter, 5);
    chainsi_exporter_finish(exporter);
    run_until(1);
    run_until_counted(exporter, 5);
    assert_int_equal(chainsi_exporter_dropped(exporter), 5);
    end(exporter);
}

static void it_can_be_freed_at_any_time(void **state)
{
    (void)state;
    static const int statuses[] = { SILENT, 0 };
    chainsi_exporter *exporter = begin_exporting(statuses);
    take(exporter, 5);
    run_until(1); /* it is being sent */
    end(exporter);
    chainsi_exporter_free(NULL);
    chainsi_exporter_finish(NULL);
}

static void pauses_double_up_to_the_longest(void **state)
{
    (void)state;
    const chainsi_export_policy *policy = &chainsi_export_usual;
    for (int failures = 1; failures < 20; failures++) {
        int64_t most = failures < 7 ? (int64_t)1000 << (failures - 1) : 60000;
        for (uint64_t random = 0; random < 100000; random += 777) {
            int64_t pause_ms = chainsi_export_pause_ms(policy, failures, random);
            assert_true(pause_ms >= most / 2 && pause_ms <= most);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_sent_in_batches),
        cmocka_unit_test(what_may_get_better_is_sent_again),
        cmocka_unit_test(it_is_given_up_in_the_end),
        cmocka_unit_test(what_will_not_get_better_is_dropped_at_once),
        cmocka_unit_test(a_full_queue_drops_what_comes_and_counts_it),
        cmocka_unit_test(a_server_that_is_silent_is_left_in_time),
        cmocka_unit_test(nobody_there_is_no_trouble),
        cmocka_unit_test(what_is_left_is_sent_at_the_end),
        cmocka_unit_test(the_end_does_not_wait_for_a_silent_server),
        cmocka_unit_test(it_can_be_freed_at_any_time),
        cmocka_unit_test(pauses_double_up_to_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
