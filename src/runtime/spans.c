#include "runtime/spans.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ring.h"
#include "runtime/stream.h"

chainsi_ring *chainsi_spans_ring;

static chainsi_sampling sampling;
static uint32_t process;

void chainsi_spans_use(int fd)
{
    chainsi_ring_close(chainsi_spans_ring);
    chainsi_spans_ring = fd >= 0 ? chainsi_ring_open(fd) : NULL;
    process = (uint32_t)getpid();
}

bool chainsi_spans_keep(void)
{
    if (chainsi_spans_ring)
        return true;
    int fd = chainsi_ring_create();
    chainsi_spans_use(fd);
    if (fd >= 0)
        close(fd);
    return chainsi_spans_ring != NULL;
}

chainsi_trace chainsi_spans_begin_trace(int64_t now_ns)
{
    chainsi_trace trace = chainsi_trace_new();
    trace.recorded = chainsi_spans_ring && chainsi_sampling_choose(&sampling, now_ns, trace.low);
    return trace;
}

/* Where the failure left the Chainlet is its outermost hop in there; of a long path the end says more. */
static void add_place(chainsi_span *span, const chains_error *error, char place[CHAINSI_SPAN_PLACE])
{
    enum { FUNCTION = 44, FILE = 60 };
    const char *chainlet = span->kind == CHAINSI_SPAN_LOCAL ? span->callee : span->chainlet;
    for (size_t i = 0; i < error->trace_count; i++) {
        const chains_trace_entry *hop = &error->trace[i];
        if (!hop->file || !*hop->file || strcmp(hop->chainlet, chainlet) != 0)
            continue;
        const size_t size = strlen(hop->file);
        snprintf(place, CHAINSI_SPAN_PLACE, "%.*s %s:%d", FUNCTION, hop->function,
                 hop->file + (size > FILE ? size - FILE : 0), hop->line);
        span->left_at = place;
        return;
    }
}

/* Where the failure was raised is the innermost hop that knows a file. */
static void add_error(chainsi_span *span, const chains_error *error, char place[CHAINSI_SPAN_PLACE])
{
    span->message = error->message;
    if (span->kind == CHAINSI_SPAN_SERVED || span->kind == CHAINSI_SPAN_LOCAL)
        add_place(span, error, place);
    for (size_t i = error->trace_count; i-- > 0;) {
        const chains_trace_entry *hop = &error->trace[i];
        if (!hop->file || !*hop->file)
            continue;
        span->raised_by = hop->chainlet;
        span->file = hop->file;
        span->line = hop->line > 0 ? (uint32_t)hop->line : 0;
        return;
    }
}

void chainsi_spans_write(chainsi_span *span, const chains_ctx *ctx)
{
    static _Thread_local chainsi_span_record record;
    span->trace_high = ctx->trace.high;
    span->trace_low = ctx->trace.low;
    span->alone = !ctx->trace.recorded;
    span->process = process;
    span->chainlet = ctx->chainlet;
    span->request_id = ctx->request_id;
    char place[CHAINSI_SPAN_PLACE];
    if (span->status != CHAINS_OK && ctx->failed)
        add_error(span, &ctx->error, place);
    chainsi_ring_write(chainsi_spans_ring, record.words, chainsi_span_pack(span, &record));
}

void chainsi_made_begin_told(chainsi_made *made, const chains_ctx *ctx)
{
    const int64_t now_ns = chainsi_now_ns();
    *made = (chainsi_made){
        .began_ns = now_ns,
        .attempt_ns = now_ns,
        .queue_ns = -1,
        .parent = ctx->trace.span,
        .attempt = chainsi_trace_span(),
        .attempts = 1,
    };
}

static void write_attempt(const chainsi_made *made, const chains_ctx *ctx, const char *callee,
                          chains_status status, int64_t now_ns)
{
    chainsi_span span = {
        .id = made->attempt,
        .parent = made->call,
        .began_ns = made->attempt_ns,
        .ended_ns = now_ns,
        .queue_ns = -1,
        .decode_ns = -1,
        .run_ns = -1,
        .encode_ns = -1,
        .first_item_ns = -1,
        .attempt = made->attempts,
        .kind = CHAINSI_SPAN_ATTEMPT,
        .status = (uint8_t)status,
        .callee = callee,
    };
    chainsi_spans_write(&span, ctx);
}

void chainsi_made_retry(chainsi_made *made, const chains_ctx *ctx, const char *callee,
                        chains_status status)
{
    if (!made->began_ns)
        return;
    const int64_t now_ns = chainsi_now_ns();
    if (!made->call)
        made->call = chainsi_trace_span();
    write_attempt(made, ctx, callee, status, now_ns);
    made->attempt = chainsi_trace_span();
    made->attempt_ns = now_ns;
    if (made->attempts < UINT16_MAX)
        made->attempts++;
}

void chainsi_made_end(chainsi_made *made, const chains_ctx *ctx, const char *callee, bool local,
                      chains_status status, const chainsi_intake *intake)
{
    if (!made->began_ns)
        return;
    const int64_t now_ns = chainsi_now_ns();
    if (made->call)
        write_attempt(made, ctx, callee, status, now_ns);
    chainsi_span span = {
        .id = made->call ? made->call : made->attempt,
        .parent = made->parent,
        .began_ns = made->began_ns,
        .ended_ns = now_ns,
        .queue_ns = made->queue_ns,
        .decode_ns = -1,
        .run_ns = -1,
        .encode_ns = -1,
        .first_item_ns = intake && intake->items ? intake->first_ns - made->began_ns : -1,
        .items = intake ? intake->items : 0,
        .attempt = made->attempts,
        .kind = local ? CHAINSI_SPAN_LOCAL : CHAINSI_SPAN_MADE,
        .status = (uint8_t)status,
        .streamed = intake != NULL,
        .callee = callee,
    };
    chainsi_spans_write(&span, ctx);
}
