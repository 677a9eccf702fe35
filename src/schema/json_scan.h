/* Walking JSON text: what decoding, checking and printing share. */
#ifndef CHAINSI_SCHEMA_JSON_SCAN_H
#define CHAINSI_SCHEMA_JSON_SCAN_H

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "schema/report.h"

/* A text that is being read. Functions take the place where they start and return the place behind
 * what they read, or NULL after reporting what is wrong. */
typedef struct chainsi_json_reader {
    const char *text, *end;
    chainsi_report report;
} chainsi_json_reader;

/* Reports "expected EXPECTED, found ..." with what stands at `at`. Always NULL. */
const char *chainsi_json_expected(chainsi_json_reader *reader, const char *at, const char *expected)
    __attribute__((cold));
/* Reports nesting that is too deep. Always NULL. */
const char *chainsi_json_too_deep(chainsi_json_reader *reader, const char *at)
    __attribute__((cold));

/* Reads any value at `at` (no space before it) that is nested depth deep, and checks all of it. */
const char *chainsi_json_skip(chainsi_json_reader *reader, const char *at, unsigned depth);

/* Reads a string from behind its opening quote and checks its UTF-8 and escapes. Returns the place of
 * the closing quote. `nul` tells whether \u0000 is allowed. */
const char *chainsi_json_scan_string(chainsi_json_reader *reader, const char *at, bool nul,
                                     bool *escaped);

/* Reports that the bytes from `from` to `to` aren't valid UTF-8. Always NULL. */
const char *chainsi_json_bad_utf8(chainsi_json_reader *reader, const char *from, const char *to)
    __attribute__((cold));

/* Writes what a string that chainsi_json_scan_string has checked stands for; out may be `at`. Returns
 * the end of what it wrote. */
char *chainsi_json_unescape(char *out, const char *at, const char *end);

/* Reads the end of the text: space only. True, or false after reporting. */
bool chainsi_json_at_end(chainsi_json_reader *reader, const char *at);

const char *chainsi_json_skip_space_slow(const char *at, const char *end);

static inline const char *chainsi_json_skip_space(const char *at, const char *end)
{
    if (at < end && (uint8_t)*at <= ' ')
        return chainsi_json_skip_space_slow(at, end);
    return at;
}

/* The first quote, backslash or control character from `at`, or end. *high is set if a byte of 0x80
 * or more lies before it. */
static inline const char *chainsi_json_find_special(const char *at, const char *end, bool *high)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                  control = _mm_set1_epi8(0x1f);
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        __m128i found = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
            _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        unsigned places = (unsigned)_mm_movemask_epi8(found);
        unsigned highs = (unsigned)_mm_movemask_epi8(bytes);
        if (places) {
            unsigned first = (unsigned)__builtin_ctz(places);
            *high |= (highs & ((1u << first) - 1)) != 0;
            return at + first;
        }
        *high |= highs != 0;
        at += 16;
    }
#else
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    while (end - at >= 8) {
        uint64_t bytes;
        memcpy(&bytes, at, 8);
        uint64_t quotes = bytes ^ ones * '"', backslashes = bytes ^ ones * '\\';
        uint64_t found = (((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) |
                          ((bytes - ones * 0x20) & ~bytes)) &
                         tops;
        if (found) {
            int first = __builtin_ctzll(found) / 8;
            *high |= (bytes & tops & ((UINT64_C(1) << (first * 8)) - 1)) != 0;
            return at + first;
        }
        *high |= (bytes & tops) != 0;
        at += 8;
    }
#endif
    for (; at < end; at++) {
        uint8_t byte = (uint8_t)*at;
        if (byte == '"' || byte == '\\' || byte < 0x20)
            break;
        *high |= byte >= 0x80;
    }
    return at;
}

#endif
