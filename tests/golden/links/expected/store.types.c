/* store.types.c: the types of its calls, and its interface.
 * Written by chains from store.h:5; changes are lost. */
#include "store.call.h"

static const chainsi_field chains_fields_of_inputs[] = {
    { /* store.h:10 */
        .name = "text",
        .name_size = 4,
        .offset = offsetof(struct chains_store_input, text),
        .type = &chainsi_type_string,
    },
};
static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_store_input),
    .fields = chains_fields_of_inputs,
    .field_count = 1,
};

static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
};

const chainsi_interface chains_store_interface = {
    .name = "store",
    .c_name = "store",
    .doc = "Keeps what it is given.",
    .method_doc = "Takes a text; gives nothing.",
    .file = "store.h",
    .line = 10,
    .fingerprint = UINT64_C(0xb143d72dcd3d5af2),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .config = &store_config_,
};
