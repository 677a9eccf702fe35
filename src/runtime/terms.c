/* The terms of a call, from headers or from a frame. */
#include "runtime/terms.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/spans.h"

enum {
    MOST_REQUEST_ID = 128, /* characters of a request id that is taken over */
};

uint64_t chainsi_terms_read_trace(chains_ctx *ctx, const chainsi_server_request *request)
{
    const chainsi_slice *text = chainsi_http_find(&request->head.head, "traceparent");
    if (!text || !chainsi_trace_read(&ctx->trace, text->data, text->size)) {
        ctx->trace = chainsi_spans_begin_trace(request->received_ns);
        return 0;
    }
    uint64_t parent = ctx->trace.span;
    ctx->trace.span = chainsi_trace_span();
    return parent;
}

static void make_request_id(chains_ctx *ctx)
{
    char *made = chainsi_memory_raw(ctx, 33);
    chainsi_random_hex(made, 32);
    ctx->request_id = made;
}

void chainsi_terms_read_id(chains_ctx *ctx, const chainsi_http_head *head)
{
    const chainsi_slice *id = chainsi_http_find(head, "X-Request-Id");
    bool good = id && id->size > 0 && id->size <= MOST_REQUEST_ID;
    for (size_t i = 0; good && i < id->size; i++)
        good = id->data[i] > 0x20 && id->data[i] < 0x7f;
    if (good) {
        ctx->request_id = chainsi_arena_copy(ctx->arena, id->data, id->size);
        return;
    }
    make_request_id(ctx);
}

static chains_status fail_late(chains_ctx *ctx, const chainsi_interface *interface)
{
    return chainsi_error_at_declaration(ctx, interface, CHAINS_DEADLINE_EXCEEDED, NULL,
                                        "the deadline had passed before the call began");
}

/* A whole number, of 15 digits at most. */
static bool read_number(chainsi_slice text, int64_t *number)
{
    *number = 0;
    bool good = text.size > 0 && text.size <= 15;
    for (size_t i = 0; good && i < text.size; i++) {
        good = isdigit((unsigned char)text.data[i]);
        *number = *number * 10 + (text.data[i] - '0');
    }
    return good;
}

/* The deadline that the caller gave, on our clock. */
static chains_status read_deadline(chains_ctx *ctx, const chainsi_interface *interface,
                                   const chainsi_server_request *request)
{
    const chainsi_slice *text = chainsi_http_find(&request->head.head, "X-Chains-Timeout-Ms");
    if (!text)
        return CHAINS_OK;
    int64_t ms;
    if (!read_number(*text, &ms))
        return chainsi_error_at_declaration(
            ctx, interface, CHAINS_INVALID_ARGUMENT, NULL,
            "X-Chains-Timeout-Ms is no whole number of milliseconds");
    ctx->deadline_ns = chainsi_deadline_after_ms(request->received_ns, (double)ms);
    return chainsi_now_ns() >= ctx->deadline_ns ? fail_late(ctx, interface) : CHAINS_OK;
}

static chains_status fail_interface(chains_ctx *ctx, const chainsi_interface *interface,
                                    chainsi_slice theirs, const char *own)
{
    chainsi_error_set(ctx, CHAINS_FAILED_PRECONDITION, interface->name, "run_remote", NULL,
                      "the caller was built against another interface of %s (%.*s, this is %s): "
                      "deploy both from the same headers",
                      interface->name, theirs.size < 32 ? (int)theirs.size : 32, theirs.data, own);
    return CHAINS_FAILED_PRECONDITION;
}

static chains_status check_fingerprint(chains_ctx *ctx, const chainsi_interface *interface,
                                       const chainsi_http_head *head)
{
    const chainsi_slice *text = chainsi_http_find(head, "X-Chains-Interface");
    char own[17];
    snprintf(own, sizeof own, "%016" PRIx64, interface->fingerprint);
    if (!text || chainsi_slice_is_case(*text, own))
        return CHAINS_OK;
    return fail_interface(ctx, interface, *text, own);
}

/* The same things of a frame. */

uint64_t chainsi_terms_read_frame(chains_ctx *ctx, const chainsi_server_request *request)
{
    const chainsi_frame *frame = request->frame;
    const chainsi_frame_call *call = &frame->call;
    uint64_t parent = 0;
    memcpy(&ctx->trace.high, call->trace_id, sizeof ctx->trace.high);
    memcpy(&ctx->trace.low, call->trace_id + sizeof ctx->trace.high, sizeof ctx->trace.low);
    if (chainsi_trace_is_set(&ctx->trace)) {
        memcpy(&parent, call->span_id, sizeof parent);
        ctx->trace.span = chainsi_trace_span();
        ctx->trace.recorded = frame->head.flags & CHAINSI_FRAME_RECORDED;
    } else {
        ctx->trace = chainsi_spans_begin_trace(request->received_ns);
    }
    if (call->request_id_size)
        ctx->request_id = chainsi_arena_copy(ctx->arena, frame->request_id, call->request_id_size);
    else
        make_request_id(ctx);
    return parent;
}

static chains_status check_frame(chains_ctx *ctx, const chainsi_interface *interface,
                                 const chainsi_server_request *request)
{
    const chainsi_frame_call *call = &request->frame->call;
    if (call->interface != interface->fingerprint) {
        char own[17], theirs[17];
        snprintf(own, sizeof own, "%016" PRIx64, interface->fingerprint);
        snprintf(theirs, sizeof theirs, "%016" PRIx64, call->interface);
        return fail_interface(ctx, interface, (chainsi_slice){ theirs, 16 }, own);
    }
    ctx->deadline_ns = call->deadline_ns;
    return request->received_ns >= ctx->deadline_ns ? fail_late(ctx, interface) : CHAINS_OK;
}

/* Both. */

chains_status chainsi_terms_check(chains_ctx *ctx, const chainsi_interface *interface,
                                  const chainsi_server_request *request)
{
    if (request->frame)
        return check_frame(ctx, interface, request);
    chains_status status = check_fingerprint(ctx, interface, &request->head.head);
    return status == CHAINS_OK ? read_deadline(ctx, interface, request) : status;
}

/* By HTTP the daemon alone says when a call was made, by a clock that is the same for all of a machine. */
static int64_t read_made_ns(const chainsi_server_request *request)
{
    int64_t made_us;
    const chainsi_slice *text =
        request->local ? chainsi_http_find(&request->head.head, CHAINSI_HTTP_MADE_US) : NULL;
    if (text && read_number(*text, &made_us) && made_us <= request->received_ns / 1000)
        return made_us * 1000;
    return 0;
}

int64_t chainsi_terms_made_ns(const chainsi_server_request *request)
{
    return request->frame ? request->frame->call.made_ns : read_made_ns(request);
}
