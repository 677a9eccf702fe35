/* The simulator against what is known by formulas, that it is deterministic, and that the policy does
 * in it what it promises. */
#include "control/simulation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static chainsi_load *load_of(const char *text)
{
    char why[256];
    chainsi_load *load = chainsi_load_read(text, why, sizeof why);
    if (!load)
        fail_msg("%s", why);
    return load;
}

static chainsi_simulation_options options_of(chainsi_load *load, double duration_s)
{
    chainsi_simulation_options options = {
        .scaling = chainsi_scaling_options_of(NULL),
        .load = load,
        .duration_s = duration_s,
        .service_s = 1,
        .concurrency = 1,
        .decide_s = 1,
        .seed = 1,
    };
    options.scaling.max_replicas = CHAINSI_SCALING_MOST;
    return options;
}

static void fix(chainsi_simulation_options *options, int64_t replicas)
{
    options->replicas = replicas;
    options->scaling.min_replicas = options->scaling.max_replicas = replicas;
}

/* The mean wait of M/M/c, by Erlang's formula. */
static double erlang_wait(double offered, int slots, double service_s)
{
    double blocked = 1; /* Erlang B, slot by slot */
    for (int i = 1; i <= slots; i++)
        blocked = offered * blocked / (i + offered * blocked);
    double share = offered / slots;
    double waits = blocked / (1 - share * (1 - blocked));
    return waits * service_s / (slots - offered);
}

static void waits_as_erlang_says(void **state)
{
    (void)state;
    static const struct {
        const char *load;
        double offered;
        int slots;
    } cases[] = { { "8", 8, 10 }, { "9", 9, 10 }, { "45", 45, 50 }, { "0.7", 0.7, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_load *load = load_of(cases[i].load);
        chainsi_simulation_options options = options_of(load, 150000);
        fix(&options, cases[i].slots);
        chainsi_simulation *simulation = chainsi_simulation_run(&options);
        double expected = erlang_wait(cases[i].offered, cases[i].slots, 1);
        double found = chainsi_waits_mean(&simulation->whole.waits);
        /* What ticks do to it, and what a run of this length leaves to chance. */
        if (fabs(found - expected) > 0.06 * expected)
            fail_msg("%s of %d: %g s, not %g s", cases[i].load, cases[i].slots, found, expected);
        /* Little's law, of those that wait and of those that run. */
        const chainsi_simulation_point *whole = &simulation->whole;
        double rate = (double)whole->came / whole->to_s;
        assert_true(fabs(whole->waiting - rate * found) < 0.02 * whole->waiting + 0.01);
        assert_true(fabs(whole->in_flight - rate * 1) < 0.02 * whole->in_flight);
        chainsi_simulation_free(simulation);
        chainsi_load_free(load);
    }
}

/* 1,000 calls at one moment, 100 slots, two seconds each: a stair that is known to the tick. */
static void a_burst_is_worked_off_in_turn(void **state)
{
    (void)state;
    chainsi_load *load = load_of("burst:100000@10");
    chainsi_simulation_options options = options_of(load, 60);
    options.service_s = 2;
    options.concurrency = 100;
    options.service_times = CHAINSI_SERVICE_CONSTANT;
    fix(&options, 100);
    chainsi_simulation *simulation = chainsi_simulation_run(&options);
    const chainsi_simulation_point *whole = &simulation->whole;
    assert_true(labs((long)whole->came - 100000) < 2000);
    assert_int_equal(simulation->ended, whole->came);
    assert_int_equal(whole->waits.count, whole->came);
    double turns = ceil((double)whole->came / 10000) - 1;
    assert_true(fabs(whole->waits.max_s - 2 * turns) < 1e-6);
    assert_true(fabs(chainsi_waits_mean(&whole->waits) - turns) < 0.5);
    assert_true(simulation->replica_s == 100 * 60);
    assert_int_equal(simulation->cold_starts, 0);
    chainsi_simulation_free(simulation);
    /* With a queue of 1,000 the others are refused. */
    options.max_queue = 1000;
    simulation = chainsi_simulation_run(&options);
    assert_int_equal(simulation->ended, 11000);
    assert_int_equal(simulation->whole.refused, simulation->whole.came - 11000);
    chainsi_simulation_free(simulation);
    chainsi_load_free(load);
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    chainsi_load *load = load_of("daily:5..50/1h+burst:200@600/30");
    chainsi_simulation_options options = options_of(load, 3600);
    options.cold_start_s = 7;
    options.noise = 0.2;
    chainsi_simulation *one = chainsi_simulation_run(&options);
    chainsi_simulation *same = chainsi_simulation_run(&options);
    options.seed = 2;
    chainsi_simulation *other = chainsi_simulation_run(&options);
    assert_memory_equal(one, same, sizeof *one);
    assert_int_not_equal(one->whole.came, other->whole.came);
    chainsi_simulation_free(one);
    chainsi_simulation_free(same);
    chainsi_simulation_free(other);
    chainsi_load_free(load);
}

/* Every call is somewhere, whatever comes and goes meanwhile. */
static void no_call_is_lost(void **state)
{
    (void)state;
    chainsi_load *load = load_of("step:3,300@100,0@200,40@1500+burst:5000@700");
    for (int i = 0; i < 4; i++) {
        chainsi_simulation_options options = options_of(load, 3000);
        options.service_times = i % 2 ? CHAINSI_SERVICE_CONSTANT : CHAINSI_SERVICE_EXPONENTIAL;
        options.concurrency = i < 2 ? 1 : 7;
        options.cold_start_s = 20;
        options.max_queue = i == 3 ? 100 : 0;
        options.scaling.scale_down_delay_s = 10;
        chainsi_simulation *simulation = chainsi_simulation_run(&options);
        const chainsi_simulation_point *whole = &simulation->whole;
        int64_t left = whole->came - whole->refused - simulation->ended;
        assert_in_range(left, 0, 100);
        assert_int_equal(whole->waits.count, whole->came - whole->refused);
        assert_true((whole->refused > 0) == (i == 3));
        int64_t came = 0;
        for (int k = 0; k < CHAINSI_SIMULATION_POINTS; k++)
            came += simulation->points[k].came;
        assert_int_equal(came, whole->came);
        double replica_s = (whole->ready + whole->starting + whole->draining) * whole->to_s;
        assert_true(fabs(replica_s - simulation->replica_s) < 1e-6 * replica_s);
        chainsi_simulation_free(simulation);
    }
    chainsi_load_free(load);
}

/* The changes that a run saw, and when the last one was. */
typedef struct change_history {
    int64_t changes;
    double last_s;
} change_history;

static void note_change(void *user, double at_s, const chainsi_scaling_decision *decision)
{
    change_history *history = user;
    assert_true(decision->replicas != decision->before);
    history->changes++;
    history->last_s = at_s;
}

/* A constant load with 10 % noise, from none, through a real queue and with cold starts: once the
 * backlog of the cold start is gone, and a window has passed, nothing changes. (Below some hundred calls
 * a second the Poisson distribution alone is more than 10 % of noise.) */
static void a_constant_load_changes_nothing(void **state)
{
    (void)state;
    static const char *const loads[] = { "700", "1234", "7000", "69000" };
    static const double cold_starts_s[] = { 0, 2, 10 };
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        for (uint64_t seed = 1; seed <= 9; seed++) {
            chainsi_load *load = load_of(loads[i]);
            change_history history = { 0 };
            chainsi_simulation_options options = options_of(load, 3600);
            options.seed = seed;
            options.noise = 0.1;
            options.cold_start_s = cold_starts_s[seed % 3];
            options.on_change = note_change;
            options.user = &history;
            chainsi_simulation *simulation = chainsi_simulation_run(&options);
            if (history.last_s > 2 * options.scaling.window_s + options.cold_start_s)
                fail_msg("%s calls a second, seed %d: a change after %g s", loads[i], (int)seed,
                         history.last_s);
            assert_true(history.changes > 0);
            chainsi_simulation_free(simulation);
            chainsi_load_free(load);
        }
    }
}

