/* Schemas word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/json.h"
#include "schema/json_schema.h"
#include "schema/specimen.h"

static void check_text(chainsi_buffer *out, const char *expected)
{
    chainsi_buffer_add_byte(out, 0);
    assert_string_equal((char *)out->data, expected);
    assert_int_equal(chainsi_json_check((char *)out->data, out->size - 1, NULL), CHAINS_OK);
    chainsi_buffer_done(out);
}

static void check_schema(const chainsi_type *type, const char *expected)
{
    chainsi_buffer out = { 0 };
    chainsi_json_schema(type, &out);
    check_text(&out, expected);
}

static void test_types(void **state)
{
    (void)state;
    check_schema(&chainsi_type_bool, "{\"type\":\"boolean\"}");
    check_schema(&chainsi_type_int8, "{\"type\":\"integer\",\"minimum\":-128,\"maximum\":127}");
    check_schema(&chainsi_type_uint64,
                 "{\"type\":\"integer\",\"minimum\":0,\"maximum\":18446744073709551615}");
    check_schema(&chainsi_type_double, "{\"type\":\"number\"}");
    check_schema(&chainsi_type_string, "{\"type\":\"string\"}");
    check_schema(&chainsi_type_bytes, "{\"type\":\"string\",\"contentEncoding\":\"base64\"}");
    check_schema(&chainsi_type_json, "{}");
    check_schema(&specimen_color_type, "{\"$ref\":\"#/components/schemas/specimen_color\"}");
    check_schema(
        &specimen_matrix_type,
        "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}}");
    check_schema(&specimen_node_map_type,
                 "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/components/schemas/"
                 "specimen_node\"}}");
    check_schema(&specimen_node_pointer_type, "{\"$ref\":\"#/components/schemas/specimen_node\"}");
}

/* Fields with all that can be said about them. */
typedef struct said {
    int32_t number;
    const char *text;
    const char *choice;
    chains_bytes bytes;
    specimen_weights weights;
    const specimen_node *node;
    const int32_t *maybe;
    specimen_color color;
    double ratio;
} said;

static void test_fields(void **state)
{
    (void)state;
    static const int32_t forty = 40;
    static const specimen_color blue = SPECIMEN_BLUE;
    static const double not_a_number = __builtin_nan("");
    static const chainsi_limits text_limits = { .has_length = true,
                                                .min_length = 1,
                                                .max_length = UINT64_MAX };
    static const chainsi_limits byte_limits = { .has_length = true,
                                                .min_length = 1,
                                                .max_length = 4 };
    static const chainsi_limits number_limits = { .has_range = true,
                                                  .min = { .i = 1 },
                                                  .max = { .i = 100 } };
    static const chainsi_limits half_open = { .has_range = true,
                                              .min = { .f = 0.5 },
                                              .max = { .f = __builtin_inf() } };
    static const chainsi_field fields[] = {
        { CHAINSI_FIELD(said, number, &chainsi_type_int32), .default_value = &forty,
          .limits = &number_limits, .doc = "How many \"words\"." },
        { CHAINSI_FIELD(said, text, &chainsi_type_string), .limits = &text_limits },
        { CHAINSI_FIELD(said, choice, &chainsi_type_string), .optional = true,
          .limits = &specimen_choice_limits },
        { CHAINSI_FIELD(said, bytes, &chainsi_type_bytes), .limits = &byte_limits },
        { CHAINSI_FIELD(said, weights, &specimen_weights_type), .limits = &specimen_at_most_four },
        { CHAINSI_FIELD(said, node, &specimen_node_pointer_type), .optional = true },
        { CHAINSI_FIELD(said, maybe, &specimen_int32_pointer_type), .optional = true },
        { CHAINSI_FIELD(said, color, &specimen_color_type), .default_value = &blue },
        { CHAINSI_FIELD(said, ratio, &chainsi_type_double), .default_value = &not_a_number,
          .limits = &half_open },
    };
    static const chainsi_type type = {
        .kind = CHAINSI_STRUCT,
        .size = sizeof(said),
        .fields = fields,
        .field_count = sizeof fields / sizeof *fields,
    };
    check_schema(
        &type, "{\"type\":\"object\",\"properties\":{"
               "\"number\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,"
               "\"description\":\"How many \\\"words\\\".\",\"default\":40},"
               "\"text\":{\"type\":\"string\",\"minLength\":1},"
               "\"choice\":{\"type\":[\"string\",\"null\"],\"enum\":[\"wav\",\"mp3\",null]},"
               "\"bytes\":{\"type\":\"string\",\"contentEncoding\":\"base64\",\"minLength\":4,"
               "\"maxLength\":8},"
               "\"weights\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"},"
               "\"maxProperties\":4},"
               "\"node\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/specimen_node\"},"
               "{\"type\":\"null\"}]},"
               "\"maybe\":{\"type\":[\"integer\",\"null\"],\"minimum\":-2147483648,"
               "\"maximum\":2147483647},"
               "\"color\":{\"$ref\":\"#/components/schemas/specimen_color\",\"default\":\"blue\"},"
               "\"ratio\":{\"type\":\"number\",\"minimum\":0.5}},"
               "\"required\":[\"text\",\"bytes\",\"weights\"]}");
}

