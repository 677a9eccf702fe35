#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/edge.h"
#include "runtime/metrics.h"

static void expect(const chainsi_buffer *out, const char *line)
{
    if (!strstr((const char *)out->data, line))
        fail_msg("no %s in\n%s", line, out->data);
}

static void an_edge_is_told_while_it_is_there(void **state)
{
    (void)state;
    chainsi_edge first, second;
    chainsi_edge_init(&first, "caller", "worker", NULL);
    chainsi_edge_init(&second, "caller", "other", NULL);
    chainsi_edge_end(&first, CHAINS_OK, 0);
    chainsi_edge_end(&first, CHAINS_OK, chainsi_now_ns() - INT64_C(3000000)); /* 3 ms ago */
    chainsi_edge_end(&first, CHAINS_UNAVAILABLE, 0);
    chainsi_edge_end(&first, (chains_status)99, 0);
    chainsi_edge_retry(&first);
    chainsi_edge_retry(&first);
    chainsi_buffer out = { 0 };
    chainsi_edges_write(&out);
    chainsi_buffer_add_byte(&out, 0);
    expect(&out, "\nchains_dependency_calls_total{chainlet=\"caller\",callee=\"worker\","
                 "status=\"OK\"} 2\n");
    expect(&out, "callee=\"worker\",status=\"UNAVAILABLE\"} 1\n");
    expect(&out, "callee=\"worker\",status=\"UNKNOWN\"} 1\n");
    expect(&out, "callee=\"other\",status=\"OK\"} 0\n");
    expect(&out, "\nchains_dependency_retries_total{chainlet=\"caller\",callee=\"worker\"} 2\n");
    expect(&out, "\nchains_dependency_seconds_bucket{chainlet=\"caller\",callee=\"worker\","
                 "le=\"0.001\"} 0\n");
    expect(&out, "\nchains_dependency_seconds_count{chainlet=\"caller\",callee=\"worker\"} 1\n");
    assert_null(strstr((const char *)out.data, "NOT_FOUND"));
    /* A family's lines stand together: its head comes once. */
    const char *head = "# TYPE chains_dependency_seconds histogram\n";
    const char *found = strstr((const char *)out.data, head);
    assert_non_null(found);
    assert_null(strstr(found + 1, head));
    chainsi_edge_done(&first);
    out.size = 0;
    chainsi_edges_write(&out);
    chainsi_buffer_add_byte(&out, 0);
    assert_null(strstr((const char *)out.data, "worker"));
    expect(&out, "callee=\"other\"");
    chainsi_edge_done(&second);
    out.size = 0;
    chainsi_edges_write(&out);
    assert_int_equal(out.size, 0);
    chainsi_buffer_done(&out);
}

static void one_call_in_so_many_is_timed(void **state)
{
    (void)state;
    enum { TIMED = 1000 };
    int timed = 0;
    for (int i = 0; i < TIMED * CHAINSI_METRICS_SAMPLE; i++)
        timed += chainsi_edge_begin() != 0;
    assert_in_range(timed, TIMED * 9 / 10, TIMED * 11 / 10);
}

/* Whatever comes round in turns: each of its steps. */
static void every_step_of_a_turn_is_timed(void **state)
{
    (void)state;
    enum { MOST_STEPS = 32, TURNS = 4000 };
    for (int steps = 1; steps <= MOST_STEPS; steps++) {
        int timed[MOST_STEPS] = { 0 };
        for (int i = 0; i < steps * TURNS; i++)
            timed[i % steps] += chainsi_edge_begin() != 0;
        for (int i = 0; i < steps; i++)
            assert_in_range(timed[i], TURNS / CHAINSI_METRICS_SAMPLE / 2,
                            TURNS / CHAINSI_METRICS_SAMPLE * 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edge_is_told_while_it_is_there),
        cmocka_unit_test(one_call_in_so_many_is_timed),
        cmocka_unit_test(every_step_of_a_turn_is_timed),
    };
    return cmocka_run_group_tests_name("edge", tests, NULL, NULL);
}
