/* UTF-8, base64, and JSON put together by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/base64.h"
#include "schema/json.h"
#include "schema/utf8.h"

/* Every code point's encoding is valid, and each of its bytes changed to any other gives what a
 * decoder written from the definition says. */
static bool is_valid_by_definition(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t point;
        size_t length;
        if (bytes[i] < 0x80) {
            i++;
            continue;
        } else if ((bytes[i] & 0xe0) == 0xc0) {
            length = 2;
            point = bytes[i] & 0x1f;
        } else if ((bytes[i] & 0xf0) == 0xe0) {
            length = 3;
            point = bytes[i] & 0x0f;
        } else if ((bytes[i] & 0xf8) == 0xf0) {
            length = 4;
            point = bytes[i] & 0x07;
        } else {
            return false;
        }
        if (i + length > size)
            return false;
        for (size_t j = 1; j < length; j++) {
            if ((bytes[i + j] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (bytes[i + j] & 0x3f);
        }
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += length;
    }
    return true;
}

static void test_utf8(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x110000; point += point < 0x3000 ? 1 : 61) {
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        char bytes[4];
        size_t size = (size_t)(chainsi_utf8_write(bytes, point) - bytes);
        assert_int_equal(chainsi_utf8_valid(bytes, size), size);
        assert_int_equal(chainsi_utf8_count(bytes, size), 1);
    }
    /* All of two bytes, and all of three whose first begins three. */
    for (uint32_t i = 0; i < 0x10000; i++) {
        uint8_t bytes[] = { (uint8_t)(i >> 8), (uint8_t)i };
        assert_int_equal(chainsi_utf8_valid((char *)bytes, 2) == 2,
                         is_valid_by_definition(bytes, 2));
    }
    for (uint32_t i = 0xe00000; i < 0x1000000; i += 7) {
        uint8_t bytes[] = { (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0x80 };
        for (size_t size = 3; size <= 4; size++)
            assert_int_equal(chainsi_utf8_valid((char *)bytes, size) == size,
                             is_valid_by_definition(bytes, size));
    }
    /* One bad byte anywhere in a longer text is found where it is. */
    char text[100];
    for (size_t i = 0; i < sizeof text; i++) {
        memset(text, 'a', sizeof text);
        text[i] = (char)0xff;
        assert_int_equal(chainsi_utf8_valid(text, sizeof text), i);
    }
    assert_int_equal(chainsi_utf8_count("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
    assert_int_equal(chainsi_utf8_count(NULL, 0), 0);
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } known[] = { { "", "" },
                  { "f", "Zg==" },
                  { "fo", "Zm8=" },
                  { "foo", "Zm9v" },
                  { "foob", "Zm9vYg==" },
                  { "fooba", "Zm9vYmE=" },
                  { "foobar", "Zm9vYmFy" } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[16];
        uint8_t bytes[16];
        size_t size = strlen(known[i].bytes), text_size = chainsi_base64_size(size);
        chainsi_base64_write(text, known[i].bytes, size);
        assert_int_equal(text_size, strlen(known[i].text));
        assert_memory_equal(text, known[i].text, text_size);
        size_t read;
        assert_int_equal(chainsi_base64_read(bytes, text, text_size, &read), text_size);
        assert_int_equal(read, size);
        assert_memory_equal(bytes, known[i].bytes, size);
        /* Over itself. */
        assert_int_equal(chainsi_base64_read((uint8_t *)text, text, text_size, &read), text_size);
        assert_memory_equal(text, known[i].bytes, size);
    }
    uint8_t all[256 * 3], back[256 * 3];
    char text[256 * 4];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t size = 0; size <= sizeof all; size++) {
        size_t read, text_size = chainsi_base64_size(size);
        chainsi_base64_write(text, all, size);
        assert_int_equal(chainsi_base64_read(back, text, text_size, &read), text_size);
        assert_int_equal(read, size);
        assert_memory_equal(back, all, size);
    }
    static const struct {
        const char *text;
        size_t fault;
    } wrong[] = { { "A", 2 },
                  { "AA", 3 },
                  { "AAA", 4 },
                  { "AA=", 2 },
                  { "A===", 1 },
                  { "====", 0 },
                  { "AA=A", 2 },
                  { "AB==", 1 },
                  { "AAB=", 2 },
                  { "AA==AAAA", 2 },
                  { "AAAA*AAA", 4 },
                  { "AAAAAAA*", 7 },
                  { "AA-_", 2 },
                  { "AA A", 2 },
                  { "AAAAA", 6 },
                  { "\xff"
                    "AAA",
                    0 } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t read, fault = chainsi_base64_read(back, wrong[i].text, strlen(wrong[i].text), &read);
        if (fault != wrong[i].fault)
            fail_msg("%s is at fault at %zu", wrong[i].text, fault);
    }
}

static void check_written(const char *text, size_t size, const char *expected)
{
    chainsi_buffer out = { 0 };
    chainsi_json_write_string(&out, text, size);
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(out.data, expected, out.size);
    assert_int_equal(chainsi_json_check((char *)out.data, out.size, NULL), CHAINS_OK);
    chainsi_buffer_done(&out);
}

static void test_writing_strings(void **state)
{
    (void)state;
    check_written(NULL, 0, "\"\"");
    check_written("a\"b\\c/\n\r\t\b\f\x01\x1f\x7f", 14,
                  "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\"");
    check_written("\0", 1, "\"\\u0000\"");
    check_written("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    check_written("a\xff\xc3", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    check_written("\xed\xa0\x80x", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"");
    /* Longer than a part, with everything escaped, and characters on the border of parts. */
    enum { LONG = 10000 };
    char *text = malloc(LONG), *expected = malloc(LONG * 6 + 3);
    assert_non_null(text);
    assert_non_null(expected);
    memset(text, 1, LONG);
    char *at = stpcpy(expected, "\"");
    for (int i = 0; i < LONG; i++)
        at = stpcpy(at, "\\u0001");
    strcpy(at, "\"");
    check_written(text, LONG, expected);
    at = stpcpy(expected, "\"");
    for (size_t i = 0; i + 3 <= LONG; i += 3) {
        memcpy(text + i, "\xe2\x82\xac", 3);
        at = stpcpy(at, "\xe2\x82\xac");
    }
    strcpy(at, "\"");
    check_written(text, LONG / 3 * 3, expected);
    free(text);
    free(expected);
}

static void test_writing_numbers(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_json_write_double(&out, 0.1);
    chainsi_json_write_double(&out, __builtin_nan(""));
    chainsi_json_write_double(&out, -__builtin_inf());
    assert_int_equal(out.size, 11);
    assert_memory_equal(out.data, "0.1nullnull", 11);
    chainsi_buffer_done(&out);
}

static void test_pretty(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pretty;
    } cases[] = {
        { "1", "1" },
        { " \"a: b, {c}\" ", "\"a: b, {c}\"" },
        { "[]", "[]" },
        { "{ \n }", "{}" },
        { "[ [ ] , { } ]", "[\n  [],\n  {}\n]" },
        { "{\"a\":1,\"b\":[true,null],\"c\":{\"d\":\"\\\"\"}}",
          "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null\n  ],\n  \"c\": {\n    \"d\": "
          "\"\\\"\"\n  "
          "}\n}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer out = { 0 };
        assert_int_equal(chainsi_json_pretty(cases[i].text, strlen(cases[i].text), &out),
                         CHAINS_OK);
        assert_int_equal(out.size, strlen(cases[i].pretty));
        assert_memory_equal(out.data, cases[i].pretty, out.size);
        out.size = 0;
        assert_int_equal(chainsi_json_pretty("[1,", 3, &out), CHAINS_INVALID_ARGUMENT);
        assert_int_equal(out.size, 0);
        chainsi_buffer_done(&out);
    }
}

/* chains_json with line ends in it comes out on one line. */
static void test_one_line(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    static const char text[] = " {\n  \"a \\\" b\" : [ 1,\r\n\t2 ]\n} ";
    chains_json json = { text, sizeof text - 1 };
    assert_int_equal(chainsi_json_encode(&chainsi_type_json, &json, &out, NULL), CHAINS_OK);
    static const char expected[] = "{\"a \\\" b\":[1,2]}";
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.size);
    chainsi_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_writing_strings),
        cmocka_unit_test(test_writing_numbers),
        cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
