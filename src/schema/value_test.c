/* Copies share nothing with what they were copied from, and defaults are those of decoders. What is
 * refused is in codec_test.c, beside the encoders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/json.h"
#include "schema/specimen.h"
#include "schema/value.h"

static const char everything[] =
    "{\"flag\":true,\"i8\":-1,\"u64\":1,\"f\":0.5,\"d\":0.25,\"text\":\"t\",\"maybe_text\":\"m\","
    "\"bytes\":\"AAEC\",\"maybe_bytes\":\"AA==\",\"json\":{\"a\":[1]},\"maybe_json\":[null],"
    "\"tensor\":{\"data_b64\":\"AACAPwAAAEA=\",\"shape\":[2],\"dtype\":\"float32\"},"
    "\"color\":\"blue\",\"node\":{\"label\":\"a\",\"children\":[{\"label\":\"b\"}],"
    "\"next\":{\"label\":\"c\"}},\"maybe_node\":{\"label\":\"d\"},\"maybe_number\":2,"
    "\"nodes\":[{\"label\":\"e\"}],\"matrix\":[[1,2],[]],\"texts\":[\"x\",\"y\"],"
    "\"numbers\":[1,2],\"flags\":[true],\"weights\":{\"k\":1},"
    "\"node_map\":{\"n\":{\"label\":\"f\"}},\"jsons\":[1,\"x\"],"
    "\"tensors\":[{\"data_b64\":\"AQ==\",\"shape\":[],\"dtype\":\"bool\"}],\"word\":\"word\"}";

static void require_same_json(const void *value, const chainsi_buffer *expected)
{
    chainsi_buffer out = { 0 };
    assert_int_equal(chainsi_json_encode(&specimen_type, value, &out, NULL), CHAINS_OK);
    assert_int_equal(out.size, expected->size);
    assert_memory_equal(out.data, expected->data, out.size);
    chainsi_buffer_done(&out);
}

static void test_copy(void **state)
{
    (void)state;
    chainsi_arena first = { 0 }, second = { 0 };
    chainsi_buffer json = { 0 };
    chainsi_codec_error error;
    specimen value, copy;
    size_t size = sizeof everything - 1;
    char *text = malloc(size);
    assert_non_null(text);
    memcpy(text, everything, size);
    assert_int_equal(
        chainsi_json_decode_in_place(&specimen_type, text, size, &first, &value, &error),
        CHAINS_OK);
    assert_int_equal(chainsi_json_encode(&specimen_type, &value, &json, &error), CHAINS_OK);
    chainsi_value_copy(&specimen_type, &value, &copy, &second);
    require_same_json(&copy, &json);
    /* Onto itself; then everything that it came from goes. */
    chainsi_value_copy(&specimen_type, &value, &value, &second);
    memset(text, '#', size);
    free(text);
    chainsi_arena_done(&first);
    require_same_json(&copy, &json);
    require_same_json(&value, &json);
    assert_string_equal(copy.json.text, "{\"a\":[1]}"); /* its NUL, too */
    chainsi_arena_done(&second);
    chainsi_buffer_done(&json);
}

static void test_copy_of_nothing(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    specimen value = specimen_defaults, copy;
    chainsi_value_copy(&specimen_type, &value, &copy, &arena);
    assert_null(copy.maybe_text);
    assert_null(copy.maybe_bytes.data);
    assert_null(copy.maybe_json.text);
    assert_null(copy.maybe_node);
    assert_int_equal(copy.nodes.count, 0);
    assert_string_equal(copy.text, "some text");
    assert_ptr_not_equal(copy.text, value.text);
    chainsi_arena_done(&arena);
}

static void test_defaults(void **state)
{
    (void)state;
    specimen value;
    chainsi_buffer json = { 0 };
    assert_true(chainsi_value_defaults(&specimen_type, &value));
    assert_int_equal(chainsi_json_encode(&specimen_type, &specimen_defaults, &json, NULL),
                     CHAINS_OK);
    require_same_json(&value, &json);
    specimen_node node;
    assert_false(chainsi_value_defaults(&specimen_node_type, &node));
    assert_null(node.label);
    int64_t number = 5;
    assert_true(chainsi_value_defaults(&chainsi_type_int64, &number));
    assert_int_equal(number, 0);
    chainsi_buffer_done(&json);
}

static void test_types_that_cannot_fail(void **state)
{
    (void)state;
    static const chainsi_limits range = { .has_range = true, .max = { .f = 1 } };
    chainsi_field fields[] = {
        { .name = "a", .type = &chainsi_type_double },
        { .name = "b", .type = &chainsi_type_bool },
    };
    chainsi_type numbers = { .kind = CHAINSI_STRUCT, .fields = fields, .field_count = 2 };
    chainsi_field inner = { .name = "numbers", .type = &numbers };
    chainsi_type outer = { .kind = CHAINSI_STRUCT, .fields = &inner, .field_count = 1 };
    assert_false(chainsi_value_can_fail(&chainsi_type_uint64));
    assert_false(chainsi_value_can_fail(&outer));
    fields[0].limits = &range;
    assert_true(chainsi_value_can_fail(&outer));
    fields[0].limits = NULL;
    fields[1].type = &chainsi_type_string;
    assert_true(chainsi_value_can_fail(&outer));
    assert_true(chainsi_value_can_fail(&chainsi_type_bytes));
    assert_true(chainsi_value_can_fail(&specimen_node_type)); /* holds itself */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_of_nothing),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_types_that_cannot_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
