/* The Chainlet that call_bench measures: it answers a text with that text. Its tables and node are
 * written by hand, as the generator writes them, so that the bench needs no compiler of headers. */
#ifndef BENCH_CALL_SERVICE_H
#define BENCH_CALL_SERVICE_H

#include "runtime/glue.h"

typedef struct echo_input {
    const char *text;
} echo_input;

typedef struct echo_output {
    const char *reply;
} echo_output;

static const chainsi_field echo_input_fields[] = {
    { CHAINSI_FIELD(echo_input, text, &chainsi_type_string) },
};
static const chainsi_type echo_input_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(echo_input),
    .fields = echo_input_fields,
    .field_count = 1,
};
static const chainsi_field echo_output_fields[] = {
    { CHAINSI_FIELD(echo_output, reply, &chainsi_type_string) },
};
static const chainsi_type echo_output_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(echo_output),
    .fields = echo_output_fields,
    .field_count = 1,
};
static chains_config echo_config = { .abi_ = 1 };
static const chainsi_interface echo_interface = {
    .name = "echo",
    .c_name = "echo",
    .file = "echo.h",
    .line = 1,
    .fingerprint = 0x6563686f,
    .input = &echo_input_type,
    .output = &echo_output_type,
    .config = &echo_config,
};

#endif