static void test_components(void **state)
{
    (void)state;
    /* Another type of the same name, and one that says the same. */
    static const chainsi_field other_fields[] = {
        { CHAINSI_FIELD(specimen_node, label, &chainsi_type_string) },
    };
    static const chainsi_type other = {
        .kind = CHAINSI_STRUCT,
        .size = sizeof(specimen_node),
        .name = "specimen_node",
        .fields = other_fields,
        .field_count = 1,
    };
    const chainsi_type same = specimen_node_type;
    const chainsi_type *types[] = { &specimen_nodes_type, NULL, &other, &same,
                                    &specimen_color_type };
    chainsi_buffer out = { 0 };
    chainsi_json_schema_components(types, 5, &out);
    check_text(&out,
               "{\"specimen_node\":{\"type\":\"object\",\"properties\":{"
               "\"label\":{\"type\":\"string\"},"
               "\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
               "specimen_node\"},\"default\":[]},"
               "\"next\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/specimen_node\"},"
               "{\"type\":\"null\"}]}},\"required\":[\"label\"],\"description\":\"A tree.\"},"
               "\"specimen_node_2\":{\"type\":\"object\",\"properties\":{"
               "\"label\":{\"type\":\"string\"}},\"required\":[\"label\"]},"
               "\"specimen_color\":{\"type\":\"string\",\"enum\":[\"red\",\"green\",\"blue\"],"
               "\"description\":\"red: As blood.\"}}");
}

/* True if the JSON contains the text. */
static bool contains(const chainsi_buffer *json, const char *text)
{
    return memmem(json->data, json->size, text, strlen(text)) != NULL;
}

