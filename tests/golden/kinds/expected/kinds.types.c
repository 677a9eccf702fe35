/* kinds.types.c: the types of its calls, and its interface.
 * Written by chains from kinds.h:60; changes are lost. */
#include "kinds.call.h"

/* kinds.h:15: kinds_point */
static const chainsi_limits chains_limits_kinds_point_x = {
    .has_range = true,
    .min = { .f = -1e+300 },
    .max = { .f = 0.1 },
};
static const float chains_default_kinds_point_y = 1.5f; /* kinds.h:14 */
static const chainsi_limits chains_limits_kinds_point_y = {
    .has_range = true,
    .min = { .f = 0.0 },
    .max = { .f = 2.0 },
};
static const chainsi_field chains_fields_kinds_point[] = {
    { /* kinds.h:13 */
        .name = "x",
        .name_size = 1,
        .offset = offsetof(kinds_point, x),
        .type = &chainsi_type_double,
        .limits = &chains_limits_kinds_point_x,
    },
    { /* kinds.h:14 */
        .name = "y",
        .name_size = 1,
        .offset = offsetof(kinds_point, y),
        .type = &chainsi_type_float,
        .default_value = &chains_default_kinds_point_y,
        .limits = &chains_limits_kinds_point_y,
    },
};
static const chainsi_type chains_type_kinds_point = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(kinds_point),
    .name = "kinds_point",
    .doc = "A point.",
    .fields = chains_fields_kinds_point,
    .field_count = 2,
};

/* kinds.h:9: kinds_volume */
static const chainsi_enumerator chains_values_kinds_volume[] = {
    { "soft", KINDS_SOFT, "Hardly heard." },
    { "loud", KINDS_LOUD, "Say \"what?\?)\" \\ again." },
    { "KINDS_PLAIN", KINDS_PLAIN, NULL },
};
static const chainsi_type chains_type_kinds_volume = {
    .kind = CHAINSI_ENUM,
    .size = sizeof(kinds_volume),
    .name = "kinds_volume",
    .doc = "How loud.",
    .values = chains_values_kinds_volume,
    .value_count = 3,
};

/* kinds.h:47: __typeof__(((kinds_all *)0)->unnamed) */
static const chainsi_field chains_fields_unnamed_1[] = {
    { /* kinds.h:48 */
        .name = "inner",
        .name_size = 5,
        .offset = offsetof(__typeof__(((kinds_all *)0)->unnamed), inner),
        .type = &chainsi_type_int32,
    },
};
static const chainsi_type chains_type_unnamed_1 = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(__typeof__(((kinds_all *)0)->unnamed)),
    .fields = chains_fields_unnamed_1,
    .field_count = 1,
};

/* kinds.h:16: kinds_points */
static const chainsi_type chains_type_kinds_points = {
    .kind = CHAINSI_LIST,
    .size = sizeof(kinds_points),
    .name = "kinds_points",
    .item = &chains_type_kinds_point,
};

/* kinds.h:17: kinds_lines */
static const chainsi_type chains_type_kinds_lines = {
    .kind = CHAINSI_LIST,
    .size = sizeof(kinds_lines),
    .name = "kinds_lines",
    .item = &chains_type_kinds_points,
};

/* kinds.h:18: kinds_shapes */
static const chainsi_type chains_type_kinds_shapes = {
    .kind = CHAINSI_MAP,
    .size = sizeof(kinds_shapes),
    .name = "kinds_shapes",
    .item = &chains_type_kinds_points,
    .entry_size = sizeof(struct kinds_shapes_entry),
    .value_offset = offsetof(struct kinds_shapes_entry, value),
};

static const chainsi_type chains_type_kinds_tree; /* contains itself */

/* kinds.h:21: kinds_trees */
static const chainsi_type chains_type_kinds_trees = {
    .kind = CHAINSI_LIST,
    .size = sizeof(kinds_trees),
    .name = "kinds_trees",
    .doc = "Contains itself.",
    .item = &chains_type_kinds_tree,
};

