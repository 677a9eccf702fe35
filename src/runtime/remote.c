/* Chainlets in other processes, and external services: one attempt of a call, in frames to a Chainlet
 * on this machine (rpc/link.h), else over HTTP: to one address (rpc/client.h), or to a Chainlet's replicas at
 * several (rpc/replicas.h).
 *
 * Bodies are MessagePack between Chainlets, JSON to external services. The calling thread writes
 * and reads itself; while it waits it watches its own caller's connection, so that a caller that
 * leaves stops the whole tree below it. */
#include "runtime/remote.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "rpc/limits.h"
#include "runtime/answer.h"
#include "runtime/error.h"
#include "runtime/handed.h"
#include "runtime/identity.h"
#include "runtime/inlet.h"
#include "runtime/memory.h"
#include "runtime/near.h"
#include "runtime/process.h"
#include "runtime/queue.h"
#include "runtime/status.h"
#include "runtime/traffic.h"
#include "runtime/waiter.h"
#include "schema/json.h"
#include "schema/msgpack.h"

_Static_assert((int)CHAINSI_MAX_ATTACHMENTS == (int)CHAINSI_FRAME_MAX_ATTACHMENTS,
               "a frame has room for a message's attachments");

enum {
    MOST_HEADERS = 4096, /* of a request, bytes */
    MOST_FOREIGN = 500,  /* bytes of a foreign error body that are quoted */
};

static chainsi_link *make_link(const chainsi_interface *interface, const char *text, int board_fd)
{
    chainsi_address address;
    char why[256];
    if (interface->external || !chainsi_address_parse(text, &address, why, sizeof why))
        return NULL;
    chainsi_link *link =
        address.kind == CHAINSI_ADDRESS_UNIX ? chainsi_link_new(address.path, board_fd) : NULL;
    chainsi_address_done(&address);
    return link;
}

/* Fills in how Chainlets that are called by https are known, and has TLS loaded for them. False with a reason. */
static bool know_peers(const char *address, chainsi_replicas_options *options, char *why,
                       size_t why_size)
{
    if (strncasecmp(address, "https:", 6) != 0 && !strstr(address, ",https:") &&
        !strstr(address, ", https:"))
        return true;
    options->name = chainsi_identity_peer_name();
    return chainsi_tls_load(why, why_size) &&
           chainsi_identity_get(&options->identity, why, why_size);
}

/* How long calls wait for a Chainlet of which there is no replica: 0 unless somebody starts them because calls
 * wait; then as long as one may take to start. */
static int64_t read_at_zero_ms(const chainsi_interface *interface)
{
    enum { DEFAULT_START_S = 600 };
    const char *at_zero = getenv("CHAINS_AT_ZERO");
    const chains_config *config = interface->config;
    if (!at_zero || strcmp(at_zero, "wait") != 0)
        return 0;
    return (int64_t)(1000 * (config && config->start_timeout_s > 0 ? config->start_timeout_s
                                                                   : DEFAULT_START_S));
}

/* Whether a proxy is behind such names, which knows the replicas: what one of them says of its slots isn't of all then,
 * and a slot that it keeps for a connection is the proxy's. */
static bool is_proxied(const char *address)
{
    const char *balance = getenv("CHAINS_BALANCE");
    return balance && !strcmp(balance, "proxy") && !strchr(address, ',');
}

chainsi_remote *chainsi_remote_new(const chainsi_interface *interface, const char *address,
                                   char *why, size_t why_size)
{
    chainsi_client *client = NULL;
    chainsi_replicas *replicas = NULL;
    chainsi_replicas_options options = { .lookup_ms = 0 };
    if (!interface->external && !know_peers(address, &options, why, why_size))
        return NULL;
    if (!interface->external && !is_proxied(address) && chainsi_replicas_are_meant(address)) {
        options.max_waiting = chainsi_queue_most(interface->config);
        options.at_zero_ms = read_at_zero_ms(interface);
        replicas = chainsi_replicas_new(address, &options, why, why_size);
    } else {
        client = chainsi_client_new(address, why, why_size);
        if (client && options.identity)
            chainsi_client_know_peer(client, options.identity, options.name, NULL);
    }
    if (!client && !replicas)
        return NULL;
    chainsi_remote *remote = calloc(1, sizeof *remote);
    char *copy = strdup(address);
    if (!remote || !copy)
        abort();
    *remote = (chainsi_remote){
        .interface = interface,
        .client = client,
        .replicas = replicas,
        .link = make_link(interface, address, chainsi_handed_board(interface->c_name)),
        .address = copy,
    };
    remote->near = remote->link ? NULL : chainsi_near_find(interface);
    if (remote->link || remote->near)
        chainsi_share_enable();
    return remote;
}

