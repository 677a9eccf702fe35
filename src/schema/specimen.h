/* A type with everything, for tests and fuzzers: every kind, nested in each other, recursive, with
 * defaults, optional fields and limits. "{}" is a value of it. Everything is static: include it
 * where it is used. */
#ifndef CHAINSI_SCHEMA_SPECIMEN_H
#define CHAINSI_SCHEMA_SPECIMEN_H

#include <chains.h>

#include "schema/type.h"

typedef enum specimen_color { SPECIMEN_RED, SPECIMEN_GREEN = 7, SPECIMEN_BLUE = -3 } specimen_color;

CHAINS_LIST_FORWARD(struct specimen_node, specimen_nodes);
CHAINS_MAP(double, specimen_weights);
CHAINS_LIST(chains_double_list, specimen_matrix);

typedef struct specimen_node {
    const char *label;
    specimen_nodes children;
    const struct specimen_node *next; /* optional */
} specimen_node;

CHAINS_MAP(specimen_node, specimen_node_map);
CHAINS_LIST(chains_json, specimen_json_list);
CHAINS_LIST(chains_tensor, specimen_tensor_list);

typedef struct specimen {
    bool flag;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    float f;
    double d;
    const char *text;
    const char *maybe_text; /* optional */
    chains_bytes bytes;
    chains_bytes maybe_bytes; /* optional */
    chains_json json;
    chains_json maybe_json; /* optional */
    chains_tensor tensor;
    specimen_color color;
    specimen_node node;
    const specimen_node *maybe_node; /* optional */
    const int32_t *maybe_number;     /* optional, 1 to 5 */
    specimen_nodes nodes;
    specimen_matrix matrix;
    chains_string_list texts;
    chains_int16_list numbers; /* at most 4 */
    chains_bool_list flags;
    specimen_weights weights; /* at most 12 */
    specimen_node_map node_map;
    specimen_json_list jsons;
    specimen_tensor_list tensors;
    const char *word;   /* 2 to 5 characters */
    const char *choice; /* "wav" or "mp3" */
    double ratio;       /* 0 to 1 */
    uint8_t power;      /* 1, 2 or 4 */
} specimen;

static const chainsi_enumerator specimen_color_values[] = {
    { "red", SPECIMEN_RED, "As blood." },
    { "green", SPECIMEN_GREEN, NULL },
    { "blue", SPECIMEN_BLUE, NULL },
};
static const chainsi_type specimen_color_type = {
    .kind = CHAINSI_ENUM,
    .size = sizeof(specimen_color),
    .name = "specimen_color",
    .values = specimen_color_values,
    .value_count = 3,
};

static const chainsi_type specimen_node_type, specimen_node_pointer_type;
static const chainsi_type specimen_nodes_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(specimen_nodes),
    .name = "specimen_nodes",
    .item = &specimen_node_type,
};
static const specimen_nodes specimen_no_nodes = { 0 };
static const chainsi_field specimen_node_fields[] = {
    { CHAINSI_FIELD(specimen_node, label, &chainsi_type_string) },
    { CHAINSI_FIELD(specimen_node, children, &specimen_nodes_type),
      .default_value = &specimen_no_nodes },
    { CHAINSI_FIELD(specimen_node, next, &specimen_node_pointer_type), .optional = true },
};
static const chainsi_type specimen_node_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(specimen_node),
    .name = "specimen_node",
    .doc = "A tree.",
    .fields = specimen_node_fields,
    .field_count = 3,
};
static const chainsi_type specimen_node_pointer_type = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(const specimen_node *),
    .item = &specimen_node_type,
};
static const chainsi_type specimen_int32_pointer_type = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(const int32_t *),
    .item = &chainsi_type_int32,
};
static const chainsi_type specimen_double_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_double_list),
    .item = &chainsi_type_double,
};
static const chainsi_type specimen_matrix_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(specimen_matrix),
    .item = &specimen_double_list_type,
};
static const chainsi_type specimen_string_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_string_list),
    .item = &chainsi_type_string,
};
static const chainsi_type specimen_int16_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_int16_list),
    .item = &chainsi_type_int16,
};
static const chainsi_type specimen_bool_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_bool_list),
    .item = &chainsi_type_bool,
};
static const chainsi_type specimen_json_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(specimen_json_list),
    .item = &chainsi_type_json,
};
static const chainsi_type specimen_tensor_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(specimen_tensor_list),
    .item = &chainsi_type_tensor,
};
static const chainsi_type specimen_weights_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof(specimen_weights),
    .name = "specimen_weights",
    .item = &chainsi_type_double,
    .entry_size = sizeof(struct specimen_weights_entry),
    .value_offset = offsetof(struct specimen_weights_entry, value),
};
static const chainsi_type specimen_node_map_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof(specimen_node_map),
    .item = &specimen_node_type,
    .entry_size = sizeof(struct specimen_node_map_entry),
    .value_offset = offsetof(struct specimen_node_map_entry, value),
};

