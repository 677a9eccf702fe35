/* traceparent, read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/trace.h"

static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

static void what_is_read_is_written(void **state)
{
    (void)state;
    chainsi_trace trace = { 0 };
    assert_false(chainsi_trace_is_set(&trace));
    assert_true(chainsi_trace_read(&trace, good, sizeof good - 1));
    assert_true(chainsi_trace_is_set(&trace));
    assert_true(trace.high == 0x0af7651916cd43dd);
    assert_true(trace.low == 0x8448eb211c80319c);
    assert_true(trace.span == 0xb7ad6b7169203331);
    assert_true(trace.recorded);
    char text[CHAINSI_TRACEPARENT_SIZE];
    chainsi_trace_write(&trace, text);
    assert_string_equal(text, good);
}

static void whether_it_is_recorded_is_one_flag_of_several(void **state)
{
    (void)state;
    static const struct {
        const char *flags;
        bool recorded;
    } cases[] = {
        { "00", false }, { "01", true }, { "02", false }, { "03", true }, { "ff", true }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        memcpy(text + sizeof good - 3, cases[i].flags, 2);
        chainsi_trace trace;
        assert_true(chainsi_trace_read(&trace, text, sizeof good - 1));
        assert_true(trace.recorded == cases[i].recorded);
        char written[CHAINSI_TRACEPARENT_SIZE];
        chainsi_trace_write(&trace, written);
        assert_string_equal(written + sizeof good - 3, cases[i].recorded ? "01" : "00");
    }
}

static void of_later_versions_what_is_known_is_read(void **state)
{
    (void)state;
    static const char later[] = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
    chainsi_trace trace;
    assert_true(chainsi_trace_read(&trace, later, sizeof later - 1));
    assert_true(trace.span == 0xb7ad6b7169203331 && trace.recorded);
}

static void odd_ones_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",
        "00-xyz",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333x-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00+0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c+b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331+01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        chainsi_trace trace = { 1, 2, 3, true };
        assert_false(chainsi_trace_read(&trace, odd[i], strlen(odd[i])));
        assert_true(trace.high == 1 && trace.low == 2 && trace.span == 3 && trace.recorded);
    }
}

static void new_ones_can_be_sent(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        chainsi_trace made = chainsi_trace_new(), read;
        char text[CHAINSI_TRACEPARENT_SIZE];
        chainsi_trace_write(&made, text);
        assert_true(chainsi_trace_read(&read, text, strlen(text)));
        assert_true(read.high == made.high && read.low == made.low && read.span == made.span);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written),
        cmocka_unit_test(whether_it_is_recorded_is_one_flag_of_several),
        cmocka_unit_test(of_later_versions_what_is_known_is_read),
        cmocka_unit_test(odd_ones_are_refused_and_change_nothing),
        cmocka_unit_test(new_ones_can_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
