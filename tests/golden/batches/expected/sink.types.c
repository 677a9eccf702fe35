/* sink.types.c: the types of its calls, and its interface.
 * Written by chains from sink.h:5; changes are lost. */
#include "sink.call.h"

static const chainsi_field chains_fields_of_inputs[] = {
    { /* sink.h:8 */
        .name = "text",
        .name_size = 4,
        .offset = offsetof(struct chains_sink_input, text),
        .type = &chainsi_type_string,
    },
};
static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_sink_input),
    .fields = chains_fields_of_inputs,
    .field_count = 1,
};

static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
};

const chainsi_interface chains_sink_interface = {
    .name = "sink",
    .c_name = "sink",
    .doc = "Takes, and gives nothing.",
    .file = "sink.h",
    .line = 8,
    .fingerprint = UINT64_C(0xb143d72dcd3d5af2),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .config = &sink_config_,
};
