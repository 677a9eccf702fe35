/* One table of values through both formats and back; depth and limits at their ends. */
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
 * numbers that aren't finite, limits, large maps */

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
    assert_string_equal(error.path, "f");
    assert_string_equal(error.message, "expected a number that JSON has, found -infinity");
    value.f = 0;
    assert_int_equal(chainsi_json_encode(&specimen_type, &value, &out, &error),
                     CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.path, "d");
    assert_string_equal(error.message, "expected a number that JSON has, found NaN");
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
        cmocka_unit_test_setup_teardown(test_depth, begin, end),
        cmocka_unit_test_setup_teardown(test_not_finite, begin, end),
        cmocka_unit_test_setup_teardown(test_limits, begin, end),
        cmocka_unit_test_setup_teardown(test_large_maps, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
