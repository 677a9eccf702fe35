/* Redaction. Values are sorted by size, the longest first: so the first one that fits is the one that
 * is meant, and one that may still fit is met before any shorter one that does. */
#include "control/redaction.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

typedef struct secret_value {
    char *name, *value; /* owned */
    size_t size;
} secret_value;

struct chainsi_redactor {
    secret_value *values; /* owned; the longest first */
    size_t count;
    bool begins[256]; /* by a value's first byte */
};

chainsi_redactor *chainsi_redactor_new(void)
{
    return chainsi_make(sizeof(chainsi_redactor));
}

void chainsi_redactor_free(chainsi_redactor *redactor)
{
    if (!redactor)
        return;
    for (size_t i = 0; i < redactor->count; i++) {
        OPENSSL_cleanse(redactor->values[i].value, redactor->values[i].size);
        free(redactor->values[i].value);
        free(redactor->values[i].name);
    }
    free(redactor->values);
    free(redactor);
}

void chainsi_redactor_add(chainsi_redactor *redactor, const char *name, const char *value,
                          size_t size)
{
    if (size < CHAINSI_REDACTION_LEAST)
        return;
    for (size_t i = 0; i < redactor->count; i++)
        if (redactor->values[i].size == size && !memcmp(redactor->values[i].value, value, size))
            return;
    secret_value *values =
        realloc(redactor->values, (redactor->count + 1) * sizeof *redactor->values);
    if (!values)
        abort();
    redactor->values = values;
    size_t at = redactor->count++;
    for (; at && values[at - 1].size < size; at--)
        values[at] = values[at - 1];
    values[at] = (secret_value){ chainsi_copy_text(name), chainsi_make(size), size };
    memcpy(values[at].value, value, size);
    redactor->begins[(unsigned char)*value] = true;
}

/* The value that the text begins with. *open: NULL was returned because the text ends too early to
 * tell. */
static const secret_value *find_value(const chainsi_redactor *redactor, const char *text,
                                      size_t size, bool is_end, bool *open)
{
    for (size_t i = 0; i < redactor->count; i++) {
        const secret_value *value = &redactor->values[i];
        if (size >= value->size) {
            if (!memcmp(text, value->value, value->size))
                return value;
        } else if (!is_end && !memcmp(text, value->value, size)) {
            *open = true;
            return NULL;
        }
    }
    return NULL;
}

/* Appends the text, redacted, up to where it can't be told yet; gives how far that is. */
static size_t redact_text(const chainsi_redactor *redactor, const char *text, size_t size,
                          bool is_end, chainsi_buffer *out)
{
    size_t told = 0, at = 0;
    bool open = false;
    while (at < size && !open) {
        if (!redactor->begins[(unsigned char)text[at]]) {
            at++;
            continue;
        }
        const secret_value *value = find_value(redactor, text + at, size - at, is_end, &open);
        if (value) {
            chainsi_buffer_add(out, text + told, at - told);
            chainsi_buffer_printf(out, "[redacted:%s]", value->name);
            at += value->size;
            told = at;
        } else if (!open) {
            at++;
        }
    }
    chainsi_buffer_add(out, text + told, at - told);
    return at;
}

void chainsi_redact(const chainsi_redactor *redactor, chainsi_redaction *stream, const char *data,
                    size_t size, chainsi_buffer *out)
{
    chainsi_buffer *held = &stream->held;
    if (!held->size) {
        size_t told = redactor->count ? redact_text(redactor, data, size, false, out) : size;
        if (!redactor->count)
            chainsi_buffer_add(out, data, size);
        chainsi_buffer_add(held, data + told, size - told);
        return;
    }
    chainsi_buffer_add(held, data, size);
    size_t told = redact_text(redactor, (const char *)held->data, held->size, false, out);
    held->size -= told;
    memmove(held->data, held->data + told, held->size);
}

void chainsi_redact_end(const chainsi_redactor *redactor, chainsi_redaction *stream,
                        chainsi_buffer *out)
{
    chainsi_buffer *held = &stream->held;
    redact_text(redactor, (const char *)held->data, held->size, true, out);
    if (held->data)
        OPENSSL_cleanse(held->data, held->capacity);
    chainsi_buffer_done(held);
    *held = (chainsi_buffer){ 0 };
}
