/* The call and its answer. From within the events of an upstream's call, that call must not be
 * cancelled: what ends it early (too much of an answer) is left to a timer. */
#include "control/request_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/fields.h"
#include "control/handle.h"
#include "runtime/context.h"
#include "runtime/error.h"
#include "runtime/retry.h"
#include "runtime/status.h"
#include "schema/json.h"

enum { DEADLINE_GRACE_MS = 100 /* for the Chainlet's own word on a deadline, which knows more */ };

struct chainsi_request_call {
    chainsi_request_call_options options; /* name: owned */
    chainsi_upstream_call *call;          /* owned; NULL when it has ended */
    uv_timer_t *limit; /* owned; of time, or runs at once for what is too large */
    int status;        /* HTTP's; 0: no answer yet */
    int64_t retry_after_ns;
    chainsi_buffer body;
    bool too_large;
    bool is_late; /* its time is over; what runs may still say so itself, for a while */
};

static void free_call(chainsi_request_call *call)
{
    if (call->call)
        chainsi_upstream_cancel(call->call);
    chainsi_handle_close(call->limit);
    chainsi_buffer_done(&call->body);
    free((char *)call->options.name);
    free(call);
}

void chainsi_request_call_cancel(chainsi_request_call *call)
{
    free_call(call);
}

chains_json chainsi_request_error(chainsi_arena *arena, const char *id, chains_status status,
                                  const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    chainsi_buffer out = { 0 };
    chains_error error = { .status = status, .message = message };
    chainsi_error_encode(&error, id, false, &out);
    /* What is within {"error": ...}. */
    static const char opening[] = "{\"error\":";
    size_t skipped = sizeof opening - 1;
    chains_json object = { chainsi_arena_copy(arena, out.data + skipped, out.size - skipped - 1),
                           out.size - skipped - 1 };
    chainsi_buffer_done(&out);
    return object;
}

/* What the answer means. */

typedef struct error_body {
    chains_json error;
} error_body;
static const chainsi_field error_body_fields[] = {
    CHAINSI_FIELD_OF(error_body, error, &chainsi_type_json),
};
static const chainsi_type error_body_type = CHAINSI_STRUCT_OF(error_body, error_body_fields);

static void end(chainsi_request_call *call, const chainsi_request_outcome *outcome)
{
    chainsi_request_call_options options = call->options;
    options.name = NULL;
    free_call(call);
    options.on_end(options.user, outcome);
}

#define FAIL(call, status_, ...)                                                                   \
    (chainsi_request_outcome)                                                                      \
    {                                                                                              \
        .status = (status_),                                                                       \
        .error = chainsi_request_error((call)->options.arena, (call)->options.request->id,         \
                                       (status_), __VA_ARGS__)                                     \
    }

static chainsi_request_outcome read_success(const chainsi_request_call *call)
{
    const char *body = (const char *)call->body.data;
    chainsi_codec_error why;
    if (call->body.size && chainsi_json_check(body, call->body.size, &why) != CHAINS_OK)
        return FAIL(call, CHAINS_INTERNAL, "the answer of '%s' is no JSON: %s", call->options.name,
                    why.message);
    if (!call->body.size)
        return FAIL(call, CHAINS_INTERNAL, "the answer of '%s' is empty", call->options.name);
    return (chainsi_request_outcome){
        .result = { chainsi_arena_copy(call->options.arena, body, call->body.size),
                    call->body.size },
    };
}

static chainsi_request_outcome read_failure(const chainsi_request_call *call)
{
    const char *body = call->body.size ? (const char *)call->body.data : "";
    chainsi_arena *arena = call->options.arena;
    chains_error error;
    error_body object;
    if (chainsi_error_decode(body, call->body.size, false, arena, &error) &&
        chainsi_json_decode(&error_body_type, body, call->body.size, arena, &object, NULL) ==
            CHAINS_OK)
        return (chainsi_request_outcome){
            .status = error.status != CHAINS_OK ? error.status : CHAINS_UNKNOWN,
            .error = object.error,
        };
    chains_status status = chainsi_status_from_http(call->status);
    return FAIL(call, status != CHAINS_OK ? status : CHAINS_UNKNOWN, "'%s' answered HTTP %d",
                call->options.name, call->status);
}

