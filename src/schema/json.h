/* JSON: decoding straight into typed C values, encoding from them, checking and printing.
 *
 * What is accepted is RFC 8259 in UTF-8 without a byte order mark, whitespace around the value
 * included. Beyond the syntax:
 *   - Keys that a struct doesn't have are ignored (their values must be valid JSON). A key that
 *     appears twice in a struct or in a map is refused; within chains_json and ignored values keys
 *     are not compared.
 *   - An absent key gets its default, or NULL where it is optional, else decoding fails and names
 *     it. null is taken only for what is optional, and for chains_json.
 *   - Integers are exact: out of range is an error. 1e3 and 5.0 are integers, 0.5 and 1e-1 are not.
 *     -0 is 0 for integers and stays -0 for float and double, which are rounded to nearest even.
 *     Numbers beyond their range (1e400) are refused, those too small become 0.
 *   - Strings are valid UTF-8 after unescaping: lone surrogates are refused, and \u0000 in text and
 *     keys that are NUL-terminated in C.
 *   - Limits of fields are checked. The limits of codec.h hold.
 * A float or double is written with the fewest digits that read back as the same number, always
 * with a fraction or an exponent: 0.1, 5.0, 1e300.
 *
 * No function blocks; all may be called from any thread, on different arenas and buffers. `error`
 * may be NULL where the reason isn't wanted; it is written on failure only. */
#ifndef CHAINSI_SCHEMA_JSON_H
#define CHAINSI_SCHEMA_JSON_H

#include "schema/codec.h"

/* Decodes the `size` bytes at text, which need no NUL, into the type->size bytes at value. What the
 * value points to lives in arena; nothing points into text. CHAINS_OK, or CHAINS_INVALID_ARGUMENT
 * with *error; then *value is untouched, and arena holds what was decoded so far. */
chains_status chainsi_json_decode(const chainsi_type *type, const char *text, size_t size,
                                  chainsi_arena *arena, void *value, chainsi_codec_error *error);

/* The same, faster: the value's strings may point into text, which is written to (NULs, unescaped
 * strings) on success and on failure, and must outlive the value. */
chains_status chainsi_json_decode_in_place(const chainsi_type *type, char *text, size_t size,
                                           chainsi_arena *arena, void *value,
                                           chainsi_codec_error *error);

/* Appends value as JSON without whitespace (on one line, whatever chains_json holds). Fields come in
 * the order of the table; an absent optional one is null. CHAINS_OK, or CHAINS_INVALID_ARGUMENT with
 * the path in *error and out->size put back: NaN and infinities, text that isn't UTF-8, NULL where
 * something is required, an enum value without a name, a key that appears twice in a map,
 * chains_json that isn't valid, a tensor whose parts don't fit, deeper nesting than
 * CHAINSI_MAX_DEPTH. Limits of fields are not looked at: that is chainsi_value_check. */
chains_status chainsi_json_encode(const chainsi_type *type, const void *value, chainsi_buffer *out,
                                  chainsi_codec_error *error);

/* CHAINS_OK if text is one valid JSON value, else CHAINS_INVALID_ARGUMENT with *error. */
chains_status chainsi_json_check(const char *text, size_t size, chainsi_codec_error *error);

/* Appends text as a JSON string with its quotes, for JSON that is put together by hand. What isn't
 * valid UTF-8 becomes U+FFFD. text may be NULL if size is 0. */
void chainsi_json_write_string(chainsi_buffer *out, const char *text, size_t size);
/* The same for a NUL-terminated text; NULL is null. */
void chainsi_json_write_text(chainsi_buffer *out, const char *text);
/* Appends the number in the form that chainsi_json_encode gives it; NaN and infinities as null. */
void chainsi_json_write_double(chainsi_buffer *out, double number);

/* Appends the JSON value in text with two spaces of indentation a level, empty arrays and objects as
 * [] and {}, without a newline at the end. CHAINS_INVALID_ARGUMENT if it isn't valid JSON; then
 * nothing is appended. */
chains_status chainsi_json_pretty(const char *text, size_t size, chainsi_buffer *out);

#endif
