#include "runtime/probes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/status.h"
#include "runtime/terms.h"
#include "schema/json_schema.h"

static const char json_type[] = "application/json";

void chainsi_service_openapi(const chainsi_interface *interface, chainsi_buffer *out)
{
    chainsi_openapi_operation operation = {
        .path = "/run_remote",
        .operation_id = interface->c_name,
        .summary = interface->doc,
        .description = interface->method_doc,
        .input = interface->input,
        .output = interface->output,
        .stream_name = interface->stream_name,
        .stream_item = interface->stream_item,
    };
    chainsi_openapi_document document = {
        .title = interface->name,
        .description = interface->doc,
        .operations = &operation,
        .operation_count = 1,
    };
    chainsi_openapi(&document, out);
}

static void answer_text(chainsi_server_response *response, int status, const char *text)
{
    response->status = status;
    response->content_type = "text/plain; charset=utf-8";
    chainsi_buffer_add_text(response->body, text);
}

/* Whether its calls have stood still for too long; then the answer says so. */
static bool answer_stalled(chainsi_service *service, chainsi_server_response *response)
{
    const chains_config *config = service->node->implementation->interface->config;
    const chainsi_progress *progress = service->process.progress;
    int running;
    if (!progress)
        return false;
    double still_s = (double)chainsi_progress_still_ns(progress, chainsi_now_ns(), &running) / 1e9;
    if (still_s < config->progress_timeout_s)
        return false;
    response->status = 503;
    response->content_type = "text/plain; charset=utf-8";
    chainsi_buffer_printf(response->body,
                          "stalled: %d call%s, and nothing has ended for %.1f s "
                          "(.progress_timeout_s is %g)\n",
                          running, running == 1 ? " runs" : "s run", still_s,
                          config->progress_timeout_s);
    return true;
}

static void answer_ready(chainsi_service *service, chainsi_server_request *request,
                         chainsi_server_response *response)
{
    const chainsi_implementation *implementation = service->node->implementation;
    chainsi_instance *instance = atomic_load(&service->instance);
    if (!instance || !atomic_load(&service->server) || atomic_load(&service->draining)) {
        answer_text(response, 503, atomic_load(&service->draining) ? "draining\n" : "starting\n");
        return;
    }
    if (answer_stalled(service, response))
        return;
    if (implementation->healthy) {
        chains_ctx *ctx = chainsi_arena_alloc(request->arena, sizeof *ctx);
        chainsi_context_init_root(ctx, &service->process);
        ctx->arena = request->arena;
        ctx->chainlet = implementation->interface->name;
        ctx->config = implementation->interface->config;
        chainsi_service_use_ctx(ctx);
        pthread_mutex_lock(&service->health);
        chains_status status = implementation->healthy(instance->self, ctx);
        pthread_mutex_unlock(&service->health);
        if (status != CHAINS_OK) {
            answer_text(response, 503, "unhealthy: ");
            chainsi_buffer_add_text(response->body,
                                    ctx->failed ? ctx->error.message : chains_status_name(status));
            chainsi_buffer_add_text(response->body, "\n");
            return;
        }
    }
    answer_text(response, 200, "ready\n");
}

/* All 0 before it takes calls. */
static chainsi_server_counters read_counters(chainsi_service *service)
{
    chainsi_server_counters counters = { 0 };
    chainsi_server *server = atomic_load(&service->server);
    if (server)
        chainsi_server_read_counters(server, &counters);
    return counters;
}

static void answer_metrics(chainsi_service *service, chainsi_server_request *request,
                           chainsi_server_response *response)
{
    (void)request;
    const chainsi_server_counters counters = read_counters(service);
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    chainsi_metrics_write(&service->metrics, service->node->implementation->interface->name,
                          &counters, atomic_load(&service->instance) != NULL, response->body);
    const char *name = service->node->implementation->interface->name;
    chainsi_instance *instance = atomic_load(&service->instance);
    if (instance)
        chainsi_buffer_printf(response->body,
                              "# HELP chains_new_seconds Time of _new, with those that it has in "
                              "its process.\n"
                              "# TYPE chains_new_seconds gauge\n"
                              "chains_new_seconds{chainlet=\"%s\"} %.9f\n",
                              name, (double)service->new_ns / 1e9);
    if (instance && instance->batch)
        chainsi_batch_write_metrics(instance->batch, name, response->body);
    chainsi_edges_write(response->body);
}

/* What a controller counts that scales it. */
static void answer_demand(chainsi_service *service, chainsi_server_request *request,
                          chainsi_server_response *response)
{
    (void)request;
    const chainsi_server_counters counters = read_counters(service);
    response->content_type = json_type;
    chainsi_buffer_printf(
        response->body,
        "{\"running\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"slots\":%d,\"calls\":%" PRIu64
        ",\"waits\":{",
        counters.in_flight, counters.waiting,
        atomic_load(&service->server) ? chainsi_batch_slots(service->node->implementation) : 0,
        chainsi_metrics_read_begun(&service->metrics));
    chainsi_edges_write_waits(response->body);
    chainsi_buffer_add_text(response->body, "}}");
}

