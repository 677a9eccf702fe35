#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void chainsi_buffer_done(chainsi_buffer *buffer)
{
    free(buffer->data);
    *buffer = (chainsi_buffer){ 0 };
}

void chainsi_buffer_grow(chainsi_buffer *buffer, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(buffer->size, more, &need) || need > SIZE_MAX / 2)
        abort();
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < need)
        capacity *= 2;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data) {
        fprintf(stderr, "chains: out of memory: no %zu bytes\n", capacity);
        abort();
    }
    buffer->data = data;
    buffer->capacity = capacity;
}

void chainsi_buffer_add_number(chainsi_buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    chainsi_buffer_add(buffer, digits + first, sizeof digits - first);
}

void chainsi_buffer_printf(chainsi_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size > 0) {
        char *at = (char *)chainsi_buffer_reserve(buffer, (size_t)size + 1);
        vsnprintf(at, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}
