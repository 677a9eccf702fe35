/* ticket.types.c: the types of its calls, and its interface.
 * Written by chains from ticket.h:5; changes are lost. */
#include "ticket.call.h"

static const chainsi_type chains_inputs = {
    .kind = CHAINSI_STRUCT,
};

static const chainsi_field chains_fields_of_outputs[] = {
    { /* ticket.h:9 */
        .name = "number",
        .name_size = 6,
        .offset = offsetof(struct chains_ticket_output, number),
        .type = &chainsi_type_uint64,
    },
};
static const chainsi_type chains_outputs = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(struct chains_ticket_output),
    .fields = chains_fields_of_outputs,
    .field_count = 1,
};

const chainsi_interface chains_ticket_interface = {
    .name = "ticket",
    .c_name = "ticket",
    .doc = "Numbers calls, in C++.",
    .method_doc = "No inputs.",
    .file = "ticket.h",
    .line = 9,
    .fingerprint = UINT64_C(0xef3b33bab18110a3),
    .input = &chains_inputs,
    .output = &chains_outputs,
    .config = &ticket_config_,
};