/* The number in "after=N"; false: there is something else. */
static bool read_after(chainsi_slice query, uint64_t *after)
{
    static const char name[] = "after=";
    enum { NAME = sizeof name - 1 };
    *after = 0;
    if (!query.size)
        return true;
    if (query.size == NAME || query.size > NAME + 19 || memcmp(query.data, name, NAME) != 0)
        return false;
    for (size_t i = NAME; i < query.size; i++) {
        if (query.data[i] < '0' || query.data[i] > '9')
            return false;
        *after = *after * 10 + (uint64_t)(query.data[i] - '0');
    }
    return true;
}

static void answer_spans(chainsi_service *service, chainsi_server_request *request,
                         chainsi_server_response *response)
{
    uint64_t after;
    if (!service->teller.ring) {
        answer_text(response, 404, "what it tells of calls goes to who has started it\n");
        return;
    }
    if (!read_after(request->head.query, &after)) {
        answer_text(response, 400, "GET /spans?after=NUMBER, as X-Chains-Next gave it\n");
        return;
    }
    const uint64_t next = chainsi_span_batch_write(&service->teller, after, response->body);
    response->content_type = CHAINSI_SPAN_BATCH_TYPE;
    chainsi_buffer_printf(response->headers, CHAINSI_SPAN_BATCH_NEXT ": %" PRIu64 "\r\n", next);
}

static void answer_healthy(chainsi_service *service, chainsi_server_request *request,
                           chainsi_server_response *response)
{
    (void)service;
    (void)request;
    answer_text(response, 200, "alive\n");
}

/* For what restarts who doesn't live, and hears of nothing but that. */
static void answer_live(chainsi_service *service, chainsi_server_request *request,
                        chainsi_server_response *response)
{
    (void)request;
    if (!answer_stalled(service, response))
        answer_text(response, 200, "alive\n");
}

static void answer_openapi(chainsi_service *service, chainsi_server_request *request,
                           chainsi_server_response *response)
{
    (void)request;
    response->content_type = json_type;
    chainsi_service_openapi(service->node->implementation->interface, response->body);
}

typedef struct probe {
    const char *path;
    void (*answer)(chainsi_service *service, chainsi_server_request *request,
                   chainsi_server_response *response);
    bool apart; /* only where no calls are taken: it isn't for callers */
} probe;

static const probe probes[] = {
    { "/healthz", answer_healthy, false },
    { "/readyz", answer_ready, false },
    { "/livez", answer_live, false },
    { "/openapi.json", answer_openapi, false },
    { "/metrics", answer_metrics, false },
    { "/demand", answer_demand, true },
    { CHAINSI_SPAN_BATCH_PATH, answer_spans, true },
};
enum { PROBES = sizeof probes / sizeof *probes };

/* NULL: there is none here. */
static const probe *find(chainsi_slice path, bool calls)
{
    for (size_t i = 0; i < PROBES; i++)
        if (chainsi_slice_is(path, probes[i].path))
            return calls && probes[i].apart ? NULL : &probes[i];
    return NULL;
}

static void answer_unknown(chainsi_service *service, chainsi_server_request *request, bool calls,
                           chainsi_server_response *response)
{
    chains_ctx ctx;
    chainsi_context_init_root(&ctx, &service->process);
    ctx.arena = request->arena;
    chainsi_terms_read_id(&ctx, &request->head.head);
    int shown = request->head.path.size < 200 ? (int)request->head.path.size : 200;
    chainsi_error_set(&ctx, CHAINS_NOT_FOUND, service->node->implementation->interface->name, "",
                      NULL,
                      "there is no %.*s here: %sGET /healthz, /livez, /readyz, /openapi.json, "
                      "/metrics%s",
                      shown, request->head.path.data, calls ? "POST /run_remote, " : "",
                      calls ? "" : ", /demand, /spans");
    response->status = 404;
    response->content_type = json_type;
    chainsi_error_encode(&ctx.error, ctx.request_id, false, response->body);
    chainsi_context_done(&ctx);
}

void chainsi_probe_answer(chainsi_service *service, chainsi_server_request *request, bool calls,
                          chainsi_server_response *response)
{
    const probe *asked = find(request->head.path, calls);
    if (!asked) {
        answer_unknown(service, request, calls, response);
        return;
    }
    if (request->head.method != CHAINSI_HTTP_GET && request->head.method != CHAINSI_HTTP_HEAD) {
        chainsi_buffer_add_text(response->headers, "Allow: GET, HEAD\r\n");
        answer_text(response, 405, "GET or HEAD\n");
        return;
    }
    asked->answer(service, request, response);
}
