/* What is shown of chains, as a table and as lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/status_table.h"

static chainsi_api_replica replicas[] = { { .restarts = 2 }, { .restarts = 1 } };
static chainsi_api_chainlet chainlets[] = {
    { .name = "hand",
      .state = "ready",
      .ready = 1,
      .wanted = 2,
      .in_flight = 3,
      .waiting = 4,
      .replicas = { replicas, 2 } },
    { .name = "a_name_that_is_much_too_long", .state = "at_zero" },
};
static chainsi_api_clients clients = { .calls_per_s = 12.34, .errors_per_s = 0.001 };
static chainsi_api_chain all[] = {
    { .name = "guide",
      .environment = "production",
      .state = "degraded",
      .version_id = "v0001-63bf35",
      .chainlets = { chainlets, 2 },
      .deployment = { .version_id = "v0002-000000",
                      .state = "failed",
                      .chainlet = "hand",
                      .message = "it said \x1b[2J\nand ended" },
      .clients = &clients },
    { .name = "poem",
      .environment = "staging",
      .state = "starting",
      .deployment = { .version_id = "v0001-aaaaaa",
                      .state = "starting",
                      .chainlets = { chainlets, 2 } } },
};
static const double thirty = 30, five = 5, p50 = 1.5, p99 = 20, none = 0;
static chainsi_api_box boxes[] = {
    { .name = "a_name_that_is_much_too_long", .calls_per_s = &none, .errors_per_s = &none },
    { .name = "hand",
      .calls_per_s = &thirty,
      .errors_per_s = &five,
      .p50_ms = &p50,
      .p99_ms = &p99 },
};
static chainsi_api_graph graphs[] = { { .chainlets = { boxes, 2 } }, { .chain = NULL } };
static const chainsi_status status = { { all, 2 }, graphs };

static void assert_table(const chainsi_status_filter *filter, size_t columns, const char *expected)
{
    chainsi_buffer text = { 0 }, body = { 0 };
    chainsi_status_table_write(&status, filter, columns, false, false, &text, &body);
    chainsi_buffer_add(&text, body.data, body.size);
    chainsi_buffer_add_byte(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&body);
}

static void a_table(void **state)
{
    (void)state;
    assert_table(&(chainsi_status_filter){ 0 }, 79,
                 "CHAIN            STATE     READY   RUN  WAIT  CALLS/S  FAILED      P50      P99\n"
                 "guide/production  degraded  v0001-63bf35           12  <0.1 %        -        -\n"
                 "  v0002-000000 has failed: hand: it said \\x1b[2J\\nand ended\n"
                 "  hand           ready       1/2     3     4       30    17 %  1.50 ms  20.0 ms\n"
                 "  a_name_that_~  at_zero     0/0     0     0        0       -        -        -\n"
                 "poem/staging  starting  -                           -       -        -        -\n"
                 "  v0001-aaaaaa is starting: 1 of 2 ready\n");
    assert_table(&(chainsi_status_filter){ .chain = "guide" }, 39,
                 "CHAIN          STATE     READY  CALLS/S\n"
                 "guide/production  degraded  v~       12\n"
                 "  v0002-000000 has failed: hand: it sa~\n"
                 "  hand         ready       1/2       30\n"
                 "  a_name_tha~  at_zero     0/0        0\n");
    assert_table(
        &(chainsi_status_filter){ .environment = "nowhere" }, 0,
        "CHAIN  STATE     READY   RUN  WAIT  CALLS/S  FAILED      P50      P99  RESTARTS\n");
}

static void lines(void **state)
{
    (void)state;
    chainsi_buffer text = { 0 };
    chainsi_status_lines_write(&status, &(chainsi_status_filter){ 0 }, "12:00", &text);
    chainsi_buffer_add_byte(&text, 0);
    assert_string_equal(
        (const char *)text.data,
        "12:00 guide/production v0001-63bf35 degraded, 12 calls/s, <0.1 % failed; v0002-000000 has "
        "failed: hand: "
        "it said \\x1b[2J\\nand ended\n"
        "12:00 guide/production hand ready, 1 of 2 ready, 3 in flight, 4 waiting, 30 calls/s, 17 % "
        "failed, p50 1.50 ms, p99 20.0 ms\n"
        "12:00 guide/production a_name_that_is_much_too_long at_zero, 0 of 0 ready, 0 in flight, 0 "
        "waiting, 0 calls/s\n"
        "12:00 poem/staging - starting; v0001-aaaaaa is starting: 1 of 2 ready\n");
    chainsi_buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_table), cmocka_unit_test(lines) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
