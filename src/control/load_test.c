/* Loads: what each text means, and what each wrong one is told. */
#include "control/load.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Calls a second around a time. */
static double rate_at(const char *text, double at_s)
{
    char why[256] = "";
    chainsi_load *load = chainsi_load_read(text, why, sizeof why);
    if (!load)
        fail_msg("'%s': %s", text, why);
    double rate = chainsi_load_calls(load, at_s, at_s + 0.01) * 100;
    chainsi_load_free(load);
    return rate;
}

static void near(double found, double expected)
{
    if (fabs(found - expected) > 1e-3 * (1 + expected))
        fail_msg("%g, not %g", found, expected);
}

static void every_form_is_read(void **state)
{
    (void)state;
    near(rate_at("12.5", 0), 12.5);
    near(rate_at("1e+2", 1e6), 100);
    near(rate_at("step:0,100@60,20@10m", 59), 0);
    near(rate_at("step:0,100@60,20@10m", 61), 100);
    near(rate_at("step:0,100@60,20@10m", 601), 20);
    near(rate_at("5+burst:500@60/30", 59), 5);
    near(rate_at("5+burst:500@60/30", 61), 505);
    near(rate_at("5+burst:500@60/30", 91), 5);
    near(rate_at("burst:1@0/10,1@5/10", 7), 2);
    near(rate_at("burst:40@60", 60), 4000);
    near(rate_at("burst:40@60", 59), 0);
    near(rate_at("daily:20..200", 0), 20);
    near(rate_at("daily:20..200", 12 * 3600), 200);
    near(rate_at("daily:20..200", 36 * 3600), 200);
    near(rate_at("daily:0.5..1.5/1h", 900), 1);
    near(rate_at("daily:20..200+burst:500@12h/60s+1", 12 * 3600 + 5), 701);
}

static void calls_add_up(void **state)
{
    (void)state;
    char why[256];
    chainsi_load *load =
        chainsi_load_read("daily:20..200/1h+step:1,2@100+burst:7@9,9@1000/100", why, sizeof why);
    assert_non_null(load);
    double sum = 0;
    for (int i = 0; i < 36000; i++)
        sum += chainsi_load_calls(load, i * 0.1, (i + 1) * 0.1);
    near(sum, 110 * 3600 + 100 + 3500 * 2 + 7 + 900);
    chainsi_load_free(load);
}

static void a_run_is_long_enough(void **state)
{
    (void)state;
    static const struct {
        const char *load;
        double length_s;
    } cases[] = { { "7", 1800 },
                  { "step:0,1@60", 1860 },
                  { "burst:5@2h/60+burst:9@100", 9060 },
                  { "daily:1..2", 86400 },
                  { "daily:1..2/1h+burst:5@30m", 3600 },
                  { "daily:1..2/1h+burst:5@2h", 9000 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[256];
        chainsi_load *load = chainsi_load_read(cases[i].load, why, sizeof why);
        assert_non_null(load);
        near(chainsi_load_length(load), cases[i].length_s);
        chainsi_load_free(load);
    }
}

static void wrong_ones_are_told_why(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        { "", "calls a second" },
        { "x", "step:, burst:, daily: or trace:" },
        { "-1", "calls a second" },
        { "inf", "calls a second" },
        { "nan", "calls a second" },
        { "0x10", "calls a second" },
        { "1e300", "calls a second" },
        { "5 ", "is too much" },
        { "5+", "calls a second" },
        { "step:", "calls a second" },
        { "step:1,2", "expected @" },
        { "step:1,2@", "expected a time" },
        { "step:1,2@60,3@60", "must rise" },
        { "burst:5", "expected @" },
        { "burst:5@", "expected a time" },
        { "burst:5@1/", "expected a time" },
        { "burst:5@1x", "is too much" },
        { "daily:5", "LOW..HIGH" },
        { "daily:..5", "calls a second" },
        { "daily:1..", "calls a second" },
        { "daily:1..2/0", "is 0" },
        { "trace:", "expected a file" },
        { "trace:/nowhere/at/all.csv", "No such file" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char why[256] = "";
        assert_null(chainsi_load_read(wrong[i][0], why, sizeof why));
        if (!strstr(why, wrong[i][1]))
            fail_msg("'%s': '%s' does not say '%s'", wrong[i][0], why, wrong[i][1]);
    }
}

/* Reads text as a trace; gives the rate at a time, or -1 where it is refused. */
static double traced(const char *text, double at_s, char *why, size_t why_size)
{
    char file[] = "/tmp/chains-load-XXXXXX", load_text[64];
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    snprintf(load_text, sizeof load_text, "trace:%s+0", file);
    chainsi_load *load = chainsi_load_read(load_text, why, why_size);
    double rate = load ? chainsi_load_calls(load, at_s, at_s + 0.01) * 100 : -1;
    chainsi_load_free(load);
    unlink(file);
    return rate;
}

static void traces_are_read(void **state)
{
    (void)state;
    char why[4300];
    const char *text = "time_s,calls_per_s\n# of a Monday\n0,5\n\n60 , 50\r\n90;7.5";
    near(traced(text, 1, why, sizeof why), 5);
    near(traced(text, 61, why, sizeof why), 50);
    near(traced(text, 1e5, why, sizeof why), 7.5);
    near(traced("10,5\n", 5, why, sizeof why), 0);
    assert_true(traced("0,5\n0,6\n", 0, why, sizeof why) < 0);
    assert_non_null(strstr(why, ":2: times must rise"));
    assert_true(traced("0,5\nx,6\n", 0, why, sizeof why) < 0);
    assert_non_null(strstr(why, ":2: expected time_s,calls_per_s"));
    assert_true(traced("0,5,6\n", 0, why, sizeof why) < 0);
    assert_true(traced("0\n", 0, why, sizeof why) < 0);
    assert_true(traced("time_s,calls_per_s\n", 0, why, sizeof why) < 0);
    assert_non_null(strstr(why, "says nothing"));
}

static void times_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
        const char *end;
    } cases[] = {
        { "90", 90, "" },   { "250ms", 0.25, "" }, { "3mx", 180, "x" }, { "90s", 90, "" },
        { "1.5m", 90, "" }, { "2h,", 7200, "," },  { "1d", 86400, "" }, { "3x", 3, "x" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double seconds;
        const char *end;
        assert_true(chainsi_load_time(cases[i].text, &seconds, &end));
        assert_true(seconds == cases[i].seconds);
        assert_string_equal(end, cases[i].end);
    }
    double seconds = 5;
    const char *end;
    assert_false(chainsi_load_time("-1", &seconds, &end));
    assert_true(seconds == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),   cmocka_unit_test(calls_add_up),
        cmocka_unit_test(a_run_is_long_enough), cmocka_unit_test(wrong_ones_are_told_why),
        cmocka_unit_test(traces_are_read),      cmocka_unit_test(times_have_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
