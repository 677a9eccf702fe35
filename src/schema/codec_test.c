/* One table of values through both formats and back, and one of errors with place, path and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/json.h"
#include "schema/msgpack.h"
#include "schema/specimen.h"
#include "schema/value.h"

static chainsi_arena arena;

static int begin(void **state)
{
    (void)state;
    chainsi_arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    chainsi_arena_done(&arena);
    return 0;
}

/* A copy without a NUL and at its exact size, so that asan sees reading beyond it. */
static char *copy_exactly(const void *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return copy;
}

static chains_status decode_json(const chainsi_type *type, const char *text, void *value,
                                 chainsi_codec_error *error)
{
    size_t size = strlen(text);
    char *exact = copy_exactly(text, size);
    chains_status status = chainsi_json_decode(type, exact, size, &arena, value, error);
    free(exact);
    return status;
}

/* --------------------------------------------------------------------------------------------
 * values through both formats */

struct round_trip {
    const chainsi_type *type;
    const char *json;     /* what is decoded */
    const char *encoding; /* what JSON comes out; NULL: the same */
};

static const struct round_trip round_trips[] = {
    { &chainsi_type_bool, "true", NULL },
    { &chainsi_type_bool, " false ", "false" },
    { &chainsi_type_int8, "-128", NULL },
    { &chainsi_type_int8, "127", NULL },
    { &chainsi_type_int8, "-32", NULL },
    { &chainsi_type_int8, "-33", NULL },
    { &chainsi_type_int16, "-32768", NULL },
    { &chainsi_type_int16, "32767", NULL },
    { &chainsi_type_int16, "-129", NULL },
    { &chainsi_type_int16, "128", NULL },
    { &chainsi_type_int16, "256", NULL },
    { &chainsi_type_int32, "-2147483648", NULL },
    { &chainsi_type_int32, "2147483647", NULL },
    { &chainsi_type_int32, "-32769", NULL },
    { &chainsi_type_int32, "65536", NULL },
    { &chainsi_type_int64, "-9223372036854775808", NULL },
    { &chainsi_type_int64, "9223372036854775807", NULL },
    { &chainsi_type_int64, "-2147483649", NULL },
    { &chainsi_type_int64, "4294967296", NULL },
    { &chainsi_type_int64, "1e3", "1000" },
    { &chainsi_type_int64, "5.0", "5" },
    { &chainsi_type_int64, "-0", "0" },
    { &chainsi_type_int64, "-0.0", "0" },
    { &chainsi_type_int64, "-1.5e1", "-15" },
    { &chainsi_type_uint8, "255", NULL },
    { &chainsi_type_uint8, "-0", "0" },
    { &chainsi_type_uint16, "65535", NULL },
    { &chainsi_type_uint32, "4294967295", NULL },
    { &chainsi_type_uint64, "18446744073709551615", NULL },
    { &chainsi_type_uint64, "18446744073709551615.0", "18446744073709551615" },
    { &chainsi_type_uint64, "9223372036854775808", NULL },
    { &chainsi_type_float, "0.1", NULL },
    { &chainsi_type_float, "3.4028235e38", NULL },
    { &chainsi_type_float, "1e-45", NULL },
    { &chainsi_type_float, "16777217", "16777216.0" },
    { &chainsi_type_float, "-0", "-0.0" },
    { &chainsi_type_double, "0.1", NULL },
    { &chainsi_type_double, "-0.0", NULL },
    { &chainsi_type_double, "5", "5.0" },
    { &chainsi_type_double, "1.7976931348623157e308", NULL },
    { &chainsi_type_double, "5e-324", NULL },
    { &chainsi_type_double, "1E5", "100000.0" },
    { &chainsi_type_double, "123456789012345678", "1.2345678901234568e17" },
    { &chainsi_type_string, "\"\"", NULL },
    { &chainsi_type_string, "\"a\"", NULL },
    { &chainsi_type_string, "\"a\\u00e9\\u20ac\\ud83d\\ude00\\/\"",
      "\"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\"" },
    { &chainsi_type_string, "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"", NULL },
    { &chainsi_type_string, "\"abcdefghijklmno\"", NULL },
    { &chainsi_type_string, "\"abcdefghijklmnop\"", NULL },
    { &chainsi_type_string, "\"abcdefghijklmnopq\"", NULL },
    { &chainsi_type_string, "\"abcdefghijklmnopqrstuvwxyzabcde\"", NULL },
    { &chainsi_type_string, "\"abcdefghijklmnopqrstuvwxyzabcdef\"", NULL },
    { &chainsi_type_string, "\"abcdefghijklmno\\n\"", NULL },
    { &chainsi_type_string, "\"abcdefghijklmno\xc3\xa9\"", NULL },
    { &chainsi_type_bytes, "\"\"", NULL },
    { &chainsi_type_bytes, "\"AA==\"", NULL },
    { &chainsi_type_bytes, "\"AAE=\"", NULL },
    { &chainsi_type_bytes, "\"AAEC\"", NULL },
    { &chainsi_type_bytes, "\"+/+/\"", NULL },
    { &chainsi_type_bytes, "\"+\\/+\\u002f\"", "\"+/+/\"" },
    { &chainsi_type_json, "{\"a\":[1,2.5,\"x\",null,true,false,{}],\"\":[]}", NULL },
    { &chainsi_type_json, "[\"\\u0000\"]", NULL },
    { &chainsi_type_json, "null", NULL },
    { &chainsi_type_tensor, "{\"data_b64\":\"AACAPwAAAEA=\",\"shape\":[2,1],\"dtype\":\"float32\"}",
      NULL },
    { &chainsi_type_tensor, "{\"dtype\":\"bool\",\"shape\":[],\"data_b64\":\"AQ==\"}",
      "{\"data_b64\":\"AQ==\",\"shape\":[],\"dtype\":\"bool\"}" },
    { &chainsi_type_tensor,
      "{\"data_b64\":\"\",\"shape\":[0,9223372036854775807],\"dtype\":\"int64\"}", NULL },
    { &chainsi_type_tensor, "{\"data_b64\":\"AAA=\",\"shape\":[1],\"dtype\":\"float16\"}", NULL },
    { &specimen_color_type, "\"red\"", NULL },
    { &specimen_color_type, "\"gr\\u0065en\"", "\"green\"" },
    { &specimen_color_type, "\"blue\"", NULL },
    { &specimen_double_list_type, "[]", NULL },
    { &specimen_double_list_type, " [ 1 , 2e0,3.25 ] ", "[1.0,2.0,3.25]" },
    { &specimen_matrix_type, "[[1.0],[],[2.0,3.0]]", NULL },
    { &specimen_bool_list_type, "[true,false]", NULL },
    { &specimen_string_list_type, "[\"\",\"a\",\"\xc3\xa9\"]", NULL },
    { &specimen_weights_type, "{}", NULL },
    { &specimen_weights_type, "{\"b\":1.0,\"\":2.0,\"a \\\"b\\\"\":3.0}", NULL },
    { &specimen_weights_type,
      "{\"a\":1.0,\"b\":1.0,\"c\":1.0,\"d\":1.0,\"e\":1.0,\"f\":1.0,\"g\":1.0,\"h\":1.0,\"i\":1.0,"
      "\"j\":1.0,\"k\":1.0,\"l\":1.0,\"m\":1.0,\"n\":1.0,\"o\":1.0,\"p\":1.0,\"q\":1.0}",
      NULL },
    { &specimen_node_type, "{\"label\":\"a\"}", "{\"label\":\"a\",\"children\":[],\"next\":null}" },
    { &specimen_node_type, "{\"next\":{\"label\":\"b\"},\"label\":\"a\",\"children\":[]}",
      "{\"label\":\"a\",\"children\":[],\"next\":{\"label\":\"b\",\"children\":[],\"next\":null}"
      "}" },
    { &specimen_node_type,
      "{ \"label\" : \"a\" , \"extra\" : [ { \"x\" : \"\\u0000\" } ] , \"next\" : null }",
      "{\"label\":\"a\",\"children\":[],\"next\":null}" },
    { &specimen_node_type,
      "{\"l\\u0061bel\":\"a\",\"children\":[{\"label\":\"b\",\"children\":[{\"label\":\"c\"}]},"
      "{\"label\":\"d\"}]}",
      "{\"label\":\"a\",\"children\":[{\"label\":\"b\",\"children\":[{\"label\":\"c\","
      "\"children\":[],\"next\":null}],\"next\":null},{\"label\":\"d\",\"children\":[],"
      "\"next\":null}],\"next\":null}" },
};

static void test_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof round_trips / sizeof *round_trips; i++) {
        const struct round_trip *trip = &round_trips[i];
        const char *expected = trip->encoding ? trip->encoding : trip->json;
        chainsi_codec_error error;
        chainsi_buffer json = { 0 }, msgpack = { 0 }, again = { 0 };
        _Alignas(16) uint8_t value[sizeof(specimen)];
        if (decode_json(trip->type, trip->json, value, &error) != CHAINS_OK)
            fail_msg("%s: %s: %s", trip->json, error.path, error.message);
        assert_int_equal(chainsi_json_encode(trip->type, value, &json, &error), CHAINS_OK);
        assert_int_equal(json.size, strlen(expected));
        assert_memory_equal(json.data, expected, json.size);
        assert_int_equal(chainsi_value_check(trip->type, value, &error), CHAINS_OK);

        /* In place. */
        char *text = copy_exactly(trip->json, strlen(trip->json));
        assert_int_equal(chainsi_json_decode_in_place(trip->type, text, strlen(trip->json), &arena,
                                                      value, &error),
                         CHAINS_OK);
        json.size = 0;
        assert_int_equal(chainsi_json_encode(trip->type, value, &json, &error), CHAINS_OK);
        assert_int_equal(json.size, strlen(expected));
        assert_memory_equal(json.data, expected, json.size);

        /* Through MessagePack, by copying and in place. */
        assert_int_equal(chainsi_msgpack_encode(trip->type, value, &msgpack, &error), CHAINS_OK);
        char *data = copy_exactly(msgpack.data, msgpack.size);
        for (int in_place = 0; in_place < 2; in_place++) {
            _Alignas(16) uint8_t other[sizeof(specimen)];
            chains_status status =
                in_place
                    ? chainsi_msgpack_decode_in_place(trip->type, data, msgpack.size, &arena, other,
                                                      &error)
                    : chainsi_msgpack_decode(trip->type, data, msgpack.size, &arena, other, &error);
            if (status != CHAINS_OK)
                fail_msg("%s: %s: %s", trip->json, error.path, error.message);
            again.size = 0;
            assert_int_equal(chainsi_json_encode(trip->type, other, &again, &error), CHAINS_OK);
            assert_int_equal(again.size, strlen(expected));
            assert_memory_equal(again.data, expected, again.size);
        }
        free(data);
        free(text);
        chainsi_buffer_done(&json);
        chainsi_buffer_done(&msgpack);
        chainsi_buffer_done(&again);
    }
}

