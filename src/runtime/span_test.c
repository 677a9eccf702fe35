/* Spans as records: what is packed comes out again, and what anybody has written does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/span.h"

static chainsi_span make_span(void)
{
    return (chainsi_span){
        .trace_high = 1,
        .trace_low = 2,
        .id = 3,
        .parent = 4,
        .began_ns = 100,
        .ended_ns = 200,
        .queue_ns = 10,
        .decode_ns = -1,
        .run_ns = 50,
        .encode_ns = 5,
        .first_item_ns = 7,
        .items = 8,
        .process = 9,
        .line = 10,
        .attempt = 11,
        .kind = CHAINSI_SPAN_MADE,
        .status = CHAINS_NOT_FOUND,
        .streamed = true,
        .alone = true,
        .chainlet = "caller",
        .callee = "callee",
        .request_id = "order-17",
        .raised_by = "other",
        .left_at = "worker_run_remote worker.c:12",
        .file = "src/other.c",
        .message = "there is no \xc3\xa4pple",
    };
}

static void what_is_packed_comes_out(void **state)
{
    (void)state;
    chainsi_span span = make_span(), back;
    chainsi_span_record record;
    size_t size = chainsi_span_pack(&span, &record);
    assert_true(size < 240);
    assert_true(chainsi_span_unpack(&back, &record, size));
    assert_memory_equal(&back, &span, offsetof(chainsi_span, chainlet));
    assert_string_equal(back.chainlet, span.chainlet);
    assert_string_equal(back.callee, span.callee);
    assert_string_equal(back.request_id, span.request_id);
    assert_string_equal(back.raised_by, span.raised_by);
    assert_string_equal(back.left_at, span.left_at);
    /* A program that was built before ends its record after the message. */
    size_t before = size - strlen(span.left_at) - 1;
    assert_true(chainsi_span_unpack(&back, &record, before));
    assert_string_equal(back.message, span.message);
    assert_string_equal(back.left_at, "");
    assert_string_equal(back.file, span.file);
    assert_string_equal(back.message, span.message);
}

static void absent_texts_are_empty(void **state)
{
    (void)state;
    chainsi_span span = make_span(), back;
    chainsi_span_record record;
    span.chainlet = span.callee = span.request_id = span.raised_by = span.file = span.message =
        NULL;
    assert_true(chainsi_span_unpack(&back, &record, chainsi_span_pack(&span, &record)));
    assert_string_equal(back.chainlet, "");
    assert_string_equal(back.message, "");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[2001];
    memset(text, 'x', sizeof text);
    memcpy(text + 1996, "end", 4);
    chainsi_span span = make_span(), back;
    chainsi_span_record record;
    span.chainlet = span.callee = span.request_id = span.raised_by = span.file = span.message =
        text;
    size_t size = chainsi_span_pack(&span, &record);
    assert_true(size <= sizeof record);
    assert_true(chainsi_span_unpack(&back, &record, size));
    assert_int_equal(strlen(back.chainlet), CHAINSI_SPAN_NAME);
    assert_int_equal(strlen(back.callee), CHAINSI_SPAN_NAME);
    assert_int_equal(strlen(back.request_id), CHAINSI_SPAN_REQUEST_ID);
    assert_int_equal(strlen(back.raised_by), CHAINSI_SPAN_NAME);
    assert_int_equal(strlen(back.file), CHAINSI_SPAN_FILE);
    assert_string_equal(back.file + CHAINSI_SPAN_FILE - 3, "end"); /* of a path, its end */
    assert_true(strlen(back.message) > 100 && strlen(back.message) <= CHAINSI_SPAN_MESSAGE);
}

static void texts_are_cut_between_characters(void **state)
{
    (void)state;
    /* "ä" has two bytes: each limit falls into one for one of the two lengths of what stands before. */
    for (size_t before = 0; before < 2; before++) {
        char text[1001] = "xx";
        for (size_t i = 0; i < 499; i++)
            memcpy(text + before + 2 * i, "\xc3\xa4", 2);
        text[before + 998] = 0;
        chainsi_span span = make_span(), back;
        chainsi_span_record record;
        span.chainlet = span.file = text;
        assert_true(chainsi_span_unpack(&back, &record, chainsi_span_pack(&span, &record)));
        assert_true(strlen(back.chainlet) + 1 >= CHAINSI_SPAN_NAME);
        assert_true(strlen(back.file) + 1 >= CHAINSI_SPAN_FILE);
        assert_int_equal((unsigned char)back.file[0], 0xc3);
    }
}

static void what_no_person_should_see_is_taken_out(void **state)
{
    (void)state;
    chainsi_span span = make_span(), back;
    chainsi_span_record record;
    span.message = "red \x1b[31m\nand\x7f so";
    span.chainlet = "good\xff then bad";
    assert_true(chainsi_span_unpack(&back, &record, chainsi_span_pack(&span, &record)));
    assert_string_equal(back.message, "red  [31m and  so");
    assert_string_equal(back.chainlet, "good");
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    const chainsi_span good = make_span();
    for (int i = 0; i < 8; i++) {
        chainsi_span span = good, back;
        chainsi_span_record record;
        if (i == 0)
            span.kind = 0;
        else if (i == 1)
            span.kind = CHAINSI_SPAN_HEDGE + 1;
        else if (i == 2)
            span.status = CHAINS_UNAUTHENTICATED + 1;
        else if (i == 3)
            span.trace_high = span.trace_low = 0;
        else if (i == 4)
            span.id = 0;
        else if (i == 5)
            span.began_ns = -1;
        else if (i == 6)
            span.ended_ns = span.began_ns - 1;
        else
            span.ended_ns = INT64_MAX;
        assert_false(chainsi_span_unpack(&back, &record, chainsi_span_pack(&span, &record)));
    }
}

static void any_bytes_are_refused_or_texts_within_them(void **state)
{
    (void)state;
    const chainsi_span good = make_span();
    srand(1);
    for (int i = 0; i < 20000; i++) {
        chainsi_span back;
        chainsi_span_record record;
        size_t size = chainsi_span_pack(&good, &record);
        size_t cut = i % 3 ? size : (size_t)rand() % (sizeof record + 8);
        for (int k = rand() % 8; k > 0; k--)
            record.bytes[(size_t)rand() % sizeof record] = (char)rand();
        if (!chainsi_span_unpack(&back, &record, cut))
            continue;
        const char *const texts[] = { back.chainlet,  back.callee, back.request_id,
                                      back.raised_by, back.file,   back.message };
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            assert_true(texts[k] >= record.bytes &&
                        texts[k] + strlen(texts[k]) < record.bytes + cut);
        assert_non_null(chainsi_span_kind_name(back.kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_out),
        cmocka_unit_test(absent_texts_are_empty),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(what_no_person_should_see_is_taken_out),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(any_bytes_are_refused_or_texts_within_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
