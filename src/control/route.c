/* Paths of the front door.
 *
 *   POST /chains/CHAIN/ENVIRONMENT/run_remote                  the entrypoint
 *   POST /chains/CHAIN/ENVIRONMENT/chainlets/NAME/run_remote   one Chainlet
 *   GET  /chains/CHAIN/ENVIRONMENT/openapi.json, .../chainlets/NAME/openapi.json
 *   the same with versions/VERSION in the place of ENVIRONMENT
 *   POST .../async_run_remote likewise, and what request_routes.c has below /requests
 *   GET  /healthz, /metrics
 *   and what api_routes.c has below /api/v1 */
#include "control/route.h"

#include <stdlib.h>
#include <string.h>

#include "control/document.h"
#include "control/proxy.h"
#include "schema/json.h"

enum {
    MAX_SEGMENTS = 10,
    MAX_API_BODY = 4 * 1024 * 1024, /* bytes */
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One segment with its %xx decoded; NULL if they are malformed or hide a NUL. */
static const char *decode_segment(const char *data, size_t size, chainsi_arena *arena)
{
    char *text = chainsi_arena_copy(arena, data, size);
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '%') {
            text[used++] = text[i];
            continue;
        }
        int high = i + 2 < size ? hex_value(text[i + 1]) : -1;
        int low = i + 2 < size ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0 || (!high && !low))
            return NULL;
        text[used++] = (char)(high * 16 + low);
        i += 2;
    }
    text[used] = 0;
    return text;
}

/* Splits a path that begins with a slash. Returns how many segments; 0 if it is none of ours. */
static size_t split_path(chainsi_slice path, chainsi_arena *arena,
                         const char *segments[MAX_SEGMENTS])
{
    size_t count = 0;
    const char *at = path.data, *end = path.data + path.size;
    while (at < end && *at == '/') {
        const char *start = ++at;
        while (at < end && *at != '/')
            at++;
        if (count == MAX_SEGMENTS)
            return 0;
        segments[count] = decode_segment(start, (size_t)(at - start), arena);
        if (!segments[count++])
            return 0;
    }
    return at == end ? count : 0;
}

const char *chainsi_query_text(chainsi_slice query, const char *name, chainsi_arena *arena)
{
    size_t name_size = strlen(name);
    const char *at = query.data, *end = query.data + query.size;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t size = (size_t)(stop - at);
        if (size > name_size && !memcmp(at, name, name_size) && at[name_size] == '=')
            return decode_segment(at + name_size + 1, size - name_size - 1, arena);
        at = stop + 1;
    }
    return NULL;
}

void chainsi_answer_value(chainsi_exchange *exchange, int status, const chainsi_type *type,
                          const void *value)
{
    chainsi_buffer body = { 0 };
    chainsi_codec_error error;
    if (chainsi_json_encode(type, value, &body, &error) == CHAINS_OK)
        chainsi_exchange_answer(exchange, status, "application/json", NULL, body.data, body.size);
    else
        chainsi_exchange_fail(exchange, CHAINS_INTERNAL, "the answer cannot be written: %s %s",
                              error.path, error.message);
    chainsi_buffer_done(&body);
}

void chainsi_answer_other_method(chainsi_exchange *exchange, const char *allowed)
{
    char line[64];
    snprintf(line, sizeof line, "Allow: %s\r\n", allowed);
    chainsi_exchange_refuse(
        exchange, 405, line, CHAINS_UNIMPLEMENTED, "the method %.*s is not offered here, only %s",
        (int)exchange->request.method_name.size, exchange->request.method_name.data, allowed);
}

static bool is_json(const chainsi_exchange *exchange)
{
    const chainsi_slice *type = chainsi_http_find(&exchange->request.head, "Content-Type");
    if (!type)
        return false;
    chainsi_slice kind = *type;
    const char *end = memchr(kind.data, ';', kind.size);
    if (end)
        kind.size = (size_t)(end - kind.data);
    while (kind.size && kind.data[kind.size - 1] == ' ')
        kind.size--;
    return chainsi_slice_is_case(kind, "application/json");
}

