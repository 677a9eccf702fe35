/* Keeps secrets out of logs: values that are known are replaced by [redacted:NAME], in a stream of
 * text that comes in pieces.
 *
 * Where two values could begin at one place, the longer one is meant. A value that is cut by a piece's
 * end is found all the same: what could be its beginning is held back until the next piece, or the end,
 * tells. Values shorter than CHAINSI_REDACTION_LEAST are left alone: they are in every other word. What
 * was written in another form (base64, escaped) isn't found.
 *
 * Without values, text is passed on as it is. With them, a byte that begins none costs a look into a
 * table; else the values are compared one by one. A redactor that isn't changed may be used by many
 * streams; a stream is one thread's at a time. Nothing blocks. */
#ifndef CHAINSI_CONTROL_REDACTION_H
#define CHAINSI_CONTROL_REDACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum { CHAINSI_REDACTION_LEAST = 4 /* bytes of a value */ };

/* The values. */
typedef struct chainsi_redactor chainsi_redactor;

chainsi_redactor *chainsi_redactor_new(void);
/* Erases the values from memory. NULL is allowed. */
void chainsi_redactor_free(chainsi_redactor *redactor);
/* Adds a value, which is copied, unless it is there: of two that are equal the first one's name is told.
 * Streams go on with it. */
void chainsi_redactor_add(chainsi_redactor *redactor, const char *name, const char *value,
                          size_t size);

/* What a stream holds back. All zero at first; the redactor may be another with each piece. */
typedef struct chainsi_redaction {
    chainsi_buffer held;
} chainsi_redaction;

/* Appends what can be told of the text so far to out. */
void chainsi_redact(const chainsi_redactor *redactor, chainsi_redaction *stream, const char *data,
                    size_t size, chainsi_buffer *out);
/* Appends what is left, and frees the stream's memory; it may be used anew. */
void chainsi_redact_end(const chainsi_redactor *redactor, chainsi_redaction *stream,
                        chainsi_buffer *out);

#endif