/* kinds.h:22: kinds_tree */
static const chainsi_limits chains_limits_kinds_tree_label = {
    .has_length = true,
    .min_length = UINT64_C(1),
    .max_length = UINT64_C(20),
};
static const chainsi_field chains_fields_kinds_tree[] = {
    { /* kinds.h:23 */
        .name = "label",
        .name_size = 5,
        .offset = offsetof(kinds_tree, label),
        .type = &chainsi_type_string,
        .limits = &chains_limits_kinds_tree_label,
    },
    { /* kinds.h:24 */
        .name = "children",
        .name_size = 8,
        .offset = offsetof(kinds_tree, children),
        .type = &chains_type_kinds_trees,
        .doc = "Below this one.",
    },
};
static const chainsi_type chains_type_kinds_tree = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(kinds_tree),
    .name = "kinds_tree",
    .fields = chains_fields_kinds_tree,
    .field_count = 2,
};

static const chainsi_type chains_type_kinds_point_pointer = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(const kinds_point *),
    .item = &chains_type_kinds_point,
};

static const chainsi_type chains_type_double_pointer = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(const double *),
    .item = &chainsi_type_double,
};

/* kinds.h:28: kinds_all */
static const bool chains_default_kinds_all_flag = true; /* kinds.h:29 */
static const chainsi_limits chains_limits_kinds_all_i8 = {
    .has_range = true,
    .min = { .i = -128 },
    .max = { .i = 127 },
};
static const int32_t chains_default_kinds_all_i32 = -5; /* kinds.h:32 */
static const chainsi_limits chains_limits_kinds_all_i64 = {
    .has_range = true,
    .min = { .i = INT64_MIN },
    .max = { .i = 9223372036854775807 },
};
static const chainsi_number chains_one_of_kinds_all_u8[] = { { .u = UINT64_C(1) },
                                                             { .u = UINT64_C(2) },
                                                             { .u = UINT64_C(3) } };
