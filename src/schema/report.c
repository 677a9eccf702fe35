/* Errors of codecs. The path is kept at the end of its array while it grows to the front. */
#include "schema/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema/utf8.h"

bool chainsi_report_fail(chainsi_report *report, size_t offset, const char *format, ...)
{
    chainsi_codec_error *error = report->error;
    error->offset = offset;
    error->path[CHAINSI_CODEC_PATH - 1] = 0;
    report->path_start = CHAINSI_CODEC_PATH - 1;
    report->cut = false;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    if (size >= CHAINSI_CODEC_MESSAGE) { /* not in the middle of a code point */
        size_t end = CHAINSI_CODEC_MESSAGE - 1;
        error->message[chainsi_utf8_valid(error->message, end)] = 0;
    }
    return false;
}

/* Puts one step before the path, or nothing once a step was too long. */
static void add_step(chainsi_report *report, const char *step, size_t size)
{
    if (report->cut || size > report->path_start) {
        report->cut = true;
        return;
    }
    report->path_start -= size;
    memcpy(report->error->path + report->path_start, step, size);
}

void chainsi_report_field(chainsi_report *report, const char *name)
{
    char first = report->error->path[report->path_start];
    if (first && first != '[')
        add_step(report, ".", 1);
    add_step(report, name, strlen(name));
}

void chainsi_report_index(chainsi_report *report, size_t index)
{
    char first = report->error->path[report->path_start];
    if (first && first != '[')
        add_step(report, ".", 1);
    char step[32];
    int size = snprintf(step, sizeof step, "[%zu]", index);
    add_step(report, step, (size_t)size);
}

void chainsi_report_key(chainsi_report *report, const char *key)
{
    char first = report->error->path[report->path_start];
    if (first && first != '[')
        add_step(report, ".", 1);
    char excerpt[CHAINSI_EXCERPT_SIZE], step[CHAINSI_EXCERPT_SIZE + 2];
    int size = snprintf(step, sizeof step, "[%s]", chainsi_excerpt(excerpt, key, strlen(key)));
    add_step(report, step, (size_t)size);
}

chains_status chainsi_report_finish(chainsi_report *report)
{
    char *path = report->error->path;
    size_t start = report->path_start;
    if (report->cut) { /* room for the dots, at a whole code point */
        if (start < 3)
            start = 3;
        while ((path[start] & 0xc0) == 0x80)
            start++;
        start -= 3;
        memcpy(path + start, "...", 3);
    }
    memmove(path, path + start, CHAINSI_CODEC_PATH - start);
    return CHAINS_INVALID_ARGUMENT;
}

const char *chainsi_excerpt(char *out, const char *text, size_t size)
{
    size_t shown = size > CHAINSI_EXCERPT ? CHAINSI_EXCERPT : size;
    if (shown < size)
        while (shown && (text[shown] & 0xc0) == 0x80)
            shown--;
    char *at = out;
    *at++ = '"';
    for (size_t i = 0; i < shown;) {
        uint8_t byte = (uint8_t)text[i];
        size_t length = 1;
        if (byte >= 0x80) {
            while (i + length < shown && ((uint8_t)text[i + length] & 0xc0) == 0x80)
                length++;
            if (chainsi_utf8_valid(text + i, length) != length)
                length = 0;
        }
        if (length == 0) {
            at += sprintf(at, "\\x%02x", byte);
            i++;
        } else if (byte < 0x20 || byte == 0x7f) {
            at += sprintf(at, "\\u%04x", byte);
            i++;
        } else {
            if (byte == '"' || byte == '\\')
                *at++ = '\\';
            memcpy(at, text + i, length);
            at += length;
            i += length;
        }
    }
    *at++ = '"';
    if (shown < size) {
        memcpy(at, "...", 3);
        at += 3;
    }
    *at = 0;
    return out;
}

const char *chainsi_expected(char *out, const chainsi_type *type)
{
    switch (type->kind) {
    case CHAINSI_BOOL:
        return "true or false";
    case CHAINSI_INT8:
        return "an integer from -128 to 127";
    case CHAINSI_INT16:
        return "an integer from -32768 to 32767";
    case CHAINSI_INT32:
        return "an integer from -2147483648 to 2147483647";
    case CHAINSI_INT64:
        return "an integer from -9223372036854775808 to 9223372036854775807";
    case CHAINSI_UINT8:
        return "an integer from 0 to 255";
    case CHAINSI_UINT16:
        return "an integer from 0 to 65535";
    case CHAINSI_UINT32:
        return "an integer from 0 to 4294967295";
    case CHAINSI_UINT64:
        return "an integer from 0 to 18446744073709551615";
    case CHAINSI_FLOAT:
        return "a number of a float's range";
    case CHAINSI_DOUBLE:
        return "a number of a double's range";
    case CHAINSI_STRING:
        return "a string";
    case CHAINSI_BYTES:
        return "bytes";
    case CHAINSI_JSON:
        return "a value";
    case CHAINSI_TENSOR:
        return "a tensor";
    case CHAINSI_STRUCT:
    case CHAINSI_MAP:
        return "an object";
    case CHAINSI_LIST:
        return "an array";
    case CHAINSI_POINTER:
        return chainsi_expected(out, type->item);
    case CHAINSI_ENUM:
        break;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < type->value_count; i++) {
        const char *joint = i == 0 ? "" : i + 1 == type->value_count ? " or " : ", ";
        int size =
            snprintf(out + at, CHAINSI_EXPECTED_SIZE - at, "%s\"%s\"", joint, type->values[i].name);
        if (at + (size_t)size >= CHAINSI_EXPECTED_SIZE - 8) {
            snprintf(out + at, CHAINSI_EXPECTED_SIZE - at, ", ...");
            return out;
        }
        at += (size_t)size;
    }
    return at ? out : "nothing (the enum has no values)";
}
