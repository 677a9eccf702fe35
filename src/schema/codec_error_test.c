/* What is refused, with place, path and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/codec_test_support.h"
#include "schema/json.h"
#include "schema/msgpack.h"
#include "schema/specimen.h"
#include "schema/value.h"

/* --------------------------------------------------------------------------------------------
 * errors of decoding JSON */

struct decoding_error {
    const chainsi_type *type;
    const char *json;
    size_t offset;
    const char *path;
    const char *message;
};

static const struct decoding_error decoding_errors[] = {
    { &chainsi_type_bool, "1", 0, "", "expected true or false, found the number 1" },
    { &chainsi_type_bool, "tru", 0, "", "expected true or false, found the text \"tru\"" },
    { &chainsi_type_bool, "truer", 4, "", "expected the end of the text, found the text \"r\"" },
    { &chainsi_type_bool, " ", 1, "", "expected true or false, found the end of the text" },
    { &chainsi_type_int8, "128", 0, "",
      "expected an integer from -128 to 127, found the number 128" },
    { &chainsi_type_int8, "-129", 0, "",
      "expected an integer from -128 to 127, found the number -129" },
    { &chainsi_type_int16, "32768", 0, "",
      "expected an integer from -32768 to 32767, found the number 32768" },
    { &chainsi_type_int32, "-2147483649", 0, "",
      "expected an integer from -2147483648 to 2147483647, found the number -2147483649" },
    { &chainsi_type_int64, "9223372036854775808", 0, "",
      "expected an integer from -9223372036854775808 to 9223372036854775807, found the number "
      "9223372036854775808" },
    { &chainsi_type_uint8, "-1", 0, "", "expected an integer from 0 to 255, found the number -1" },
    { &chainsi_type_uint8, "256", 0, "",
      "expected an integer from 0 to 255, found the number 256" },
    { &chainsi_type_uint64, "18446744073709551616", 0, "",
      "expected an integer from 0 to 18446744073709551615, found the number 18446744073709551616" },
    { &chainsi_type_int32, "0.5", 0, "",
      "expected an integer from -2147483648 to 2147483647, found the number 0.5" },
    { &chainsi_type_int32, "01", 1, "", "expected the end of the text, found the number 1" },
    { &chainsi_type_int32, "-", 1, "", "expected a digit, found the end of the text" },
    { &chainsi_type_int32, "\"5\"", 0, "",
      "expected an integer from -2147483648 to 2147483647, found the string \"5\"" },
    { &chainsi_type_uint8, "1e99", 0, "",
      "expected an integer from 0 to 255, found the number 1e99" },
    { &chainsi_type_double, "1e400", 0, "",
      "expected a number of a double's range, found the number 1e400" },
    { &chainsi_type_float, "3.5e38", 0, "",
      "expected a number of a float's range, found the number 3.5e38" },
    { &chainsi_type_double, "NaN", 0, "", "expected a number, found the text \"NaN\"" },
    { &chainsi_type_double, "1.", 2, "", "expected a digit, found the end of the text" },
    { &chainsi_type_double, "1.x", 2, "", "expected a digit, found the text \"x\"" },
    { &chainsi_type_string, "3", 0, "", "expected a string, found the number 3" },
    { &chainsi_type_string, "null", 0, "", "expected a string, found null" },
    { &chainsi_type_string, "\"a\\u0000\"", 2, "",
      "expected text without U+0000, found \"\\\\u0000\"" },
    { &chainsi_type_string, "\"a\\x\"", 2, "", "expected an escape of JSON, found \"\\\\x\"" },
    { &chainsi_type_string, "\"a\\u12g4\"", 2, "",
      "expected \\u with four hexadecimal digits, found \"\\\\u12g4\"" },
    { &chainsi_type_string, "\"\\ud800x\"", 1, "",
      "expected a surrogate pair, found \"\\\\ud800\"" },
    { &chainsi_type_string, "\"\\udc00\"", 1, "",
      "expected the first half of a surrogate pair, found \"\\\\udc00\"" },
    { &chainsi_type_string, "\"ab\xff\"", 3, "",
      "expected a string in valid UTF-8, found the byte 0xff" },
    { &chainsi_type_string, "\"ab\n\"", 3, "",
      "expected control characters in a string as escapes, found the byte 0x0a" },
    { &chainsi_type_string, "\"ab", 3, "",
      "expected the end of a string, found the end of the text" },
    { &chainsi_type_bytes, "5", 0, "", "expected a string of base64, found the number 5" },
    { &chainsi_type_bytes, "\"AA*A\"", 3, "",
      "expected a string of base64 with characters of base64 and padding, found \"*A\"" },
    { &chainsi_type_bytes, "\"AAA\"", 4, "",
      "expected a string of base64 with whole groups of four characters and padding, found "
      "\"AAA\"" },
    { &chainsi_type_bytes, "\"AB==\"", 2, "",
      "expected a string of base64 with characters of base64 and padding, found \"B==\"" },
    { &specimen_color_type, "\"pink\"", 0, "",
      "expected \"red\", \"green\" or \"blue\", found the string \"pink\"" },
    { &specimen_color_type, "0", 0, "",
      "expected \"red\", \"green\" or \"blue\", found the number 0" },
    { &chainsi_type_tensor, "[]", 0, "",
      "expected a tensor: an object of data_b64, shape and dtype, found an array" },
    { &chainsi_type_tensor, "{\"data_b64\":\"AAAA\",\"shape\":[1],\"dtype\":\"float32\"}", 0, "",
      "expected 4 bytes of data for the tensor's shape, found 3" },
    { &chainsi_type_tensor, "{\"data_b64\":\"\",\"shape\":[-1],\"dtype\":\"float32\"}", 0, "",
      "expected extents of at least 0 in a tensor's shape, found the number -1" },
    { &chainsi_type_tensor,
      "{\"data_b64\":\"\",\"shape\":[4294967296,4294967296],\"dtype\":\"int8\"}", 0, "",
      "expected a tensor that fits in memory, found a larger shape" },
    { &chainsi_type_tensor, "{\"data_b64\":\"\",\"shape\":[1.5],\"dtype\":\"int8\"}", 24,
      "shape[0]",
      "expected an integer from -9223372036854775808 to 9223372036854775807, found the number "
      "1.5" },
    { &chainsi_type_tensor, "{\"data_b64\":\"Ag==\",\"shape\":[1],\"dtype\":\"bool\"}", 0, "",
      "expected bytes of 0 or 1 in a tensor of bool, found 2" },
    { &chainsi_type_tensor, "{\"data_b64\":\"\",\"shape\":[0]}", 26, "dtype",
      "expected \"float32\", \"float64\", \"float16\", \"int8\", \"int16\", \"int32\", \"int64\", "
      "\"uint8\", \"uint16\", \"uint32\", \"uint64\" or \"bool\", found no such key" },
    { &specimen_double_list_type, "{}", 0, "", "expected an array, found an object" },
    { &specimen_double_list_type, "[1,2,\"x\"]", 5, "[2]",
      "expected a number, found the string \"x\"" },
    { &specimen_double_list_type, "[1 2]", 3, "", "expected ',' or ']', found the number 2" },
    { &specimen_double_list_type, "[1,]", 3, "[1]", "expected a number, found the character ']'" },
    { &specimen_double_list_type, "[1,2", 4, "", "expected ',' or ']', found the end of the text" },
    { &specimen_matrix_type, "[[1],[2,null]]", 8, "[1][1]", "expected a number, found null" },
    { &specimen_weights_type, "{\"a\":1,\"a b\":\"x\"}", 13, "[\"a b\"]",
      "expected a number, found the string \"x\"" },
    { &specimen_weights_type, "{\"a\":1,\"b\":2 , \"\\u0061\":3}", 15, "[\"a\"]",
      "expected every key once, found \"a\" again" },
    { &specimen_weights_type, "{\"a\\u0000\":1}", 3, "",
      "expected text without U+0000, found \"\\\\u0000\"" },
    { &specimen_weights_type, "{\"a\" 1}", 5, "", "expected ':', found the number 1" },
    { &specimen_weights_type, "{a:1}", 1, "", "expected a key, found the text \"a\"" },
    { &specimen_weights_type, "{\"a\":1,}", 7, "", "expected a key, found the character '}'" },
    { &specimen_weights_type, "{\"a\":1 \"b\":2}", 7, "",
      "expected ',' or '}', found the string \"b\"" },
    { &specimen_node_type, "[]", 0, "", "expected an object, found an array" },
    { &specimen_node_type, "{\"children\":[]}", 14, "label",
      "expected a string, found no such key" },
    { &specimen_node_type, "{\"label\":\"a\",\"label\":\"b\"}", 13, "label",
      "expected every key once, found \"label\" again" },
    { &specimen_node_type, "{\"label\":null}", 9, "label", "expected a string, found null" },
    { &specimen_node_type, "{\"label\":\"a\",\"children\":null}", 24, "children",
      "expected an array, found null" },
    { &specimen_node_type,
      "{\"label\":\"a\",\"children\":[{\"label\":\"b\"},{\"label\":\"c\",\"next\":{\"label\":3}}]}",
      68, "children[1].next.label", "expected a string, found the number 3" },
    { &specimen_node_type, "{\"label\":\"a\",\"x\":[1,}", 20, "",
      "expected a value, found the character '}'" },
    { &specimen_node_map_type, "{\"k\":{\"label\":\"a\",\"next\":{}}}", 26, "[\"k\"].next.label",
      "expected a string, found no such key" },
    { &specimen_type, "{\"json\":[1,}", 11, "json", "expected a value, found the character '}'" },
    { &specimen_type, "{\"json\":{\"a\":tru}}", 13, "json",
      "expected a value, found the text \"tru\"" },
    { &specimen_type, "{\"maybe_number\":6}", 16, "maybe_number",
      "expected a number from 1 to 5, found the number 6" },
    { &specimen_type, "{\"maybe_number\":0}", 16, "maybe_number",
      "expected a number from 1 to 5, found the number 0" },
    { &specimen_type, "{\"numbers\":[1,2,3,4,5]}", 11, "numbers",
      "expected an array of at most 4 items, found 5" },
    { &specimen_type, "{\"word\":\"x\"}", 8, "word",
      "expected a string of 2 to 5 characters, found 1" },
    { &specimen_type, "{\"word\":\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\"}", 8, "word",
      "expected a string of 2 to 5 characters, found 6" },
    { &specimen_type, "{\"choice\":\"ogg\"}", 10, "choice",
      "expected \"wav\" or \"mp3\", found the string \"ogg\"" },
    { &specimen_type, "{\"ratio\":1.0000000000000002}", 9, "ratio",
      "expected a number from 0 to 1, found the number 1.0000000000000002" },
    { &specimen_type, "{\"ratio\":-5e-324}", 9, "ratio",
      "expected a number from 0 to 1, found the number -5e-324" },
    { &specimen_type, "{\"power\":3}", 9, "power", "expected 1, 2 or 4, found the number 3" },
    { &specimen_type, "{\"flag\":true}x", 13, "",
      "expected the end of the text, found the text \"x\"" },
    { &chainsi_type_json, "", 0, "", "expected a value, found the end of the text" },
    { &chainsi_type_string, "\x01", 0, "", "expected a string, found the byte 0x01" },
};