static const chainsi_limits chains_limits_kinds_all_u8 = {
    .one_of_count = 3,
    .one_of_number = chains_one_of_kinds_all_u8,
};
static const chainsi_limits chains_limits_kinds_all_u64 = {
    .has_range = true,
    .min = { .u = UINT64_C(0) },
    .max = { .u = UINT64_C(18446744073709551615) },
};
static const char *const chains_default_kinds_all_text = "a \"b\""; /* kinds.h:40 */
static const char *const chains_one_of_kinds_all_text[] = { "a \"b\"", "c" };
static const chainsi_limits chains_limits_kinds_all_text = {
    .one_of_count = 2,
    .one_of_text = chains_one_of_kinds_all_text,
};
static const chainsi_limits chains_limits_kinds_all_bytes = {
    .has_length = true,
    .min_length = UINT64_C(0),
    .max_length = UINT64_C(1024),
};
static const kinds_volume chains_default_kinds_all_volume = KINDS_LOUD; /* kinds.h:45 */
static const kinds_point chains_default_kinds_all_point = { .x = -2, .y = 1 }; /* kinds.h:46 */
static const chainsi_limits chains_limits_kinds_all_lines = {
    .has_length = true,
    .min_length = UINT64_C(0),
    .max_length = UINT64_C(3),
};
static const chainsi_limits chains_limits_kinds_all_weight = {
    .has_range = true,
    .min = { .f = 0.0 },
    .max = { .f = 1.0 },
};
static const chainsi_field chains_fields_kinds_all[] = {
    { /* kinds.h:29 */
        .name = "flag",
        .name_size = 4,
        .offset = offsetof(kinds_all, flag),
        .type = &chainsi_type_bool,
        .default_value = &chains_default_kinds_all_flag,
    },
    { /* kinds.h:30 */
        .name = "i8",
        .name_size = 2,
        .offset = offsetof(kinds_all, i8),
        .type = &chainsi_type_int8,
        .limits = &chains_limits_kinds_all_i8,
    },
    { /* kinds.h:31 */
        .name = "i16",
        .name_size = 3,
        .offset = offsetof(kinds_all, i16),
        .type = &chainsi_type_int16,
    },
    { /* kinds.h:32 */
        .name = "i32",
        .name_size = 3,
        .offset = offsetof(kinds_all, i32),
        .type = &chainsi_type_int32,
        .default_value = &chains_default_kinds_all_i32,
    },
    { /* kinds.h:33 */
        .name = "i64",
        .name_size = 3,
        .offset = offsetof(kinds_all, i64),
        .type = &chainsi_type_int64,
        .limits = &chains_limits_kinds_all_i64,
    },
    { /* kinds.h:34 */
        .name = "u8",
        .name_size = 2,
        .offset = offsetof(kinds_all, u8),
        .type = &chainsi_type_uint8,
        .limits = &chains_limits_kinds_all_u8,
    },
    { /* kinds.h:35 */
        .name = "u16",
        .name_size = 3,
        .offset = offsetof(kinds_all, u16),
        .type = &chainsi_type_uint16,
    },
    { /* kinds.h:36 */
        .name = "u32",
        .name_size = 3,
        .offset = offsetof(kinds_all, u32),
        .type = &chainsi_type_uint32,
    },
    { /* kinds.h:37 */
        .name = "u64",
        .name_size = 3,
        .offset = offsetof(kinds_all, u64),
        .type = &chainsi_type_uint64,
        .limits = &chains_limits_kinds_all_u64,
    },
    { /* kinds.h:38 */
        .name = "longest",
        .name_size = 7,
        .offset = offsetof(kinds_all, longest),
        .type = &chainsi_type_int64,
    },
    { /* kinds.h:39 */
        .name = "size",
        .name_size = 4,
        .offset = offsetof(kinds_all, size),
        .type = &chainsi_type_uint64,
    },
    { /* kinds.h:40 */
        .name = "text",
        .name_size = 4,
        .offset = offsetof(kinds_all, text),
        .type = &chainsi_type_string,
        .default_value = &chains_default_kinds_all_text,
        .limits = &chains_limits_kinds_all_text,
    },
    { /* kinds.h:41 */
        .name = "maybe",
        .name_size = 5,
        .offset = offsetof(kinds_all, maybe),
        .type = &chainsi_type_string,
        .optional = true,
    },
    { /* kinds.h:42 */
        .name = "bytes",
        .name_size = 5,
        .offset = offsetof(kinds_all, bytes),
        .type = &chainsi_type_bytes,
        .limits = &chains_limits_kinds_all_bytes,
    },
    { /* kinds.h:43 */
        .name = "json",
        .name_size = 4,
        .offset = offsetof(kinds_all, json),
        .type = &chainsi_type_json,
        .optional = true,
    },
    { /* kinds.h:44 */
        .name = "tensor",
        .name_size = 6,
        .offset = offsetof(kinds_all, tensor),
        .type = &chainsi_type_tensor,
    },
    { /* kinds.h:45 */
        .name = "loudness",
        .name_size = 8,
        .offset = offsetof(kinds_all, volume),
        .type = &chains_type_kinds_volume,
        .default_value = &chains_default_kinds_all_volume,
    },
    { /* kinds.h:46 */
        .name = "point",
        .name_size = 5,
        .offset = offsetof(kinds_all, point),
        .type = &chains_type_kinds_point,
        .default_value = &chains_default_kinds_all_point,
    },
    { /* kinds.h:49 */
        .name = "unnamed",
        .name_size = 7,
        .offset = offsetof(kinds_all, unnamed),
        .type = &chains_type_unnamed_1,
    },
    { /* kinds.h:50 */
        .name = "lines",
        .name_size = 5,
        .offset = offsetof(kinds_all, lines),
        .type = &chains_type_kinds_lines,
        .limits = &chains_limits_kinds_all_lines,
    },
    { /* kinds.h:51 */
        .name = "shapes",
        .name_size = 6,
        .offset = offsetof(kinds_all, shapes),
        .type = &chains_type_kinds_shapes,
    },
    { /* kinds.h:52 */
        .name = "tree",
        .name_size = 4,
        .offset = offsetof(kinds_all, tree),
        .type = &chains_type_kinds_tree,
    },
    { /* kinds.h:53 */
        .name = "near",
        .name_size = 4,
        .offset = offsetof(kinds_all, near),
        .type = &chains_type_kinds_point_pointer,
        .optional = true,
    },
    { /* kinds.h:54 */
        .name = "weight",
        .name_size = 6,
        .offset = offsetof(kinds_all, weight),
        .type = &chains_type_double_pointer,
        .optional = true,
        .limits = &chains_limits_kinds_all_weight,
    },
};
static const chainsi_type chains_type_kinds_all = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(kinds_all),
    .name = "kinds_all",
    .doc = "One of everything.",
    .fields = chains_fields_kinds_all,
    .field_count = 24,
};

