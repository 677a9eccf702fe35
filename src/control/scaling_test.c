/* The scaling policy, with a clock of its own. */
#include "control/scaling.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

/* A Chainlet under test: what it was asked for is there after cold_start_s. */
typedef struct subject {
    chainsi_scaling scaling;
    chainsi_scaling_options options;
    chainsi_scaling_decision decision;
    int64_t now_ns, step_ns, changes, most;
    uint64_t seed;
} subject;

static subject make_subject(int64_t replicas, int64_t min_replicas, int64_t max_replicas)
{
    subject s = { .now_ns = 7 * SECOND, .step_ns = SECOND, .seed = 1 };
    s.options = chainsi_scaling_options_of(NULL);
    s.options.min_replicas = min_replicas;
    s.options.max_replicas = max_replicas;
    s.decision.replicas = replicas;
    return s;
}

/* Observes and decides once; time goes on by step_ns. */
static int64_t see(subject *s, double in_flight, double waiting)
{
    s->now_ns += s->step_ns;
    chainsi_scaling_observation observation = { .now_ns = s->now_ns,
                                                .in_flight = in_flight,
                                                .waiting = waiting,
                                                .ready = s->decision.replicas };
    s->decision = chainsi_scaling_decide(&s->scaling, &s->options, &observation);
    s->changes += s->decision.replicas != s->decision.before;
    if (s->decision.replicas > s->most)
        s->most = s->decision.replicas;
    return s->decision.replicas;
}

static int64_t see_for(subject *s, double seconds, double in_flight)
{
    for (int64_t end_ns = s->now_ns + (int64_t)(seconds * 1e9); s->now_ns < end_ns;)
        see(s, in_flight, 0);
    return s->decision.replicas;
}

/* From -1 to 1. */
static double draw(subject *s)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return (double)(s->seed >> 11) / (double)(UINT64_C(1) << 52) - 1;
}

static void reads_options_with_their_defaults(void **state)
{
    (void)state;
    chainsi_scaling_options options = chainsi_scaling_options_of(NULL);
    assert_int_equal(options.min_replicas, 0);
    assert_int_equal(options.max_replicas, 1);
    assert_true(options.concurrency_target == 1 && options.target_utilization == 0.7);
    assert_true(options.window_s == 60 && options.scale_down_delay_s == 300 &&
                options.scale_to_zero_delay_s == 900);
    chains_config config = {
        .concurrency = 8,
        .autoscaling = { .min_replicas = 3, .scale_down_delay_s = -1, .scale_to_zero_delay_s = -1 }
    };
    options = chainsi_scaling_options_of(&config);
    assert_int_equal(options.max_replicas, 3);
    assert_true(options.concurrency_target == 8);
    assert_true(options.scale_down_delay_s == 0 && options.scale_to_zero_delay_s == 0);
}

static void a_step_is_followed_within_the_window(void **state)
{
    (void)state;
    subject s = make_subject(10, 0, 100);
    assert_int_equal(see_for(&s, 120, 7), 10);
    assert_int_equal(s.changes, 0);
    /* Half as much again, which the slots can still take: 10.5 calls for 0.7 each. */
    see_for(&s, 30, 10.5);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_STEADY);
    assert_true(s.decision.replicas > 10 && s.decision.replicas < 15);
    see_for(&s, 40, 10.5);
    assert_true(s.decision.replicas >= 14 && s.decision.replicas <= 15);
}

static void less_load_stops_replicas_after_the_delay(void **state)
{
    (void)state;
    subject s = make_subject(20, 0, 100);
    see_for(&s, 400, 14);
    assert_int_equal(s.decision.replicas, 20);
    s.changes = 0;
    /* The last bucket that has seen much load must be out of the delay, and of the window. */
    see_for(&s, 299, 3.5);
    assert_int_equal(s.changes, 0);
    see_for(&s, 80, 3.5);
    assert_in_range(s.decision.replicas, 5, 6);
    /* A peak within the delay puts it off. */
    s = make_subject(20, 0, 100);
    see_for(&s, 200, 3.5);
    see_for(&s, 60, 14);
    see_for(&s, 299, 3.5);
    assert_int_equal(s.decision.replicas, 20);
}

