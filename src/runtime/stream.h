/* The caller's end of a stream: where items go that a callee emits, whatever its distance.
 *
 * Items reach the caller's emit one at a time, on the thread that waits for the call. The first emit
 * that fails ends the stream: nothing is handed over any more, and the call ends with its status. */
#ifndef CHAINSI_RUNTIME_STREAM_H
#define CHAINSI_RUNTIME_STREAM_H

#include "runtime/context.h"
#include "runtime/glue.h"
#include "schema/codec.h"

/* One call's stream, over all its attempts. */
typedef struct chainsi_intake {
    const chainsi_interface *interface;
    chainsi_stream to;       /* the caller's */
    bool listens;            /* false: the caller gave none, and items are dropped */
    struct chainsi_job *job; /* of a started call, whose items go to the thread that waits; NULL */
    chains_ctx *ctx;         /* of the call: the caller's, or the job's */
    int64_t gap_ns;          /* .stream_gap_ms; CHAINSI_NEVER: none */
    int64_t due_ns;       /* when the next item, or the end, must be there: CHAINSI_NEVER before the
                                first */
    size_t items;         /* that have come: with one, nothing is retried */
    int64_t first_ns;     /* when the first of them came */
    chains_status failed; /* what emit returned */
} chainsi_intake;

/* stream: the caller's, or NULL; copied. gap_ms as .stream_gap_ms: 0 is its default, below 0 none. */
void chainsi_intake_init(chainsi_intake *intake, const chainsi_interface *interface,
                         const chainsi_stream *stream, double gap_ms);
/* Hands one item, a value that has passed all checks, to the caller. Blocks until emit has returned,
 * with whose status it ends. One thread at a time. */
chains_status chainsi_intake_deliver(chainsi_intake *intake, const void *item);
/* Records on the call's ctx that the caller's emit failed, unless the emit itself has said why.
 * Returns the status. */
chains_status chainsi_intake_fail(chainsi_intake *intake);
/* Likewise, that no item came for longer than the gap. */
chains_status chainsi_intake_fail_late(chainsi_intake *intake);

/* What a callee in this process emits to: checks items, and in strict programs copies them, before
 * they go to the caller. */
typedef struct chainsi_local_stream {
    chainsi_stream stream; /* for run */
    chainsi_intake *intake;
    chains_ctx *callee;        /* ctx of the method */
    pthread_mutex_t lock;      /* a method may emit from its chains_each steps */
    chains_status failed;      /* what emit gives from now on */
    bool late;                 /* for the gap's sake */
    chainsi_codec_error wrong; /* of the item that can't be sent */
    chainsi_arena copies;      /* of strict programs: ends with each item */
} chainsi_local_stream;

void chainsi_local_stream_init(chainsi_local_stream *stream, chainsi_intake *intake,
                               chains_ctx *callee);
/* After the method returned status, and nothing emits any more: frees what it holds, and gives the
 * status that the call ends with. *recorded: the failure is on the caller's ctx already. */
chains_status chainsi_local_stream_end(chainsi_local_stream *stream, chains_status status,
                                       bool *recorded);

/* Puts "tokens[3]" in front of the path of an error within the item of that number. */
void chainsi_stream_place(const chainsi_interface *interface, size_t item,
                          chainsi_codec_error *error);

#endif