static const chainsi_limits specimen_one_to_five = { .has_range = true,
                                                     .min = { .i = 1 },
                                                     .max = { .i = 5 } };
static const chainsi_limits specimen_at_most_four = { .has_length = true, .max_length = 4 };
static const chainsi_limits specimen_at_most_twelve = { .has_length = true, .max_length = 12 };
static const chainsi_limits specimen_word_limits = { .has_length = true,
                                                     .min_length = 2,
                                                     .max_length = 5 };
static const char *const specimen_choices[] = { "wav", "mp3" };
static const chainsi_limits specimen_choice_limits = { .one_of_count = 2,
                                                       .one_of_text = specimen_choices };
static const chainsi_limits specimen_ratio_limits = { .has_range = true,
                                                      .min = { .f = 0 },
                                                      .max = { .f = 1 } };
static const chainsi_number specimen_powers[] = { { .u = 1 }, { .u = 2 }, { .u = 4 } };
static const chainsi_limits specimen_power_limits = { .one_of_count = 3,
                                                      .one_of_number = specimen_powers };

static const float specimen_tensor_data[] = { 1.5f };
static const specimen specimen_defaults = {
    .u8 = 40,
    .d = 0.5,
    .text = "some text",
    .json = { "null", 4 },
    .tensor = { .dtype = CHAINS_FLOAT32, .data = specimen_tensor_data },
    .color = SPECIMEN_GREEN,
    .node = { .label = "root" },
    .word = "word",
    .choice = "wav",
    .power = 1,
};

#define SPECIMEN_FIELD(name, type_)                                                                \
    CHAINSI_FIELD(specimen, name, type_), .default_value = &specimen_defaults.name

static const chainsi_field specimen_fields[] = {
    { SPECIMEN_FIELD(flag, &chainsi_type_bool) },
    { SPECIMEN_FIELD(i8, &chainsi_type_int8) },
    { SPECIMEN_FIELD(i16, &chainsi_type_int16) },
    { SPECIMEN_FIELD(i32, &chainsi_type_int32) },
    { SPECIMEN_FIELD(i64, &chainsi_type_int64) },
    { SPECIMEN_FIELD(u8, &chainsi_type_uint8) },
    { SPECIMEN_FIELD(u16, &chainsi_type_uint16) },
    { SPECIMEN_FIELD(u32, &chainsi_type_uint32) },
    { SPECIMEN_FIELD(u64, &chainsi_type_uint64) },
    { SPECIMEN_FIELD(f, &chainsi_type_float) },
    { SPECIMEN_FIELD(d, &chainsi_type_double) },
    { SPECIMEN_FIELD(text, &chainsi_type_string), .doc = "What was said." },
    { CHAINSI_FIELD(specimen, maybe_text, &chainsi_type_string), .optional = true },
    { SPECIMEN_FIELD(bytes, &chainsi_type_bytes) },
    { CHAINSI_FIELD(specimen, maybe_bytes, &chainsi_type_bytes), .optional = true },
    { SPECIMEN_FIELD(json, &chainsi_type_json) },
    { CHAINSI_FIELD(specimen, maybe_json, &chainsi_type_json), .optional = true },
    { SPECIMEN_FIELD(tensor, &chainsi_type_tensor) },
    { SPECIMEN_FIELD(color, &specimen_color_type) },
    { SPECIMEN_FIELD(node, &specimen_node_type) },
    { CHAINSI_FIELD(specimen, maybe_node, &specimen_node_pointer_type), .optional = true },
    { CHAINSI_FIELD(specimen, maybe_number, &specimen_int32_pointer_type), .optional = true,
      .limits = &specimen_one_to_five },
    { SPECIMEN_FIELD(nodes, &specimen_nodes_type) },
    { SPECIMEN_FIELD(matrix, &specimen_matrix_type) },
    { SPECIMEN_FIELD(texts, &specimen_string_list_type) },
    { SPECIMEN_FIELD(numbers, &specimen_int16_list_type), .limits = &specimen_at_most_four },
    { SPECIMEN_FIELD(flags, &specimen_bool_list_type) },
    { SPECIMEN_FIELD(weights, &specimen_weights_type), .limits = &specimen_at_most_twelve },
    { SPECIMEN_FIELD(node_map, &specimen_node_map_type) },
    { SPECIMEN_FIELD(jsons, &specimen_json_list_type) },
    { SPECIMEN_FIELD(tensors, &specimen_tensor_list_type) },
    { SPECIMEN_FIELD(word, &chainsi_type_string), .limits = &specimen_word_limits },
    { SPECIMEN_FIELD(choice, &chainsi_type_string), .limits = &specimen_choice_limits },
    { SPECIMEN_FIELD(ratio, &chainsi_type_double), .limits = &specimen_ratio_limits },
    { SPECIMEN_FIELD(power, &chainsi_type_uint8), .limits = &specimen_power_limits },
};
static const chainsi_type specimen_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(specimen),
    .name = "specimen",
    .fields = specimen_fields,
    .field_count = sizeof specimen_fields / sizeof *specimen_fields,
};

#endif