static void without_a_delay_it_stops_them_at_once(void **state)
{
    (void)state;
    subject s = make_subject(20, 0, 100);
    s.options.scale_down_delay_s = 0;
    assert_int_equal(see_for(&s, 5, 3.5), 20); /* too little is known */
    assert_int_equal(see_for(&s, 5, 3.5), 5);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_STEADY);
    assert_int_equal(s.changes, 1);
}

static void a_burst_from_none_is_answered_at_once(void **state)
{
    (void)state;
    subject s = make_subject(0, 0, 100000);
    see_for(&s, 100, 0);
    assert_int_equal(see(&s, 0, 700), 1000);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_WOKEN);
    s = make_subject(0, 0, 100000);
    assert_int_equal(see(&s, 0, 1), 2); /* the very first observation */
    s = make_subject(0, 0, 1);
    assert_int_equal(see(&s, 0, 1), 1);
}

static void a_burst_on_top_is_answered_at_once(void **state)
{
    (void)state;
    for (int64_t step_ms = 100; step_ms <= 1000; step_ms += 450) {
        subject s = make_subject(10, 0, 1000);
        s.step_ns = step_ms * (SECOND / 1000);
        see_for(&s, 120, 5);
        int64_t began_ns = s.now_ns;
        while (s.decision.replicas == 10) {
            see(&s, 10, 95);
            assert_true(s.now_ns - began_ns <= SECOND);
        }
        assert_int_equal(s.decision.reason, CHAINSI_SCALING_BURST);
        assert_in_range(s.decision.replicas, 140, 150);
        /* It is over: for the delay nothing is stopped, and no more are started. */
        s.changes = 0;
        see_for(&s, 299, 5);
        assert_int_equal(s.changes, 0);
        see_for(&s, 60, 5);
        assert_in_range(s.decision.replicas, 8, 9);
    }
}

/* 100 calls a second that take a second each, and nothing is ready for half a minute: how many wait
 * says nothing of how many replicas they need. */
static void a_cold_start_is_not_taken_for_load(void **state)
{
    (void)state;
    subject s = make_subject(0, 0, 100000);
    double waiting = 0;
    int64_t ready_ns = s.now_ns + 31 * SECOND;
    for (int i = 0; i < 600; i++) {
        bool ready = s.now_ns >= ready_ns;
        double slots = ready ? (double)s.decision.replicas : 0;
        double in_flight = fmin(slots, waiting + 100);
        waiting += 100 - in_flight;
        s.now_ns += SECOND;
        chainsi_scaling_observation observation = {
            .now_ns = s.now_ns,
            .in_flight = in_flight,
            .waiting = waiting,
            .ready = (int64_t)slots,
            .starting = ready ? 0 : s.decision.replicas,
        };
        s.decision = chainsi_scaling_decide(&s.scaling, &s.options, &observation);
        if (i == 0)
            assert_int_equal(s.decision.replicas, 143);
        assert_int_equal(s.decision.replicas, 143);
    }
    assert_true(waiting < 1);
}

/* Calls that take ten seconds each: what was asked for doesn't suffice, and more is asked for, though
 * none of it in vain. */
static void a_backlog_that_grows_doubles(void **state)
{
    (void)state;
    subject s = make_subject(0, 0, 100000);
    double waiting = 0, in_flight = 0;
    for (int i = 0; i < 120; i++) {
        waiting += 100 + in_flight * 0.9; /* a tenth of them has ended */
        in_flight = fmin((double)s.decision.replicas, waiting);
        waiting -= in_flight;
        see(&s, in_flight, waiting);
    }
    assert_in_range(s.decision.replicas, 1000, 2300);
    assert_true(waiting < 1);
}

/* Where the queue is full, calls can't be seen to grow: that they aren't getting fewer is enough. */
static void a_full_queue_doubles(void **state)
{
    (void)state;
    subject s = make_subject(10, 0, 1000);
    see_for(&s, 120, 7);
    for (double waiting = 0; waiting < 12; waiting++) /* never many at once */
        see(&s, 10, waiting);
    for (int i = 0; i < 20; i++)
        see(&s, 10, 12);
    assert_in_range(s.decision.replicas, 20, 24);
    assert_true(s.changes <= 3);
}

