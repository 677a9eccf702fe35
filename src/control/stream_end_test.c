/* Last items of streams that can't be completed: in which form, and behind what. */
#include "control/stream_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BODY                                                                                       \
    "{\"status\":\"UNAVAILABLE\",\"message\":\"gone\",\"path\":null,\"trace\":[],\"request_id\":"  \
    "\"r-1\"}"

/* The stream of an answer with this head. */
static chainsi_stream_end stream_of(const char *lines)
{
    char text[256];
    chainsi_http_scan scan = { 0 };
    chainsi_http_response response;
    chainsi_http_refusal refusal;
    int size = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", lines);
    assert_int_equal(chainsi_http_parse_response(text, (size_t)size, &scan, &response, &refusal),
                     size);
    chainsi_stream_end stream;
    chainsi_stream_end_init(&stream, &response.head);
    return stream;
}

static void the_form_is_that_of_the_head(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        chainsi_stream_form form;
    } cases[] = {
        { "Content-Type: text/event-stream\r\n", CHAINSI_STREAM_EVENTS },
        { "content-type: Text/Event-Stream; charset=utf-8\r\n", CHAINSI_STREAM_EVENTS },
        { "Content-Type: application/x-ndjson\r\n", CHAINSI_STREAM_LINES },
        { "Content-Type: application/x-ndjson2\r\n", CHAINSI_STREAM_NONE },
        { "Content-Type: application/json\r\n", CHAINSI_STREAM_NONE },
        { "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n", CHAINSI_STREAM_NONE },
        { "", CHAINSI_STREAM_NONE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(stream_of(cases[i].lines).form, cases[i].form);
}

static void a_cut_item_is_ended_first(void **state)
{
    (void)state;
    static const char events[] = "Content-Type: text/event-stream\r\n",
                      lines[] = "Content-Type: application/x-ndjson\r\n";
    static const struct {
        const char *lines, *before[3], *after;
    } cases[] = {
        { events, { "" }, "event: error\ndata: " BODY "\n\n" },
        { events, { "data: 1\n\n" }, "event: error\ndata: " BODY "\n\n" },
        { events, { "data: 1\n", "", "\n" }, "event: error\ndata: " BODY "\n\n" },
        { events, { "data: 1", "\n" }, "\nevent: error\ndata: " BODY "\n\n" },
        { events, { "da", "t" }, "\n\nevent: error\ndata: " BODY "\n\n" },
        { lines, { "" }, "{\"error\":" BODY "}\n" },
        { lines, { "{}", "\n" }, "{\"error\":" BODY "}\n" },
        { lines, { "{}\n", "{\"it" }, "\n{\"error\":" BODY "}\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_stream_end stream = stream_of(cases[i].lines);
        for (size_t j = 0; j < 3 && cases[i].before[j]; j++)
            chainsi_stream_end_note(&stream, cases[i].before[j], strlen(cases[i].before[j]));
        chainsi_buffer out = { 0 };
        chainsi_stream_end_write(&stream,
                                 &(chains_error){ .status = CHAINS_UNAVAILABLE, .message = "gone" },
                                 "r-1", &out);
        chainsi_buffer_add_byte(&out, 0);
        assert_string_equal((const char *)out.data, cases[i].after);
        chainsi_buffer_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_that_of_the_head),
        cmocka_unit_test(a_cut_item_is_ended_first),
    };
    return cmocka_run_group_tests_name("last items of streams", tests, NULL, NULL);
}