static void check_error(const chainsi_codec_error *error, const char *what, size_t offset,
                        const char *path, const char *message)
{
    if (strcmp(error->message, message) != 0 || strcmp(error->path, path) != 0 ||
        error->offset != offset)
        fail_msg("%s\n  at %zu, path '%s': %s\n  not %zu, '%s': %s", what, error->offset,
                 error->path, error->message, offset, path, message);
}

static void test_decoding_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decoding_errors / sizeof *decoding_errors; i++) {
        const struct decoding_error *wrong = &decoding_errors[i];
        chainsi_codec_error error;
        _Alignas(16) uint8_t value[sizeof(specimen)];
        assert_int_equal(decode_json(wrong->type, wrong->json, value, &error),
                         CHAINS_INVALID_ARGUMENT);
        check_error(&error, wrong->json, wrong->offset, wrong->path, wrong->message);
        /* In place, and for somebody who doesn't want to know why. */
        size_t size = strlen(wrong->json);
        char *text = copy_exactly(wrong->json, size);
        assert_int_equal(
            chainsi_json_decode_in_place(wrong->type, text, size, &arena, value, &error),
            CHAINS_INVALID_ARGUMENT);
        check_error(&error, wrong->json, wrong->offset, wrong->path, wrong->message);
        free(text);
        assert_int_equal(chainsi_json_decode(wrong->type, wrong->json, size, &arena, value, NULL),
                         CHAINS_INVALID_ARGUMENT);
    }
}