static void to_none_only_after_the_last_call(void **state)
{
    (void)state;
    subject s = make_subject(1, 0, 10);
    see_for(&s, 100, 0.5);
    see_for(&s, 899, 0);
    assert_int_equal(s.decision.replicas, 1);
    /* One that came and ended between two observations counts. */
    s.now_ns += SECOND / 2;
    chainsi_scaling_observation observation = { .now_ns = s.now_ns, .ready = 1, .called = true };
    chainsi_scaling_decide(&s.scaling, &s.options, &observation);
    see_for(&s, 899, 0);
    assert_int_equal(s.decision.replicas, 1);
    assert_int_equal(see(&s, 0, 0), 0);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_IDLE);
    /* Nothing brings it back but a call. */
    assert_int_equal(see_for(&s, 1000, 0), 0);
    assert_int_equal(see(&s, 0, 1), 2);
    /* Never called: from the beginning. */
    s = make_subject(1, 0, 10);
    see(&s, 0, 0);
    assert_int_equal(see_for(&s, 899, 0), 1);
    assert_int_equal(see(&s, 0, 0), 0);
    /* A delay below the window: what was measured doesn't wake it. */
    s = make_subject(2, 0, 10);
    s.options.scale_to_zero_delay_s = 5;
    see_for(&s, 100, 1.4);
    assert_int_equal(see_for(&s, 5, 0), 0);
    assert_int_equal(see_for(&s, 500, 0), 0);
    /* With a least number it never does. */
    s = make_subject(3, 1, 10);
    see_for(&s, 100, 2);
    assert_int_equal(see_for(&s, 5000, 0), 1);
}

/* Whatever the level and the noise, after the first window nothing changes. */
static void noise_changes_nothing(void **state)
{
    (void)state;
    static const double levels[] = { 0.35, 0.63, 0.7,  0.7001, 0.77, 1.4,  2.1,   3,
                                     6.93, 7,    7.07, 7.7,    69.3, 70,   70.7,  77,
                                     693,  700,  707,  1234.5, 6999, 7000, 69000, 69930 };
    static const double windows_s[] = { 10, 60, 300 };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        for (uint64_t seed = 1; seed <= 60; seed++) {
            /* From none, from too few, and from what it needs. */
            double need = levels[i] / 0.7;
            const int64_t at_first[] = { 0, 1, (int64_t)ceil(need) };
            subject s = make_subject(at_first[seed / 3 % 3], 0, CHAINSI_SCALING_MOST);
            s.seed = seed * UINT64_C(0x9e3779b97f4a7c15);
            s.options.window_s = windows_s[seed % 3];
            s.step_ns = (int64_t)(s.options.window_s / 60 * 1e9);
            if (seed % 4 == 3)
                s.options.scale_down_delay_s = 0;
            int windows = seed % 20 ? 20 : 200;
            for (int step = 0; step <= 60 * windows; step++) {
                /* Of any shape within 10 %: even, or at either end. */
                double noise = draw(&s);
                if (seed % 5 == 4)
                    noise = noise < 0 ? -1 : 1;
                see(&s, levels[i] * (1 + 0.1 * noise), 0);
                if (step <= 61)
                    s.changes = 0;
            }
            if (s.changes)
                fail_msg("%g calls, seed %d: %d changes, to %d", levels[i], (int)seed,
                         (int)s.changes, (int)s.decision.replicas);
            /* And it is about what the load needs. */
            assert_true((double)s.decision.replicas >= need / 1.1 - 1e-6);
            assert_true((double)s.decision.replicas <= need * 1.2 + 1);
        }
    }
}