/* --------------------------------------------------------------------------------------------
 * what is in C after decoding */

static void test_values_in_c(void **state)
{
    (void)state;
    specimen value;
    chainsi_codec_error error;
    assert_int_equal(decode_json(&specimen_type, "{}", &value, &error), CHAINS_OK);
    assert_false(value.flag);
    assert_int_equal(value.u8, 40);
    assert_true(value.d == 0.5);
    assert_string_equal(value.text, "some text");
    assert_null(value.maybe_text);
    assert_null(value.maybe_bytes.data);
    assert_null(value.maybe_json.text);
    assert_null(value.maybe_node);
    assert_null(value.maybe_number);
    assert_int_equal(value.color, SPECIMEN_GREEN);
    assert_string_equal(value.node.label, "root");
    assert_int_equal(value.nodes.count, 0);

    assert_int_equal(
        decode_json(&specimen_type,
                    "{\"flag\":true,\"i8\":-5,\"u64\":18446744073709551615,\"f\":0.25,"
                    "\"maybe_text\":\"x\",\"bytes\":\"AAEC\",\"maybe_bytes\":\"\","
                    "\"json\": {\"a\" : 1} ,\"color\":\"blue\",\"maybe_number\":3,"
                    "\"tensor\":{\"data_b64\":\"AQACAA==\",\"shape\":[2],\"dtype\":\"uint16\"},"
                    "\"matrix\":[[1,2],[]],\"texts\":[\"a\",\"b\"],\"weights\":{\"k\":2}}",
                    &value, &error),
        CHAINS_OK);
    assert_true(value.flag);
    assert_int_equal(value.i8, -5);
    assert_true(value.u64 == UINT64_MAX);
    assert_true(value.f == 0.25f);
    assert_string_equal(value.maybe_text, "x");
    assert_int_equal(value.bytes.size, 3);
    assert_memory_equal(value.bytes.data, "\0\1\2", 3);
    assert_non_null(value.maybe_bytes.data);
    assert_int_equal(value.maybe_bytes.size, 0);
    assert_string_equal(value.json.text, "{\"a\" : 1}");
    assert_int_equal(value.json.size, 9);
    assert_int_equal(value.color, SPECIMEN_BLUE);
    assert_int_equal(*value.maybe_number, 3);
    assert_int_equal(value.tensor.dtype, CHAINS_UINT16);
    assert_int_equal(value.tensor.rank, 1);
    assert_int_equal(value.tensor.shape[0], 2);
    assert_int_equal(((const uint16_t *)value.tensor.data)[1], 2);
    assert_int_equal(value.matrix.count, 2);
    assert_true(value.matrix.items[0].items[1] == 2);
    assert_int_equal(value.matrix.items[1].count, 0);
    assert_string_equal(value.texts.items[1], "b");
    assert_string_equal(value.weights.items[0].key, "k");
    assert_true(value.weights.items[0].value == 2);

    /* Untouched on failure. */
    value.i16 = 77;
    assert_int_equal(decode_json(&specimen_type, "{\"i16\":5,\"i32\":\"x\"}", &value, &error),
                     CHAINS_INVALID_ARGUMENT);
    assert_int_equal(value.i16, 77);
}

