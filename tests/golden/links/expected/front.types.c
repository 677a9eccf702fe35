/* front.types.c: the types of its calls, and its interface.
 * Written by chains from front/front.h:13; changes are lost. */
#include "front.call.h"

static const chainsi_field chains_fields_of_inputs[] = {
    { /* front/front.h:18 */
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
    { /* front/front.h:19 */
        .name = "translated",
        .name_size = 10,
        .offset = offsetof(struct chains_front_output, translated),
        .type = &chainsi_type_string,
    },
    { /* front/front.h:19 */
        .name = "calls",
        .name_size = 5,
        .offset = offsetof(struct chains_front_output, calls),
        .type = &chainsi_type_uint64,
    },
};
static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_front_output),
    .fields = chains_fields_of_outputs,
    .field_count = 2,
};

const chainsi_interface chains_front_interface = {
    .name = "front",
    .c_name = "front",
    .doc = "Called from outside.",
    .method_doc = "Stores a text, translated.",
    .file = "front/front.h",
    .line = 18,
    .fingerprint = UINT64_C(0xc8bdd77a2233abf2),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .config = &front_config_,
};
