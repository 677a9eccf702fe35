/* translator.types.c: the types of its calls, and its interface.
 * Written by chains from front/front.h:6; changes are lost. */
#include "translator.call.h"

static const chainsi_field chains_fields_of_inputs[] = {
    { /* front/front.h:9 */
        .name = "text",
        .name_size = 4,
        .offset = offsetof(struct chains_translator_input, text),
        .type = &chainsi_type_string,
    },
};
static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_translator_input),
    .fields = chains_fields_of_inputs,
    .field_count = 1,
};

static const chainsi_field chains_fields_of_outputs[] = {
    { /* front/front.h:10 */
        .name = "translated",
        .name_size = 10,
        .offset = offsetof(struct chains_translator_output, translated),
        .type = &chainsi_type_string,
    },
};
static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_translator_output),
    .fields = chains_fields_of_outputs,
    .field_count = 1,
};

const chainsi_interface chains_translator_interface = {
    .name = "translator",
    .c_name = "translator",
    .doc = "A service that is deployed elsewhere.",
    .method_doc = "Translates a text.",
    .file = "front/front.h",
    .line = 9,
    .fingerprint = UINT64_C(0x377c30c390f8d4f5),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .external = &translator_config_,
};