static void on_end(void *user, chainsi_upstream_end how, const char *why)
{
    chainsi_request_call *call = user;
    call->call = NULL;
    chainsi_request_outcome outcome = { 0 };
    switch (how) {
    case CHAINSI_UPSTREAM_ANSWERED:
        if (call->too_large)
            return; /* the timer tells */
        outcome = call->status == 200 ? read_success(call) : read_failure(call);
        outcome.retry_after_ms = call->retry_after_ns / CHAINSI_NS_PER_MS;
        break;
    case CHAINSI_UPSTREAM_NOT_STARTED:
    case CHAINSI_UPSTREAM_QUEUE_FULL:
    case CHAINSI_UPSTREAM_UNREACHABLE:
        outcome = FAIL(call, CHAINS_UNAVAILABLE, "'%s' did not take the call: %s",
                       call->options.name, why);
        outcome.end = CHAINSI_ATTEMPT_NOT_STARTED;
        break;
    case CHAINSI_UPSTREAM_LOST:
        outcome =
            FAIL(call, CHAINS_UNAVAILABLE, "'%s' did not answer: %s", call->options.name, why);
        outcome.end = CHAINSI_ATTEMPT_LOST;
        break;
    case CHAINSI_UPSTREAM_EXHAUSTED: /* an answer, in effect: it may well be this request's doing */
        outcome = FAIL(call, CHAINS_RESOURCE_EXHAUSTED, "'%s' did not answer: %s",
                       call->options.name, why);
        break;
    case CHAINSI_UPSTREAM_PROTOCOL:
        outcome =
            FAIL(call, CHAINS_UNAVAILABLE, "'%s' did not answer: %s", call->options.name, why);
        break;
    }
    end(call, &outcome);
}

/* The answer as it comes. */

static void on_head(void *user, const chainsi_http_response *response)
{
    chainsi_request_call *call = user;
    call->status = response->status;
    const chainsi_slice *pause = chainsi_http_find(&response->head, "Retry-After");
    if (pause)
        call->retry_after_ns = chainsi_retry_after_ns(pause->data, pause->size, time(NULL));
}

static void on_too_large(uv_timer_t *timer)
{
    chainsi_request_call *call = timer->data;
    if (!call)
        return;
    chainsi_request_outcome outcome = FAIL(
        call, CHAINS_OUT_OF_RANGE, "the answer of '%s' is larger than the %d bytes that are kept",
        call->options.name, CHAINSI_REQUEST_MOST_ANSWER);
    end(call, &outcome);
}

static void on_body(void *user, const char *data, size_t size)
{
    chainsi_request_call *call = user;
    if (call->too_large)
        return;
    if (call->body.size + size > CHAINSI_REQUEST_MOST_ANSWER) {
        call->too_large = true;
        uv_timer_start(call->limit, on_too_large, 0, 0);
        return;
    }
    chainsi_buffer_add(&call->body, data, size);
}

static void on_deadline(uv_timer_t *timer)
{
    chainsi_request_call *call = timer->data;
    if (!call)
        return;
    const bool has_begun = call->call && !chainsi_upstream_is_unread(call->call);
    if (has_begun && !call->is_late) {
        call->is_late = true;
        uv_timer_start(timer, on_deadline, DEADLINE_GRACE_MS, 0);
        return;
    }
    chainsi_request_outcome outcome =
        FAIL(call, CHAINS_DEADLINE_EXCEEDED, "'%s' did not %s within %g ms", call->options.name,
             has_begun ? "answer" : "begin the call", call->options.request->timeout_ms);
    end(call, &outcome);
}

chainsi_request_call *chainsi_request_call_start(const chainsi_request_call_options *options)
{
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    const chainsi_stored_request *request = options->request;
    chainsi_request_call *call = chainsi_make(sizeof *call);
    call->options = *options;
    call->options.name = chainsi_copy_text(options->name);
    call->limit = chainsi_timer_new(options->loop, call);

    char span_id[17];
    chainsi_random_hex(span_id, 16);
    chainsi_buffer head = { 0 };
    chainsi_buffer_printf(&head,
                          "POST /run_remote HTTP/1.1\r\nHost: localhost\r\n"
                          "Content-Type: application/json\r\nAccept: application/json\r\n"
                          "X-Request-Id: %s\r\ntraceparent: 00-%s-%s-01\r\nContent-Length: "
                          "%zu\r\n" CHAINSI_HTTP_MADE_US ": %lld\r\n",
                          request->id, request->id, span_id, request->input.size,
                          (long long)(chainsi_now_ns() / 1000));
    if (request->timeout_ms > 0) {
        chainsi_buffer_printf(&head, "X-Chains-Timeout-Ms: %.0f\r\n", request->timeout_ms);
        uv_timer_start(call->limit, on_deadline, (uint64_t)request->timeout_ms, 0);
    }
    chainsi_buffer_add_text(&head, "\r\n");
    call->call =
        chainsi_upstream_start(options->upstream, head.data, head.size, request->input.text,
                               request->input.size, false, &events, call);
    chainsi_buffer_done(&head);
    return call;
}