void chainsi_message_done(chainsi_message *message)
{
    chainsi_buffer_done(&message->body);
    chainsi_attachments_done(&message->attachments);
}

void chainsi_remote_use_board(chainsi_remote *remote, int board_fd)
{
    chainsi_link_free(remote->link);
    remote->link = make_link(remote->interface, remote->address, board_fd);
}

void chainsi_remote_free(chainsi_remote *remote)
{
    if (!remote)
        return;
    chainsi_client_free(remote->client);
    chainsi_replicas_free(remote->replicas);
    chainsi_link_free(remote->link);
    chainsi_near_free(remote->near);
    free(remote->address);
    free(remote);
}

bool chainsi_remote_has_replicas(const chainsi_remote *remote)
{
    return remote->replicas != NULL;
}

int chainsi_remote_waiting(const chainsi_remote *remote)
{
    if (!remote->replicas)
        return 0;
    chainsi_replicas_counters counters;
    chainsi_replicas_read_counters(remote->replicas, &counters);
    return counters.waiting;
}

chains_status chainsi_remote_encode(const chainsi_remote *remote, chains_ctx *ctx,
                                    const void *input, chainsi_message *message)
{
    const chainsi_interface *interface = remote->interface;
    const chainsi_type *type = interface->input;
    chainsi_codec_error why;
    chains_status status;
    if (interface->external)
        status = chainsi_json_encode(type, input, &message->body, &why);
    else if (remote->link || remote->near)
        status =
            chainsi_msgpack_encode_shared(type, input, &message->body, &message->attachments, &why);
    else
        status = chainsi_msgpack_encode(type, input, &message->body, &why);
    if (status != CHAINS_OK)
        return chainsi_error_argument(ctx, interface, &why);
    const chainsi_attachments *attachments = &message->attachments;
    const uint64_t bytes = message->body.size + attachments->shared + attachments->copied;
    /* The callee would refuse it, after all of it was sent. */
    if (interface->config && bytes > chainsi_interface_max_body(interface))
        return chainsi_error_set(ctx, CHAINS_INVALID_ARGUMENT, interface->name, "run_remote", NULL,
                                 "the arguments have %" PRIu64 " bytes, and %s takes %zu at most "
                                 "(.max_body)",
                                 bytes, interface->name, chainsi_interface_max_body(interface));
    if (remote->link)
        chainsi_traffic_sent(message->body.size, &message->attachments);
    return CHAINS_OK;
}

/* The request's header lines, in text of MOST_HEADERS bytes; how many bytes, or 0 after a failure
 * recorded on ctx. */
