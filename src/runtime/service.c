/* The requests of a service: decoding, running, answering.
 *
 * A request's ctx lives in the request's arena, from the handler until `after` has run on the same
 * thread: started work that nobody waited for ends after the answer was sent. */
#include "runtime/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/running.h"
#include "rpc/accept.h"
#include "rpc/limits.h"
#include "runtime/answer.h"
#include "runtime/error.h"
#include "runtime/gather.h"
#include "runtime/memory.h"
#include "runtime/outlet.h"
#include "runtime/probes.h"
#include "runtime/spans.h"
#include "runtime/status.h"
#include "runtime/terms.h"
#include "runtime/traffic.h"
#include "runtime/waiter.h"
#include "schema/json.h"
#include "schema/msgpack.h"

static _Thread_local chains_ctx *request_ctx;      /* of the request that this thread runs */
static _Thread_local chainsi_batch *request_batch; /* where that request is in flight; NULL */

static const char json_type[] = "application/json";
static const char msgpack_type[] = "application/msgpack";

/* Reading headers */

static bool slice_starts(chainsi_slice slice, const char *text)
{
    size_t size = strlen(text);
    return slice.size >= size && !strncasecmp(slice.data, text, size) &&
           (slice.size == size || strchr("; \t,", slice.data[size]));
}

static bool accepts_msgpack(const chainsi_http_head *head)
{
    static const char *const types[] = { msgpack_type, json_type };
    return chainsi_accept_choose(head, types, 2) == 0;
}

/* Running */

/* What is told of a call beside its status; times are negative while they aren't known. */
typedef struct told {
    uint64_t parent; /* its caller's span; 0: none */
    int64_t queue_ns, decode_ns, run_ns, encode_ns;
    int64_t ended_ns;             /* the clock, once the answer was encoded; 0: it wasn't read */
    const chainsi_outlet *outlet; /* NULL without a stream */
} told;

static const told nothing_told = { .queue_ns = -1, .decode_ns = -1, .run_ns = -1, .encode_ns = -1 };

/* A call that waited, from when it was made until it was read. */
static void note_queue(chainsi_service *service, const chainsi_server_request *request, told *call)
{
    const int64_t made_ns = chainsi_terms_made_ns(request);
    if (!made_ns)
        return;
    call->queue_ns = request->received_ns - made_ns;
    chainsi_metrics_time(&service->metrics, CHAINSI_PHASE_QUEUE, call->queue_ns);
}

static void write_span(const chains_ctx *ctx, const chainsi_server_request *request,
                       chains_status status, const told *call)
{
    const chainsi_outlet *outlet = call->outlet;
    chainsi_span span = {
        .id = ctx->trace.span,
        .parent = call->parent,
        .began_ns = request->received_ns,
        .ended_ns = call->ended_ns ? call->ended_ns : chainsi_now_ns(),
        .queue_ns = call->queue_ns,
        .decode_ns = call->decode_ns,
        .run_ns = call->run_ns,
        .encode_ns = call->encode_ns,
        .first_item_ns = outlet && outlet->items ? outlet->first_ns - request->received_ns : -1,
        .items = outlet ? outlet->items : 0,
        .kind = CHAINSI_SPAN_SERVED,
        .status = (uint8_t)(status == CHAINS_OK ? CHAINS_OK : ctx->error.status),
        .streamed = outlet != NULL,
    };
    chainsi_spans_write(&span, ctx);
}

/* Counts a call that has ended, and tells of it. */
static void note_end(chainsi_service *service, const chains_ctx *ctx,
                     const chainsi_server_request *request, chains_status status, const told *call)
{
    chainsi_metrics_count(&service->metrics, status, call->run_ns);
    if (chainsi_spans_tells_served(&ctx->trace, status, call->run_ns))
        write_span(ctx, request, status, call);
}

