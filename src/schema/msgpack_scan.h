/* Walking MessagePack: what decoding into values and turning into JSON share. */
#ifndef CHAINSI_SCHEMA_MSGPACK_SCAN_H
#define CHAINSI_SCHEMA_MSGPACK_SCAN_H

#include <string.h>

#include "schema/report.h"

/* First bytes of values, as the specification names them. */
enum {
    MSGPACK_FIXMAP = 0x80,
    MSGPACK_FIXARRAY = 0x90,
    MSGPACK_FIXSTR = 0xa0,
    MSGPACK_NIL = 0xc0,
    MSGPACK_FALSE = 0xc2,
    MSGPACK_TRUE = 0xc3,
    MSGPACK_BIN8 = 0xc4,
    MSGPACK_BIN16 = 0xc5,
    MSGPACK_BIN32 = 0xc6,
    MSGPACK_EXT8 = 0xc7,
    MSGPACK_EXT16 = 0xc8,
    MSGPACK_EXT32 = 0xc9,
    MSGPACK_FLOAT32 = 0xca,
    MSGPACK_FLOAT64 = 0xcb,
    MSGPACK_UINT8 = 0xcc,
    MSGPACK_UINT16 = 0xcd,
    MSGPACK_UINT32 = 0xce,
    MSGPACK_UINT64 = 0xcf,
    MSGPACK_INT8 = 0xd0,
    MSGPACK_INT16 = 0xd1,
    MSGPACK_INT32 = 0xd2,
    MSGPACK_INT64 = 0xd3,
    MSGPACK_FIXEXT1 = 0xd4,
    MSGPACK_FIXEXT16 = 0xd8,
    MSGPACK_STR8 = 0xd9,
    MSGPACK_STR16 = 0xda,
    MSGPACK_STR32 = 0xdb,
    MSGPACK_ARRAY16 = 0xdc,
    MSGPACK_ARRAY32 = 0xdd,
    MSGPACK_MAP16 = 0xde,
    MSGPACK_MAP32 = 0xdf,
    MSGPACK_NEGATIVE = 0xe0,
};

/* Our extension: text or bytes that lie in an attachment. As 16 bytes: its index (32 bits), size (32)
 * and offset (64), big-endian. */
enum { MSGPACK_REFERENCE = 0x43, MSGPACK_REFERENCE_SIZE = 18 };

/* Data that is being read. Functions take the place where they start and return the place behind what
 * they read, or NULL after reporting what is wrong. */
typedef struct chainsi_msgpack_reader {
    const uint8_t *data, *end;
    /* Where a NUL goes once the byte there was read: behind the last string that was decoded in
     * place. `nowhere` when there is none, so that every first byte is read in the same way. */
    uint8_t *pending;
    uint8_t nowhere;
    size_t reserved; /* bytes that the arrays and maps around the place need at least */
    chainsi_report report;
} chainsi_msgpack_reader;

void chainsi_msgpack_reader_init(chainsi_msgpack_reader *reader, const void *data, size_t size,
                                 chainsi_codec_error *error);

/* The first byte of the value at `at`, which must lie before the end. After it the byte in memory may
 * be a NUL. */
static inline uint8_t chainsi_msgpack_first(chainsi_msgpack_reader *reader, const uint8_t *at)
{
    uint8_t first = *at;
    *reader->pending = 0;
    reader->pending = &reader->nowhere;
    return first;
}

static inline uint16_t chainsi_load_big16(const uint8_t *at)
{
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    return __builtin_bswap16(bits);
}

static inline uint32_t chainsi_load_big32(const uint8_t *at)
{
    uint32_t bits;
    memcpy(&bits, at, sizeof bits);
    return __builtin_bswap32(bits);
}

static inline uint64_t chainsi_load_big64(const uint8_t *at)
{
    uint64_t bits;
    memcpy(&bits, at, sizeof bits);
    return __builtin_bswap64(bits);
}

