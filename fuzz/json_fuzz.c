/* JSON of anybody into typed values, and what comes of them. */
#include "codec_checks.h"

static const chainsi_type *const types[] = {
    &specimen_type,     &chainsi_type_json,         &chainsi_type_double,   &chainsi_type_float,
    &chainsi_type_int8, &specimen_double_list_type, &specimen_weights_type, &chainsi_type_tensor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    chainsi_codec_error error, error_in_place;
    bool valid = chainsi_json_check(text, size, &error) == CHAINS_OK;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const chainsi_type *type = types[i];
        chainsi_arena arena = { 0 };
        _Alignas(16) uint8_t value[LARGEST_VALUE], value_in_place[LARGEST_VALUE];
        char *mutable = malloc(size ? size : 1);
        REQUIRE(mutable);
        memcpy(mutable, data, size);
        chains_status status = chainsi_json_decode(type, text, size, &arena, value, &error);
        chains_status status_in_place = chainsi_json_decode_in_place(
            type, mutable, size, &arena, value_in_place, &error_in_place);
        REQUIRE(status == status_in_place);
        if (status != CHAINS_OK) {
            REQUIRE(error.offset == error_in_place.offset && error.offset <= size);
            REQUIRE(strcmp(error.path, error_in_place.path) == 0);
            REQUIRE(strcmp(error.message, error_in_place.message) == 0);
            REQUIRE(type != &chainsi_type_json || !valid);
        } else {
            REQUIRE(valid);
            check_value(type, value);
            check_value(type, value_in_place);
        }
        if (status == CHAINS_OK && type == &chainsi_type_double) {
            char *terminated = strndup(text, size);
            double number = strtod(terminated, NULL);
            REQUIRE(memcmp(&number, value, sizeof number) == 0);
            free(terminated);
        }
        free(mutable);
        chainsi_arena_done(&arena);
    }
    return 0;
}