static void test_long_paths_and_excerpts(void **state)
{
    (void)state;
    chainsi_codec_error error;
    char text[3000], *at = text;
    specimen_node value;
    for (int i = 0; i < 60; i++)
        at += sprintf(at, "{\"label\":\"a\",\"children\":[");
    at += sprintf(at, "{\"label\":7}");
    size_t offset = (size_t)(at - text) - 2;
    *at = 0;
    assert_int_equal(decode_json(&specimen_node_type, text, &value, &error),
                     CHAINS_INVALID_ARGUMENT);
    assert_int_equal(error.offset, offset);
    assert_true(strlen(error.path) < CHAINSI_CODEC_PATH);
    assert_memory_equal(error.path, "...", 3);
    const char *tail = "children[0].children[0].label";
    assert_string_equal(error.path + strlen(error.path) - strlen(tail), tail);

    /* Long values are cut, at whole characters, and shown as valid UTF-8. */
    at = text;
    *at++ = '"';
    for (int i = 0; i < 500; i++)
        at = stpcpy(at, "\xe2\x82\xac");
    strcpy(at, "\"");
    bool flag;
    assert_int_equal(decode_json(&chainsi_type_bool, text, &flag, &error), CHAINS_INVALID_ARGUMENT);
    assert_string_equal(
        error.message,
        "expected true or false, found the string "
        "\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
        "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
        "\xe2\x82\xac\xe2\x82\xac\"...");
    memset(text, '1', 2000);
    text[2000] = 0;
    assert_int_equal(decode_json(&chainsi_type_int8, text, &flag, &error), CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "expected an integer from -128 to 127, found the number "
                                       "111111111111111111111111111111111111111111111111...");
}