/* The input of a frame that has attachments, which are taken. */
static chains_status decode_shared_input(chains_ctx *ctx, const chainsi_interface *interface,
                                         chainsi_server_request *request, void *input)
{
    const size_t max_body = chainsi_interface_max_body(interface);
    const uint64_t may_name = max_body > request->body_size ? max_body - request->body_size : 0;
    chainsi_attachments attachments;
    const char *refusal;
    bool taken = chainsi_attachments_receive(&attachments, request->fds,
                                             (unsigned)request->fd_count, may_name, &refusal);
    for (int i = 0; i < request->fd_count; i++)
        request->fds[i] = -1;
    if (!taken)
        return chainsi_error_at_declaration(ctx, interface, CHAINS_INVALID_ARGUMENT, NULL, "%s",
                                            refusal);
    chainsi_codec_error why;
    chains_status status = chainsi_msgpack_decode_shared(
        interface->input, request->body, request->body_size, &attachments, ctx->arena, input, &why);
    chainsi_traffic_received(request->body_size, may_name - attachments.may_name);
    chainsi_attachments_done(&attachments);
    return status == CHAINS_OK ? CHAINS_OK : chainsi_error_body(ctx, interface, &why);
}

static chains_status decode_input(chains_ctx *ctx, const chainsi_interface *interface,
                                  chainsi_server_request *request, bool msgpack, void *input)
{
    if (request->frame) {
        if (request->fd_count)
            return decode_shared_input(ctx, interface, request, input);
        chainsi_traffic_received(request->body_size, 0);
    }
    chainsi_codec_error why;
    char *body = request->body;
    size_t size = request->body_size;
    char nothing[] = "{}";
    if (!size) { /* no arguments at all: every one has to have a default */
        body = nothing;
        size = 2;
        msgpack = false;
    }
    chains_status status =
        msgpack
            ? chainsi_msgpack_decode_in_place(interface->input, body, size, ctx->arena, input, &why)
            : chainsi_json_decode_in_place(interface->input, body, size, ctx->arena, input, &why);
    if (status == CHAINS_OK)
        return CHAINS_OK;
    return chainsi_error_body(ctx, interface, &why);
}

/* Whether the caller may be gone before the call begins: one that has claimed a slot has not waited. */
static bool may_have_left(const chainsi_server_request *request)
{
    return request->local &&
           !(request->frame && request->frame->call.slot != CHAINSI_FRAME_NO_SLOT);
}

/* Calls the author's function, alone or in a batch; *run_ns stays where it isn't called, and *ended_ns
 * where the clock wasn't read. */
static chains_status run_here(chainsi_service *service, chains_ctx *ctx,
                              const chainsi_server_request *request, const void *input,
                              void *output, chainsi_stream *stream, int64_t *run_ns,
                              int64_t *ended_ns)
{
    const chainsi_implementation *implementation = service->node->implementation;
    chainsi_instance *instance = atomic_load(&service->instance);
    if (instance->batch) {
        chainsi_batch_call call = {
            .ctx = ctx,
            .input = input,
            .output = output,
            .droppable = request->local,
            .progress = service->process.progress,
        };
        chains_status status = chainsi_batch_run(instance->batch, instance->self, &call);
        *run_ns = call.run_ns;
        return status;
    }
    chainsi_progress *progress = service->process.progress;
    int64_t began = request->now_ns ? request->now_ns : chainsi_now_ns();
    if (progress)
        chainsi_progress_begin(progress, began);
    chains_status status = implementation->run(instance->self, ctx, input, output, stream);
    int64_t ended = chainsi_now_ns();
    *run_ns = ended - began;
    *ended_ns = ended;
    if (progress)
        chainsi_progress_end(progress, ended);
    return status;
}