static size_t write_headers(const chainsi_remote *remote, chains_ctx *ctx, int64_t deadline_ns,
                            char *text)
{
    const chainsi_interface *interface = remote->interface;
    const chains_external_config *external = interface->external;
    size_t used = 0;
#define ADD(...)                                                                                   \
    do {                                                                                           \
        int added = snprintf(text + used, MOST_HEADERS - used, __VA_ARGS__);                       \
        if (added < 0 || (size_t)added >= MOST_HEADERS - used)                                     \
            goto too_large;                                                                        \
        used += (size_t)added;                                                                     \
    } while (0)
    if (external) {
        ADD("Content-Type: application/json\r\n%s", interface->stream_name
                                                        ? CHAINSI_ACCEPT_STREAM_EXTERNAL
                                                        : "Accept: application/json\r\n");
        if (external->secret) {
            const char *secret = chainsi_secret_find(ctx->process, external->secret);
            if (!secret) {
                chainsi_error_set(ctx, CHAINS_FAILED_PRECONDITION, interface->name, "run_remote",
                                  NULL, "the secret '%s', which %s needs, is not set",
                                  external->secret, interface->name);
                return 0;
            }
            if (strpbrk(secret, "\r\n")) {
                chainsi_error_set(ctx, CHAINS_FAILED_PRECONDITION, interface->name, "run_remote",
                                  NULL,
                                  "the secret '%s' has a line break, which no header can carry",
                                  external->secret);
                return 0;
            }
            const char *scheme = external->auth ? external->auth : "";
            ADD("Authorization: %s%s%s\r\n", scheme, *scheme ? " " : "", secret);
        }
    } else {
        ADD("Content-Type: application/msgpack\r\n%sX-Chains-Interface: %016" PRIx64 "\r\n",
            interface->stream_name ? CHAINSI_ACCEPT_STREAM : "Accept: application/msgpack\r\n",
            interface->fingerprint);
    }
    if (*ctx->request_id)
        ADD("X-Request-Id: %s\r\n", ctx->request_id);
    if (chainsi_trace_is_set(&ctx->trace)) {
        char trace[CHAINSI_TRACEPARENT_SIZE];
        chainsi_trace_write(&ctx->trace, trace);
        ADD("traceparent: %s\r\n", trace);
    }
    if (deadline_ns != CHAINSI_NEVER && !remote->replicas) {
        /* Rounded up: the caller gives up first, and tells which limit it was. */
        int64_t left = deadline_ns - chainsi_now_ns();
        ADD("X-Chains-Timeout-Ms: %" PRId64 "\r\n",
            left > 0 ? (left + CHAINSI_NS_PER_MS - 1) / CHAINSI_NS_PER_MS : 1);
    }
    return used;
#undef ADD
too_large:
    chainsi_error_set(ctx, CHAINS_INVALID_ARGUMENT, interface->name, "run_remote", NULL,
                      "the headers of the call to %s are larger than %d bytes", interface->name,
                      MOST_HEADERS);
    return 0;
}

/* A call whose thread waits for an answer. */
typedef struct waiting_call {
    const chains_ctx *ctx;
    chainsi_waiter *waiter; /* of the thread; NULL: it isn't woken by one */
} waiting_call;

static bool should_stop(void *user)
{
    const waiting_call *call = user;
    if (call->waiter)
        chainsi_waiter_clear(call->waiter);
    return chainsi_context_stopped(call->ctx) != CHAINS_OK;
}

static bool is_cancelled(void *user)
{
    const waiting_call *call = user;
    return chainsi_context_is_cancelled(call->ctx);
}

/* What ends a wait for this ctx early: its thread's waker if it is part of something started, one of
 * two attempts, or called beside others on one connection, and its caller's connection. False: nothing can, and the wait needs no poll(). */
static bool watch_for_cancellation(waiting_call *call, chainsi_interrupt *interrupt)
{
    const chains_ctx *told = call->ctx;
    while (told && !told->gather && !told->raced && !told->caller_left)
        told = told->parent;
    if (told) {
        call->waiter = chainsi_waiter_self();
        interrupt->watch[interrupt->count].fd = chainsi_waiter_fd(call->waiter);
        interrupt->watch[interrupt->count++].events = POLLIN;
    }
    const chains_ctx *connected = chainsi_context_connected(call->ctx);
    if (connected) {
        interrupt->watch[interrupt->count].fd = connected->connection;
        interrupt->watch[interrupt->count++].events = connected->connection_events;
    }
    return interrupt->count > 0;
}

static bool is_msgpack(const char *content_type)
{
    return !strncmp(content_type, "application/msgpack", 19) ||
           !strncmp(content_type, "application/x-msgpack", 21) ||
           !strncmp(content_type, "application/vnd.msgpack", 23);
}

/* The failure that an answer other than 2xx stands for. */
static chains_status pass_answer(chainsi_remote *remote, chains_ctx *ctx,
                                 chainsi_client_response *response)
{
    const chainsi_interface *interface = remote->interface;
    chains_error error;
    bool msgpack = is_msgpack(response->content_type);
    if (!interface->external &&
        chainsi_error_decode(response->body, response->body_size, msgpack, ctx->arena, &error))
        return chainsi_error_pass(ctx, &error);
    chains_status status = chainsi_status_from_http(response->status);
    if (status == CHAINS_OK)
        status = CHAINS_UNKNOWN;
    size_t quoted = response->body_size < MOST_FOREIGN ? response->body_size : MOST_FOREIGN;
    while (quoted && strchr(" \t\r\n", response->body[quoted - 1]))
        quoted--;
    return chainsi_error_set(ctx, status, interface->name, "run_remote", NULL,
                             "%s answered HTTP %d%s%.*s", interface->name, response->status,
                             quoted ? ": " : "", (int)quoted, response->body);
}

