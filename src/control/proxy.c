/* The way of one call through the daemon. The object lives in the exchange's arena: it ends with the
 * answer or with the client. */
#include "control/proxy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "control/chain.h"
#include "control/front_span.h"
#include "control/handle.h"
#include "runtime/status.h"

enum {
    MAX_ATTEMPTS = 20,  /* of a call that certainly wasn't started */
    FIRST_PAUSE_MS = 1, /* before the third attempt; doubles */
    MAX_PAUSE_MS = 500,
    TYPICAL_HEAD = 512,
    DEADLINE_GRACE_MS = 100, /* for the Chainlet's own word on a deadline, which knows more */
};

typedef struct proxy {
    chainsi_registry *registry;
    chainsi_exchange *exchange;
    chainsi_target target; /* of the arena */
    chainsi_buffer
        head; /* owned; of the request, but for the time that is left; once the answer has
                            begun, its own headers */
    int64_t deadline_ns;
    unsigned attempts;
    chainsi_upstream_call *call;  /* in flight; NULL */
    uv_timer_t *pause, *deadline; /* owned; NULL when not in use */
    bool began;                   /* the head of the answer went to the client */
    bool is_late;   /* the deadline has passed; what runs may still say so itself, for a while */
    int status;     /* of HTTP, when it began */
    uint64_t trial; /* that it counts for; 0: none */
    bool is_new;    /* on which side of it */
    chainsi_front_span span;
    const char *called; /* the Chainlet's name, of the arena; NULL: not known yet */
} proxy;

static void attempt(proxy *p);

/* Takes back all that would call later. */
static void finish(proxy *p)
{
    if (p->call)
        chainsi_upstream_cancel(p->call);
    p->call = NULL;
    chainsi_handle_close(p->pause);
    chainsi_handle_close(p->deadline);
    p->pause = p->deadline = NULL;
    chainsi_buffer_done(&p->head);
    p->exchange->on_gone = NULL;
    p->exchange->on_drained = NULL;
}

static const char *shown_name(const proxy *p)
{
    return p->target.chainlet ? p->target.chainlet : p->target.chain;
}

/* Counts the call for the trial that it was picked for. */
static void count(const proxy *p, int status)
{
    if (!p->trial)
        return;
    chainsi_slice name = { p->target.chain, strlen(p->target.chain) };
    const chainsi_chain *chain = chainsi_registry_find(p->registry, name);
    chainsi_environment *environment =
        chain ? chainsi_chain_environment(chain, p->target.environment) : NULL;
    if (environment)
        chainsi_environment_count(environment, p->trial, p->is_new, status,
                                  chainsi_now_ns() - p->exchange->received_ns);
}

/* Tells of the call, which has ended. */
static void tell(const proxy *p, chains_status status, const char *message)
{
    if (p->target.probes)
        return;
    if (p->called) /* else there may be no such environment */
        chainsi_meters_call(p->registry->supervisor->meters, p->target.chain,
                            p->target.version ? "versions" : p->target.environment, status,
                            chainsi_now_ns() - p->exchange->received_ns);
    chainsi_front_span_end(&p->span, p->registry->supervisor->collector, p->exchange,
                           p->target.chain, p->called ? p->called : shown_name(p), p->attempts,
                           status, message);
}

static void on_gone(chainsi_exchange *exchange)
{
    proxy *p = exchange->user;
    tell(p, CHAINS_CANCELLED, "the client left");
    finish(p);
}

/* Headers. */

static bool list_names(const chainsi_slice *list, chainsi_slice name)
{
    if (!list)
        return false;
    const char *at = list->data, *end = list->data + list->size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        const char *last = stop;
        while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if ((size_t)(last - at) == name.size && !strncasecmp(at, name.data, name.size))
            return true;
        at = stop + 1;
    }
    return false;
}

/* Adds the headers of a message but those that belong to one connection, are said anew, or are a key to
 * this door and nobody else's business. */
static void add_headers(chainsi_buffer *out, const chainsi_http_head *head)
{
#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const chainsi_slice names[] = {
        NAME("Connection"),
        NAME("Keep-Alive"),
        NAME("Proxy-Connection"),
        NAME("Proxy-Authenticate"),
        NAME("TE"),
        NAME("Proxy-Authorization"),
        NAME("Transfer-Encoding"),
        NAME("Upgrade"),
        NAME("Trailer"),
        NAME("Content-Length"),
        NAME("Host"),
        NAME("Expect"),
        NAME("X-Request-Id"),
        NAME("traceparent"),
        NAME("X-Chains-Timeout-Ms"),
        NAME("Authorization"),
        NAME("X-Chains-Busy"),
        NAME("X-Chains-Slots"),
        NAME(CHAINSI_HTTP_MADE_US),
    };
