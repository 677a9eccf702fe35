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
static chainsi_api_chain all[] = {
    { .name = "guide",
      .environment = "production",
      .state = "degraded",
      .version_id = "v0001-63bf35",
      .chainlets = { chainlets, 2 },
      .deployment = { .version_id = "v0002-000000",
                      .state = "failed",
                      .chainlet = "hand",
                      .message = "it said \x1b[2J\nand ended" } },
    { .name = "poem",
      .environment = "staging",
      .state = "starting",
      .deployment = { .version_id = "v0001-aaaaaa",
                      .state = "starting",
                      .chainlets = { chainlets, 2 } } },
};
static const chainsi_api_chains chains = { all, 2 };
static const char look[] = "chains_calls_total{chain=\"guide\",environment=\"production\",chainlet="
                           "\"hand\",status=\"OK\"} 25\n"
                           "chains_calls_total{chain=\"guide\",environment=\"production\",chainlet="
                           "\"hand\",status=\"INTERNAL\"} 5\n";

static void make_live(chainsi_live_look *old, chainsi_live_look *now, chainsi_live *live)
{
    chainsi_live_look_take(old, look, 0, 1000000000);
    chainsi_live_look_take(now, look, sizeof look - 1, 2000000000);
    chainsi_live_between(live, old, now);
}

static void assert_table(const chainsi_status_filter *filter, size_t columns, const char *expected)
{
    chainsi_live_look old, now;
    chainsi_live live;
    chainsi_buffer text = { 0 }, body = { 0 };
    make_live(&old, &now, &live);
    chainsi_status_table_write(&chains, filter, &live, columns, false, false, &text, &body);
    chainsi_buffer_add(&text, body.data, body.size);
    chainsi_buffer_add_byte(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&body);
    chainsi_live_done(&live);
    chainsi_live_look_done(&old);
    chainsi_live_look_done(&now);
}

static void a_table(void **state)
{
    (void)state;
    assert_table(&(chainsi_status_filter){ 0 }, 79,
                 "CHAIN            STATE     READY   RUN  WAIT  CALLS/S  FAILED      P50      P99\n"
                 "guide/production  degraded  v0001-63bf35            0       -        -        -\n"
                 "  v0002-000000 has failed: hand: it said \\x1b[2J\\nand ended\n"
                 "  hand           ready       1/2     3     4       30    17 %        -        -\n"
                 "  a_name_that_~  at_zero     0/0     0     0        0       -        -        -\n"
                 "poem/staging  starting  -                           0       -        -        -\n"
                 "  v0001-aaaaaa is starting: 1 of 2 ready\n");
    assert_table(&(chainsi_status_filter){ .chain = "guide" }, 39,
                 "CHAIN          STATE     READY  CALLS/S\n"
                 "guide/production  degraded  v~        0\n"
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
    chainsi_live_look old, now;
    chainsi_live live;
    chainsi_buffer text = { 0 };
    make_live(&old, &now, &live);
    chainsi_status_lines_write(&chains, &(chainsi_status_filter){ 0 }, &live, "12:00", &text);
    chainsi_buffer_add_byte(&text, 0);
    assert_string_equal(
        (const char *)text.data,
        "12:00 guide/production v0001-63bf35 degraded, 0 calls/s; v0002-000000 has failed: hand: "
        "it said \\x1b[2J\\nand ended\n"
        "12:00 guide/production hand ready, 1 of 2 ready, 3 in flight, 4 waiting, 30 calls/s, 17 % "
        "failed\n"
        "12:00 guide/production a_name_that_is_much_too_long at_zero, 0 of 0 ready, 0 in flight, 0 "
        "waiting, 0 calls/s\n"
        "12:00 poem/staging - starting, 0 calls/s; v0001-aaaaaa is starting: 1 of 2 ready\n");
    chainsi_buffer_done(&text);
    chainsi_live_done(&live);
    chainsi_live_look_done(&old);
    chainsi_live_look_done(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_table), cmocka_unit_test(lines) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
