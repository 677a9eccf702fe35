/* A span: what is told of one call, or of one attempt at it, once it has ended. It travels from the
 * process that saw it to the daemon as a record of a ring (base/ring.h).
 *
 * Spans of a trace form a tree: a call that is made has the call in which it is made as its parent,
 * and is the parent of what the callee tells of it.
 *
 *   FRONT            the daemon: a client's call, as the client sees it
 *   SERVED           the callee's side, of a call that came from another process
 *   MADE             the caller's side of a call to another process, all its attempts
 *   LOCAL            a call within a process, both sides
 *   ATTEMPT, HEDGE   of a call that had several; hedge: the second of two at once
 *
 * Times are of CLOCK_MONOTONIC. */
#ifndef CHAINSI_RUNTIME_SPAN_H
#define CHAINSI_RUNTIME_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <chains.h>

typedef enum chainsi_span_kind {
    CHAINSI_SPAN_FRONT = 1,
    CHAINSI_SPAN_SERVED,
    CHAINSI_SPAN_MADE,
    CHAINSI_SPAN_LOCAL,
    CHAINSI_SPAN_ATTEMPT,
    CHAINSI_SPAN_HEDGE,
} chainsi_span_kind;

/* Characters that a span keeps of a text; more is cut off at its end, of a file's path at its beginning. */
enum {
    CHAINSI_SPAN_NAME = 64,
    CHAINSI_SPAN_REQUEST_ID = 128,
    CHAINSI_SPAN_FILE = 64,
    CHAINSI_SPAN_MESSAGE = 180,
    CHAINSI_SPAN_PLACE = 120,
};

typedef struct chainsi_span {
    uint64_t trace_high, trace_low, id;
    uint64_t parent; /* 0: none */
    int64_t began_ns, ended_ns;
    /* SERVED: before began_ns, from when it was made. Of the caller's kinds: from began_ns, until it
     * was one of its .concurrency_limit. Negative: not known, as below. */
    int64_t queue_ns;
    int64_t decode_ns, run_ns, encode_ns;
    int64_t first_item_ns; /* of a stream: when the first item came, from began_ns */
    uint64_t items;        /* of a stream */
    uint32_t process;      /* number of the process that tells it */
    uint32_t line;         /* where the failure was raised; 0: not known */
    uint16_t attempt;      /* ATTEMPT: its number, from 1; of a call: how many there were */
    uint8_t kind;          /* chainsi_span_kind */
    uint8_t status;        /* chains_status */
    bool streamed;
    bool alone; /* its trace isn't recorded, only this: it failed, or was slow */
    /* Never NULL in what was unpacked; "": none. callee: of the caller's kinds. */
    const char *chainlet, *callee, *request_id;
    /* Of a failure: where it was raised, and what it says. */
    const char *raised_by, *file, *message;
    /* Of a failure that left its Chainlet: where in there, "FUNCTION FILE:LINE". What programs that were
     * built before tell has none. */
    const char *left_at;
} chainsi_span;

/* A record of a ring, aligned. */
typedef union chainsi_span_record {
    uint64_t words[79];
    char bytes[632];
} chainsi_span_record;

/* Packs a span; NULL texts are none. Returns the record's bytes. */
size_t chainsi_span_pack(const chainsi_span *span, chainsi_span_record *record);
/* Unpacks a record of size bytes, whoever wrote it; texts point into it, which is changed: they are
 * cut to valid UTF-8 without control characters. False if it is none. */
bool chainsi_span_unpack(chainsi_span *span, chainsi_span_record *record, size_t size);

/* "front", "served", … A constant; NULL for what is none. */
const char *chainsi_span_kind_name(unsigned kind);

#endif
