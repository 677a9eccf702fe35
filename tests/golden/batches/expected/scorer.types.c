/* scorer.types.c: the types of its calls, and its interface.
 * Written by chains from scorer.h:11; changes are lost. */
#include "scorer.call.h"

/* scorer.h:7: scorer_hint */
static const chainsi_field chains_fields_scorer_hint[] = {
    { /* scorer.h:6 */
        .name = "weight",
        .name_size = 6,
        .offset = offsetof(scorer_hint, weight),
        .type = &chainsi_type_int32,
    },
};
static const chainsi_type chains_type_scorer_hint = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(scorer_hint),
    .name = "scorer_hint",
    .doc = "A hint.",
    .fields = chains_fields_scorer_hint,
    .field_count = 1,
};

static const chainsi_type chains_type_scorer_hint_pointer = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(const scorer_hint *),
    .item = &chains_type_scorer_hint,
};

/* scorer.h:8: scorer_hints */
static const chainsi_type chains_type_scorer_hints = {
    .kind = CHAINSI_LIST,
    .size = sizeof(scorer_hints),
    .name = "scorer_hints",
    .item = &chains_type_scorer_hint,
};

static const chainsi_limits chains_limits_of_inputs_count = {
    .has_range = true,
    .min = { .i = 0 },
    .max = { .i = 9 },
};
static const chainsi_field chains_fields_of_inputs[] = {
    { /* scorer.h:14 */
        .name = "text",
        .name_size = 4,
        .offset = offsetof(struct chains_scorer_input, text),
        .type = &chainsi_type_string,
    },
    { /* scorer.h:15 */
        .name = "hint",
        .name_size = 4,
        .offset = offsetof(struct chains_scorer_input, hint),
        .type = &chains_type_scorer_hint_pointer,
        .optional = true,
    },
    { /* scorer.h:15 */
        .name = "hints",
        .name_size = 5,
        .offset = offsetof(struct chains_scorer_input, hints),
        .type = &chains_type_scorer_hints,
    },
    { /* scorer.h:16 */
        .name = "count",
        .name_size = 5,
        .offset = offsetof(struct chains_scorer_input, count),
        .type = &chainsi_type_int64,
        .limits = &chains_limits_of_inputs_count,
    },
};
static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_scorer_input),
    .fields = chains_fields_of_inputs,
    .field_count = 4,
};

static const chainsi_field chains_fields_of_outputs[] = {
    { /* scorer.h:16 */
        .name = "label",
        .name_size = 5,
        .offset = offsetof(struct chains_scorer_output, label),
        .type = &chainsi_type_string,
    },
    { /* scorer.h:17 */
        .name = "score",
        .name_size = 5,
        .offset = offsetof(struct chains_scorer_output, score),
        .type = &chainsi_type_double,
    },
};
static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_scorer_output),
    .fields = chains_fields_of_outputs,
    .field_count = 2,
};

const chainsi_interface chains_scorer_interface = {
    .name = "scorer",
    .c_name = "scorer",
    .doc = "Scores texts, several at once.",
    .file = "scorer.h",
    .line = 14,
    .fingerprint = UINT64_C(0xa5be0f0bc0d7ea52),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .config = &scorer_config_,
};
