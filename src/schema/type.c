/* The types that need no table of their own. */
#include "schema/type.h"

const chainsi_type chainsi_type_bool = { .kind = CHAINSI_BOOL, .size = sizeof(bool) };
const chainsi_type chainsi_type_int8 = { .kind = CHAINSI_INT8, .size = sizeof(int8_t) };
const chainsi_type chainsi_type_int16 = { .kind = CHAINSI_INT16, .size = sizeof(int16_t) };
const chainsi_type chainsi_type_int32 = { .kind = CHAINSI_INT32, .size = sizeof(int32_t) };
const chainsi_type chainsi_type_int64 = { .kind = CHAINSI_INT64, .size = sizeof(int64_t) };
const chainsi_type chainsi_type_uint8 = { .kind = CHAINSI_UINT8, .size = sizeof(uint8_t) };
const chainsi_type chainsi_type_uint16 = { .kind = CHAINSI_UINT16, .size = sizeof(uint16_t) };
const chainsi_type chainsi_type_uint32 = { .kind = CHAINSI_UINT32, .size = sizeof(uint32_t) };
const chainsi_type chainsi_type_uint64 = { .kind = CHAINSI_UINT64, .size = sizeof(uint64_t) };
const chainsi_type chainsi_type_float = { .kind = CHAINSI_FLOAT, .size = sizeof(float) };
const chainsi_type chainsi_type_double = { .kind = CHAINSI_DOUBLE, .size = sizeof(double) };
const chainsi_type chainsi_type_string = { .kind = CHAINSI_STRING, .size = sizeof(const char *) };
const chainsi_type chainsi_type_bytes = { .kind = CHAINSI_BYTES, .size = sizeof(chains_bytes) };
const chainsi_type chainsi_type_json = { .kind = CHAINSI_JSON, .size = sizeof(chains_json) };
const chainsi_type chainsi_type_tensor = { .kind = CHAINSI_TENSOR, .size = sizeof(chains_tensor) };

size_t chains_dtype_size(chains_dtype dtype)
{
    switch (dtype) {
    case CHAINS_INT8:
    case CHAINS_UINT8:
    case CHAINS_BOOL:
        return 1;
    case CHAINS_FLOAT16:
    case CHAINS_INT16:
    case CHAINS_UINT16:
        return 2;
    case CHAINS_FLOAT32:
    case CHAINS_INT32:
    case CHAINS_UINT32:
        return 4;
    case CHAINS_FLOAT64:
    case CHAINS_INT64:
    case CHAINS_UINT64:
        return 8;
    }
    return 0;
}