static void test_openapi(void **state)
{
    (void)state;
    static const chainsi_type no_output = { .kind = CHAINSI_STRUCT };
    static const chainsi_type one_output = {
        .kind = CHAINSI_STRUCT,
        .size = sizeof(specimen_node),
        .fields = specimen_node_fields,
        .field_count = 1,
    };
    static const chainsi_type two_outputs = {
        .kind = CHAINSI_STRUCT,
        .size = sizeof(specimen_node),
        .fields = specimen_node_fields,
        .field_count = 2,
    };
    const chainsi_openapi_operation operations[] = {
        { .path = "/none", .operation_id = "none", .input = &no_output, .output = &no_output },
        { .path = "/one",
          .operation_id = "one",
          .summary = "One.",
          .description = "One output.",
          .input = &one_output,
          .output = &one_output },
        { .path = "/two", .operation_id = "two", .input = &one_output, .output = &two_outputs },
        { .path = "/stream",
          .operation_id = "stream",
          .input = &no_output,
          .output = &one_output,
          .stream_name = "tokens",
          .stream_item = &chainsi_type_string },
        { .path = "/null", .operation_id = "null", .input = &no_output },
    };
    const chainsi_openapi_document document = {
        .title = "A chain",
        .version = "7",
        .server = "http://127.0.0.1:8600",
        .bearer = true,
        .operations = operations,
        .operation_count = 5,
    };
    chainsi_buffer out = { 0 };
    chainsi_codec_error error;
    chainsi_openapi(&document, &out);
    if (chainsi_json_check((char *)out.data, out.size, &error) != CHAINS_OK)
        fail_msg("%zu: %s", error.offset, error.message);
    static const char *const parts[] = {
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"A chain\",\"version\":\"7\"},"
        "\"servers\":[{\"url\":\"http://127.0.0.1:8600\"}],\"security\":[{\"key\":[]}],\"paths\":{",
        "\"/none\":{\"post\":{\"operationId\":\"none\",\"requestBody\":{\"required\":true,"
        "\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\",\"properties\":{}}}}},"
        "\"responses\":{\"200\":{\"description\":\"The answer.\",\"content\":{"
        "\"application/json\":{\"schema\":{\"type\":\"null\"}}}},",
        "\"operationId\":\"one\",\"summary\":\"One.\",\"description\":\"One output.\"",
        "\"200\":{\"description\":\"The answer.\",\"content\":{\"application/json\":{\"schema\":"
        "{\"type\":\"string\"}}}}",
        "{\"schema\":{\"type\":\"object\",\"properties\":{\"label\":{\"type\":\"string\"},"
        "\"children\":",
        "{\"schema\":{\"type\":\"object\",\"properties\":{\"tokens\":{\"type\":\"array\","
        "\"items\":{\"type\":\"string\"}},\"label\":{\"type\":\"string\"}},"
        "\"required\":[\"tokens\",\"label\"]}},\"text/event-stream\":",
        "\"application/x-ndjson\":{\"schema\":{\"type\":\"string\",\"description\":"
        "\"Lines {\\\"item\\\": ...}, then {\\\"result\\\": ...} or {\\\"error\\\": ...}.\"},"
        "\"x-item\":{\"type\":\"string\"},\"x-result\":{\"type\":\"object\",\"properties\":{"
        "\"label\":{\"type\":\"string\"}},\"required\":[\"label\"]}}",
        "\"400\":{\"$ref\":\"#/components/responses/InvalidArgument\"}",
        "\"4XX\":{\"$ref\":\"#/components/responses/Failure\"}",
        "\"5XX\":{\"$ref\":\"#/components/responses/Failure\"}",
        "\"schemas\":{\"specimen_node\":{",
        "\"chains.Error\":{\"type\":\"object\"",
        "\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}}",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!contains(&out, parts[i]))
            fail_msg("no %s\nin %.*s", parts[i], (int)out.size, (char *)out.data);

    /* Nothing at all. */
    const chainsi_openapi_document empty = { .title = "" };
    out.size = 0;
    chainsi_openapi(&empty, &out);
    assert_int_equal(chainsi_json_check((char *)out.data, out.size, NULL), CHAINS_OK);
    assert_false(contains(&out, "security"));
    chainsi_buffer_done(&out);
}

/* What the whole specimen's schema looks like is tried by checking that it is JSON and complete. */
static void test_specimen(void **state)
{
    (void)state;
    const chainsi_type *types[] = { &specimen_type };
    chainsi_buffer out = { 0 };
    chainsi_json_schema_components(types, 1, &out);
    assert_int_equal(chainsi_json_check((char *)out.data, out.size, NULL), CHAINS_OK);
    for (uint32_t i = 0; i < specimen_type.field_count; i++) {
        char key[64];
        snprintf(key, sizeof key, "\"%s\":{", specimen_type.fields[i].name);
        if (!contains(&out, key))
            fail_msg("no %s", key);
    }
    assert_true(contains(&out, "\"tensor\":{\"type\":\"object\",\"properties\":{\"data_b64\":"));
    chainsi_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),      cmocka_unit_test(test_fields),
        cmocka_unit_test(test_components), cmocka_unit_test(test_openapi),
        cmocka_unit_test(test_specimen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