/* Long lists, nested in long lists, so that items are collected over many segments. */
static void test_long_lists(void **state)
{
    (void)state;
    enum { ROWS = 300, COLUMNS = 400, NODES = 20000 };
    chainsi_buffer text = { 0 };
    chainsi_codec_error error;
    chainsi_buffer_add_byte(&text, '[');
    for (int row = 0; row < ROWS; row++) {
        chainsi_buffer_add_text(&text, row ? ",[" : "[");
        for (int column = 0; column < COLUMNS; column++)
            chainsi_buffer_printf(&text, "%s%d", column ? "," : "", row * COLUMNS + column);
        chainsi_buffer_add_byte(&text, ']');
    }
    chainsi_buffer_add_byte(&text, ']');
    specimen_matrix matrix, packed_matrix;
    assert_int_equal(chainsi_json_decode(&specimen_matrix_type, (char *)text.data, text.size,
                                         &arena, &matrix, &error),
                     CHAINS_OK);
    chainsi_buffer packed = { 0 };
    assert_int_equal(chainsi_msgpack_encode(&specimen_matrix_type, &matrix, &packed, &error),
                     CHAINS_OK);
    assert_int_equal(chainsi_msgpack_decode(&specimen_matrix_type, packed.data, packed.size, &arena,
                                            &packed_matrix, &error),
                     CHAINS_OK);
    assert_int_equal(matrix.count, ROWS);
    for (int row = 0; row < ROWS; row++) {
        assert_int_equal(matrix.items[row].count, COLUMNS);
        for (int column = 0; column < COLUMNS; column++)
            if (matrix.items[row].items[column] != row * COLUMNS + column ||
                packed_matrix.items[row].items[column] != row * COLUMNS + column)
                fail_msg("item %d, %d", row, column);
    }

    /* More than 1 MiB of structs, each with a list of its own. */
    text.size = 0;
    chainsi_buffer_add_byte(&text, '[');
    for (int i = 0; i < NODES; i++)
        chainsi_buffer_printf(&text, "%s{\"label\":\"n%d\",\"children\":[{\"label\":\"c%d\"}]}",
                              i ? "," : "", i, i);
    chainsi_buffer_add_byte(&text, ']');
    for (int format = 0; format < 2; format++) {
        specimen_nodes nodes;
        if (format == 0)
            assert_int_equal(chainsi_json_decode(&specimen_nodes_type, (char *)text.data, text.size,
                                                 &arena, &nodes, &error),
                             CHAINS_OK);
        else
            assert_int_equal(chainsi_msgpack_decode(&specimen_nodes_type, packed.data, packed.size,
                                                    &arena, &nodes, &error),
                             CHAINS_OK);
        assert_int_equal(nodes.count, NODES);
        for (int i = 0; i < NODES; i++) {
            char label[16];
            snprintf(label, sizeof label, "n%d", i);
            assert_string_equal(nodes.items[i].label, label);
            label[0] = 'c';
            assert_int_equal(nodes.items[i].children.count, 1);
            assert_string_equal(nodes.items[i].children.items[0].label, label);
        }
        packed.size = 0;
        assert_int_equal(chainsi_msgpack_encode(&specimen_nodes_type, &nodes, &packed, &error),
                         CHAINS_OK);
    }
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&packed);
}