static chains_status fail_output(const chainsi_remote *remote, chains_ctx *ctx,
                                 const chainsi_codec_error *why)
{
    const char *name = remote->interface->name;
    return chainsi_error_set(ctx, CHAINS_INTERNAL, name, "run_remote", NULL,
                             "the answer of %s can't be read: %s%s%s (byte %zu)", name, why->path,
                             *why->path ? ": " : "", why->message, why->offset);
}

/* Decodes an output; what can't be read is the callee's failure. */
static chains_status read_output(chainsi_remote *remote, chains_ctx *ctx, char *body, size_t size,
                                 bool msgpack, void *output)
{
    const chainsi_interface *interface = remote->interface;
    chainsi_codec_error why;
    chains_status status =
        chainsi_answer_decode(interface, body, size, msgpack, ctx->arena, output, &why);
    return status == CHAINS_OK ? CHAINS_OK : fail_output(remote, ctx, &why);
}

/* The same of one that has attachments, which are taken. */
static chains_status read_shared_output(chainsi_remote *remote, chains_ctx *ctx, char *body,
                                        size_t size, const int *descriptors, int count,
                                        void *output)
{
    const chainsi_interface *interface = remote->interface;
    const uint64_t may_name = size < CHAINSI_MAX_BODY ? CHAINSI_MAX_BODY - size : 0;
    chainsi_attachments attachments;
    const char *refusal;
    if (!chainsi_attachments_receive(&attachments, descriptors, (unsigned)count, may_name,
                                     &refusal))
        return chainsi_error_set(ctx, CHAINS_INTERNAL, interface->name, "run_remote", NULL,
                                 "the answer of %s can't be read: %s", interface->name, refusal);
    chainsi_codec_error why;
    chains_status status =
        chainsi_answer_decode_shared(interface, body, size, &attachments, ctx->arena, output, &why);
    chainsi_traffic_received(size, may_name - attachments.may_name);
    chainsi_attachments_done(&attachments);
    return status == CHAINS_OK ? CHAINS_OK : fail_output(remote, ctx, &why);
}

chains_status chainsi_remote_read(chainsi_remote *remote, chains_ctx *ctx, uint8_t status,
                                  char *body, size_t size, const int *attachments, int count,
                                  void *output)
{
    const chainsi_interface *interface = remote->interface;
    if (!status && count)
        return read_shared_output(remote, ctx, body, size, attachments, count, output);
    for (int i = 0; i < count; i++)
        close(attachments[i]);
    if (!status) {
        chainsi_traffic_received(size, 0);
        return read_output(remote, ctx, body, size, true, output);
    }
    chains_error error;
    if (chainsi_error_decode(body, size, true, ctx->arena, &error))
        return chainsi_error_pass(ctx, &error);
    bool known = status <= CHAINS_UNAUTHENTICATED;
    return chainsi_error_set(ctx, known ? (chains_status)status : CHAINS_UNKNOWN, interface->name,
                             "run_remote", NULL, "%s failed with status %d and said nothing more",
                             interface->name, status);
}

static bool has_stopped(void *user)
{
    return chainsi_context_stopped(user) != CHAINS_OK;
}

static chainsi_board *board_of(const chainsi_remote *remote)
{
    return remote->link ? chainsi_link_board(remote->link) : NULL;
}

int64_t chainsi_remote_look_again(const chainsi_remote *remote,
                                  const chainsi_failed_exchange *failed, int64_t now_ns)
{
    chainsi_board *board = board_of(remote);
    if (!board || failed->end != CHAINSI_EXCHANGE_MAYBE_STARTED)
        return 0;
    return chainsi_losses_look_again(chainsi_board_losses(board), failed->incarnation,
                                     failed->at_ns, now_ns);
}

/* The replica was lost while it may have been running the call: if somebody knows why, that is what the
 * caller is told. */