#undef NAME
    const chainsi_slice *listed = chainsi_http_find(head, "Connection");
    for (size_t i = 0; i < head->header_count; i++) {
        const chainsi_http_header *header = &head->headers[i];
        bool stays = list_names(listed, header->name);
        for (size_t j = 0; j < sizeof names / sizeof *names && !stays; j++)
            stays = header->name.size == names[j].size &&
                    !strncasecmp(header->name.data, names[j].data, names[j].size);
        if (stays)
            continue;
        chainsi_buffer_add(out, header->name.data, header->name.size);
        chainsi_buffer_add(out, ": ", 2);
        chainsi_buffer_add(out, header->value.data, header->value.size);
        chainsi_buffer_add(out, "\r\n", 2);
    }
}

/* The head of the request as it goes on, but for its end: what time is left. */
static void make_head(proxy *p)
{
    const chainsi_exchange *exchange = p->exchange;
    const chainsi_http_request *request = &exchange->request;
    chainsi_buffer *out = &p->head;
    chainsi_buffer_reserve(out, TYPICAL_HEAD);
    chainsi_buffer_add(out, request->method_name.data, request->method_name.size);
    chainsi_buffer_add_byte(out, ' ');
    chainsi_buffer_add_text(out, p->target.path);
    chainsi_buffer_add_text(out, " HTTP/1.1\r\n");
    add_headers(out, &request->head);
    chainsi_buffer_add_text(out, "Host: localhost\r\nX-Request-Id: ");
    chainsi_buffer_add_text(out, exchange->request_id);
    chainsi_buffer_add_text(out, "\r\ntraceparent: ");
    char trace[CHAINSI_TRACEPARENT_SIZE];
    chainsi_trace_write(&p->span.trace, trace);
    chainsi_buffer_add_text(out, trace);
    chainsi_buffer_add_text(out, "\r\n" CHAINSI_HTTP_MADE_US ": ");
    chainsi_buffer_add_number(out, (uint64_t)(chainsi_now_ns() / 1000));
    if (request->method == CHAINSI_HTTP_POST || exchange->body_size) {
        chainsi_buffer_add_text(out, "\r\nContent-Length: ");
        chainsi_buffer_add_number(out, exchange->body_size);
    }
    chainsi_buffer_add_text(out, "\r\n");
}

bool chainsi_read_timeout(chainsi_exchange *exchange, double *timeout_ms)
{
    const chainsi_slice *value = chainsi_http_find(&exchange->request.head, "X-Chains-Timeout-Ms");
    if (!value)
        return true;
    char text[32], *end = text;
    double ms = 0;
    if (value->size && value->size < sizeof text) {
        memcpy(text, value->data, value->size);
        text[value->size] = 0;
        if (!text[strspn(text, "0123456789.")])
            ms = strtod(text, &end);
    }
    if (end == text || *end) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT,
                              "the header X-Chains-Timeout-Ms is no number of milliseconds");
        return false;
    }
    *timeout_ms = ms;
    return true;
}

/* The answer. */

static void on_head(void *user, const chainsi_http_response *response)
{
    proxy *p = user;
    p->head.size = 0; /* no attempt follows */
    add_headers(&p->head, &response->head);
    int64_t length = response->head.chunked ? -1 : response->head.content_length;
    if (response->status == 204 || response->status == 304)
        length = 0;
    chainsi_stream_end_init(&p->exchange->stream, &response->head);
    chainsi_exchange_begin(p->exchange, response->status, &p->head, length);
    p->began = true;
    p->status = response->status;
}

static void on_body(void *user, const char *data, size_t size)
{
    proxy *p = user;
    if (!chainsi_exchange_write(p->exchange, data, size))
        chainsi_upstream_pause(p->call);
}

static void on_drained(chainsi_exchange *exchange)
{
    proxy *p = exchange->user;
    if (p->call)
        chainsi_upstream_resume(p->call);
}

static void on_pause_over(uv_timer_t *timer)
{
    proxy *p = timer->data;
    if (!p)
        return;
    chainsi_handle_close(p->pause);
    p->pause = NULL;
    attempt(p);
}