/* A number of any of MessagePack's forms. */
typedef enum chainsi_msgpack_number {
    CHAINSI_MSGPACK_INTEGER,
    CHAINSI_MSGPACK_FLOAT32,
    CHAINSI_MSGPACK_FLOAT64,
} chainsi_msgpack_number;

typedef struct chainsi_msgpack_value {
    chainsi_msgpack_number form;
    bool negative;      /* INTEGER */
    uint64_t magnitude; /* INTEGER */
    double number;      /* floats */
} chainsi_msgpack_value;

/* Reads a number whose first byte is `first`, at `at`. If it is none, reports that `type` was
 * expected; NULL: any number. */
const uint8_t *chainsi_msgpack_read_number(chainsi_msgpack_reader *reader, const uint8_t *at,
                                           uint8_t first, const chainsi_type *type,
                                           chainsi_msgpack_value *value);

/* What follows a first byte: sizes of str and bin in bytes, counts of arrays and maps. Return the
 * place of the content, with all of it before the end (of arrays and maps: as many bytes as they need
 * at least). If the value is of another kind, NULL with nothing reported, and *other is true; if it
 * is cut short, NULL after reporting. */
const uint8_t *chainsi_msgpack_read_str(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, size_t *size, bool *other);
const uint8_t *chainsi_msgpack_read_bin(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, size_t *size, bool *other);
const uint8_t *chainsi_msgpack_read_array(chainsi_msgpack_reader *reader, const uint8_t *at,
                                          uint8_t first, size_t *count, bool *other);
const uint8_t *chainsi_msgpack_read_map(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, size_t *count, bool *other);

/* The same for arrays and maps, of which most are short. */
static inline const uint8_t *chainsi_msgpack_enter_array(chainsi_msgpack_reader *reader,
                                                         const uint8_t *at, uint8_t first,
                                                         size_t *count, bool *other)
{
    const size_t few = first & 15u;
    if (__builtin_expect((first & 0xf0) != MSGPACK_FIXARRAY ||
                             (size_t)(reader->end - at) - 1 < reader->reserved + few,
                         0))
        return chainsi_msgpack_read_array(reader, at, first, count, other);
    *count = few;
    return at + 1;
}

static inline const uint8_t *chainsi_msgpack_enter_map(chainsi_msgpack_reader *reader,
                                                       const uint8_t *at, uint8_t first,
                                                       size_t *count, bool *other)
{
    const size_t few = first & 15u;
    if (__builtin_expect((first & 0xf0) != MSGPACK_FIXMAP ||
                             (size_t)(reader->end - at) - 1 < reader->reserved + few * 2,
                         0))
        return chainsi_msgpack_read_map(reader, at, first, count, other);
    *count = few;
    return at + 1;
}

/* Reads any value at `at` that is nested depth deep; only its form is checked. */
const uint8_t *chainsi_msgpack_skip(chainsi_msgpack_reader *reader, const uint8_t *at,
                                    unsigned depth);

/* Report; always NULL. expected: "expected EXPECTED, found ..." with the value at `at`, whose first
 * byte is `first`. */
const uint8_t *chainsi_msgpack_expected(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, const char *expected) __attribute__((cold));
const uint8_t *chainsi_msgpack_expected_type(chainsi_msgpack_reader *reader, const uint8_t *at,
                                             uint8_t first, const chainsi_type *type)
    __attribute__((cold));
const uint8_t *chainsi_msgpack_cut_short(chainsi_msgpack_reader *reader, const char *expected)
    __attribute__((cold));
const uint8_t *chainsi_msgpack_too_deep(chainsi_msgpack_reader *reader, const uint8_t *at)
    __attribute__((cold));
const uint8_t *chainsi_msgpack_bad_utf8(chainsi_msgpack_reader *reader, const uint8_t *text,
                                        size_t size) __attribute__((cold));

/* Appends the JSON text of the value at `at`, nested depth deep. */
const uint8_t *chainsi_msgpack_to_json(chainsi_msgpack_reader *reader, const uint8_t *at,
                                       chainsi_buffer *json, unsigned depth);

#endif