static chains_status fail_lost(chainsi_remote *remote, chains_ctx *ctx,
                               const chainsi_failed_exchange *failed)
{
    const char *name = remote->interface->name;
    chainsi_board *board = board_of(remote);
    const chainsi_loss loss =
        board ? chainsi_losses_await(chainsi_board_losses(board), failed->incarnation,
                                     failed->at_ns, ctx->deadline_ns, has_stopped, ctx)
              : CHAINSI_LOSS_UNKNOWN;
    char signal[32];
    if (loss == CHAINSI_LOSS_MEMORY)
        return chainsi_error_set(ctx, CHAINS_RESOURCE_EXHAUSTED, name, "run_remote", NULL,
                                 "%s exceeded its memory limit (.memory) while it may have been "
                                 "running the call, and was killed",
                                 name);
    if (chainsi_loss_signal(loss, signal, sizeof signal))
        return chainsi_error_set(ctx, CHAINS_UNAVAILABLE, name, "run_remote", NULL,
                                 "%s was ended by %s while it may have been running the call", name,
                                 signal);
    return chainsi_error_set(ctx, CHAINS_UNAVAILABLE, name, "run_remote", NULL,
                             "%s was lost while it may have been running the call: %s", name,
                             loss == CHAINSI_LOSS_DRAINED
                                 ? "it had been told to end, and waits .drain_timeout_s for calls"
                                 : failed->why);
}

chains_status chainsi_remote_fail(chainsi_remote *remote, chains_ctx *ctx,
                                  const chainsi_failed_exchange *failed, chainsi_attempt *attempt)
{
    const char *name = remote->interface->name, *why = failed->why;
    switch (failed->end) {
    case CHAINSI_EXCHANGE_ANSWERED:
        break;
    case CHAINSI_EXCHANGE_NOT_STARTED:
        /* A full queue is an answer: sending again at once is what it must be spared. */
        if (failed->error == EAGAIN) {
            attempt->end = CHAINSI_ATTEMPT_QUEUE_FULL;
            attempt->retry_after_ns = /* as its 429 says over HTTP */
                CHAINSI_RETRY_AFTER_S * 1000 * CHAINSI_NS_PER_MS;
            return chainsi_error_set(ctx, CHAINS_RESOURCE_EXHAUSTED, name, "run_remote", NULL,
                                     "the queue of %s at %s is full", name, remote->address);
        }
        /* What it has refused it will refuse again: that is for who has made the certificates. */
        if (failed->error == EACCES)
            return chainsi_error_set(ctx, CHAINS_PERMISSION_DENIED, name, "run_remote", NULL,
                                     "%s at %s can't be called: %s", name, remote->address, why);
        attempt->end = CHAINSI_ATTEMPT_NOT_STARTED;
        return chainsi_error_set(ctx, CHAINS_UNAVAILABLE, name, "run_remote", NULL,
                                 "%s can't be reached at %s: %s", name, remote->address, why);
    case CHAINSI_EXCHANGE_MAYBE_STARTED:
        attempt->end = CHAINSI_ATTEMPT_LOST;
        return fail_lost(remote, ctx, failed);
    case CHAINSI_EXCHANGE_DEADLINE:
        if (failed->error == EHOSTUNREACH) {
            attempt->end = CHAINSI_ATTEMPT_ABSENT;
            return chainsi_error_set(ctx, CHAINS_DEADLINE_EXCEEDED, name, "run_remote", NULL,
                                     "%s was not there in time: %s", name, why);
        }
        return chainsi_error_set(ctx, CHAINS_DEADLINE_EXCEEDED, name, "run_remote", NULL,
                                 "%s did not answer in time", name);
    case CHAINSI_EXCHANGE_INTERRUPTED: {
        chains_status stopped = chainsi_context_stopped(ctx);
        return chainsi_error_set(ctx, stopped == CHAINS_OK ? CHAINS_CANCELLED : stopped, name,
                                 "run_remote", NULL, "the call to %s was cancelled", name);
    }
    case CHAINSI_EXCHANGE_PROTOCOL:
        return chainsi_error_set(ctx, CHAINS_INTERNAL, name, "run_remote", NULL,
                                 "%s did not answer as it should: %s", name, why);
    }
    assert(!"an exchange that failed has no other end");
    return CHAINS_INTERNAL;
}

static int64_t retry_after_ns(const chainsi_client_response *response)
{
    if (response->status != 429 && response->status != 503)
        return 0;
    const chainsi_slice *text = chainsi_http_find(&response->head, "Retry-After");
    return text ? chainsi_retry_after_ns(text->data, text->size, (int64_t)time(NULL)) : 0;
}

