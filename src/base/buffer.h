/* A growing byte buffer on the heap, kept and reused by whoever encodes. Running out of memory ends
 * the process. */
#ifndef CHAINSI_BASE_BUFFER_H
#define CHAINSI_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct chainsi_buffer {
    uint8_t *data; /* owned; NULL when nothing was ever added */
    size_t size;   /* bytes in use */
    size_t capacity;
} chainsi_buffer;

/* Frees the memory; all zero bytes are an empty buffer. */
void chainsi_buffer_done(chainsi_buffer *buffer);
/* Makes room for at least `more` bytes behind size. Slow path of the functions below. */
void chainsi_buffer_grow(chainsi_buffer *buffer, size_t more);

/* Room for `more` bytes behind size; the caller writes them there and adds to size. Valid until the
 * next call. */
static inline uint8_t *chainsi_buffer_reserve(chainsi_buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->size < more)
        chainsi_buffer_grow(buffer, more);
    return buffer->data + buffer->size;
}

static inline void chainsi_buffer_add(chainsi_buffer *buffer, const void *data, size_t size)
{
    if (!size)
        return;
    memcpy(chainsi_buffer_reserve(buffer, size), data, size);
    buffer->size += size;
}

static inline void chainsi_buffer_add_text(chainsi_buffer *buffer, const char *text)
{
    chainsi_buffer_add(buffer, text, strlen(text));
}

static inline void chainsi_buffer_add_byte(chainsi_buffer *buffer, uint8_t byte)
{
    *chainsi_buffer_reserve(buffer, 1) = byte;
    buffer->size++;
}

/* A number in decimal; what printf would do, without its price. */
void chainsi_buffer_add_number(chainsi_buffer *buffer, uint64_t number);

void chainsi_buffer_printf(chainsi_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