static void it_follows_a_day_and_goes_to_none(void **state)
{
    (void)state;
    chainsi_load *load = load_of("daily:0..100/4h");
    chainsi_simulation_options options = options_of(load, 4 * 3600);
    options.cold_start_s = 5;
    chainsi_simulation *simulation = chainsi_simulation_run(&options);
    assert_in_range(simulation->most, 130, 180);
    /* At most half as much again as what the load needs at the utilization asked for. */
    assert_true(simulation->replica_s > 50 * 4 * 3600 / 0.77);
    assert_true(simulation->replica_s < 50 * 4 * 3600 / 0.7 * 1.5);
    assert_true(chainsi_waits_quantile(&simulation->whole.waits, 0.99) < 5);
    chainsi_simulation_free(simulation);
    chainsi_load_free(load);

    load = load_of("step:0,5@100,0@200");
    options = options_of(load, 2000);
    options.load = load;
    simulation = chainsi_simulation_run(&options);
    assert_int_equal(simulation->least, 0);
    assert_true(simulation->points[CHAINSI_SIMULATION_POINTS - 1].ready == 0);
    assert_true(simulation->points[180].ready == 0); /* at 1,500 s; the last call was at 200 */
    assert_true(simulation->points[120].ready > 0);
    chainsi_simulation_free(simulation);
    chainsi_load_free(load);
}

static void ticks_fit_the_service_time(void **state)
{
    (void)state;
    chainsi_simulation_options options = options_of(NULL, 3600);
    assert_true(chainsi_simulation_tick(&options) == 0.05);
    options.service_s = 0.001;
    options.duration_s = 86400 * 365;
    assert_true(chainsi_simulation_tick(&options) == 0);
    options.duration_s = 5000;
    double tick_s = chainsi_simulation_tick(&options);
    assert_true(tick_s > 0.00005 && tick_s <= 0.00025);
    options.service_s = 1000;
    tick_s = chainsi_simulation_tick(&options);
    assert_true(tick_s > 0.9 && tick_s <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_as_erlang_says),
        cmocka_unit_test(a_burst_is_worked_off_in_turn),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(no_call_is_lost),
        cmocka_unit_test(a_constant_load_changes_nothing),
        cmocka_unit_test(it_follows_a_day_and_goes_to_none),
        cmocka_unit_test(ticks_fit_the_service_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
