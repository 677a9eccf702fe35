/* What runs, as a picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/graph_pictures.h"

static const double none = 0, some = 2.5, many = 30, p50 = 1.5, p99 = 20;
static chainsi_api_box boxes[] = {
    { .name = "loud",
      .entrypoint = true,
      .state = "ready",
      .ready = 1,
      .wanted = 2,
      .in_flight = 3,
      .waiting = 4,
      .calls_per_s = &many,
      .errors_per_s = &some,
      .p50_ms = &p50,
      .p99_ms = &p99 },
    { .name = "quiet", .state = "at_zero", .calls_per_s = &none, .errors_per_s = &none },
    { .name = "still", .colocated_in = "loud", .state = "ready" },
    { .name = "abroad", .external = true, .state = "external" },
};
static chainsi_api_arrow arrows[] = {
    { .caller = "loud",
      .callee = "quiet",
      .calls_per_s = &some,
      .errors_per_s = &none,
      .retries_per_s = &some },
    { .caller = "loud", .callee = "still", .colocated = true },
    { .caller = "loud", .callee = "abroad", .calls_per_s = &none, .errors_per_s = &none },
    { .caller = "loud", .callee = "nobody", .calls_per_s = &many, .errors_per_s = &none },
};
static const chainsi_api_graph graph = {
    .chain = "noise",
    .environment = "production",
    .window_s = 10,
    .chainlets = { boxes, 4 },
    .edges = { arrows, 4 },
};

static void what_runs(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_picture picture;
    chainsi_buffer out = { 0 };
    chainsi_graph_of_chain(&graph, &arena, &picture);
    assert_string_equal(picture.title, "noise in production, no version, calls of the last 10 s");
    assert_int_equal(picture.root, 0);
    chainsi_picture_tree(&picture, &(chainsi_picture_style){ 0 }, &out);
    chainsi_buffer_add_byte(&out, 0);
    assert_string_equal(
        (const char *)out.data,
        "loud (entrypoint)\n"
        "|  ready, 1 of 2, 3 in flight, 4 waiting, 30 calls/s, 8.3 % failed, p50 1.50 ms, p99 20.0 "
        "ms\n"
        "|- quiet, 2.5 calls/s, 2.5 retries/s\n"
        "|     at_zero, 0 of 0, 0 in flight, 0 waiting, 0 calls/s\n"
        "|- still, in one process\n"
        "|     inside loud\n"
        "`- abroad, 0 calls/s\n"
        "      external\n");
    assert_true(picture.boxes[3].outside);
    chainsi_buffer_done(&out);
    chainsi_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_runs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