static void bounds_hold_at_once(void **state)
{
    (void)state;
    subject s = make_subject(5, 5, 5); /* min = max */
    assert_int_equal(see_for(&s, 100, 100), 5);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_AT_MOST);
    assert_int_equal(see(&s, 5, 1e6), 5);
    assert_int_equal(see_for(&s, 2000, 0), 5);
    s.options.min_replicas = 7, s.options.max_replicas = 9;
    assert_int_equal(see(&s, 0, 0), 7);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_BOUNDS);
    s.options.min_replicas = 0, s.options.max_replicas = 2;
    assert_int_equal(see(&s, 1, 0), 2);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_BOUNDS);
    s.options.max_replicas = 1000;
    assert_int_equal(see(&s, 2, 700), 1000);
    s.options.max_replicas = 500;
    assert_int_equal(see(&s, 500, 20000), 500);
    assert_int_equal(s.decision.reason, CHAINSI_SCALING_BOUNDS);
    /* What is there when the measuring begins is brought into them. */
    s = make_subject(50, 1, 4);
    assert_int_equal(see(&s, 30, 0), 4);
    s = make_subject(0, 2, 4);
    assert_int_equal(see(&s, 0, 0), 2);
}

static void up_to_a_hundred_thousand(void **state)
{
    (void)state;
    subject s = make_subject(1, 1, INT64_MAX);
    assert_int_equal(see_for(&s, 61, 70000), CHAINSI_SCALING_MOST);
    assert_int_equal(see(&s, 100000, 1e9), CHAINSI_SCALING_MOST);
    assert_in_range(see_for(&s, 1000, 35000), 50000, 55000);
}

static void what_cannot_be_is_survived(void **state)
{
    (void)state;
    subject s = make_subject(-5, -3, 8);
    const double odd[] = { NAN, -NAN, INFINITY, -INFINITY, -1, 0, 1e300, -1e300, 5e-324 };
    enum { ODD = sizeof odd / sizeof *odd };
    for (int i = 0; i < 20000; i++) {
        s.options.window_s = i % 3 ? 60 : odd[i / 3 % ODD];
        s.options.scale_down_delay_s = i % 4 ? 5 : odd[i / 4 % ODD];
        s.options.scale_to_zero_delay_s = i % 5 ? 5 : odd[i / 5 % ODD];
        s.options.concurrency_target = i % 7 ? 1 : odd[i / 7 % ODD];
        s.options.target_utilization = i % 11 ? 0.7 : odd[i / 11 % ODD];
        chainsi_scaling_observation observation = {
            .now_ns = i % 13 ? (int64_t)i * SECOND : (i % 2 ? INT64_MAX : INT64_MIN),
            .in_flight = i % 2 ? 3 : odd[i / 2 % ODD],
            .waiting = odd[i % ODD],
            .ready = i % 17 ? s.decision.replicas : INT64_MIN,
            .starting = i % 19 ? 0 : INT64_MAX,
        };
        s.decision = chainsi_scaling_decide(&s.scaling, &s.options, &observation);
        assert_in_range(s.decision.replicas, 0, 8);
        assert_in_range(s.decision.wanted, 0, CHAINSI_SCALING_MOST);
        assert_true(s.decision.calls >= 0 && isfinite(s.decision.calls));
        char text[256];
        chainsi_scaling_text(&s.decision, text, sizeof text);
        assert_null(strstr(text, "nan"));
    }
}

static void a_gap_counts_for_little(void **state)
{
    (void)state;
    subject s = make_subject(10, 0, 100);
    see_for(&s, 120, 7);
    /* The process was stopped for an hour: one observation doesn't stand for all of it. */
    s.now_ns += 3600 * SECOND;
    assert_int_equal(see(&s, 7.5, 0), 10);
    assert_int_equal(see_for(&s, 120, 7), 10);
    /* A clock that goes back stands still. */
    s.now_ns -= 1000 * SECOND;
    assert_int_equal(see_for(&s, 900, 10), 10);
}

