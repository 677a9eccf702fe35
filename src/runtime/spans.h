/* Telling of calls: where a process writes its spans (runtime/span.h), which the daemon reads.
 *
 * Without a ring nothing is recorded, and asking costs a load. Of a trace that isn't recorded, only what
 * fails or is slow is told of, alone. Any thread; nothing here blocks. */
#ifndef CHAINSI_RUNTIME_SPANS_H
#define CHAINSI_RUNTIME_SPANS_H

#include "runtime/context.h"
#include "runtime/sampling.h"
#include "runtime/span.h"

struct chainsi_ring;

/* This process's ring; NULL: none. Set once, before there are calls. */
extern struct chainsi_ring *chainsi_spans_ring;

/* Uses the ring with this memory, which stays the caller's; what is no ring is none. */
void chainsi_spans_use(int fd);

/* Makes a ring of this process's own, if it has none; false: it has none now either. */
bool chainsi_spans_keep(void);

/* A new trace, with the decision whether it is recorded. now_ns: as now as the caller knows. */
chainsi_trace chainsi_spans_begin_trace(int64_t now_ns);

/* Whether this process tells of calls of that trace. */
static inline bool chainsi_spans_tells(const chainsi_trace *trace)
{
    return trace->recorded && chainsi_spans_ring;
}

/* Whether a call that this process served is told of: where it failed, or was slow, in any case. */
static inline bool chainsi_spans_tells_served(const chainsi_trace *trace, chains_status status,
                                              int64_t run_ns)
{
    return chainsi_spans_ring && (trace->recorded || status != CHAINS_OK ||
                                  run_ns > CHAINSI_SAMPLING_SLOW_MS * CHAINSI_NS_PER_MS);
}

/* Writes a span. Trace, process, request id, Chainlet and, where status is a failure, its error are those
 * of ctx and need not be set. */
void chainsi_spans_write(chainsi_span *span, const chains_ctx *ctx);

/* ------------------------------------------------------------------------------------------------
 * calls that are made */

/* A call on its way: the span that the callee gets as its parent is that of the attempt. While there is
 * only one attempt, that is the call's own. */
typedef struct chainsi_made {
    int64_t began_ns; /* 0: nothing is told of it, and the rest isn't set */
    int64_t attempt_ns, queue_ns;
    uint64_t parent, call, attempt; /* ids of spans; call is 0 while it is the attempt's */
    uint16_t attempts;
} chainsi_made;

/* A call is made with ctx. */
void chainsi_made_begin_told(chainsi_made *made, const chains_ctx *ctx);
static inline void chainsi_made_begin(chainsi_made *made, const chains_ctx *ctx)
{
    made->began_ns = 0;
    if (chainsi_spans_tells(&ctx->trace))
        chainsi_made_begin_told(made, ctx);
}
/* An attempt failed with status, which ctx has the error of, and another one follows. */
void chainsi_made_retry(chainsi_made *made, const chains_ctx *ctx, const char *callee,
                        chains_status status);
/* It has ended. streamed: intake's items and first_ns are told as well. */
struct chainsi_intake;
void chainsi_made_end(chainsi_made *made, const chains_ctx *ctx, const char *callee, bool local,
                      chains_status status, const struct chainsi_intake *intake);

#endif
