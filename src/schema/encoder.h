/* What the encoders of both formats share: the place they write to, and what they refuse.
 *
 * Encoding functions take the place in the buffer where they write and return the place behind it, or
 * NULL once an error is reported. encoder->end is the end of the room; making room moves both. */
#ifndef CHAINSI_SCHEMA_ENCODER_H
#define CHAINSI_SCHEMA_ENCODER_H

#include "base/attachments.h"
#include "schema/access.h"
#include "schema/report.h"

typedef struct chainsi_encoder {
    chainsi_buffer *out;
    uint8_t *end; /* of the buffer's room */
    chainsi_report report;
    chainsi_codec_error unwanted; /* where errors go that nobody asked for */
    size_t size_before;
    size_t largest_plain;             /* texts and bytes that are larger need a look: bytes */
    chainsi_attachments *attachments; /* where they may go; or NULL */
} chainsi_encoder;

enum { CHAINSI_ENCODER_ROOM = 256 }; /* bytes that there are at the beginning */

/* Begins behind what the buffer holds. Returns the place to write to, with CHAINSI_ENCODER_ROOM. */
static inline uint8_t *chainsi_encoder_begin(chainsi_encoder *encoder, chainsi_buffer *out,
                                             chainsi_codec_error *error)
{
    encoder->out = out;
    encoder->size_before = out->size;
    encoder->largest_plain = UINT32_MAX;
    encoder->attachments = NULL;
    chainsi_report_init(&encoder->report, error ? error : &encoder->unwanted);
    uint8_t *at = chainsi_buffer_reserve(out, CHAINSI_ENCODER_ROOM);
    encoder->end = out->data + out->capacity;
    return at;
}

/* Ends at `at`, or after a failure if it is NULL: then the buffer is as before. */
static inline chains_status chainsi_encoder_end(chainsi_encoder *encoder, uint8_t *at)
{
    if (__builtin_expect(!at, 0)) {
        encoder->out->size = encoder->size_before;
        return chainsi_report_finish(&encoder->report);
    }
    encoder->out->size = (size_t)(at - encoder->out->data);
    return CHAINS_OK;
}

uint8_t *chainsi_encoder_grow(chainsi_encoder *encoder, uint8_t *at, size_t size);

/* Room for size bytes from the place that is returned. */
static inline uint8_t *chainsi_encoder_room(chainsi_encoder *encoder, uint8_t *at, size_t size)
{
    if (__builtin_expect((size_t)(encoder->end - at) < size, 0))
        return chainsi_encoder_grow(encoder, at, size);
    return at;
}

static inline uint8_t *chainsi_put(uint8_t *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

/* True if an optional field is absent in C. */
static inline bool chainsi_is_absent(const chainsi_field *field, const void *value)
{
    return field->optional && !*(const chainsi_pointer *)value;
}

/* Each is true if the value is right, else false after reporting. */
bool chainsi_encoder_enter(chainsi_encoder *encoder, unsigned depth);
bool chainsi_encoder_check_items(chainsi_encoder *encoder, const chainsi_items *items);
bool chainsi_encoder_check_keys(chainsi_encoder *encoder, const chainsi_type *type,
                                const chainsi_items *map);
bool chainsi_encoder_check_text(chainsi_encoder *encoder, const char *text, size_t size);
bool chainsi_encoder_check_bytes(chainsi_encoder *encoder, const chains_bytes *bytes);
/* The JSON without the space around it, valid and at most as deep as it may be `depth` deep. */
bool chainsi_encoder_check_json(chainsi_encoder *encoder, const chains_json *json, unsigned depth,
                                chains_json *trimmed);
/* The enumerator; NULL after reporting. */
const chainsi_enumerator *chainsi_encoder_find_value(chainsi_encoder *encoder,
                                                     const chainsi_type *type, const void *value);
/* Reports NULL where something of that type is required. */
void chainsi_encoder_refuse_null(chainsi_encoder *encoder, const chainsi_type *type);

#endif
