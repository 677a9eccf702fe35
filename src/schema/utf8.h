/* UTF-8: validating and counting. */
#ifndef CHAINSI_SCHEMA_UTF8_H
#define CHAINSI_SCHEMA_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* How many of the size bytes at text are valid UTF-8 from its start, in whole sequences: size if all
 * are. Overlong forms, surrogates and what lies above U+10FFFF are not valid. */
size_t chainsi_utf8_valid(const char *text, size_t size);

/* The number of code points in valid UTF-8. */
size_t chainsi_utf8_count(const char *text, size_t size);

/* Writes one code point (below 0x110000, no surrogate) at out, up to 4 bytes, and returns the end. */
static inline char *chainsi_utf8_write(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (char)(0xe0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    } else {
        *out++ = (char)(0xf0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    }
    return out;
}

#endif
