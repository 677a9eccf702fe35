/* The Chainlets that share_bench measures: `look` reads a byte of each page of what it is given,
 * `pass` hands what it is given on to `look`. Written by hand, as the generator writes them. */
#ifndef BENCH_SHARE_SERVICE_H
#define BENCH_SHARE_SERVICE_H

#include "runtime/glue.h"

enum { SHARE_PAGE = 4096 };

typedef struct look_input {
    chains_bytes data;
} look_input;

typedef struct look_output {
    uint64_t sum;
} look_output;

static const chainsi_field look_input_fields[] = {
    { CHAINSI_FIELD(look_input, data, &chainsi_type_bytes) },
};
static const chainsi_type look_input_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(look_input),
    .fields = look_input_fields,
    .field_count = 1,
};
static const chainsi_field look_output_fields[] = {
    { CHAINSI_FIELD(look_output, sum, &chainsi_type_uint64) },
};
static const chainsi_type look_output_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(look_output),
    .fields = look_output_fields,
    .field_count = 1,
};
static const chains_config look_config = { .abi_ = 1, .max_body = 256 << 20 };
static const chainsi_interface look_interface = {
    .name = "look",
    .c_name = "look",
    .file = "look.h",
    .line = 1,
    .fingerprint = 0x6c6f6f6b,
    .input = &look_input_type,
    .output = &look_output_type,
    .config = &look_config,
};

static inline uint64_t sum_of_pages(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t sum = 0;
    for (size_t at = 0; at < size; at += SHARE_PAGE)
        sum += bytes[at];
    return sum;
}

#endif