static void try_again(proxy *p)
{
    uint64_t ms = 0;
    if (p->attempts > 1)
        ms = (uint64_t)FIRST_PAUSE_MS << (p->attempts - 2 < 10 ? p->attempts - 2 : 10);
    if (ms > MAX_PAUSE_MS)
        ms = MAX_PAUSE_MS;
    p->pause = chainsi_timer_new(p->registry->supervisor->loop, p);
    uv_timer_start(p->pause, on_pause_over, ms, 0);
}

static void on_end(void *user, chainsi_upstream_end end, const char *why)
{
    proxy *p = user;
    chainsi_exchange *exchange = p->exchange;
    p->call = NULL;
    if (end == CHAINSI_UPSTREAM_NOT_STARTED && p->attempts < MAX_ATTEMPTS) {
        try_again(p);
        return;
    }
    const char *name = shown_name(p);
    bool began = p->began;
    count(p, end == CHAINSI_UPSTREAM_ANSWERED     ? p->status
             : end == CHAINSI_UPSTREAM_QUEUE_FULL ? 429
                                                  : 503);
    if (end == CHAINSI_UPSTREAM_ANSWERED)
        tell(p, chainsi_status_from_http(p->status), "");
    else if (end == CHAINSI_UPSTREAM_QUEUE_FULL)
        tell(p, CHAINS_RESOURCE_EXHAUSTED, "the queue is full");
    else if (end == CHAINSI_UPSTREAM_EXHAUSTED)
        tell(p, CHAINS_RESOURCE_EXHAUSTED, why);
    else
        tell(p, CHAINS_UNAVAILABLE, why);
    finish(p);
    if (end == CHAINSI_UPSTREAM_ANSWERED)
        chainsi_exchange_end(exchange);
    else if (began)
        chainsi_exchange_break(exchange,
                               end == CHAINSI_UPSTREAM_EXHAUSTED ? CHAINS_RESOURCE_EXHAUSTED
                                                                 : CHAINS_UNAVAILABLE,
                               "the stream of '%s' broke off: %s", name, why);
    else if (end == CHAINSI_UPSTREAM_QUEUE_FULL)
        chainsi_exchange_refuse(exchange, 429, "Retry-After: 1\r\n", CHAINS_RESOURCE_EXHAUSTED,
                                "the queue of '%s' is full", name);
    else if (end == CHAINSI_UPSTREAM_EXHAUSTED)
        chainsi_exchange_fail(exchange, CHAINS_RESOURCE_EXHAUSTED, "'%s' did not answer: %s", name,
                              why);
    else
        chainsi_exchange_fail(exchange, CHAINS_UNAVAILABLE, "'%s' did not answer: %s", name, why);
}

static void on_deadline(uv_timer_t *timer)
{
    proxy *p = timer->data;
    if (!p)
        return;
    chainsi_exchange *exchange = p->exchange;
    bool began = p->began;
    const bool has_begun = p->call && !chainsi_upstream_is_unread(p->call);
    if (has_begun && !p->is_late) {
        p->is_late = true;
        uv_timer_start(timer, on_deadline, DEADLINE_GRACE_MS, 0);
        return;
    }
    double limit_ms = (double)(p->deadline_ns - exchange->received_ns) / (double)CHAINSI_NS_PER_MS;
    count(p, 504);
    tell(p, CHAINS_DEADLINE_EXCEEDED, "there was no answer in time");
    finish(p);
    if (began)
        chainsi_exchange_break(exchange, CHAINS_DEADLINE_EXCEEDED,
                               "the stream of '%s' did not end within %g ms (X-Chains-Timeout-Ms)",
                               shown_name(p), limit_ms);
    else
        chainsi_exchange_fail(exchange, CHAINS_DEADLINE_EXCEEDED,
                              "'%s' did not %s within %g ms (X-Chains-Timeout-Ms)", shown_name(p),
                              has_begun ? "answer" : "begin the call", limit_ms);
}

/* The way there. */

static const chainsi_upstream_events events = { on_head, on_body, on_end };

/* Why there is nobody to call. */
typedef struct refusal {
    chainsi_arena *arena;
    chains_status status;
    const char *why; /* in arena */
} refusal;

