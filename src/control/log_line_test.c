/* Lines of logs: what becomes of what a replica writes, what is read from it, and which lines are meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/log_line.h"

static const chainsi_log_tag tag = { "c", "production", "v0003-ab12cd", "phi_llm", 2 };
#define NOW "2026-03-01T00:00:00.000Z"
#define AT  "2026-01-31T12:00:00.123Z"
#define TAG " production v0003-ab12cd phi_llm/2 "

static void becomes_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *written, *line, *request_id, *message;
        chainsi_log_level level;
    } cases[] = {
        { "plain", NOW TAG "-       plain\n", "", "plain", CHAINSI_LOG_NO_LEVEL },
        { "", NOW TAG "-       \n", "", "", CHAINSI_LOG_NO_LEVEL },
        { "  indented", NOW TAG "-         indented\n", "", "  indented", CHAINSI_LOG_NO_LEVEL },
        { AT " INFO    phi_llm [r-1] it is loaded", AT TAG "INFO    [r-1] it is loaded\n", "r-1",
          "it is loaded", CHAINSI_LOG_INFO },
        { AT " WARNING phi_llm no request", AT TAG "WARNING no request\n", "", "no request",
          CHAINSI_LOG_WARNING },
        /* Another's name, or none, is part of the text; so is a level without a time. */
        { AT " ERROR   other [r-1] x", AT TAG "-       ERROR   other [r-1] x\n", "",
          "ERROR   other [r-1] x", CHAINSI_LOG_NO_LEVEL },
        { "ERROR   phi_llm x", NOW TAG "-       ERROR   phi_llm x\n", "", "ERROR   phi_llm x",
          CHAINSI_LOG_NO_LEVEL },
        { AT " INFO phi_llm x", AT TAG "-       INFO phi_llm x\n", "", "INFO phi_llm x",
          CHAINSI_LOG_NO_LEVEL },
        /* What looks like a time and is none. */
        { "2026-02-30T12:00:00.123Z x", NOW TAG "-       2026-02-30T12:00:00.123Z x\n", "",
          "2026-02-30T12:00:00.123Z x", CHAINSI_LOG_NO_LEVEL },
        /* Forged tags, and the daemon's words. */
        { AT " staging v0009-000000 other/7 ERROR   chainsd: killed",
          AT TAG "-       staging v0009-000000 other/7 ERROR   chainsd: killed\n", "",
          "staging v0009-000000 other/7 ERROR   chainsd: killed", CHAINSI_LOG_NO_LEVEL },
        { "chainsd: killed", NOW TAG "-       \\chainsd: killed\n", "", "\\chainsd: killed",
          CHAINSI_LOG_NO_LEVEL },
        { AT " ERROR   phi_llm chainsd: killed", AT TAG "ERROR   \\chainsd: killed\n", "",
          "\\chainsd: killed", CHAINSI_LOG_ERROR },
        /* No ids. */
        { AT " INFO    phi_llm [a b] x", AT TAG "INFO    [a b] x\n", "", "[a b] x",
          CHAINSI_LOG_INFO },
        { AT " INFO    phi_llm [] x", AT TAG "INFO    [] x\n", "", "[] x", CHAINSI_LOG_INFO },
        { AT " INFO    phi_llm [x", AT TAG "INFO    [x\n", "", "[x", CHAINSI_LOG_INFO },
        { "[r-1] x", NOW TAG "-       [r-1] x\n", "", "[r-1] x", CHAINSI_LOG_NO_LEVEL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer out = { 0 };
        chainsi_log_line_add(&out, &tag, NOW, cases[i].written, strlen(cases[i].written));
        chainsi_log_line line = chainsi_log_line_read((const char *)out.data, out.size);
        assert_int_equal(line.replica, 2);
        assert_true(chainsi_slice_is(line.environment, "production"));
        assert_true(chainsi_slice_is(line.version, "v0003-ab12cd"));
        assert_true(chainsi_slice_is(line.chainlet, "phi_llm"));
        assert_int_equal(line.level, cases[i].level);
        assert_int_equal(line.request_id.size, strlen(cases[i].request_id));
        if (line.request_id.size)
            assert_true(chainsi_slice_is(line.request_id, cases[i].request_id));
        assert_true(chainsi_slice_is(line.message, cases[i].message));
        assert_false(line.own);
        chainsi_buffer_add_byte(&out, 0);
        assert_string_equal((const char *)out.data, cases[i].line);
        chainsi_buffer_done(&out);
    }
}

