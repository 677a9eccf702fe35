/* MessagePack byte by byte: what is written, what else is taken, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/json.h"
#include "schema/limits.h"
#include "schema/msgpack.h"
#include "schema/specimen.h"

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

#define BYTES(text) text, sizeof text - 1

/* The JSON of a value, or why it could not be had, in a static buffer. */
static const char *decode(const chainsi_type *type, const void *bytes, size_t size, bool in_place,
                          chainsi_codec_error *error)
{
    static char text[4096];
    _Alignas(16) uint8_t value[sizeof(specimen)];
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    chains_status status =
        in_place ? chainsi_msgpack_decode_in_place(type, exact, size, &arena, value, error)
                 : chainsi_msgpack_decode(type, exact, size, &arena, value, error);
    chainsi_buffer out = { 0 };
    if (status == CHAINS_OK) {
        assert_int_equal(chainsi_json_encode(type, value, &out, error), CHAINS_OK);
        snprintf(text, sizeof text, "%.*s", (int)out.size, (const char *)out.data);
    }
    chainsi_buffer_done(&out);
    free(exact);
    return status == CHAINS_OK ? text : NULL;
}

struct encoding {
    const chainsi_type *type;
    const char *json;
    const char *bytes;
    size_t size;
};

static const struct encoding encodings[] = {
    { &chainsi_type_bool, "true", BYTES("\xc3") },
    { &chainsi_type_bool, "false", BYTES("\xc2") },
    { &chainsi_type_int64, "0", BYTES("\x00") },
    { &chainsi_type_int64, "127", BYTES("\x7f") },
    { &chainsi_type_int64, "128", BYTES("\xcc\x80") },
    { &chainsi_type_int64, "255", BYTES("\xcc\xff") },
    { &chainsi_type_int64, "256", BYTES("\xcd\x01\x00") },
    { &chainsi_type_int64, "65535", BYTES("\xcd\xff\xff") },
    { &chainsi_type_int64, "65536", BYTES("\xce\x00\x01\x00\x00") },
    { &chainsi_type_int64, "4294967295", BYTES("\xce\xff\xff\xff\xff") },
    { &chainsi_type_int64, "4294967296", BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00") },
    { &chainsi_type_uint64, "18446744073709551615", BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff") },
    { &chainsi_type_int64, "-1", BYTES("\xff") },
    { &chainsi_type_int64, "-32", BYTES("\xe0") },
    { &chainsi_type_int64, "-33", BYTES("\xd0\xdf") },
    { &chainsi_type_int64, "-128", BYTES("\xd0\x80") },
    { &chainsi_type_int64, "-129", BYTES("\xd1\xff\x7f") },
    { &chainsi_type_int64, "-32768", BYTES("\xd1\x80\x00") },
    { &chainsi_type_int64, "-32769", BYTES("\xd2\xff\xff\x7f\xff") },
    { &chainsi_type_int64, "-2147483648", BYTES("\xd2\x80\x00\x00\x00") },
    { &chainsi_type_int64, "-2147483649", BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff") },
    { &chainsi_type_int64, "-9223372036854775808", BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00") },
    { &chainsi_type_float, "1.5", BYTES("\xca\x3f\xc0\x00\x00") },
    { &chainsi_type_double, "1.5", BYTES("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00") },
    { &chainsi_type_string, "\"\"", BYTES("\xa0") },
    { &chainsi_type_string, "\"abc\"",
      BYTES("\xa3"
            "abc") },
    { &chainsi_type_string, "\"0123456789012345678901234567890\"",
      BYTES("\xbf"
            "0123456789012345678901234567890") },
    { &chainsi_type_string, "\"01234567890123456789012345678901\"",
      BYTES("\xd9\x20"
            "01234567890123456789012345678901") },
    { &chainsi_type_bytes, "\"AAEC\"", BYTES("\xc4\x03\x00\x01\x02") },
    { &chainsi_type_bytes, "\"\"", BYTES("\xc4\x00") },
    { &specimen_color_type, "\"blue\"",
      BYTES("\xa4"
            "blue") },
    { &specimen_double_list_type, "[]", BYTES("\x90") },
    { &specimen_double_list_type, "[0.0]", BYTES("\x91\xcb\0\0\0\0\0\0\0\0") },
    { &specimen_weights_type, "{\"a\":0.0}",
      BYTES("\x81\xa1"
            "a\xcb\0\0\0\0\0\0\0\0") },
    { &specimen_node_type, "{\"label\":\"x\",\"children\":[],\"next\":null}",
      BYTES("\x83\xa5label\xa1x\xa8"
            "children\x90\xa4next\xc0") },
    { &chainsi_type_json, "{\"a\":[1,-1,1.5,\"x\",null,true,false]}",
      BYTES("\x81\xa1"
            "a\x97\x01\xff\xcb\x3f\xf8\0\0\0\0\0\0\xa1x\xc0\xc3\xc2") },
    { &chainsi_type_json, "18446744073709551615", BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff") },
    { &chainsi_type_json, "1e+20", BYTES("\xcb\x44\x15\xaf\x1d\x78\xb5\x8c\x40") },
    { &chainsi_type_json, "[\"\\u00e9\\n\"]", BYTES("\x91\xa3\xc3\xa9\n") },
    { &chainsi_type_json, "[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5]",
      BYTES("\xdc\x00\x10\0\1\2\3\4\5\6\7\x08\x09\0\1\2\3\4\5") },
    { &chainsi_type_tensor, "{\"data_b64\":\"AACAPw==\",\"shape\":[1],\"dtype\":\"float32\"}",
      BYTES("\x84\xc4\x02nd\xc3\xc4\x04type\xa3<f4\xc4\x05shape\x91\x01\xc4\x04"
            "data\xc4\x04\x00\x00\x80\x3f") },
};

static void test_encodings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        const struct encoding *encoding = &encodings[i];
        chainsi_codec_error error;
        chainsi_buffer out = { 0 };
        _Alignas(16) uint8_t value[sizeof(specimen)];
        assert_int_equal(chainsi_json_decode(encoding->type, encoding->json, strlen(encoding->json),
                                             &arena, value, &error),
                         CHAINS_OK);
        assert_int_equal(chainsi_msgpack_encode(encoding->type, value, &out, &error), CHAINS_OK);
        if (out.size != encoding->size || memcmp(out.data, encoding->bytes, out.size) != 0)
            fail_msg("%s is written otherwise", encoding->json);
        chainsi_buffer_done(&out);
        /* Cut short anywhere, it is refused at its end. */
        for (size_t size = 0; size < encoding->size; size++) {
            assert_null(decode(encoding->type, encoding->bytes, size, false, &error));
            assert_int_equal(error.offset, size);
            assert_null(decode(encoding->type, encoding->bytes, size, true, &error));
            assert_int_equal(error.offset, size);
        }
    }
}

static const struct encoding also_taken[] = {
    { &chainsi_type_uint8, "5", BYTES("\xcf\0\0\0\0\0\0\0\x05") },
    { &chainsi_type_uint8, "5", BYTES("\xd3\0\0\0\0\0\0\0\x05") },
    { &chainsi_type_int8, "-5", BYTES("\xd3\xff\xff\xff\xff\xff\xff\xff\xfb") },
    { &chainsi_type_int8, "-5", BYTES("\xd1\xff\xfb") },
    { &chainsi_type_int8, "5", BYTES("\xca\x40\xa0\x00\x00") },
    { &chainsi_type_int64, "-9223372036854775808", BYTES("\xcb\xc3\xe0\x00\x00\x00\x00\x00\x00") },
    { &chainsi_type_double, "5.0", BYTES("\x05") },
    { &chainsi_type_double, "-5.0", BYTES("\xfb") },
    { &chainsi_type_double, "1.5", BYTES("\xca\x3f\xc0\x00\x00") },
    { &chainsi_type_double, "1.8446744073709552e19",
      BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff") },
    { &chainsi_type_float, "1.5", BYTES("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00") },
    { &chainsi_type_float, "300.0", BYTES("\xcd\x01\x2c") },
    { &chainsi_type_string, "\"ab\"",
      BYTES("\xdb\x00\x00\x00\x02"
            "ab") },
    { &chainsi_type_string, "\"ab\"",
      BYTES("\xda\x00\x02"
            "ab") },
    { &chainsi_type_bytes, "\"AA==\"", BYTES("\xc6\x00\x00\x00\x01\x00") },
    { &specimen_color_type, "\"red\"", BYTES("\xc4\x03red") },
    { &specimen_double_list_type, "[1.0]", BYTES("\xdd\x00\x00\x00\x01\x01") },
    { &specimen_weights_type, "{\"a\":1.0}",
      BYTES("\xdf\x00\x00\x00\x01\xa1"
            "a\x01") },
    { &specimen_node_type, "{\"label\":\"x\",\"children\":[],\"next\":null}",
      BYTES("\x82\xa5other\x92\x81\xa1k\xc7\x01\x00\x01\xd4\x00\x00\xc4\x05label\xa1x") },
    { &specimen_node_type, "{\"label\":\"x\",\"children\":[],\"next\":null}",
      BYTES("\xde\x00\x02\xa4next\xc0\xd9\x05label\xa1x") },
    { &chainsi_type_json, "{\"a\":\"AAE=\",\"b\":1.5,\"c\":\"\\u0000\"}",
      BYTES("\x83\xa1"
            "a\xc4\x02\x00\x01\xa1"
            "b\xca\x3f\xc0\x00\x00\xa1"
            "c\xa1\x00") },
    /* A tensor with text keys, a kind and its parts in another order; a scalar. */
    { &chainsi_type_tensor, "{\"data_b64\":\"AQI=\",\"shape\":[2],\"dtype\":\"uint8\"}",
      BYTES("\x85\xa4kind\xc4\x00\xa4"
            "data\xc4\x02\x01\x02\xa5shape\x91\x02\xa4type\xc4\x03|u1\xa2nd\xc3") },
    { &chainsi_type_tensor, "{\"data_b64\":\"AQA=\",\"shape\":[],\"dtype\":\"int16\"}",
      BYTES("\x83\xc4\x02nd\xc2\xc4\x04type\xa3<i2\xc4\x04"
            "data\xc4\x02\x01\x00") },
};

static void test_also_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof also_taken / sizeof *also_taken; i++) {
        const struct encoding *encoding = &also_taken[i];
        chainsi_codec_error error;
        for (int in_place = 0; in_place < 2; in_place++) {
            const char *json =
                decode(encoding->type, encoding->bytes, encoding->size, in_place, &error);
            if (!json)
                fail_msg("%s: %s: %s", encoding->json, error.path, error.message);
            assert_string_equal(json, encoding->json);
        }
    }
}

static const struct {
    const chainsi_type *type;
    const char *bytes;
    size_t size;
    size_t offset;
    const char *path;
    const char *message;
} refused[] = {
    { &chainsi_type_bool, BYTES("\x01"), 0, "", "expected true or false, found the number 1" },
    { &chainsi_type_bool, BYTES("\xc3\xc3"), 1, "",
      "expected the end of the data, found 1 more bytes" },
    { &chainsi_type_bool, BYTES(""), 0, "", "expected true or false, found the end of the data" },
    { &chainsi_type_int8, BYTES("\xcc\x80"), 0, "",
      "expected an integer from -128 to 127, found the number 128" },
    { &chainsi_type_uint8, BYTES("\xff"), 0, "",
      "expected an integer from 0 to 255, found the number -1" },
    { &chainsi_type_uint8, BYTES("\xcb\x3f\xe0\0\0\0\0\0\0"), 0, "",
      "expected an integer from 0 to 255, found the number 0.5" },
    { &chainsi_type_uint64, BYTES("\xcb\x43\xf0\0\0\0\0\0\0"), 0, "",
      "expected an integer from 0 to 18446744073709551615, found the number "
      "1.8446744073709552e19" },
    { &chainsi_type_uint8, BYTES("\xcb\x7f\xf8\0\0\0\0\0\0"), 0, "",
      "expected an integer from 0 to 255, found the number NaN" },
    { &chainsi_type_int64, BYTES("\xcf\x80\0\0\0\0\0\0\0"), 0, "",
      "expected an integer from -9223372036854775808 to 9223372036854775807, found the number "
      "9223372036854775808" },
    { &chainsi_type_float, BYTES("\xcb\x7f\xe0\0\0\0\0\0\0"), 0, "",
      "expected a number of a float's range, found the number 8.98846567431158e307" },
    { &chainsi_type_double, BYTES("\xa1x"), 0, "",
      "expected a number of a double's range, found the string \"x\"" },
    { &chainsi_type_string, BYTES("\xc4\x01x"), 0, "", "expected a string, found 1 bytes" },
    { &chainsi_type_string,
      BYTES("\xa3"
            "a\0b"),
      2, "", "expected text without U+0000, found it at 1" },
    { &chainsi_type_string,
      BYTES("\xa3"
            "a\xff"
            "b"),
      2, "", "expected a string in valid UTF-8, found the byte 0xff" },
    { &chainsi_type_string,
      BYTES("\xd9\x10"
            "0123456789abcde\xc3"),
      17, "", "expected a string in valid UTF-8, found the byte 0xc3" },
    { &chainsi_type_bytes, BYTES("\xa1x"), 0, "", "expected bytes, found the string \"x\"" },
    { &chainsi_type_string, BYTES("\xc1"), 0, "",
      "expected a string, found the byte 0xc1, which begins nothing" },
    { &chainsi_type_string, BYTES("\xd6\x01\0\0\0\0"), 0, "",
      "expected a string, found an extension" },
    { &specimen_color_type, BYTES("\xa4pink"), 0, "",
      "expected \"red\", \"green\" or \"blue\", found the string \"pink\"" },
    { &specimen_color_type, BYTES("\xc0"), 0, "",
      "expected \"red\", \"green\" or \"blue\", found nil" },
    { &specimen_double_list_type, BYTES("\x80"), 0, "", "expected an array, found a map" },
    { &specimen_double_list_type, BYTES("\x92\x01\xc3"), 2, "[1]",
      "expected a number of a double's range, found true" },
    { &specimen_double_list_type, BYTES("\xdd\x10\x00\x00\x01"), 0, "",
      "expected at most 268435456 items, found 268435457" },
    { &specimen_double_list_type, BYTES("\xdd\x10\x00\x00\x00"), 5, "",
      "expected 268435456 items, found the end of the data" },
    { &specimen_weights_type, BYTES("\xdf\x10\x00\x00\x01"), 0, "",
      "expected at most 268435456 keys, found 268435457" },
    /* The inner count would need bytes that the outer items need. */
    { &specimen_matrix_type, BYTES("\x93\x93\x01\x01\x90"), 5, "[0]",
      "expected 3 items, found the end of the data" },
    { &specimen_weights_type, BYTES("\x90"), 0, "", "expected a map, found an array" },
    { &specimen_weights_type, BYTES("\x81\x01\x01"), 1, "",
      "expected a string, found the number 1" },
    { &specimen_weights_type,
      BYTES("\x82\xa1"
            "a\x01\xa1"
            "a\x01"),
      4, "[\"a\"]", "expected every key once, found \"a\" again" },
    { &specimen_weights_type,
      BYTES("\x81\xa1"
            "a\xc0"),
      3, "[\"a\"]", "expected a number of a double's range, found nil" },
    { &specimen_node_type, BYTES("\x80"), 1, "label", "expected a string, found no such key" },
    { &specimen_node_type, BYTES("\x81\x01\x01"), 1, "", "expected a key, found the number 1" },
    { &specimen_node_type, BYTES("\x82\xa5label\xa1x\xa5label\xa1y"), 9, "label",
      "expected every key once, found \"label\" again" },
    { &specimen_node_type, BYTES("\x82\xa5label\xa1x\xa4next\x81\xa5label\x03"), 21, "next.label",
      "expected a string, found the number 3" },
    { &specimen_type, BYTES("\x81\xa4word\xa1x"), 6, "word",
      "expected a string of 2 to 5 characters, found 1" },
    { &specimen_type,
      BYTES("\x82\xa4word\xa3xyz\xa6"
            "choice\xa3ogg"),
      17, "choice", "expected \"wav\" or \"mp3\", found the string \"ogg\"" },
    { &chainsi_type_json, BYTES("\xcb\x7f\xf0\0\0\0\0\0\0"), 0, "",
      "expected a number that JSON has, found the number infinity" },
    { &chainsi_type_json, BYTES("\x81\x01\x01"), 1, "",
      "expected a key that is a string, found the number 1" },
    { &chainsi_type_json, BYTES("\xd4\x00\x00"), 0, "",
      "expected a value that JSON has, found an extension" },
    { &chainsi_type_json, BYTES("\xa1\xff"), 1, "",
      "expected a string in valid UTF-8, found the byte 0xff" },
    { &chainsi_type_tensor, BYTES("\x80"), 1, "nd", "expected true or false, found no such key" },
    { &chainsi_type_tensor,
      BYTES("\x84\xa2nd\xc3\xa4type\xa3>f4\xa5shape\x91\x01\xa4"
            "data\xc4\x04\0\0\0\0"),
      10, "type",
      "expected \"<f4\", \"<f8\", \"<f2\", \"|i1\", \"<i2\", \"<i4\", \"<i8\", \"|u1\", \"<u2\", "
      "\"<u4\", \"<u8\" or \"|b1\", found the string \">f4\"" },
    { &chainsi_type_tensor,
      BYTES("\x84\xa2nd\xc3\xa4type\xa3<f4\xa5shape\x91\x02\xa4"
            "data\xc4\x04\0\0\0\0"),
      0, "", "expected 8 bytes of data for the tensor's shape, found 4" },
    { &chainsi_type_tensor,
      BYTES("\x84\xa2nd\xc2\xa4type\xa3<f4\xa5shape\x91\x01\xa4"
            "data\xc4\x04\0\0\0\0"),
      0, "", "expected no shape where nd is false, found 1 dimensions" },
};

static void test_refused(void **state)
{
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        for (int in_place = 0; in_place < 2; in_place++) {
            chainsi_codec_error error;
            if (decode(refused[i].type, refused[i].bytes, refused[i].size, in_place, &error))
                fail_msg("taken: %s", refused[i].message);
            if (error.offset == refused[i].offset && !strcmp(error.path, refused[i].path) &&
                !strcmp(error.message, refused[i].message))
                continue;
            print_error("%zu%s\n  at %zu, path '%s': %s\n  not %zu, '%s': %s\n", i,
                        in_place ? " in place" : "", error.offset, error.path, error.message,
                        refused[i].offset, refused[i].path, refused[i].message);
            failures++;
        }
    assert_int_equal(failures, 0);
}

/* In place, texts are where they were, but the last one; each with its NUL. */
static void test_in_place(void **state)
{
    (void)state;
    static const char bytes[] = "\x93\xa3"
                                "abc\xa0\xa2xy";
    char data[sizeof bytes];
    memcpy(data, bytes, sizeof bytes);
    chains_string_list list;
    data[sizeof bytes - 1] = '!'; /* not ours: must stay */
    assert_int_equal(chainsi_msgpack_decode_in_place(&specimen_string_list_type, data,
                                                     sizeof bytes - 1, &arena, &list, NULL),
                     CHAINS_OK);
    assert_int_equal(list.count, 3);
    assert_ptr_equal(list.items[0], data + 2);
    assert_string_equal(list.items[0], "abc");
    assert_ptr_equal(list.items[1], data + 6);
    assert_string_equal(list.items[1], "");
    assert_string_equal(list.items[2], "xy");
    assert_int_equal(data[sizeof bytes - 1], '!');
    assert_true(list.items[2] < data || list.items[2] >= data + sizeof data);
}

/* Tensors are aligned for their elements wherever their bytes lie in the message. */
static void test_tensor_alignment(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        _Alignas(16) uint8_t storage[128];
        static const char bytes[] = "\x84\xc4\x02nd\xc3\xc4\x04type\xa3<f8\xc4\x05shape\x91\x01"
                                    "\xc4\x04"
                                    "data\xc4\x08\0\0\0\0\0\0\xf8\x3f";
        uint8_t *data = storage + shift;
        memcpy(data, bytes, sizeof bytes - 1);
        chains_tensor tensor;
        assert_int_equal(chainsi_msgpack_decode_in_place(&chainsi_type_tensor, data,
                                                         sizeof bytes - 1, &arena, &tensor, NULL),
                         CHAINS_OK);
        assert_int_equal((uintptr_t)tensor.data % 8, 0);
        assert_true(*(const double *)tensor.data == 1.5);
    }
}

/* Counts and sizes at the ends of their forms. */
static void test_counts(void **state)
{
    (void)state;
    static const size_t sizes[] = { 15, 16, 31, 32, 255, 256, 65535, 65536, 70000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t count = sizes[i];
        chainsi_buffer packed = { 0 }, json = { 0 };
        chainsi_codec_error error;
        char *text = chainsi_arena_alloc(&arena, count + 1);
        memset(text, 'x', count);
        const char **texts = chainsi_arena_array(&arena, count, sizeof *texts);
        for (size_t j = 0; j < count; j++)
            texts[j] = j ? "y" : text;
        chains_string_list list = { texts, count }, back;
        assert_int_equal(chainsi_msgpack_encode(&specimen_string_list_type, &list, &packed, &error),
                         CHAINS_OK);
        assert_int_equal(chainsi_msgpack_decode(&specimen_string_list_type, packed.data,
                                                packed.size, &arena, &back, &error),
                         CHAINS_OK);
        assert_int_equal(back.count, count);
        assert_string_equal(back.items[0], text);
        /* As chains_json, whose counts are known at the end only, the same bytes come out. */
        assert_int_equal(chainsi_json_encode(&specimen_string_list_type, &list, &json, &error),
                         CHAINS_OK);
        chains_json value = { (const char *)json.data, json.size };
        chainsi_buffer again = { 0 };
        assert_int_equal(chainsi_msgpack_encode(&chainsi_type_json, &value, &again, &error),
                         CHAINS_OK);
        assert_int_equal(again.size, packed.size);
        assert_memory_equal(again.data, packed.data, again.size);
        chainsi_buffer_done(&again);
        chainsi_buffer_done(&packed);
        chainsi_buffer_done(&json);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (size_t depth = CHAINSI_MAX_DEPTH; depth <= CHAINSI_MAX_DEPTH + 1; depth++) {
        char data[CHAINSI_MAX_DEPTH + 1 + 16];
        chainsi_codec_error error;
        memset(data, 0x91, depth);
        data[depth - 1] = (char)0x90;
        bool taken = decode(&chainsi_type_json, data, depth, false, &error) != NULL;
        assert_int_equal(taken, depth <= CHAINSI_MAX_DEPTH);
        /* In what is ignored, too: one more around it. */
        char ignored[sizeof data];
        char *at = ignored;
        at = stpcpy(at, "\x82\xa5label\xa0\xa1?");
        memcpy(at, data + 1, depth - 1);
        taken = decode(&specimen_node_type, ignored, (size_t)(at - ignored) + depth - 1, false,
                       &error) != NULL;
        assert_int_equal(taken, depth <= CHAINSI_MAX_DEPTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_encodings, begin, end),
        cmocka_unit_test_setup_teardown(test_also_taken, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_in_place, begin, end),
        cmocka_unit_test_setup_teardown(test_tensor_alignment, begin, end),
        cmocka_unit_test_setup_teardown(test_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_depth, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
