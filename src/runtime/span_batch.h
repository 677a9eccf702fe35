/* Spans on their way to another machine: what GET /spans?after=N of a service's probes answers, and how a
 * controller reads it. N is the number that the answer before this one had in X-Chains-Next, 0 at first; it is
 * for the process that gave it: of another one, which was started in its place, all that is still
 * there follows.
 *
 * The body, in little endian:
 *   head      chainsi_span_batch_head: 48 bytes
 *   count times
 *     size    4 bytes: of the record, 1 to head.record_size
 *     zero    4 bytes
 *     record  size bytes (runtime/span.h), and zeros up to a multiple of 8
 *
 * Version and record_size are those of whoever wrote it. A reader refuses what isn't its own version or size, so
 * that a controller never misreads what a service of another release tells. Both change whenever a record does. */
#ifndef CHAINSI_RUNTIME_SPAN_BATCH_H
#define CHAINSI_RUNTIME_SPAN_BATCH_H

#include <pthread.h>

#include "base/buffer.h"
#include "base/ring.h"
#include "runtime/span.h"

#define CHAINSI_SPAN_BATCH_PATH "/spans"
#define CHAINSI_SPAN_BATCH_TYPE "application/vnd.chains.spans"
#define CHAINSI_SPAN_BATCH_NEXT "X-Chains-Next" /* a header: the number to ask with next */

enum {
    CHAINSI_SPAN_BATCH_VERSION = 1,
    CHAINSI_SPAN_BATCH_MOST = 1024, /* records of one answer */
};

typedef struct chainsi_span_batch_head {
    char magic[8]; /* "ChSpans", NUL */
    uint32_t version, record_size;
    uint32_t count; /* records that follow */
    uint32_t left;  /* that could be read already, had they not been too many for one answer */
    uint64_t lost;  /* between N and the last record here: overwritten before they were read */
    int64_t unix_offset_ns; /* to be added to the times of the records, for the time since 1970 */
    uint64_t reserved;      /* 0 */
} chainsi_span_batch_head;

/* ------------------------------------------------------------------------------------------------
 * in a service */

/* What a process tells from. Begins as zero bytes with lock and ring set. */
typedef struct chainsi_span_teller {
    pthread_mutex_t lock;
    chainsi_ring *ring; /* not owned */
    chainsi_ring_reader reader;
    uint64_t process; /* what this process's numbers begin with; 0: not chosen yet */
} chainsi_span_teller;

/* Appends a body with what was told since number `after`; the number to ask with next. Any thread. */
uint64_t chainsi_span_batch_write(chainsi_span_teller *teller, uint64_t after, chainsi_buffer *out);

/* ------------------------------------------------------------------------------------------------
 * in a controller */

typedef struct chainsi_span_batch {
    chainsi_span_batch_head head;
    const char *at; /* the next record; the body stays the caller's */
    size_t left;    /* bytes */
    uint32_t taken; /* records */
    chainsi_span_record record;
} chainsi_span_batch;

/* Begins to read a body, which is as long as the batch is used. False, with a reason, where it is none that
 * this release can read: nothing of it is taken then. Whatever is in it, nothing beyond it is read. */
bool chainsi_span_batch_open(chainsi_span_batch *batch, const void *body, size_t size, char *why,
                             size_t why_size);
/* The next span; its texts live until the next call. Records that are no spans are passed over, and counted in
 * batch->head.lost. False: that was all. */
bool chainsi_span_batch_next(chainsi_span_batch *batch, chainsi_span *span);

#endif
