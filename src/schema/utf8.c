/* UTF-8 by table 3-7 of the Unicode standard, with a fast way over ASCII. */
#include "schema/utf8.h"

#include <stdbool.h>
#include <string.h>

static inline bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the sequence at `at`, which starts with a byte of 0x80 or more; 0 if it isn't valid. */
static inline size_t measure_sequence(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0xc2)
        return 0;
    if (first < 0xe0)
        return left >= 2 && is_continuation(at[1]) ? 2 : 0;
    if (first < 0xf0) {
        if (left < 3 || !is_continuation(at[1]) || !is_continuation(at[2]))
            return 0;
        if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f))
            return 0;
        return 3;
    }
    if (first > 0xf4 || left < 4 || !is_continuation(at[1]) || !is_continuation(at[2]) ||
        !is_continuation(at[3]))
        return 0;
    if ((first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f))
        return 0;
    return 4;
}

size_t chainsi_utf8_valid(const char *text, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t at = 0;
    while (at < size) {
        uint64_t words[2];
        while (size - at >= 16) {
            memcpy(words, bytes + at, 16);
            if ((words[0] | words[1]) & 0x8080808080808080u)
                break;
            at += 16;
        }
        while (at < size && bytes[at] < 0x80)
            at++;
        while (at < size && bytes[at] >= 0x80) {
            size_t length = measure_sequence(bytes + at, size - at);
            if (!length)
                return at;
            at += length;
        }
    }
    return at;
}

size_t chainsi_utf8_count(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += !is_continuation((uint8_t)text[i]);
    return count;
}