/* The same; until it has ended, whoever sees this process die can tell that it ran the request. */
static chains_status run_decoded(chainsi_service *service, chains_ctx *ctx,
                                 const chainsi_server_request *request, const void *input,
                                 void *output, chainsi_stream *stream, int64_t *run_ns,
                                 int64_t *ended_ns)
{
    int cell = chainsi_running_begin(service->running, ctx->request_id);
    chains_status status = run_here(service, ctx, request, input, output, stream, run_ns, ended_ns);
    chainsi_running_end(service->running, cell);
    return status;
}

/* The answer to a frame: what is large goes beside it. */
static chains_status encode_shared_output(const chainsi_interface *interface, const void *output,
                                          chainsi_server_response *response,
                                          chainsi_codec_error *why)
{
    chainsi_attachments attachments = { .count = 0 };
    chains_status status =
        chainsi_answer_encode_shared(interface, output, response->body, &attachments, why);
    int descriptors[CHAINSI_MAX_ATTACHMENTS];
    int count = (int)chainsi_attachments_descriptors(&attachments, descriptors), copied = 0;
    while (copied < count) {
        int fd = fcntl(descriptors[copied], F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            break;
        response->fds[copied++] = fd;
    }
    if (copied < count) { /* as many as may be are open: all goes through the socket */
        while (copied)
            close(response->fds[--copied]);
        chainsi_attachments_done(&attachments);
        response->body->size = 0;
        status = chainsi_answer_encode(interface, output, true, response->body, why);
    }
    response->fd_count = copied;
    if (status == CHAINS_OK)
        chainsi_traffic_sent(response->body->size, &attachments);
    chainsi_attachments_done(&attachments);
    return status;
}

static chains_status run_method(chainsi_service *service, chains_ctx *ctx,
                                chainsi_server_request *request, bool msgpack_in, bool msgpack_out,
                                chainsi_outlet *outlet, chainsi_server_response *response,
                                told *call)
{
    const chainsi_implementation *implementation = service->node->implementation;
    const chainsi_interface *interface = implementation->interface;
    chains_status status;
    status = chainsi_terms_check(ctx, interface, request);
    if (status != CHAINS_OK)
        return status;
    void *input = chainsi_arena_alloc(ctx->arena, interface->input->size);
    void *output = chainsi_arena_alloc(ctx->arena, interface->output->size);
    const bool counted = chainsi_metrics_sample(),
               timed = counted || chainsi_spans_tells(&ctx->trace);
    int64_t since_ns = timed ? chainsi_now_ns() : 0;
    status = decode_input(ctx, interface, request, msgpack_in, input);
    if (status != CHAINS_OK)
        return status;
    if (timed) {
        request->now_ns = chainsi_now_ns(); /* and so needn't be read again */
        call->decode_ns = request->now_ns - since_ns;
    }
    if (counted)
        chainsi_metrics_time(&service->metrics, CHAINSI_PHASE_DECODE, call->decode_ns);
    /* It may have waited in the queue for long, and only a Unix socket tells a caller that has left
     * from one that has only finished sending. */
    if (may_have_left(request) && chainsi_context_stopped(ctx) == CHAINS_CANCELLED)
        return chainsi_error_at_declaration(ctx, interface, CHAINS_CANCELLED, NULL,
                                            "the caller had left before the call began");
    status = run_decoded(service, ctx, request, input, output, outlet ? &outlet->stream : NULL,
                         &call->run_ns, &response->ended_ns);
    if (outlet) {
        chainsi_gathers_end(ctx); /* nothing emits any more */
        status = chainsi_outlet_settle(outlet, status);
        if (status != CHAINS_OK)
            return status;
        if (!request->frame)
            return chainsi_outlet_finish(outlet, output);
        response->body->size = 0; /* the last item was in it */
    }
    if (status != CHAINS_OK)
        return chainsi_error_settle(ctx, status, interface);
    chainsi_codec_error why;
    if (timed)
        since_ns = response->ended_ns ? response->ended_ns : chainsi_now_ns();
    status = request->frame
                 ? encode_shared_output(interface, output, response, &why)
                 : chainsi_answer_encode(interface, output, msgpack_out, response->body, &why);
    if (timed) {
        call->ended_ns = chainsi_now_ns();
        call->encode_ns = call->ended_ns - since_ns;
    }
    if (counted)
        chainsi_metrics_time(&service->metrics, CHAINSI_PHASE_ENCODE, call->encode_ns);
    return status == CHAINS_OK ? CHAINS_OK : chainsi_error_answer(ctx, interface, &why);
}

static void answer_error(chains_ctx *ctx, bool msgpack, int http, chainsi_server_response *response)
{
    response->status = http ? http : chainsi_status_to_http(ctx->error.status);
    response->content_type = msgpack ? msgpack_type : json_type;
    response->body->size = 0;
    if (response->status == 429)
        chainsi_buffer_printf(response->headers, "Retry-After: %d\r\n", CHAINSI_RETRY_AFTER_S);
    chainsi_error_encode(&ctx->error, ctx->request_id, msgpack, response->body);
}

void chainsi_service_use_ctx(chains_ctx *ctx)
{
    request_ctx = ctx;
}

/* The ctx of a call, and of this thread's request. */
static chains_ctx *begin_call(chainsi_service *service, const chainsi_server_request *request)
{
    const chainsi_interface *interface = service->node->implementation->interface;
    chains_ctx *ctx = chainsi_arena_alloc_raw(request->arena, sizeof *ctx);
    chainsi_context_init_root(ctx, &service->process);
    ctx->arena = request->arena;
    ctx->chainlet = interface->name;
    ctx->config = interface->config;
    ctx->connection = request->fd;
    ctx->connection_events = request->hang_up;
    ctx->caller_left = request->cancelled;
    request_ctx = ctx;
    chainsi_metrics_begin(&service->metrics);
    return ctx;
}

static void handle_frame(chainsi_service *service, chainsi_server_request *request,
                         chainsi_server_response *response)
{
    chains_ctx *ctx = begin_call(service, request);
    told call = nothing_told;
    call.parent = chainsi_terms_read_frame(ctx, request);
    note_queue(service, request, &call);
    const chainsi_interface *interface = service->node->implementation->interface;
    chainsi_outlet *outlet = NULL;
    if (interface->stream_name && (request->frame->head.flags & CHAINSI_FRAME_TAKES_ITEMS)) {
        outlet = chainsi_arena_alloc_raw(request->arena, sizeof *outlet);
        chainsi_outlet_init(outlet, ctx, interface, CHAINSI_OUTLET_ITEMS, true, request, response);
    }
    call.outlet = outlet;
    chains_status status = run_method(service, ctx, request, true, true, outlet, response, &call);
    if (outlet)
        chainsi_outlet_done(outlet);
    note_end(service, ctx, request, status, &call);
    response->run_ns = call.run_ns > 0 ? call.run_ns : 0;
    response->lingers = ctx->gathers != NULL;
    if (status == CHAINS_OK)
        return;
    response->status = (int)ctx->error.status;
    if (ctx->error.status == CHAINS_RESOURCE_EXHAUSTED)
        response->retry_after_ms = CHAINSI_RETRY_AFTER_S * 1000;
    response->body->size = 0;
    chainsi_error_encode(&ctx->error, ctx->request_id, true, response->body);
}

static void handle_call(chainsi_service *service, chainsi_server_request *request,
                        chainsi_server_response *response)
{
    const chainsi_interface *interface = service->node->implementation->interface;
    const chainsi_http_head *head = &request->head.head;
    chains_ctx *ctx = begin_call(service, request);
    chainsi_terms_read_id(ctx, head);
    told call = nothing_told;
    call.parent = chainsi_terms_read_trace(ctx, request);
    note_queue(service, request, &call);
    chainsi_buffer_printf(response->headers, "X-Request-Id: %s\r\n", ctx->request_id);

    const chainsi_slice *type = chainsi_http_find(head, "Content-Type");
    bool msgpack_in = type && (slice_starts(*type, msgpack_type) ||
                               slice_starts(*type, "application/x-msgpack") ||
                               slice_starts(*type, "application/vnd.msgpack"));
    bool msgpack_out = accepts_msgpack(head);
    int http = 0;
    chains_status status;
    chainsi_outlet *outlet = NULL;
    if (interface->stream_name) {
        outlet = chainsi_arena_alloc_raw(request->arena, sizeof *outlet);
        chainsi_outlet_init(outlet, ctx, interface, chainsi_outlet_choose(head), msgpack_out,
                            request, response);
        call.outlet = outlet;
    }
    if (request->head.method != CHAINSI_HTTP_POST) {
        status = chainsi_error_at_declaration(ctx, interface, CHAINS_UNIMPLEMENTED, NULL,
                                              "/run_remote is called with POST");
        chainsi_buffer_add_text(response->headers, "Allow: POST\r\n");
        http = 405;
    } else if (type && !msgpack_in && !slice_starts(*type, json_type)) {
        status = chainsi_error_at_declaration(
            ctx, interface, CHAINS_INVALID_ARGUMENT, NULL,
            "the Content-Type must be application/json or application/msgpack "
            "(with curl: -H 'Content-Type: application/json')");
        http = 415;
    } else {
        status =
            run_method(service, ctx, request, msgpack_in, msgpack_out, outlet, response, &call);
    }
    note_end(service, ctx, request, status, &call);
    if (outlet) {
        bool begun = chainsi_outlet_has_begun(outlet);
        if (begun && status != CHAINS_OK)
            chainsi_outlet_fail(outlet);
        chainsi_outlet_done(outlet);
        if (begun)
            return;
    }
    if (status != CHAINS_OK) {
        answer_error(ctx, msgpack_out, http, response);
        return;
    }
    response->content_type = msgpack_out ? msgpack_type : json_type;
}

/* Until it has been answered the request counts as in flight; a probe too, as it isn't known for one before
 * it is here. */
static void enter_batch(chainsi_service *service, const chainsi_server_request *request)
{
    chainsi_instance *instance = atomic_load(&service->instance);
    request_batch = instance ? instance->batch : NULL;
    if (request_batch && !request->announced)
        chainsi_batch_enter(request_batch, 1);
}

void chainsi_service_handle(void *service, chainsi_server_request *request,
                            chainsi_server_response *response)
{
    enter_batch(service, request);
    if (request->frame)
        handle_frame(service, request, response);
    else if (chainsi_slice_is(request->head.path, "/run_remote"))
        handle_call(service, request, response);
    else
        chainsi_probe_answer(service, request, true, response);
}

void chainsi_service_handle_probe(void *service, chainsi_server_request *request,
                                  chainsi_server_response *response)
{
    chainsi_probe_answer(service, request, false, response);
}

void chainsi_service_note_read(void *user, int count)
{
    chainsi_service *service = user;
    chainsi_batch *batch = atomic_load(&service->instance)->batch;
    if (count > 0)
        chainsi_batch_enter(batch, (size_t)count);
    else
        chainsi_batch_leave(batch, (size_t)-count);
}

void chainsi_service_wake(void *service)
{
    (void)service;
    chainsi_waiters_wake_all();
}

void chainsi_service_after(void *service, chainsi_server_request *request)
{
    (void)service;
    (void)request;
    if (request_ctx)
        chainsi_context_done(request_ctx);
    request_ctx = NULL;
    if (request_batch)
        chainsi_batch_leave(request_batch, 1);
    request_batch = NULL;
    chainsi_error_leave_thread();
}

bool chainsi_service_is_probe(void *service, const chainsi_http_request *request)
{
    (void)service;
    return !chainsi_slice_is(request->path, "/run_remote");
}
