/* Walking JSON text. Nothing is read at or beyond reader->end. */
#include "schema/json_scan.h"

#include <stdio.h>

#include "schema/number.h"
#include "schema/utf8.h"

const char *chainsi_json_skip_space_slow(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* --------------------------------------------------------------------------------------------
 * errors */

static bool is_word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '+' || c == '.';
}

static const char *measure_word(const char *at, const char *end)
{
    const char *from = at;
    while (at < end && at - from <= CHAINSI_EXCERPT && is_word_character(*at))
        at++;
    return at;
}

/* What stands at `at`, in words; out has CHAINSI_EXCERPT_SIZE + 16 bytes. */
static const char *describe(char *out, const char *at, const char *end)
{
    char excerpt[CHAINSI_EXCERPT_SIZE];
    if (at >= end)
        return "the end of the text";
    if (*at == '{')
        return "an object";
    if (*at == '[')
        return "an array";
    if (*at == '"') {
        const char *close = ++at;
        while (close < end && *close != '"' && (uint8_t)*close >= 0x20 &&
               close - at <= CHAINSI_EXCERPT)
            close += close[0] == '\\' && end - close > 1 ? 2 : 1;
        sprintf(out, "the string %s", chainsi_excerpt(excerpt, at, (size_t)(close - at)));
        return out;
    }
    const char *word = measure_word(at, end);
    if (word > at) {
        size_t size = (size_t)(word - at);
        if ((*at >= '0' && *at <= '9') || *at == '-') {
            int shown = size > CHAINSI_EXCERPT ? CHAINSI_EXCERPT : (int)size;
            sprintf(out, "the number %.*s%s", shown, at, shown < (int)size ? "..." : "");
            return out;
        }
        if ((size == 4 && (!memcmp(at, "true", 4) || !memcmp(at, "null", 4))) ||
            (size == 5 && !memcmp(at, "false", 5))) {
            sprintf(out, "%.*s", (int)size, at);
            return out;
        }
        sprintf(out, "the text %s", chainsi_excerpt(excerpt, at, size));
        return out;
    }
    if ((uint8_t)*at > 0x20 && (uint8_t)*at < 0x7f)
        sprintf(out, "the character '%c'", *at);
    else
        sprintf(out, "the byte 0x%02x", (uint8_t)*at);
    return out;
}

const char *chainsi_json_expected(chainsi_json_reader *reader, const char *at, const char *expected)
{
    char found[CHAINSI_EXCERPT_SIZE + 16];
    chainsi_report_fail(&reader->report, (size_t)(at - reader->text), "expected %s, found %s",
                        expected, describe(found, at, reader->end));
    return NULL;
}

const char *chainsi_json_too_deep(chainsi_json_reader *reader, const char *at)
{
    chainsi_report_fail(&reader->report, (size_t)(at - reader->text),
                        "expected at most %d nested arrays and objects, found one more",
                        CHAINSI_MAX_DEPTH);
    return NULL;
}

const char *chainsi_json_bad_utf8(chainsi_json_reader *reader, const char *from, const char *to)
{
    const char *at = from + chainsi_utf8_valid(from, (size_t)(to - from));
    chainsi_report_fail(&reader->report, (size_t)(at - reader->text),
                        "expected a string in valid UTF-8, found the byte 0x%02x", (uint8_t)*at);
    return NULL;
}

bool chainsi_json_at_end(chainsi_json_reader *reader, const char *at)
{
    at = chainsi_json_skip_space(at, reader->end);
    return at == reader->end || chainsi_json_expected(reader, at, "the end of the text") != NULL;
}

/* --------------------------------------------------------------------------------------------
 * strings */

/* The four hexadecimal digits at `at`, or -1. */
static int read_hex(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static const char *bad_escape(chainsi_json_reader *reader, const char *at, const char *expected)
{
    char excerpt[CHAINSI_EXCERPT_SIZE];
    const char *to = at + 1;
    while (to < reader->end && to - at < 6 && is_word_character(*to))
        to++;
    if (to == at + 1 && to < reader->end && (uint8_t)*to < 0x80)
        to++;
    chainsi_report_fail(&reader->report, (size_t)(at - reader->text), "expected %s, found %s",
                        expected, chainsi_excerpt(excerpt, at, (size_t)(to - at)));
    return NULL;
}

/* Checks the escape whose backslash is at `at`. */
static const char *scan_escape(chainsi_json_reader *reader, const char *at, bool nul)
{
    const char *end = reader->end;
    if (end - at < 2)
        return chainsi_json_expected(reader, end, "the rest of an escape");
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        break;
    default:
        return bad_escape(reader, at, "an escape of JSON");
    }
    int point = read_hex(at + 2, end);
    if (point < 0)
        return bad_escape(reader, at, "\\u with four hexadecimal digits");
    if (point == 0 && !nul)
        return bad_escape(reader, at, "text without U+0000");
    if (point >= 0xdc00 && point <= 0xdfff)
        return bad_escape(reader, at, "the first half of a surrogate pair");
    if (point < 0xd800 || point > 0xdbff)
        return at + 6;
    int low = end - at >= 8 && at[6] == '\\' && at[7] == 'u' ? read_hex(at + 8, end) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return bad_escape(reader, at, "a surrogate pair");
    return at + 12;
}

