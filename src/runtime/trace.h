/* The trace that a call belongs to (W3C Trace Context), as numbers: a call in this process makes a
 * span of its own for the price of one random number, and only what travels is written as text. */
#ifndef CHAINSI_RUNTIME_TRACE_H
#define CHAINSI_RUNTIME_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a traceparent with its NUL: 00-<32 hex digits>-<16>-01. */
enum { CHAINSI_TRACEPARENT_SIZE = 56 };

typedef struct chainsi_trace {
    uint64_t high, low; /* the trace's id; both 0: there is no trace */
    uint64_t span;      /* of the call; not 0 in a trace */
    bool recorded;      /* its spans are told of (runtime/spans.h): decided where it begins */
} chainsi_trace;

/* A new trace with a first span, not recorded. Any thread. */
chainsi_trace chainsi_trace_new(void);
/* The id of a new span. Any thread. */
uint64_t chainsi_trace_span(void);
/* Reads the header traceparent, size bytes at text: false and nothing written if it isn't of version
 * 00's form with ids that are not zero. Of later versions that are longer, so much is read; ff is none. */
bool chainsi_trace_read(chainsi_trace *trace, const char *text, size_t size);
/* Writes the header's value and a NUL. */
void chainsi_trace_write(const chainsi_trace *trace, char text[CHAINSI_TRACEPARENT_SIZE]);

static inline bool chainsi_trace_is_set(const chainsi_trace *trace)
{
    return trace->high || trace->low;
}

#endif