bool chainsi_read_value(chainsi_exchange *exchange, const chainsi_type *type, chainsi_arena *arena,
                        void *value)
{
    if (!is_json(exchange)) {
        chainsi_exchange_refuse(exchange, 415, NULL, CHAINS_INVALID_ARGUMENT,
                                "the body must be application/json");
        return false;
    }
    chainsi_codec_error error;
    if (chainsi_json_decode(type, exchange->body, exchange->body_size, arena, value, &error) ==
        CHAINS_OK)
        return true;
    chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s%s%s", error.path,
                          error.path[0] ? ": " : "", error.message);
    return false;
}

bool chainsi_is_get(const chainsi_exchange *exchange)
{
    return exchange->request.method == CHAINSI_HTTP_GET ||
           exchange->request.method == CHAINSI_HTTP_HEAD;
}

static void answer_health(chainsi_routes *routes, chainsi_exchange *exchange)
{
    if (!chainsi_is_get(exchange)) {
        chainsi_answer_other_method(exchange, "GET, HEAD");
        return;
    }
    /* Everybody may ask whether it is there, and nobody else what is whose. */
    bool knows = chainsi_gate_allows(&routes->gate, exchange, CHAINSI_SCOPE_CALL, false, NULL);
    chainsi_api_health health = {
        .status = routes->registry->stopping ? "stopping" : "ok",
        .home = knows ? routes->home : NULL,
        .pid = knows ? routes->keeper : 0,
    };
    chainsi_answer_value(exchange, 200, &chainsi_api_health_type, &health);
}

void chainsi_answer_no_path(chainsi_exchange *exchange)
{
    chainsi_exchange_fail(
        exchange, CHAINS_NOT_FOUND,
        "there is nothing at %.*s; there are POST "
        "/chains/CHAIN/ENVIRONMENT/run_remote and .../async_run_remote, GET "
        "/chains/CHAIN/ENVIRONMENT/openapi.json, all with /chainlets/CHAINLET before the last "
        "word, too, /requests, /api/v1/chains, /api/v1/events, /api/v1/keys, /api/v1/secrets and "
        "GET /healthz and /metrics",
        (int)exchange->request.path.size, exchange->request.path.data);
}

bool chainsi_route_permits(const chainsi_routes *routes, chainsi_exchange *exchange,
                           chainsi_scope scope, bool guarded, const char *chain)
{
    return chainsi_gate_permits(&routes->gate, exchange, scope, guarded, chain);
}

bool chainsi_route_shows(const chainsi_routes *routes, const chainsi_exchange *exchange,
                         const char *chain)
{
    return chainsi_gate_allows(&routes->gate, exchange, CHAINSI_SCOPE_CALL, false,
                               chain ? chain : CHAINSI_EVERY_CHAIN);
}

void chainsi_route_answer_no_chain(const chainsi_routes *routes, chainsi_exchange *exchange,
                                   const char *chain)
{
    chainsi_buffer names = { 0 };
    for (const chainsi_chain *at = routes->registry->chains; at; at = at->next)
        if (!at->deleting && at->environments && chainsi_route_shows(routes, exchange, at->name))
            chainsi_buffer_printf(&names, "%s%s", names.size ? ", " : "", at->name);
    chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no chain '%s'; %s%.*s", chain,
                          names.size ? "deployed: " : "nothing is deployed", (int)names.size,
                          names.size ? (const char *)names.data : "");
    chainsi_buffer_done(&names);
}

/* What a path below /chains names. NULL: nothing; else its last segment, what is asked of it. */
static const char *read_target(const char *const *segments, size_t count, chainsi_target *target)
{
    *target = (chainsi_target){ .chain = segments[1] };
    if (count < 4)
        return NULL;
    size_t at = 3;
    if (strcmp(segments[2], "versions") != 0)
        target->environment = segments[2];
    else
        target->version = segments[at++];
    if (count == at + 3 && !strcmp(segments[at], "chainlets")) {
        target->chainlet = segments[at + 1];
        at += 2;
    }
    return count == at + 1 ? segments[at] : NULL;
}