const char *chainsi_json_scan_string(chainsi_json_reader *reader, const char *at, bool nul,
                                     bool *escaped)
{
    const char *from = at;
    bool high = false;
    *escaped = false;
    for (;;) {
        at = chainsi_json_find_special(at, reader->end, &high);
        if (at == reader->end)
            return chainsi_json_expected(reader, at, "the end of a string");
        if (*at == '"')
            break;
        if (*at != '\\') {
            chainsi_report_fail(&reader->report, (size_t)(at - reader->text),
                                "expected control characters in a string as escapes, "
                                "found the byte 0x%02x",
                                (uint8_t)*at);
            return NULL;
        }
        *escaped = true;
        at = scan_escape(reader, at, nul);
        if (!at)
            return NULL;
    }
    if (high && chainsi_utf8_valid(from, (size_t)(at - from)) != (size_t)(at - from))
        return chainsi_json_bad_utf8(reader, from, at);
    return at;
}

char *chainsi_json_unescape(char *out, const char *at, const char *end)
{
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash ? backslash : end) - at);
        memmove(out, at, plain);
        out += plain;
        if (!backslash)
            break;
        at = backslash + 2;
        switch (backslash[1]) {
        case 'b':
            *out++ = '\b';
            break;
        case 'f':
            *out++ = '\f';
            break;
        case 'n':
            *out++ = '\n';
            break;
        case 'r':
            *out++ = '\r';
            break;
        case 't':
            *out++ = '\t';
            break;
        case 'u': {
            uint32_t point = (uint32_t)read_hex(at, end);
            at += 4;
            if (point >= 0xd800 && point <= 0xdbff) {
                uint32_t low = (uint32_t)read_hex(at + 2, end);
                point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
                at += 6;
            }
            out = chainsi_utf8_write(out, point);
            break;
        }
        default: /* the quote, the backslash and the slash stand for themselves */
            *out++ = backslash[1];
            break;
        }
    }
    return out;
}

/* --------------------------------------------------------------------------------------------
 * values */

static const char *skip_string(chainsi_json_reader *reader, const char *at)
{
    bool escaped;
    at = chainsi_json_scan_string(reader, at + 1, true, &escaped);
    return at ? at + 1 : NULL;
}

static const char *skip_array(chainsi_json_reader *reader, const char *at, unsigned depth)
{
    const char *end = reader->end;
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_json_too_deep(reader, at);
    at = chainsi_json_skip_space(at + 1, end);
    if (at < end && *at == ']')
        return at + 1;
    for (;;) {
        at = chainsi_json_skip(reader, at, depth + 1);
        if (!at)
            return NULL;
        at = chainsi_json_skip_space(at, end);
        if (at < end && *at == ']')
            return at + 1;
        if (at == end || *at != ',')
            return chainsi_json_expected(reader, at, "',' or ']'");
        at = chainsi_json_skip_space(at + 1, end);
    }
}

static const char *skip_object(chainsi_json_reader *reader, const char *at, unsigned depth)
{
    const char *end = reader->end;
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_json_too_deep(reader, at);
    at = chainsi_json_skip_space(at + 1, end);
    if (at < end && *at == '}')
        return at + 1;
    for (;;) {
        if (at == end || *at != '"')
            return chainsi_json_expected(reader, at, "a key");
        at = skip_string(reader, at);
        if (!at)
            return NULL;
        at = chainsi_json_skip_space(at, end);
        if (at == end || *at != ':')
            return chainsi_json_expected(reader, at, "':'");
        at = chainsi_json_skip(reader, chainsi_json_skip_space(at + 1, end), depth + 1);
        if (!at)
            return NULL;
        at = chainsi_json_skip_space(at, end);
        if (at < end && *at == '}')
            return at + 1;
        if (at == end || *at != ',')
            return chainsi_json_expected(reader, at, "',' or '}'");
        at = chainsi_json_skip_space(at + 1, end);
    }
}

static const char *skip_word(chainsi_json_reader *reader, const char *at, const char *word,
                             ptrdiff_t size)
{
    if (reader->end - at < size || memcmp(at, word, (size_t)size) != 0 ||
        (reader->end - at > size && is_word_character(at[size])))
        return chainsi_json_expected(reader, at, "a value");
    return at + size;
}

const char *chainsi_json_skip(chainsi_json_reader *reader, const char *at, unsigned depth)
{
    if (at == reader->end)
        return chainsi_json_expected(reader, at, "a value");
    switch (*at) {
    case '"':
        return skip_string(reader, at);
    case '{':
        return skip_object(reader, at, depth);
    case '[':
        return skip_array(reader, at, depth);
    case 't':
        return skip_word(reader, at, "true", 4);
    case 'f':
        return skip_word(reader, at, "false", 5);
    case 'n':
        return skip_word(reader, at, "null", 4);
    case '-':
    case '0' ... '9': {
        chainsi_decimal decimal;
        if (!chainsi_decimal_read(at, reader->end, &decimal))
            return chainsi_json_expected(reader, decimal.end, "a digit");
        return decimal.end;
    }
    default:
        return chainsi_json_expected(reader, at, "a value");
    }
}