static chains_status attempt_over_http(chainsi_remote *remote, chains_ctx *ctx,
                                       const chainsi_message *message, void *output,
                                       chainsi_intake *intake, int64_t deadline_ns,
                                       const chainsi_interrupt *interrupt, chainsi_attempt *attempt)
{
    char headers[MOST_HEADERS];
    size_t headers_size = write_headers(remote, ctx, deadline_ns, headers);
    if (!headers_size)
        return ctx->error.status;
    const chains_external_config *external = remote->interface->external;
    chainsi_client_request request = {
        .method = "POST",
        .path = external && external->path ? external->path : "/run_remote",
        .headers = headers,
        .headers_size = headers_size,
        .body = message->body.data,
        .body_size = message->body.size,
        .deadline_ns = deadline_ns,
        .interrupt = interrupt,
        /* a kept connection may lead to a busy replica */
        .fresh = (attempt->elsewhere || intake) && !remote->replicas,
    };
    chainsi_inlet inlet;
    if (intake) {
        chainsi_inlet_init(&inlet, intake, output);
        request.sink = &inlet.sink;
    }
    chainsi_client_response response;
    char why[256];
    chainsi_exchange_end end =
        remote->replicas ? chainsi_replicas_exchange(remote->replicas, &request, attempt->elsewhere,
                                                     ctx->arena, &response, why, sizeof why)
                         : chainsi_client_exchange(remote->client, &request, ctx->arena, &response,
                                                   why, sizeof why);
    if (intake) {
        chains_status status;
        bool lost, settled = chainsi_inlet_settle(&inlet, end, &status, &lost);
        chainsi_inlet_done(&inlet);
        if (settled && lost)
            attempt->end = CHAINSI_ATTEMPT_LOST;
        if (settled)
            return status;
    }
    if (end != CHAINSI_EXCHANGE_ANSWERED)
        return chainsi_remote_fail(
            remote, ctx,
            &(chainsi_failed_exchange){ .end = end, .error = response.error, .why = why }, attempt);
    attempt->retry_after_ns = retry_after_ns(&response);
    if (response.status == 429 && chainsi_http_find(&response.head, CHAINSI_HTTP_NOT_STARTED))
        attempt->end = CHAINSI_ATTEMPT_QUEUE_FULL;
    if (response.status < 200 || response.status > 299)
        return pass_answer(remote, ctx, &response);
    if (intake)
        return chainsi_error_set(ctx, CHAINS_INTERNAL, remote->interface->name, "run_remote", NULL,
                                 "%s answered without a stream (Content-Type '%s')",
                                 remote->interface->name, response.content_type);
    return read_output(remote, ctx, response.body, response.body_size,
                       is_msgpack(response.content_type), output);
}

/* Over this link, of which *turned_away comes back where it was near, and the call wasn't begun: nothing is recorded
 * then, and *lost tells whether the replica is gone. */
static chains_status attempt_in_frames(chainsi_remote *remote, chainsi_link *link, chains_ctx *ctx,
                                       const chainsi_message *message, void *output,
                                       chainsi_intake *intake, int64_t deadline_ns,
                                       const chainsi_interrupt *interrupt, chainsi_attempt *attempt,
                                       bool *turned_away, bool *lost_near)
{
    chainsi_link_request request = {
        .interface = remote->interface->fingerprint,
        .request_id = chainsi_remote_request_id(ctx),
        .body = message->body.data,
        .body_size = message->body.size,
        .deadline_ns = deadline_ns,
        .interrupt = interrupt,
        .elsewhere = attempt->elsewhere,
        .recorded = ctx->trace.recorded,
        .claimed_only = turned_away != NULL,
    };
    chainsi_remote_trace(ctx, request.trace_id, request.span_id);
    int descriptors[CHAINSI_MAX_ATTACHMENTS];
    if (message->attachments.count) {
        request.attachments = descriptors;
        request.attachment_count =
            (uint8_t)chainsi_attachments_descriptors(&message->attachments, descriptors);
    }
    chainsi_inlet inlet;
    if (intake) {
        chainsi_inlet_init(&inlet, intake, output);
        request.sink = &inlet.frame_sink;
    }
    chainsi_link_answer answer;
    char why[256];
    chainsi_exchange_end end =
        chainsi_link_exchange(link, &request, ctx->arena, &answer, why, sizeof why);
    if (intake) {
        chains_status status;
        bool lost, settled = end != CHAINSI_EXCHANGE_ANSWERED &&
                             chainsi_inlet_settle(&inlet, end, &status, &lost);
        chainsi_inlet_done(&inlet);
        if (settled)
            return status;
    }
    if (turned_away && end == CHAINSI_EXCHANGE_NOT_STARTED) {
        *turned_away = true;
        *lost_near = answer.error && answer.error != EBUSY;
        return CHAINS_OK;
    }
    attempt->retry_after_ns = answer.retry_after_ms * CHAINSI_NS_PER_MS;
    if (end != CHAINSI_EXCHANGE_ANSWERED)
        return chainsi_remote_fail(remote, ctx,
                                   &(chainsi_failed_exchange){
                                       .end = end,
                                       .error = answer.error,
                                       .why = why,
                                       .incarnation = answer.incarnation,
                                       .at_ns = chainsi_now_ns(),
                                   },
                                   attempt);
    return chainsi_remote_read(remote, ctx, answer.status, answer.body, answer.body_size,
                               answer.attachments, answer.attachment_count, output);
}