/* What is kept needs no replica. False: nothing is, and nothing has been answered. */
static bool answer_document(const chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_target *target)
{
    const chainsi_chainlet *chainlet = chainsi_proxy_find(routes->registry, target);
    size_t size;
    char *text = chainlet ? chainsi_document_read(chainlet, &size) : NULL;
    if (text)
        chainsi_exchange_answer(exchange, 200, "application/json", NULL, text, size);
    free(text);
    return text != NULL;
}

static void route_call(chainsi_routes *routes, chainsi_exchange *exchange,
                       const char *const *segments, size_t count)
{
    chainsi_target target;
    const char *verb = read_target(segments, count, &target);
    bool run = verb && !strcmp(verb, "run_remote"),
         later = verb && !strcmp(verb, "async_run_remote"),
         describe = verb && !strcmp(verb, "openapi.json");
    chainsi_scope scope = target.chainlet && !describe ? CHAINSI_SCOPE_ADMIN : CHAINSI_SCOPE_CALL;
    /* First of all, so that a key learns nothing of what isn't its own. */
    if (!chainsi_route_permits(routes, exchange, scope, false, target.chain))
        return;
    target.path = run ? "/run_remote" : "/openapi.json";
    target.probes = describe;
    if (!run && !later && !describe)
        chainsi_answer_no_path(exchange);
    else if (!chainsi_registry_find(routes->registry,
                                    (chainsi_slice){ target.chain, strlen(target.chain) }))
        chainsi_route_answer_no_chain(routes, exchange, target.chain);
    else if (!describe && exchange->request.method != CHAINSI_HTTP_POST)
        chainsi_answer_other_method(exchange, "POST");
    else if (describe && exchange->request.method != CHAINSI_HTTP_GET)
        chainsi_answer_other_method(exchange, "GET");
    else if (describe && answer_document(routes, exchange, &target))
        return;
    else if (later)
        chainsi_route_async(routes, exchange, &target);
    else
        chainsi_proxy(routes->registry, exchange, &target);
}

void chainsi_route(chainsi_routes *routes, chainsi_exchange *exchange)
{
    char why[1024];
    if (!chainsi_site_takes(&routes->site, &exchange->request, why, sizeof why)) {
        chainsi_exchange_refuse(exchange, 403, NULL, CHAINS_PERMISSION_DENIED, "%s", why);
        return;
    }
    const char *segments[MAX_SEGMENTS];
    size_t count = split_path(exchange->request.path, &exchange->arena, segments);
    if (!chainsi_gate_enter(&routes->gate, exchange))
        return;
    if (count == 1 && !strcmp(segments[0], "healthz"))
        answer_health(routes, exchange);
    else if (count == 1 && !strcmp(segments[0], "metrics"))
        chainsi_route_metrics(routes, exchange);
    else if (count >= 2 && !strcmp(segments[0], "chains"))
        route_call(routes, exchange, segments, count);
    else if (count >= 1 && !strcmp(segments[0], "requests"))
        chainsi_route_requests(routes, exchange, segments + 1, count - 1);
    else if (count >= 2 && !strcmp(segments[0], "api") && !strcmp(segments[1], "v1"))
        chainsi_route_api(routes, exchange, segments + 2, count - 2);
    else
        chainsi_answer_no_path(exchange);
}

size_t chainsi_route_max_body(chainsi_routes *routes, const chainsi_http_request *request)
{
    _Alignas(16) char space[512]; /* enough for all but odd paths */
    chainsi_arena arena = { 0 };
    chainsi_arena_lend(&arena, space, sizeof space);
    const char *segments[MAX_SEGMENTS];
    size_t count = split_path(request->path, &arena, segments);
    size_t limit = MAX_API_BODY;
    chainsi_target target;
    if (count >= 4 && !strcmp(segments[0], "chains"))
        limit = read_target(segments, count, &target)
                    ? chainsi_proxy_max_body(routes->registry, &target)
                    : CHAINSI_MAX_BODY;
    chainsi_arena_done(&arena);
    return limit;
}