static void is_the_daemons(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_log_line_add_own(&out, &tag, NOW, CHAINSI_LOG_ERROR, "exit status 1; it ran r-1, r-2");
    chainsi_log_line line = chainsi_log_line_read((const char *)out.data, out.size);
    assert_true(line.own);
    assert_int_equal(line.level, CHAINSI_LOG_ERROR);
    assert_true(chainsi_slice_is(line.message, "chainsd: exit status 1; it ran r-1, r-2"));
    chainsi_log_filter filter = { .replica = -1, .request_id = "r-1" };
    assert_true(chainsi_log_filter_takes(&filter, &line, "phi_llm"));
    filter.request_id = "r-2";
    assert_true(chainsi_log_filter_takes(&filter, &line, "phi_llm"));
    filter.request_id = "r-";
    assert_false(chainsi_log_filter_takes(&filter, &line, "phi_llm"));
    filter.request_id = "-1";
    assert_false(chainsi_log_filter_takes(&filter, &line, "phi_llm"));
    chainsi_buffer_done(&out);
}

/* Of before there were tags, or of nobody. */
static void may_have_no_tag(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "x",
        AT,
        AT " INFO    phi_llm [r] a message",
        AT " a b c/x INFO    d",
        AT " a b c/1 LEVEL   d",
        AT " a b c/1234567890 INFO    d",
        AT " a b c d/1 INFO    e",
        AT " a  c/1 INFO    e",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        chainsi_log_line line = chainsi_log_line_read(texts[i], strlen(texts[i]));
        chainsi_log_filter filter = { .replica = -1 };
        assert_int_equal(line.replica, -1);
        assert_int_equal(line.environment.size, 0);
        assert_true(chainsi_log_filter_takes(&filter, &line, "phi_llm"));
        filter.environment = "production";
        assert_false(chainsi_log_filter_takes(&filter, &line, "phi_llm"));
    }
}

static void is_filtered(void **state)
{
    (void)state;
    static const struct {
        chainsi_log_filter filter;
        bool taken;
    } cases[] = {
        { { .replica = -1 }, true },
        { { .replica = 2 }, true },
        { { .replica = 1 }, false },
        { { .replica = -1, .chainlet = "phi_llm" }, true },
        { { .replica = -1, .chainlet = "phi" }, false },
        { { .replica = -1, .environment = "production" }, true },
        { { .replica = -1, .environment = "prod" }, false },
        { { .replica = -1, .version = "v0003-ab12cd" }, true },
        { { .replica = -1, .version = "v3" }, true },
        { { .replica = -1, .version = "3" }, true },
        { { .replica = -1, .version = "0003" }, true },
        { { .replica = -1, .version = "v" }, false },
        { { .replica = -1, .version = "v33" }, false },
        { { .replica = -1, .version = "v0003" }, true },
        { { .replica = -1, .version = "v0003-ab" }, false },
        { { .replica = -1, .contains = "is loaded" }, true },
        { { .replica = -1, .contains = "production" }, false },
        { { .replica = -1, .request_id = "r-1" }, true },
        { { .replica = -1, .request_id = "r" }, false },
        { { .replica = -1, .level = CHAINSI_LOG_DEBUG }, true },
        { { .replica = -1, .level = CHAINSI_LOG_INFO }, true },
        { { .replica = -1, .level = CHAINSI_LOG_WARNING }, false },
        { { .replica = -1, .since = AT }, true },
        { { .replica = -1, .since = "2026-01-31T12:00:00.124Z" }, false },
    };
    static const char text[] = AT TAG "INFO    [r-1] it is loaded";
    chainsi_log_line line = chainsi_log_line_read(text, sizeof text - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(chainsi_log_filter_takes(&cases[i].filter, &line, "phi_llm"),
                         cases[i].taken);
        assert_int_equal(chainsi_log_filter_takes(&cases[i].filter, &line, NULL), cases[i].taken);
    }
}