/* --------------------------------------------------------------------------------------------
 * errors of encoding, and of values */

static void check_refused(const specimen *value, const char *path, const char *message)
{
    chainsi_codec_error error;
    chainsi_buffer out = { 0 };
    chainsi_buffer_add_text(&out, "kept");
    assert_int_equal(chainsi_json_encode(&specimen_type, value, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    check_error(&error, "JSON", 0, path, message);
    assert_int_equal(out.size, 4);
    assert_int_equal(chainsi_msgpack_encode(&specimen_type, value, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    check_error(&error, "MessagePack", 0, path, message);
    assert_int_equal(out.size, 4);
    assert_int_equal(chainsi_value_check(&specimen_type, value, &error), CHAINS_INVALID_ARGUMENT);
    check_error(&error, "check", 0, path, message);
    assert_int_equal(chainsi_value_check(&specimen_type, value, NULL), CHAINS_INVALID_ARGUMENT);
    chainsi_buffer_done(&out);
}

static void test_encoding_errors(void **state)
{
    (void)state;
    specimen value = specimen_defaults;
    value.text = NULL;
    check_refused(&value, "text", "expected a string, found NULL");
    value.text = "ab\xff";
    check_refused(&value, "text", "expected a string in valid UTF-8, found the byte 0xff at 2");
    value = specimen_defaults;
    value.bytes.size = 1;
    check_refused(&value, "bytes", "expected bytes, found NULL");
    value = specimen_defaults;
    value.color = (specimen_color)5;
    check_refused(&value, "color",
                  "expected the value of \"red\", \"green\" or \"blue\", found the number 5");
    value = specimen_defaults;
    value.json = (chains_json){ "[1,]", 4 };
    check_refused(&value, "json", "in JSON at byte 3: expected a value, found the character ']'");
    value.json = (chains_json){ NULL, 0 };
    check_refused(&value, "json", "expected JSON, found NULL");
    value = specimen_defaults;
    value.tensor.dtype = (chains_dtype)0;
    check_refused(&value, "tensor", "expected a tensor's dtype, found 0");
    value.tensor = (chains_tensor){ .dtype = CHAINS_INT8 };
    check_refused(&value, "tensor", "expected a tensor's data, found NULL");
    int64_t shape[CHAINSI_MAX_RANK + 1] = { -1 };
    value.tensor = (chains_tensor){ .dtype = CHAINS_INT8, .shape = shape, .rank = 1 };
    check_refused(&value, "tensor",
                  "expected extents of at least 0 in a tensor's shape, found the number -1");
    value.tensor.rank = CHAINSI_MAX_RANK + 1;
    check_refused(&value, "tensor", "expected a tensor of at most 32 dimensions, found 33");
    value = specimen_defaults;
    value.texts = (chains_string_list){ NULL, 2 };
    check_refused(&value, "texts", "expected 2 items, found NULL");
    const char *texts[] = { "a", NULL };
    value.texts = (chains_string_list){ texts, 2 };
    check_refused(&value, "texts[1]", "expected a string, found NULL");
    value = specimen_defaults;
    struct specimen_weights_entry weights[] = { { "a", 1 }, { NULL, 2 }, { "a", 3 } };
    value.weights = (specimen_weights){ weights, 3 };
    check_refused(&value, "weights[1]", "expected a key, found NULL");
    weights[1].key = "b";
    check_refused(&value, "weights[\"a\"]", "expected every key once, found \"a\" again");
    weights[0].key = "\xff";
    check_refused(&value, "weights[\"\\xff\"]",
                  "expected a string in valid UTF-8, found the byte 0xff at 0");
    value = specimen_defaults;
    specimen_node inner = { .label = NULL }, outer = { .label = "", .next = &inner };
    value.nodes = (specimen_nodes){ &outer, 1 };
    check_refused(&value, "nodes[0].next.label", "expected a string, found NULL");

    /* A pointer that isn't optional. */
    static const chainsi_type list_of_pointers = {
        .kind = CHAINSI_LIST,
        .size = sizeof(chainsi_buffer),
        .item = &specimen_node_pointer_type,
    };
    const specimen_node *nodes[] = { NULL };
    struct {
        const specimen_node **items;
        size_t count;
    } list = { nodes, 1 };
    chainsi_codec_error error;
    chainsi_buffer out = { 0 };
    assert_int_equal(chainsi_json_encode(&list_of_pointers, &list, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    check_error(&error, "JSON", 0, "[0]", "expected an object, found NULL");
    chainsi_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_decoding_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_long_paths_and_excerpts, begin, end),
        cmocka_unit_test_setup_teardown(test_encoding_errors, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
