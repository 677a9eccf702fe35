/* MessagePack: decoding straight into typed C values, and encoding from them.
 *
 *   bool, numbers    as such. Integers are written in their shortest form and taken in any width, as
 *                    floats too if they are integral; out of range is an error. float is float 32,
 *                    double is float 64, NaN and infinities included; both take any number.
 *   text, enums      str, valid UTF-8 without U+0000; an enum by its name
 *   chains_bytes     bin
 *   chains_json      the MessagePack value that corresponds: numbers without fraction and exponent
 *                    within 64 bits as integers, others as float 64. Decoding gives its JSON text;
 *                    bin becomes base64, and NaN, infinities, extensions and keys that aren't text
 *                    are refused.
 *   structs          map by names on the wire, in the order of the table; taken in any order, with
 *                    keys as str or bin
 *   lists, maps      array, map
 *   chains_tensor    as msgpack-numpy writes it: map of nd, type ("<f4"), shape, data with keys as
 *                    bin; keys are taken as str or bin, a scalar (nd false) as rank 0
 *   absent optional  nil
 *
 * Unknown and repeated keys, defaults, required keys and limits are as in json.h. No function
 * blocks; all may be called from any thread. `error` may be NULL. */
#ifndef CHAINSI_SCHEMA_MSGPACK_H
#define CHAINSI_SCHEMA_MSGPACK_H

#include "base/attachments.h"
#include "schema/codec.h"

/* Decodes the `size` bytes at data, one whole value, into the type->size bytes at value. What the
 * value points to lives in arena; nothing points into data. CHAINS_OK, or CHAINS_INVALID_ARGUMENT
 * with *error; then *value is untouched. */
chains_status chainsi_msgpack_decode(const chainsi_type *type, const void *data, size_t size,
                                     chainsi_arena *arena, void *value, chainsi_codec_error *error);

/* The same, faster: strings, bytes and tensors' data may point into data, which is written to (a NUL
 * behind each string, over a byte that was read already) on success and on failure, and must outlive
 * the value. */
chains_status chainsi_msgpack_decode_in_place(const chainsi_type *type, void *data, size_t size,
                                              chainsi_arena *arena, void *value,
                                              chainsi_codec_error *error);

/* Appends value. CHAINS_OK, or CHAINS_INVALID_ARGUMENT with the path in *error and out->size put
 * back, for the reasons of chainsi_json_encode (but NaN and infinities), and for a number in
 * chains_json that is beyond a double. */
chains_status chainsi_msgpack_encode(const chainsi_type *type, const void *value,
                                     chainsi_buffer *out, chainsi_codec_error *error);

/* Between processes of one machine: large texts, bytes and tensors' data go into attachments, which are
 * to be sent beside what is appended, and the value there is a reference to them (an extension of
 * ours). attachments must be empty before, and is again after a failure. Shared blocks that hold such
 * values are sealed (base/share.h). Without chainsi_share_enable it is chainsi_msgpack_encode. */
chains_status chainsi_msgpack_encode_shared(const chainsi_type *type, const void *value,
                                            chainsi_buffer *out, chainsi_attachments *attachments,
                                            chainsi_codec_error *error);

/* chainsi_msgpack_decode_in_place of what came with attachments. On success the arena owns them as
 * well: the value lives no longer than data and the arena. The attachments are the caller's to end. */
chains_status chainsi_msgpack_decode_shared(const chainsi_type *type, void *data, size_t size,
                                            chainsi_attachments *attachments, chainsi_arena *arena,
                                            void *value, chainsi_codec_error *error);

#endif