/* A struct of more fields than bits in a word, in any order. */
static void test_many_fields(void **state)
{
    (void)state;
    enum { FIELDS = 150 };
    static char names[FIELDS][8];
    static chainsi_field fields[FIELDS];
    for (uint32_t i = 0; i < FIELDS; i++) {
        int size = snprintf(names[i], sizeof names[i], "f%u", i);
        fields[i] = (chainsi_field){ .name = names[i],
                                     .name_size = (uint32_t)size,
                                     .offset = i * (uint32_t)sizeof(int32_t),
                                     .type = &chainsi_type_int32 };
    }
    const chainsi_type type = { .kind = CHAINSI_STRUCT,
                                .size = FIELDS * sizeof(int32_t),
                                .fields = fields,
                                .field_count = FIELDS };
    int32_t value[FIELDS];
    chainsi_buffer text = { 0 }, packed = { 0 };
    chainsi_codec_error error;
    for (uint32_t i = 0; i < FIELDS; i++)
        chainsi_buffer_printf(&text, "%s\"f%u\":%u", i ? "," : "{", i * 7 % FIELDS, i * 7 % FIELDS);
    chainsi_buffer_add_byte(&text, '}');
    assert_int_equal(
        chainsi_json_decode(&type, (char *)text.data, text.size, &arena, value, &error), CHAINS_OK);
    for (int i = 0; i < FIELDS; i++)
        assert_int_equal(value[i], i);
    assert_int_equal(chainsi_msgpack_encode(&type, value, &packed, &error), CHAINS_OK);
    memset(value, 0, sizeof value);
    assert_int_equal(chainsi_msgpack_decode(&type, packed.data, packed.size, &arena, value, &error),
                     CHAINS_OK);
    for (int i = 0; i < FIELDS; i++)
        assert_int_equal(value[i], i);
    /* A repeated one beyond the first 64, and a missing one. */
    text.size--;
    chainsi_buffer_add_text(&text, ",\"f149\":1}");
    assert_int_equal(
        chainsi_json_decode(&type, (char *)text.data, text.size, &arena, value, &error),
        CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "expected every key once, found \"f149\" again");
    assert_int_equal(decode_json(&type, "{\"f0\":1}", value, &error), CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.path, "f1");
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&packed);
}

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
      "expected the key \"dtype\", found the end of the object" },
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
      "expected the key \"label\", found the end of the object" },
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
      "expected the key \"label\", found the end of the object" },
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
 * depth, at the limit and one past it */