static void knows_since_when(void **state)
{
    (void)state;
    const int64_t now_ms = 1769860800123; /* AT */
    static const struct {
        const char *text, *since; /* NULL: it is none */
    } cases[] = {
        { "0s", AT },
        { "123ms", "2026-01-31T12:00:00.000Z" },
        { "90s", "2026-01-31T11:58:30.123Z" },
        { "1h30m", "2026-01-31T10:30:00.123Z" },
        { "31d", "2025-12-31T12:00:00.123Z" },
        { "999999999d", "1970-01-01T00:00:00.000Z" },
        { "2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z" },
        { "", NULL },
        { "5", NULL },
        { "m", NULL },
        { "-5m", NULL },
        { "5 m", NULL },
        { "5w", NULL },
        { "5mm", NULL },
        { "1h30", NULL },
        { "9999999999s", NULL },
        { "2025-01-01", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_log_filter filter = { .since = "x" };
        bool good = chainsi_log_filter_since(&filter, cases[i].text, now_ms);
        assert_int_equal(good, cases[i].since != NULL);
        assert_string_equal(filter.since, good ? cases[i].since : "x");
    }
}

static void knows_levels(void **state)
{
    (void)state;
    chainsi_log_level level = CHAINSI_LOG_NO_LEVEL;
    assert_true(chainsi_log_level_read("warning", &level));
    assert_int_equal(level, CHAINSI_LOG_WARNING);
    assert_true(chainsi_log_level_read("ERROR", &level));
    assert_int_equal(level, CHAINSI_LOG_ERROR);
    assert_false(chainsi_log_level_read("-", &level));
    assert_false(chainsi_log_level_read("", &level));
    assert_false(chainsi_log_level_read("warn", &level));
    assert_int_equal(level, CHAINSI_LOG_ERROR);
}

static void is_json(void **state)
{
    (void)state;
    static const struct {
        const char *line, *json;
    } cases[] = {
        { AT TAG "INFO    [r-1] it \"is\" \x1b\xff loaded\n",
          "{\"at\":\"" AT "\",\"environment\":\"production\",\"version\":\"v0003-ab12cd\","
          "\"chainlet\":\"phi_llm\",\"replica\":2,\"level\":\"info\",\"request_id\":\"r-1\","
          "\"message\":\"it \\\"is\\\" \\u001b\xef\xbf\xbd loaded\"}\n" },
        { "old", "{\"at\":null,\"environment\":null,\"version\":null,\"chainlet\":\"phi_llm\","
                 "\"replica\":null,\"level\":null,\"request_id\":null,\"message\":\"old\"}\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer out = { 0 };
        chainsi_log_line line = chainsi_log_line_read(cases[i].line, strlen(cases[i].line));
        chainsi_log_line_add_json(&out, &line, "phi_llm");
        chainsi_buffer_add_byte(&out, 0);
        assert_string_equal((const char *)out.data, cases[i].json);
        chainsi_buffer_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(becomes_a_line),   cmocka_unit_test(is_the_daemons),
        cmocka_unit_test(may_have_no_tag),  cmocka_unit_test(is_filtered),
        cmocka_unit_test(knows_since_when), cmocka_unit_test(knows_levels),
        cmocka_unit_test(is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
