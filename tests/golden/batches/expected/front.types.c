/* front.types.c: the types of its calls, and its interface.
 * Written by chains from front.h:6; changes are lost. */
#include "front.call.h"

static const chainsi_field chains_fields_of_inputs[] = {
    { /* front.h:9 */
        .name = "text",
        .name_size = 4,
        .offset = offsetof(struct chains_front_input, text),
        .type = &chainsi_type_string,
    },
};
static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_front_input),
    .fields = chains_fields_of_inputs,
    .field_count = 1,
};

static const chainsi_field chains_fields_of_outputs[] = {
    { /* front.h:9 */
        .name = "score",
        .name_size = 5,
        .offset = offsetof(struct chains_front_output, score),
        .type = &chainsi_type_double,
    },
};
static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_front_output),
    .fields = chains_fields_of_outputs,
    .field_count = 1,
};

const chainsi_interface chains_front_interface = {
    .name = "front",
    .c_name = "front",
    .file = "front.h",
    .line = 9,
    .fingerprint = UINT64_C(0xda4b6ce3eed13836),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .config = &front_config_,
};
