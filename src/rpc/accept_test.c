/* What clients' Accept headers choose. */
#include "rpc/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { EVENTS, LINES, MSGPACK, JSON, NONE = -1 };
static const char *const types[] = { "text/event-stream", "application/x-ndjson",
                                     "application/msgpack", "application/json" };

/* Of memory of just that size, so that a sanitizer sees every byte too many. */
static int choose_sized(const char *accept, size_t size)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, accept, size);
    chainsi_http_head head = { .header_count = 2,
                               .headers = { { { "Host", 4 }, { "text/event-stream", 17 } },
                                            { { "aCCept", 6 }, { copy, size } } } };
    int chosen = chainsi_accept_choose(&head, types, 4);
    free(copy);
    return chosen;
}

static int choose(const char *accept)
{
    return choose_sized(accept, strlen(accept));
}

typedef struct choice {
    const char *accept;
    int chosen;
} choice;

static void assert_choices(const choice *choices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (choose(choices[i].accept) != choices[i].chosen)
            fail_msg("'%s' chooses %d, not %d", choices[i].accept, choose(choices[i].accept),
                     choices[i].chosen);
}

#define ASSERT_CHOICES(choices) assert_choices(choices, sizeof(choices) / sizeof *(choices))

static void types_are_named_in_any_case(void **state)
{
    (void)state;
    static const choice choices[] = {
        { "text/event-stream", EVENTS },
        { "TEXT/EVENT-STREAM", EVENTS },
        { "Text/Event-Stream;Q=0.5", EVENTS },
        { "application/JSON", JSON },
        { "application/msgpack", MSGPACK },
        { "text/event-streams", NONE },
        { "text/event-strea", NONE },
        { "xtext/event-stream", NONE },
        { "application/json-seq", NONE },
        { "image/png", NONE },
        { "image/png, text/html, application/json", JSON },
        { "text/event-stream/x", NONE },
    };
    ASSERT_CHOICES(choices);
}

static void the_highest_quality_wins(void **state)
{
    (void)state;
    static const choice choices[] = {
        { "text/event-stream;q=0.5, application/json", JSON },
        { "application/json;q=0.5, text/event-stream", EVENTS },
        { "application/json;q=0.9,application/x-ndjson;q=0.91", LINES },
        { "application/json;q=0.1, application/x-ndjson;q=0.100", LINES }, /* equal */
        { "application/json;q=0.002, application/x-ndjson;q=0.001", JSON },
        { "application/json;q=1.000, text/event-stream;q=0.999", JSON },
        { "text/event-stream;q=0", NONE },
        { "text/event-stream;q=0.000, application/json;q=0.001", JSON },
        { "text/event-stream;q=0., application/json;q=1.", JSON },
        { "application/json;q=0, application/msgpack;q=0", NONE },
        { "application/json ; q=0.2 , application/msgpack\t;\tq=0.3", MSGPACK },
        { "application/json;q=\"0.5\", text/event-stream;q=0.4", EVENTS }, /* q is never quoted */
        /* The same range twice. */
        { "text/event-stream;q=0.1, application/json;q=0.5, text/event-stream;q=0.9", EVENTS },
        { "text/event-stream;q=0.9, application/json;q=0.5, text/event-stream;q=0.1", EVENTS },
    };
    ASSERT_CHOICES(choices);
}

static void of_equals_the_named_one_and_then_the_order_counts(void **state)
{
    (void)state;
    static const choice choices[] = {
        { "application/json, text/event-stream", EVENTS },
        { "application/x-ndjson, application/json", LINES },
        { "application/json, application/msgpack", MSGPACK },
        { "text/event-stream, */*", EVENTS },
        { "*/*, text/event-stream", EVENTS },
        { "application/*, application/x-ndjson", LINES },
        { "text/event-stream;q=0.8, */*;q=0.8", EVENTS },
        { "text/event-stream;q=0.7, */*;q=0.8", JSON },
    };
    ASSERT_CHOICES(choices);
}

static void ranges_fit_what_isnt_said_more_closely(void **state)
{
    (void)state;
    static const choice choices[] = {
        { "*/*", JSON },
        { "*/*;q=0.1", JSON },
        { "*/*;q=0", NONE },
        { "application/*", JSON },
        { "APPLICATION/*", JSON },
        { "text/*", EVENTS },
        { "text/*, application/*;q=0.9", EVENTS },
        { "image/*", NONE },
        { "application/json;q=0, */*", MSGPACK },
        { "*/*, application/json;q=0", MSGPACK },
        { "application/*;q=0, */*", EVENTS },
        { "application/*;q=0, */*, application/x-ndjson;q=0.1", EVENTS },
        { "text/*;q=0.3, text/event-stream;q=0.1, application/json;q=0.2", JSON },
        { "text/*;q=0, text/event-stream", EVENTS },
        { "text/html, application/xhtml+xml, application/xml;q=0.9, image/webp, */*;q=0.8", JSON },
        { "text/x*", NONE },
        { "*/json", NONE },
        { "*", NONE },
        { "te*/event-stream", NONE },
    };
    ASSERT_CHOICES(choices);
}

