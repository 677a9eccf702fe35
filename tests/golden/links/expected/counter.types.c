/* counter.types.c: the types of its calls, and its interface.
 * Written by chains from counter.h:5; changes are lost. */
#include "counter.call.h"

static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
};

static const chainsi_field chains_fields_of_outputs[] = {
    { /* counter.h:9 */
        .name = "calls",
        .name_size = 5,
        .offset = offsetof(struct chains_counter_output, calls),
        .type = &chainsi_type_uint64,
    },
};
static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_counter_output),
    .fields = chains_fields_of_outputs,
    .field_count = 1,
};

const chainsi_interface chains_counter_interface = {
    .name = "counter",
    .c_name = "counter",
    .doc = "Counts calls, in C++.",
    .method_doc = "Says how often it was called. No inputs.",
    .file = "counter.h",
    .line = 9,
    .fingerprint = UINT64_C(0x3e75e1dbf60a9685),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .config = &counter_config_,
};