static void other_options_keep_what_was_measured(void **state)
{
    (void)state;
    static const double windows_s[] = { 1, 10, 300, 86400 };
    for (size_t i = 0; i < sizeof windows_s / sizeof *windows_s; i++) {
        subject s = make_subject(10, 0, 100);
        see_for(&s, 600, 7);
        s.options.window_s = windows_s[i];
        assert_int_equal(see(&s, 7, 0), 10);
        assert_true(fabs(s.decision.calls - 7) < 1e-6);
    }
    /* A need that is still within the longer delay counts; it is out of the shorter one. */
    subject s = make_subject(10, 0, 100);
    see_for(&s, 600, 7);
    see_for(&s, 200, 0.7);
    assert_int_equal(s.decision.replicas, 10);
    s.options.scale_down_delay_s = 1000;
    assert_int_equal(see_for(&s, 500, 0.7), 10);
    s.options.scale_down_delay_s = 300;
    assert_int_equal(see_for(&s, 10, 0.7), 1);
    /* Another target is another need at once. */
    s = make_subject(10, 0, 100);
    see_for(&s, 600, 7);
    s.options.concurrency_target = 0.5;
    assert_int_equal(see(&s, 7, 0), 20);
}

static void says_why(void **state)
{
    (void)state;
    char text[256], short_text[8];
    subject s = make_subject(3, 0, 10);
    s.options.concurrency_target = 4;
    for (int i = 0; i <= 60 && s.decision.reason != CHAINSI_SCALING_LOAD; i++)
        see(&s, 12, 0);
    chainsi_scaling_text(&s.decision, text, sizeof text);
    assert_string_equal(
        text, "12 calls in flight over the last 6 s, at 0.7 of 4 a replica: 5 replicas, up from 3");
    see(&s, 12, 0);
    chainsi_scaling_text(&s.decision, text, sizeof text);
    assert_string_equal(text,
                        "12 calls in flight over the last 7 s, at 0.7 of 4 a replica: 5 replicas");
    see(&s, 20, 200);
    chainsi_scaling_text(&s.decision, text, sizeof text);
    assert_string_equal(text, "a burst: 220 calls in flight and waiting, at 0.7 of 4 a replica: 10 "
                              "replicas, up from 5 (75 wanted, max_replicas is 10)");
    s.options.max_replicas = 4;
    see(&s, 0, 0);
    chainsi_scaling_text(&s.decision, text, sizeof text);
    assert_string_equal(text, "max_replicas is 4: 4 replicas, down from 10");
    see_for(&s, 420, 0);
    chainsi_scaling_text(&s.decision, text, sizeof text);
    assert_non_null(strstr(text, ": 1 replica"));
    see_for(&s, 500, 0);
    assert_int_equal(s.decision.replicas, 0);
    s.decision =
        (chainsi_scaling_decision){ .reason = CHAINSI_SCALING_IDLE, .over_s = 900, .before = 1 };
    chainsi_scaling_text(&s.decision, text, sizeof text);
    assert_string_equal(text, "no call for 900 s: 0 replicas, down from 1");
    chainsi_scaling_text(&s.decision, short_text, sizeof short_text);
    assert_string_equal(short_text, "no call");
    for (int i = CHAINSI_SCALING_STEADY; i <= CHAINSI_SCALING_BOUNDS; i++)
        for (int k = CHAINSI_SCALING_STEADY; k < i; k++)
            assert_string_not_equal(chainsi_scaling_reason_name((chainsi_scaling_reason)i),
                                    chainsi_scaling_reason_name((chainsi_scaling_reason)k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_options_with_their_defaults),
        cmocka_unit_test(a_step_is_followed_within_the_window),
        cmocka_unit_test(less_load_stops_replicas_after_the_delay),
        cmocka_unit_test(without_a_delay_it_stops_them_at_once),
        cmocka_unit_test(a_burst_from_none_is_answered_at_once),
        cmocka_unit_test(a_burst_on_top_is_answered_at_once),
        cmocka_unit_test(a_cold_start_is_not_taken_for_load),
        cmocka_unit_test(a_backlog_that_grows_doubles),
        cmocka_unit_test(a_full_queue_doubles),
        cmocka_unit_test(to_none_only_after_the_last_call),
        cmocka_unit_test(noise_changes_nothing),
        cmocka_unit_test(bounds_hold_at_once),
        cmocka_unit_test(up_to_a_hundred_thousand),
        cmocka_unit_test(what_cannot_be_is_survived),
        cmocka_unit_test(a_gap_counts_for_little),
        cmocka_unit_test(other_options_keep_what_was_measured),
        cmocka_unit_test(says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