/* On this node, where a slot is free, else anywhere. */
static chains_status attempt_near(chainsi_remote *remote, chains_ctx *ctx,
                                  const chainsi_message *message, void *output,
                                  chainsi_intake *intake, int64_t deadline_ns,
                                  const chainsi_interrupt *interrupt, chainsi_attempt *attempt)
{
    chainsi_near_replica *replica;
    int next = 0;
    /* What was lost there, or was slow, is tried elsewhere. */
    while (!attempt->elsewhere && (replica = chainsi_near_take(remote->near, &next))) {
        bool turned_away = false, lost = false;
        chains_status status =
            attempt_in_frames(remote, chainsi_near_link(replica), ctx, message, output, intake,
                              deadline_ns, interrupt, attempt, &turned_away, &lost);
        chainsi_near_give(remote->near, replica, lost);
        if (turned_away)
            continue;
        chainsi_traffic_sent(message->body.size, &message->attachments);
        return status;
    }
    chainsi_message flat = { .body = { 0 } };
    if (message->attachments.count) {
        chains_status status = chainsi_near_flatten(remote->interface, ctx, message, &flat);
        if (status != CHAINS_OK)
            return status;
        message = &flat;
    }
    chains_status status =
        attempt_over_http(remote, ctx, message, output, intake, deadline_ns, interrupt, attempt);
    chainsi_message_done(&flat);
    return status;
}

const char *chainsi_remote_request_id(const chains_ctx *ctx)
{
    return strlen(ctx->request_id) <= CHAINSI_FRAME_MAX_REQUEST_ID ? ctx->request_id : "";
}

void chainsi_remote_trace(const chains_ctx *ctx, uint8_t trace_id[16], uint8_t span_id[8])
{
    memcpy(trace_id, &ctx->trace.high, 8);
    memcpy(trace_id + 8, &ctx->trace.low, 8);
    memcpy(span_id, &ctx->trace.span, 8);
}

chains_status chainsi_remote_attempt(chainsi_remote *remote, chains_ctx *ctx,
                                     const chainsi_message *message, void *output,
                                     chainsi_intake *intake, int64_t deadline_ns,
                                     chainsi_attempt *attempt)
{
    waiting_call call = { .ctx = ctx };
    chainsi_interrupt watched = { .check = should_stop, .is_due = is_cancelled, .user = &call };
    const chainsi_interrupt *interrupt = watch_for_cancellation(&call, &watched) ? &watched : NULL;
    /* Asked once more now that this thread can be woken: what came before woke nobody. */
    chains_status stopped = interrupt ? chainsi_context_stopped_lately(ctx) : CHAINS_OK;
    if (stopped != CHAINS_OK)
        return chainsi_error_set(ctx, stopped, remote->interface->name, "run_remote", NULL,
                                 "the call to %s was cancelled", remote->interface->name);
    if (remote->link)
        return attempt_in_frames(remote, remote->link, ctx, message, output, intake, deadline_ns,
                                 interrupt, attempt, NULL, NULL);
    if (!remote->near)
        return attempt_over_http(remote, ctx, message, output, intake, deadline_ns, interrupt,
                                 attempt);
    return attempt_near(remote, ctx, message, output, intake, deadline_ns, interrupt, attempt);
}
