/* What must hold for every value that a decoder has let through; shared by the codecs' fuzzers. */
#ifndef CHAINSI_FUZZ_CODEC_CHECKS_H
#define CHAINSI_FUZZ_CODEC_CHECKS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/json.h"
#include "schema/msgpack.h"
#include "schema/specimen.h"
#include "schema/value.h"

enum { LARGEST_VALUE = sizeof(specimen) };

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline void require_same(const chainsi_buffer *a, const chainsi_buffer *b)
{
    if (a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0))
        return;
    fprintf(stderr, "differ:\n%.*s\n%.*s\n", (int)a->size, (const char *)a->data, (int)b->size,
            (const char *)b->data);
    abort();
}

/* A decoder of either format. */
typedef chains_status (*codec_decode)(const chainsi_type *, const void *, size_t, chainsi_arena *,
                                      void *, chainsi_codec_error *);
typedef chains_status (*codec_encode)(const chainsi_type *, const void *, chainsi_buffer *,
                                      chainsi_codec_error *);

static inline chains_status decode_json(const chainsi_type *type, const void *data, size_t size,
                                        chainsi_arena *arena, void *value,
                                        chainsi_codec_error *error)
{
    return chainsi_json_decode(type, data, size, arena, value, error);
}

/* Encodes, decodes what came out, encodes again: the same comes out. True if the format has the
 * value at all; then *out is its encoding. */
static inline bool check_round_trip(const chainsi_type *type, const void *value,
                                    codec_decode decode, codec_encode encode, chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    chainsi_buffer again = { 0 };
    chainsi_codec_error error;
    _Alignas(16) uint8_t other[LARGEST_VALUE];
    if (encode(type, value, out, &error) != CHAINS_OK) {
        REQUIRE(out->size == 0);
        return false;
    }
    if (decode(type, out->data, out->size, &arena, other, &error) != CHAINS_OK) {
        fprintf(stderr, "%zu: %s: %s\n%.*s\n", error.offset, error.path, error.message,
                (int)out->size, (const char *)out->data);
        abort();
    }
    REQUIRE(encode(type, other, &again, &error) == CHAINS_OK);
    require_same(out, &again);
    chainsi_buffer_done(&again);
    chainsi_arena_done(&arena);
    return true;
}

/* All that holds for a value that was decoded from either format. */
static inline void check_value(const chainsi_type *type, const void *value)
{
    chainsi_arena arena = { 0 };
    chainsi_buffer json = { 0 }, msgpack = { 0 }, copied = { 0 }, pretty = { 0 };
    chainsi_codec_error error;
    _Alignas(16) uint8_t copy[LARGEST_VALUE];
    if (chainsi_value_check(type, value, &error) != CHAINS_OK) {
        fprintf(stderr, "%s: %s\n", error.path, error.message);
        abort();
    }
    chainsi_value_copy(type, value, copy, &arena);
    bool has_json = check_round_trip(type, value, decode_json, chainsi_json_encode, &json);
    bool has_msgpack =
        check_round_trip(type, value, chainsi_msgpack_decode, chainsi_msgpack_encode, &msgpack);
    REQUIRE(has_json || has_msgpack);
    if (has_json) {
        REQUIRE(chainsi_json_encode(type, copy, &copied, &error) == CHAINS_OK);
        require_same(&json, &copied);
        REQUIRE(chainsi_json_pretty((const char *)json.data, json.size, &pretty) == CHAINS_OK);
        REQUIRE(chainsi_json_decode(type, (const char *)pretty.data, pretty.size, &arena, copy,
                                    &error) == CHAINS_OK);
    } else {
        REQUIRE(chainsi_msgpack_encode(type, copy, &copied, &error) == CHAINS_OK);
        require_same(&msgpack, &copied);
    }
    chainsi_buffer_done(&json);
    chainsi_buffer_done(&msgpack);
    chainsi_buffer_done(&copied);
    chainsi_buffer_done(&pretty);
    chainsi_arena_done(&arena);
}

#endif