/* Nodes in nodes, depth deep: each is an object in an array. */
static char *nest_nodes(int depth)
{
    chainsi_buffer text = { 0 };
    for (int i = 0; i < depth; i++)
        chainsi_buffer_add_text(&text, i % 2 ? "[" : "{\"label\":\"\",\"children\":");
    chainsi_buffer_add_text(&text, depth % 2 ? "[]" : "");
    for (int i = depth - 1; i >= 0; i--)
        chainsi_buffer_add_text(&text, i % 2 ? "]" : "}");
    chainsi_buffer_add_byte(&text, 0);
    return (char *)text.data;
}

static void test_depth(void **state)
{
    (void)state;
    specimen_node value;
    chainsi_codec_error error;
    chainsi_buffer out = { 0 };
    /* An even depth ends in an empty array of nodes, so it is as deep as it says. */
    char *text = nest_nodes(CHAINSI_MAX_DEPTH);
    assert_int_equal(decode_json(&specimen_node_type, text, &value, &error), CHAINS_OK);
    assert_int_equal(chainsi_json_encode(&specimen_node_type, &value, &out, &error), CHAINS_OK);
    out.size = 0;
    assert_int_equal(chainsi_msgpack_encode(&specimen_node_type, &value, &out, &error), CHAINS_OK);
    specimen_node again, copy;
    assert_int_equal(
        chainsi_msgpack_decode(&specimen_node_type, out.data, out.size, &arena, &again, &error),
        CHAINS_OK);
    assert_int_equal(chainsi_value_check(&specimen_node_type, &again, &error), CHAINS_OK);
    chainsi_value_copy(&specimen_node_type, &again, &copy, &arena);
    assert_int_equal(chainsi_value_check(&specimen_node_type, &copy, &error), CHAINS_OK);
    free(text);

    text = nest_nodes(CHAINSI_MAX_DEPTH + 2);
    assert_int_equal(decode_json(&specimen_node_type, text, &value, &error),
                     CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.message,
                        "expected at most 128 nested arrays and objects, found one more");
    free(text);

    /* The same in C: one more node around the deepest allowed. */
    specimen_node outer = { .label = "", .children = { &again, 1 } };
    out.size = 3;
    assert_int_equal(chainsi_json_encode(&specimen_node_type, &outer, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    assert_int_equal(out.size, 3);
    assert_int_equal(chainsi_msgpack_encode(&specimen_node_type, &outer, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    assert_int_equal(out.size, 3);
    assert_int_equal(chainsi_value_check(&specimen_node_type, &outer, &error),
                     CHAINS_INVALID_ARGUMENT);

    /* Within chains_json, what is around it counts. */
    char json[2 * CHAINSI_MAX_DEPTH + 16];
    specimen whole;
    for (int inner = CHAINSI_MAX_DEPTH - 1; inner <= CHAINSI_MAX_DEPTH; inner++) {
        char *at = stpcpy(json, "{\"json\":");
        memset(at, '[', (size_t)inner);
        memset(at + inner, ']', (size_t)inner);
        strcpy(at + 2 * inner, "}");
        assert_int_equal(decode_json(&specimen_type, json, &whole, &error) == CHAINS_OK,
                         inner < CHAINSI_MAX_DEPTH);
    }
    assert_string_equal(error.path, "json");
    chainsi_buffer_done(&out);
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

/* NaN and infinities: not in JSON, but in MessagePack; never within a range. */
static void test_not_finite(void **state)
{
    (void)state;
    chainsi_codec_error error;
    chainsi_buffer out = { 0 };
    specimen value = specimen_defaults, back;
    value.d = __builtin_nan("");
    value.f = -__builtin_inff();
    assert_int_equal(chainsi_value_check(&specimen_type, &value, &error), CHAINS_OK);
    assert_int_equal(chainsi_json_encode(&specimen_type, &value, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    check_error(&error, "JSON", 0, "f", "expected a number that JSON has, found -infinity");
    value.f = 0;
    assert_int_equal(chainsi_json_encode(&specimen_type, &value, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    check_error(&error, "JSON", 0, "d", "expected a number that JSON has, found NaN");
    value.f = __builtin_inff();
    assert_int_equal(chainsi_msgpack_encode(&specimen_type, &value, &out, &error), CHAINS_OK);
    assert_int_equal(
        chainsi_msgpack_decode(&specimen_type, out.data, out.size, &arena, &back, &error),
        CHAINS_OK);
    assert_true(back.d != back.d);
    assert_true(back.f == __builtin_inff());
    value.d = 0;
    value.ratio = __builtin_nan("");
    out.size = 0;
    assert_int_equal(chainsi_msgpack_encode(&specimen_type, &value, &out, &error), CHAINS_OK);
    assert_int_equal(
        chainsi_msgpack_decode(&specimen_type, out.data, out.size, &arena, &back, &error),
        CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.path, "ratio");
    assert_string_equal(error.message, "expected a number from 0 to 1, found the number NaN");
    assert_int_equal(chainsi_value_check(&specimen_type, &value, &error), CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.path, "ratio");
    chainsi_buffer_done(&out);
}

/* Limits at their ends, by both decoders and the check. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool kept;
    } cases[] = {
        { "{\"word\":\"ab\"}", true },
        { "{\"word\":\"abcde\"}", true },
        { "{\"word\":"
          "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xe2\x82\xac\"}",
          true },
        { "{\"word\":\"a\"}", false },
        { "{\"word\":\"abcdef\"}", false },
        { "{\"maybe_number\":1}", true },
        { "{\"maybe_number\":5}", true },
        { "{\"maybe_number\":null}", true },
        { "{\"maybe_number\":0}", false },
        { "{\"maybe_number\":6}", false },
        { "{\"numbers\":[1,2,3,4]}", true },
        { "{\"numbers\":[1,2,3,4,5]}", false },
        { "{\"ratio\":0}", true },
        { "{\"ratio\":-0.0}", true },
        { "{\"ratio\":1}", true },
        { "{\"ratio\":1.0000000000000002}", false },
        { "{\"choice\":\"mp3\"}", true },
        { "{\"choice\":\"mp\"}", false },
        { "{\"power\":4}", true },
        { "{\"power\":0}", false },
    };
    /* The same type without limits, to make values that break them. */
    chainsi_field fields[sizeof specimen_fields / sizeof *specimen_fields];
    memcpy(fields, specimen_fields, sizeof fields);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        fields[i].limits = NULL;
    chainsi_type unlimited = specimen_type;
    unlimited.fields = fields;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        specimen value, back;
        chainsi_codec_error error;
        chainsi_buffer out = { 0 };
        chains_status expected = cases[i].kept ? CHAINS_OK : CHAINS_INVALID_ARGUMENT;
        assert_int_equal(decode_json(&specimen_type, cases[i].json, &value, &error), expected);
        assert_int_equal(decode_json(&unlimited, cases[i].json, &value, &error), CHAINS_OK);
        assert_int_equal(chainsi_value_check(&specimen_type, &value, &error), expected);
        /* Encoders write what they are given. */
        assert_int_equal(chainsi_msgpack_encode(&specimen_type, &value, &out, &error), CHAINS_OK);
        assert_int_equal(
            chainsi_msgpack_decode(&specimen_type, out.data, out.size, &arena, &back, &error),
            expected);
        assert_int_equal(chainsi_msgpack_decode_in_place(&specimen_type, out.data, out.size, &arena,
                                                         &back, &error),
                         expected);
        chainsi_buffer_done(&out);
    }
    /* A float's limit is the float that it becomes. */
    const chainsi_limits tenth = { .has_range = true, .min = { .f = 0 }, .max = { .f = 0.1 } };
    const chainsi_field field = {
        .name = "f", .name_size = 1, .type = &chainsi_type_float, .limits = &tenth
    };
    const chainsi_type type = {
        .kind = CHAINSI_STRUCT, .size = sizeof(float), .fields = &field, .field_count = 1
    };
    float number;
    assert_int_equal(decode_json(&type, "{\"f\":0.1}", &number, NULL), CHAINS_OK);
    assert_int_equal(decode_json(&type, "{\"f\":0.10000001}", &number, NULL),
                     CHAINS_INVALID_ARGUMENT);
}

/* Many keys: a repeated one is found among them, wherever it stands. */
static void test_large_maps(void **state)
{
    (void)state;
    for (int count = 7; count <= 3000; count = count * 3 + 1) {
        chainsi_buffer text = { 0 }, out = { 0 };
        specimen_weights map;
        chainsi_codec_error error;
        for (int i = 0; i < count; i++)
            chainsi_buffer_printf(&text, "%s\"key number %d\":%d", i ? "," : "{", i, i);
        size_t size = text.size;
        chainsi_buffer_add_byte(&text, '}');
        assert_int_equal(chainsi_json_decode(&specimen_weights_type, (char *)text.data, text.size,
                                             &arena, &map, &error),
                         CHAINS_OK);
        assert_int_equal(map.count, (size_t)count);
        text.size = size;
        chainsi_buffer_printf(&text, ",\"key number %d\":0}", count / 2);
        assert_int_equal(chainsi_json_decode(&specimen_weights_type, (char *)text.data, text.size,
                                             &arena, &map, &error),
                         CHAINS_INVALID_ARGUMENT);
        assert_int_equal(error.offset, size + 1);
        assert_int_equal(chainsi_json_decode_in_place(&specimen_weights_type, (char *)text.data,
                                                      text.size, &arena, &map, &error),
                         CHAINS_INVALID_ARGUMENT);
        assert_int_equal(error.offset, size + 1);
        chainsi_buffer_done(&text);
        chainsi_buffer_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trips, begin, end),
        cmocka_unit_test_setup_teardown(test_values_in_c, begin, end),
        cmocka_unit_test_setup_teardown(test_long_lists, begin, end),
        cmocka_unit_test_setup_teardown(test_many_fields, begin, end),
        cmocka_unit_test_setup_teardown(test_decoding_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_long_paths_and_excerpts, begin, end),
        cmocka_unit_test_setup_teardown(test_depth, begin, end),
        cmocka_unit_test_setup_teardown(test_encoding_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_not_finite, begin, end),
        cmocka_unit_test_setup_teardown(test_limits, begin, end),
        cmocka_unit_test_setup_teardown(test_large_maps, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
