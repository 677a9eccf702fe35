#include "runtime/trace.h"

#include <string.h>

#include "runtime/context.h"

enum {
    SPAN_DIGITS = 16,
    FLAG_DIGITS = 2,
    VERSION_DIGITS = 2,
    NO_VERSION = 0xff,
    TRACE_AT = 3,
    SPAN_AT = 36,
    FLAGS_AT = 53,
    SAMPLED = 1
};

uint64_t chainsi_trace_span(void)
{
    uint64_t span = chainsi_random();
    return span ? span : 1;
}

chainsi_trace chainsi_trace_new(void)
{
    return (chainsi_trace){ chainsi_random(), chainsi_trace_span(), chainsi_trace_span(), false };
}

static bool read_hex(const char *text, int digits, uint64_t *number)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++) {
        char digit = text[i];
        if (digit >= '0' && digit <= '9')
            value = value << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = value << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    *number = value;
    return true;
}

static void write_hex(uint64_t number, char *text)
{
    for (int i = SPAN_DIGITS - 1; i >= 0; i--) {
        text[i] = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
}

bool chainsi_trace_read(chainsi_trace *trace, const char *text, size_t size)
{
    chainsi_trace read;
    uint64_t flags, version;
    if (size < CHAINSI_TRACEPARENT_SIZE - 1 || text[TRACE_AT - 1] != '-' ||
        text[SPAN_AT - 1] != '-' || text[FLAGS_AT - 1] != '-' ||
        !read_hex(text, VERSION_DIGITS, &version) || version == NO_VERSION ||
        (size >= CHAINSI_TRACEPARENT_SIZE &&
         (!version || text[CHAINSI_TRACEPARENT_SIZE - 1] != '-')) ||
        !read_hex(text + TRACE_AT, SPAN_DIGITS, &read.high) ||
        !read_hex(text + TRACE_AT + SPAN_DIGITS, SPAN_DIGITS, &read.low) ||
        !read_hex(text + SPAN_AT, SPAN_DIGITS, &read.span) ||
        !read_hex(text + FLAGS_AT, FLAG_DIGITS, &flags) || !read.span ||
        !chainsi_trace_is_set(&read))
        return false;
    read.recorded = flags & SAMPLED;
    *trace = read;
    return true;
}

void chainsi_trace_write(const chainsi_trace *trace, char text[CHAINSI_TRACEPARENT_SIZE])
{
    memcpy(text, "00-", TRACE_AT);
    write_hex(trace->high, text + TRACE_AT);
    write_hex(trace->low, text + TRACE_AT + SPAN_DIGITS);
    text[SPAN_AT - 1] = '-';
    write_hex(trace->span, text + SPAN_AT);
    memcpy(text + FLAGS_AT - 1, trace->recorded ? "-01" : "-00", 4);
}