static void parameters_fit_less_closely(void **state)
{
    (void)state;
    static const choice choices[] = {
        { "text/event-stream;charset=utf-8", EVENTS },
        { "text/event-stream; charset=\"UTF-8\"; q=0.5, application/json;q=0.6", JSON },
        { "text/event-stream;charset=utf-8;q=0", NONE },
        { "application/json;version=2", JSON },
        { "application/json;version=2;q=0, application/json", JSON },
        { "application/json, application/json;version=2;q=0", JSON },
        { "application/json;version=2, application/json;q=0", NONE },
        { "application/json;v=\"a,b;q=0\\\"\", text/html", JSON },
        { "application/json;v=\"text/event-stream\"", JSON },
        { "application/json;;q=0.1;, text/event-stream;q=0.2;", EVENTS },
        { "text/event-stream;q=0.5;ext=1, application/json;q=0.4", EVENTS },
    };
    ASSERT_CHOICES(choices);
}

static void garbage_is_as_if_it_werent_there(void **state)
{
    (void)state;
    static const choice choices[] = {
        { "", NONE },
        { " ", NONE },
        { ",", NONE },
        { ", ,\t,, application/json ,,", JSON },
        { "/", NONE },
        { ";", NONE },
        { ";q=1", NONE },
        { "text", NONE },
        { "text/", NONE },
        { "/event-stream", NONE },
        { "text /event-stream", NONE },
        { "text/ event-stream", NONE },
        { "text/event-stream application/json", NONE },
        { "text/event-stream application/json, application/msgpack", MSGPACK },
        { "text/event-stream;q", NONE },
        { "text/event-stream;q=", NONE },
        { "text/event-stream;q =1", NONE },
        { "text/event-stream;q= 1", NONE },
        { "text/event-stream;q=2", NONE },
        { "text/event-stream;q=1.001", NONE },
        { "text/event-stream;q=0.1234", NONE },
        { "text/event-stream;q=.5", NONE },
        { "text/event-stream;q=00", NONE },
        { "text/event-stream;q=-1", NONE },
        { "text/event-stream;q=0,5", NONE }, /* q=0, and something that is no range */
        { "text/event-stream;q=1e0", NONE },
        { "text/event-stream;q=nan, application/json;q=0.1", JSON },
        { "text/event-stream;=1", NONE },
        { "text/event-stream;a=\"", NONE },
        { "text/event-stream;a=\"b", NONE },
        { "text/event-stream;a=\"b\\", NONE },
        { "text/event-stream;a=\"b\\\"", NONE },
        { "\"text/event-stream\"", NONE },
        { "\"a, application/json\", application/msgpack", MSGPACK },
        { "<\x01\x7f\xff\xfe>, application/json", JSON },
        { "text/event-stream\n", NONE },
    };
    ASSERT_CHOICES(choices);
    assert_int_equal(choose_sized("text/event-stream\0, application/json", 36), JSON);
    assert_int_equal(choose_sized("\0", 1), NONE);
}

static void however_long(void **state)
{
    (void)state;
    static const char *const repeated[] = { ",",   ";",        "\"",  "\\",  "*",
                                            "a",   "a/",       "*/*", "a=b", "a/b;q=1,",
                                            "\"a", ";q=0.111", " \t", "\\\"" };
    enum { SIZE = 64 * 1024 };
    char *text = malloc(SIZE + 64);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        size_t unit = strlen(repeated[i]), size = 0;
        while (size + unit <= SIZE) {
            memcpy(text + size, repeated[i], unit);
            size += unit;
        }
        choose_sized(text, size); /* comes to an end, and reads nothing else */
        memcpy(text + size, "\", application/msgpack", 22);
        choose_sized(text, size + 22);
    }
    memset(text, ',', SIZE);
    memcpy(text + SIZE, "text/event-stream", 17);
    assert_int_equal(choose_sized(text, SIZE + 17), EVENTS);
    memset(text, 'a', SIZE);
    memcpy(text + SIZE, "/b, text/event-stream", 21);
    assert_int_equal(choose_sized(text, SIZE + 21), EVENTS);
    free(text);
}

/* Every beginning of a list is read without a byte too many. */
static void every_beginning(void **state)
{
    (void)state;
    static const char text[] =
        "a/b;c=\"d\\\",\";q=0.125, text/*;q=0.5,*/*;q=0, application/json;x=y";
    for (size_t size = 0; size < sizeof text; size++)
        choose_sized(text, size);
    assert_int_equal(choose(text), JSON);
}

static void several_headers_are_one_list(void **state)
{
    (void)state;
    chainsi_http_head head = { .header_count = 3,
                               .headers = { { { "Accept", 6 }, { "text/event-stream;q=0.5", 23 } },
                                            { { "X-Accept", 8 }, { "application/msgpack", 19 } },
                                            { { "accept", 6 }, { "application/json", 16 } } } };
    assert_int_equal(chainsi_accept_choose(&head, types, 4), JSON);
    head.header_count = 2;
    assert_int_equal(chainsi_accept_choose(&head, types, 4), EVENTS);
    assert_int_equal(chainsi_accept_choose(&head, types + 1, 3), NONE);
    assert_int_equal(chainsi_accept_choose(&head, types, 0), NONE);
    head.header_count = 0;
    assert_int_equal(chainsi_accept_choose(&head, types, 4), NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_named_in_any_case),
        cmocka_unit_test(the_highest_quality_wins),
        cmocka_unit_test(of_equals_the_named_one_and_then_the_order_counts),
        cmocka_unit_test(ranges_fit_what_isnt_said_more_closely),
        cmocka_unit_test(parameters_fit_less_closely),
        cmocka_unit_test(garbage_is_as_if_it_werent_there),
        cmocka_unit_test(however_long),
        cmocka_unit_test(every_beginning),
        cmocka_unit_test(several_headers_are_one_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