/* Notes why, if anybody wants to know (NULL: nobody does). Always NULL. */
static void *refuse(refusal *refused, chains_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void *refuse(refusal *refused, chains_status status, const char *format, ...)
{
    if (!refused)
        return NULL;
    va_list list;
    va_start(list, format);
    char *why = NULL;
    int size = vasprintf(&why, format, list);
    va_end(list);
    refused->status = status;
    refused->why = size < 0 ? "" : chainsi_arena_copy(refused->arena, why, (size_t)size);
    if (size >= 0)
        free(why);
    return NULL;
}

/* Adds a name to those that there are. */
static const char *add_name(refusal *refused, const char *names, const char *name)
{
    return chainsi_arena_printf(refused->arena, "%s%s%s", names, *names ? ", " : "", name);
}

static void *refuse_environment(const chainsi_chain *chain, const chainsi_target *target,
                                refusal *refused)
{
    const char *names = "";
    if (!refused)
        return NULL;
    if (chain->registry->stopping)
        return refuse(refused, CHAINS_UNAVAILABLE, "'%s' is stopping", chain->name);
    for (const chainsi_environment *each = chain->environments; each; each = each->next)
        names = add_name(refused, names, each->name);
    return refuse(refused, CHAINS_NOT_FOUND, "'%s' has no environment '%s'; it has: %s",
                  chain->name, target->environment, *names ? names : "none");
}

/* The environment answers no calls yet. */
static void *refuse_version(const chainsi_environment *environment, refusal *refused)
{
    const chainsi_deployment *failed =
        environment->candidate ? environment->candidate : environment->failed;
    const char *chain = environment->chain->name;
    if (!failed || !failed->failure[0])
        return refuse(refused, CHAINS_UNAVAILABLE, "'%s' is still starting", chain);
    return refuse(refused, CHAINS_UNAVAILABLE, "'%s' has failed: %s%s%s; see `chains logs %s`",
                  chain, failed->failed_chainlet ? failed->failed_chainlet : "",
                  failed->failed_chainlet ? ": " : "", failed->failure, chain);
}

static void *refuse_chainlet(const chainsi_deployment *deployment, const chainsi_target *target,
                             refusal *refused)
{
    const char *names = "";
    for (size_t i = 0; refused && i < deployment->options.deploy->services.count; i++)
        names = add_name(refused, names, deployment->options.deploy->services.items[i].name);
    return refuse(refused, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'; it has: %s",
                  target->chainlet, target->chain, names);
}

/* A version of an environment: the one that answers, or for a call of p the one that is tried. */
static chainsi_deployment *pick(chainsi_environment *environment, proxy *p)
{
    if (!p || p->target.chainlet || p->target.probes)
        return environment->current;
    /* A call that is sent again stays on its side, as long as that is there. */
    if (p->trial && environment->trial && environment->trial->number == p->trial)
        return p->is_new ? environment->candidate : environment->current;
    return chainsi_environment_pick(environment, &p->trial, &p->is_new);
}

/* The Chainlet that is called, for p or for no call at all (NULL). NULL with the reason. */
static chainsi_chainlet *find_chainlet(const chainsi_registry *registry,
                                       const chainsi_target *target, proxy *p, refusal *refused)
{
    chainsi_deployment *deployment;
    const chainsi_chain *chain =
        chainsi_registry_find(registry, (chainsi_slice){ target->chain, strlen(target->chain) });
    if (!chain) /* it was there when the request came */
        return refuse(refused, CHAINS_UNAVAILABLE, "'%s' %s", target->chain,
                      registry->stopping ? "is stopping" : "has been deleted");
    if (target->version) {
        deployment = chainsi_chain_running(chain, target->version);
        if (!deployment && !chainsi_registry_has_version(registry, chain->name, target->version))
            return refuse(refused, CHAINS_NOT_FOUND,
                          "'%s' has no version '%s': `chains versions %s` shows which there are",
                          chain->name, target->version, chain->name);
        if (!deployment)
            return refuse(
                refused, CHAINS_FAILED_PRECONDITION,
                "version '%s' of '%s' doesn't run: `chains versions %s` shows which there "
                "are, and `chains promote %s %s --environment NAME` starts one",
                target->version, chain->name, chain->name, chain->name, target->version);
    } else {
        chainsi_environment *environment = chainsi_chain_environment(chain, target->environment);
        if (!environment)
            return refuse_environment(chain, target, refused);
        if (!environment->current)
            return refuse_version(environment, refused);
        deployment = pick(environment, p);
    }
    chainsi_chainlet *chainlet = chainsi_deployment_find(deployment, target->chainlet);
    return chainlet ? chainlet : refuse_chainlet(deployment, target, refused);
}

chainsi_chainlet *chainsi_proxy_find(const chainsi_registry *registry, const chainsi_target *target)
{
    return find_chainlet(registry, target, NULL, NULL);
}

size_t chainsi_proxy_max_body(const chainsi_registry *registry, const chainsi_target *target)
{
    const chainsi_chainlet *chainlet = find_chainlet(registry, target, NULL, NULL);
    return chainlet ? (size_t)chainlet->service->max_body : CHAINSI_MAX_BODY;
}

/* The socket to call now; NULL with the reason. */
static chainsi_upstream *find_upstream(proxy *p, refusal *refused)
{
    chainsi_chainlet *chainlet = find_chainlet(p->registry, &p->target, p, refused);
    if (!chainlet)
        return NULL;
    if (!p->called)
        p->called = chainsi_arena_strdup(&p->exchange->arena, chainlet->service->name);
    chainsi_replica *ready = chainsi_fleet_find_ready(chainlet->fleet);
    bool probes = p->target.probes;
    bool waits = chainsi_chainlet_is_at_zero(chainlet); /* for one that this very request wakes */
    if (chainsi_fleet_state(chainlet->fleet) != CHAINSI_REPLICA_FAILED &&
        (!probes || ready || waits))
        return probes && ready ? ready->probes : chainlet->calls;
    const char *end = chainsi_fleet_last_end(chainlet->fleet);
    return refuse(refused, CHAINS_UNAVAILABLE, "the Chainlet '%s' %s: %s; see `chains logs %s %s`",
                  chainlet->service->name, probes ? "is not ready" : "has failed",
                  end[0] ? end : "it is starting", p->target.chain, chainlet->service->name);
}

static void attempt(proxy *p)
{
    chainsi_exchange *exchange = p->exchange;
    refusal refused = { .arena = &exchange->arena };
    chainsi_upstream *upstream = find_upstream(p, &refused);
    if (!upstream) {
        count(p, 503);
        tell(p, refused.status, refused.why);
        finish(p);
        chainsi_exchange_fail(exchange, refused.status, "%s", refused.why);
        return;
    }
    size_t constant = p->head.size;
    if (p->deadline_ns != CHAINSI_NEVER) {
        int64_t left = p->deadline_ns - chainsi_now_ns();
        chainsi_buffer_add_text(&p->head, "X-Chains-Timeout-Ms: ");
        chainsi_buffer_add_number(&p->head, (uint64_t)(left > 0 ? left / CHAINSI_NS_PER_MS : 0));
        chainsi_buffer_add_text(&p->head, "\r\n");
    }
    chainsi_buffer_add_text(&p->head, "\r\n");
    p->attempts++;
    chainsi_collector_expect(p->registry->supervisor->collector);
    p->call = chainsi_upstream_start(upstream, p->head.data, p->head.size, exchange->body,
                                     exchange->body_size, p->attempts > 1, &events, p);
    p->head.size = constant;
}

void chainsi_proxy(chainsi_registry *registry, chainsi_exchange *exchange,
                   const chainsi_target *target)
{
    proxy *p = chainsi_arena_alloc(&exchange->arena, sizeof *p);
    p->registry = registry;
    p->exchange = exchange;
    p->target = (chainsi_target){
        .chain = chainsi_arena_strdup(&exchange->arena, target->chain),
        .environment = chainsi_arena_strdup(&exchange->arena, target->environment),
        .version = chainsi_arena_strdup(&exchange->arena, target->version),
        .chainlet = chainsi_arena_strdup(&exchange->arena, target->chainlet),
        .path = target->path,
        .probes = target->probes,
    };
    double timeout_ms = -1;
    if (!chainsi_read_timeout(exchange, &timeout_ms))
        return;
    p->deadline_ns = timeout_ms < 0 ? CHAINSI_NEVER
                                    : chainsi_deadline_after_ms(exchange->received_ns, timeout_ms);
    chainsi_front_span_begin(&p->span, registry->supervisor->collector, exchange);
    make_head(p);
    exchange->user = p;
    exchange->on_gone = on_gone;
    exchange->on_drained = on_drained;
    if (p->deadline_ns != CHAINSI_NEVER) {
        int64_t left = p->deadline_ns - chainsi_now_ns();
        uint64_t ms = left > 0 ? (uint64_t)(left / CHAINSI_NS_PER_MS) : 0;
        p->deadline = chainsi_timer_new(registry->supervisor->loop, p);
        uv_timer_start(p->deadline, on_deadline, ms, 0);
    }
    attempt(p);
}