static const chainsi_type chains_type_kinds_all_pointer = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(const kinds_all *),
    .item = &chains_type_kinds_all,
};

/* kinds.h:56: kinds_labels */
static const chainsi_type chains_type_kinds_labels = {
    .kind = CHAINSI_MAP,
    .size = sizeof(kinds_labels),
    .name = "kinds_labels",
    .item = &chainsi_type_string,
    .entry_size = sizeof(struct kinds_labels_entry),
    .value_offset = offsetof(struct kinds_labels_entry, value),
};

static const chainsi_limits chains_limits_of_inputs_labels = {
    .has_length = true,
    .min_length = UINT64_C(0),
    .max_length = UINT64_C(8),
};
static const long long chains_default_of_inputs_count = 3; /* kinds.h:72 */
static const chainsi_limits chains_limits_of_inputs_count = {
    .has_range = true,
    .min = { .i = -9 },
    .max = { .i = 9 },
};
static const chainsi_field chains_fields_of_inputs[] = {
    { /* kinds.h:70 */
        .name = "all",
        .name_size = 3,
        .offset = offsetof(struct chains_kinds_input, all),
        .type = &chains_type_kinds_all_pointer,
        .doc = "everything",
    },
    { /* kinds.h:71 */
        .name = "labels",
        .name_size = 6,
        .offset = offsetof(struct chains_kinds_input, labels),
        .type = &chains_type_kinds_labels,
        .limits = &chains_limits_of_inputs_labels,
        .doc = "some names",
    },
    { /* kinds.h:72 */
        .name = "count",
        .name_size = 5,
        .offset = offsetof(struct chains_kinds_input, count),
        .type = &chainsi_type_int64,
        .default_value = &chains_default_of_inputs_count,
        .limits = &chains_limits_of_inputs_count,
        .doc = "how many",
    },
};
static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_kinds_input),
    .fields = chains_fields_of_inputs,
    .field_count = 3,
};

static const chainsi_field chains_fields_of_outputs[] = {
    { /* kinds.h:73 */
        .name = "result",
        .name_size = 6,
        .offset = offsetof(struct chains_kinds_output, result),
        .type = &chains_type_kinds_all,
        .doc = "the same again",
    },
    { /* kinds.h:73 */
        .name = "total",
        .name_size = 5,
        .offset = offsetof(struct chains_kinds_output, total),
        .type = &chainsi_type_uint64,
        .doc = "their number",
    },
};
static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_kinds_output),
    .fields = chains_fields_of_outputs,
    .field_count = 2,
};

const chainsi_interface chains_kinds_interface = {
    .name = "all-kinds",
    .c_name = "kinds",
    .doc = "Takes and gives every kind of type.",
    .method_doc = "Runs.",
    .file = "kinds.h",
    .line = 70,
    .fingerprint = UINT64_C(0xcbc62eb1dbf6a3b0),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .stream_name = "stream",
    .stream_item = &chains_type_kinds_point,
    .config = &kinds_config_,
};
