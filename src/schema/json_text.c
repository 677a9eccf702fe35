/* JSON as text: checking, writing strings by hand, indenting. */
#include <math.h>

#include "schema/json.h"
#include "schema/json_scan.h"
#include "schema/json_write.h"
#include "schema/number.h"
#include "schema/utf8.h"

chains_status chainsi_json_check(const char *text, size_t size, chainsi_codec_error *error)
{
    chainsi_codec_error unwanted;
    chainsi_json_reader reader = { .text = size ? text : "" };
    reader.end = reader.text + size;
    chainsi_report_init(&reader.report, error ? error : &unwanted);
    const char *at = chainsi_json_skip_space(reader.text, reader.end);
    at = chainsi_json_skip(&reader, at, 0);
    if (!at || !chainsi_json_at_end(&reader, at))
        return chainsi_report_finish(&reader.report);
    return CHAINS_OK;
}

uint8_t *chainsi_json_write_escaped(uint8_t *out, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            *out++ = byte;
            continue;
        }
        *out++ = '\\';
        switch (byte) {
        case '"':
        case '\\':
            *out++ = byte;
            break;
        case '\b':
            *out++ = 'b';
            break;
        case '\f':
            *out++ = 'f';
            break;
        case '\n':
            *out++ = 'n';
            break;
        case '\r':
            *out++ = 'r';
            break;
        case '\t':
            *out++ = 't';
            break;
        default:
            memcpy(out, "u00", 3);
            out[3] = (uint8_t)hex[byte >> 4];
            out[4] = (uint8_t)hex[byte & 15];
            out += 5;
            break;
        }
    }
    return out;
}

void chainsi_json_write_text(chainsi_buffer *out, const char *text)
{
    if (text)
        chainsi_json_write_string(out, text, strlen(text));
    else
        chainsi_buffer_add_text(out, "null");
}

void chainsi_json_write_string(chainsi_buffer *out, const char *text, size_t size)
{
    chainsi_buffer_add_byte(out, '"');
    for (;;) {
        size_t valid = chainsi_utf8_valid(text, size);
        size -= valid;
        while (valid) { /* in parts, so that the room for escapes is small */
            size_t part = valid > 4096 ? 4096 : valid;
            uint8_t *start = chainsi_buffer_reserve(out, part * 6);
            out->size += (size_t)(chainsi_json_write_escaped(start, text, part) - start);
            text += part;
            valid -= part;
        }
        if (!size)
            break;
        chainsi_buffer_add(out, "\xef\xbf\xbd", 3);
        text++;
        size--;
    }
    chainsi_buffer_add_byte(out, '"');
}

void chainsi_json_write_double(chainsi_buffer *out, double number)
{
    if (!isfinite(number)) {
        chainsi_buffer_add(out, "null", 4);
        return;
    }
    char *start = (char *)chainsi_buffer_reserve(out, CHAINSI_NUMBER_SIZE);
    out->size += (size_t)(chainsi_write_double(start, number) - start);
}

/* The place behind a string that is known to be right. */
static const char *pass_string(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

uint8_t *chainsi_json_compact(uint8_t *out, const char *text, size_t size)
{
    for (const char *at = text, *end = text + size; at < end;) {
        const char *from = at;
        if (*at == '"')
            at = pass_string(at);
        else
            at++;
        if ((uint8_t)*from > ' ') {
            memcpy(out, from, (size_t)(at - from));
            out += at - from;
        }
    }
    return out;
}

static void start_line(chainsi_buffer *out, size_t depth)
{
    uint8_t *line = chainsi_buffer_reserve(out, 1 + 2 * depth);
    *line = '\n';
    memset(line + 1, ' ', 2 * depth);
    out->size += 1 + 2 * depth;
}

chains_status chainsi_json_pretty(const char *text, size_t size, chainsi_buffer *out)
{
    if (chainsi_json_check(text, size, NULL) != CHAINS_OK)
        return CHAINS_INVALID_ARGUMENT;
    const char *end = text + size;
    size_t depth = 0;
    for (const char *at = text; at < end; at++) {
        switch (*at) {
        case ' ':
        case '\n':
        case '\r':
        case '\t':
            break;
        case '{':
        case '[': {
            chainsi_buffer_add_byte(out, (uint8_t)*at);
            const char *next = chainsi_json_skip_space(at + 1, end);
            if (*next == '}' || *next == ']') {
                chainsi_buffer_add_byte(out, (uint8_t)*next);
                at = next;
            } else {
                start_line(out, ++depth);
            }
            break;
        }
        case '}':
        case ']':
            start_line(out, --depth);
            chainsi_buffer_add_byte(out, (uint8_t)*at);
            break;
        case ',':
            chainsi_buffer_add_byte(out, ',');
            start_line(out, depth);
            break;
        case ':':
            chainsi_buffer_add(out, ": ", 2);
            break;
        case '"': {
            const char *behind = pass_string(at);
            chainsi_buffer_add(out, at, (size_t)(behind - at));
            at = behind - 1;
            break;
        }
        default:
            chainsi_buffer_add_byte(out, (uint8_t)*at);
            break;
        }
    }
    return CHAINS_OK;
}
