/* MessagePack of anybody into typed values, and what comes of them. */
#include "codec_checks.h"

static const chainsi_type *const types[] = {
    &specimen_type,     &chainsi_type_json,         &chainsi_type_double,   &chainsi_type_float,
    &chainsi_type_int8, &specimen_double_list_type, &specimen_weights_type, &chainsi_type_tensor,
};

enum { ATTACHED = 4096, MAY_NAME = 64 * 1024 };

/* What references may name: texts, bytes beyond ASCII, and zeros. */
static chainsi_share *attached(void)
{
    static chainsi_share *share;
    if (!share) {
        uint8_t bytes[ATTACHED];
        for (size_t i = 0; i < ATTACHED; i++)
            bytes[i] = (uint8_t)(i % 16 == 15 ? 0 : i < ATTACHED / 2 ? 'a' + i % 16 : i / 8);
        share = chainsi_share_copy(bytes, sizeof bytes);
        REQUIRE(share);
    }
    return chainsi_share_ref(share);
}

/* The same data as a message with an attachment. */
static void check_shared(const chainsi_type *type, const uint8_t *data, size_t size, bool decodes)
{
    chainsi_codec_error error;
    chainsi_arena arena = { 0 };
    chainsi_attachments attachments = {
        .count = 1,
        .shares = { attached() },
        .may_name = MAY_NAME,
    };
    _Alignas(16) uint8_t value[LARGEST_VALUE];
    uint8_t *mutable = malloc(size ? size : 1);
    REQUIRE(mutable);
    memcpy(mutable, data, size);
    chains_status status =
        chainsi_msgpack_decode_shared(type, mutable, size, &attachments, &arena, value, &error);
    REQUIRE(status == CHAINS_OK || !decodes);
    chainsi_attachments_done(&attachments);
    if (status == CHAINS_OK)
        check_value(type, value);
    else
        REQUIRE(error.offset <= size);
    free(mutable);
    chainsi_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    chainsi_codec_error error, error_in_place;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const chainsi_type *type = types[i];
        chainsi_arena arena = { 0 };
        _Alignas(16) uint8_t value[LARGEST_VALUE], value_in_place[LARGEST_VALUE];
        uint8_t *mutable = malloc(size ? size : 1);
        REQUIRE(mutable);
        memcpy(mutable, data, size);
        chains_status status = chainsi_msgpack_decode(type, data, size, &arena, value, &error);
        chains_status status_in_place = chainsi_msgpack_decode_in_place(
            type, mutable, size, &arena, value_in_place, &error_in_place);
        REQUIRE(status == status_in_place);
        if (status != CHAINS_OK) {
            REQUIRE(error.offset <= size && error_in_place.offset <= size);
            REQUIRE(strcmp(error.path, error_in_place.path) == 0);
            REQUIRE(strcmp(error.message, error_in_place.message) == 0);
        } else {
            check_value(type, value);
            check_value(type, value_in_place);
        }
        free(mutable);
        chainsi_arena_done(&arena);
        check_shared(type, data, size, status == CHAINS_OK);
    }
    return 0;
}
