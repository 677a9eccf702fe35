/* From a path to its answer: the status page's files (page.h), and what route_table.c lists. Also calls, which go
 * on to Chainlets, and what answers have in common. */
#include "control/route.h"

#include <stdlib.h>
#include <string.h>

#include "control/document.h"
#include "control/page.h"
#include "control/proxy.h"
#include "control/route_table.h"
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

void chainsi_answer_json(chainsi_exchange *exchange, int status, const chainsi_buffer *body)
{
    chainsi_buffer headers = { 0 };
    chainsi_buffer_add_text(&headers, "Cache-Control: no-store\r\n");
    chainsi_exchange_answer(exchange, status, "application/json", &headers, body->data, body->size);
    chainsi_buffer_done(&headers);
}

void chainsi_answer_value(chainsi_exchange *exchange, int status, const chainsi_type *type,
                          const void *value)
{
    chainsi_buffer body = { 0 };
    chainsi_codec_error error;
    if (chainsi_json_encode(type, value, &body, &error) == CHAINS_OK)
        chainsi_answer_json(exchange, status, &body);
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

void chainsi_route_health(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    (void)names;
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
        "GET /healthz and /metrics; all of it is described in /api/v1/openapi.json",
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

/* What a path below /chains calls. */
static chainsi_target target_of(const chainsi_names *names)
{
    return (chainsi_target){
        .chain = names->chain,
        .environment = names->environment,
        .version = names->version,
        .chainlet = names->chainlet,
        .path = "/run_remote",
    };
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

void chainsi_route_run(chainsi_routes *routes, chainsi_exchange *exchange,
                       const chainsi_names *names)
{
    chainsi_target target = target_of(names);
    if (chainsi_route_find_chain(routes, exchange, names->chain))
        chainsi_proxy(routes->registry, exchange, &target);
}

void chainsi_route_describe(chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_names *names)
{
    chainsi_target target = target_of(names);
    target.path = "/openapi.json";
    target.probes = true;
    if (chainsi_route_find_chain(routes, exchange, names->chain) &&
        !answer_document(routes, exchange, &target))
        chainsi_proxy(routes->registry, exchange, &target);
}

void chainsi_route_async(chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_names *names)
{
    const chainsi_target target = target_of(names);
    if (chainsi_route_find_chain(routes, exchange, names->chain))
        chainsi_answer_async(routes, exchange, &target);
}

/* Whether whoever asks may do that; else it has been answered. */
static bool permits(const chainsi_routes *routes, chainsi_exchange *exchange,
                    const chainsi_route_row *row, const chainsi_names *names)
{
    if (row->access == CHAINSI_ACCESS_OPEN || row->access == CHAINSI_ACCESS_LATER)
        return true;
    const char *chain =
        names->chain || row->access == CHAINSI_ACCESS_CHAIN ? names->chain : CHAINSI_EVERY_CHAIN;
    return chainsi_route_permits(routes, exchange, row->scope, row->guarded, chain);
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
    if (count && chainsi_page_has(segments, count)) {
        chainsi_page_answer(exchange, segments, count);
        return;
    }
    if (!chainsi_gate_enter(&routes->gate, exchange))
        return;
    chainsi_names names;
    char allowed[CHAINSI_ROUTE_METHODS];
    const chainsi_route_row *row =
        chainsi_route_find(exchange->request.method, segments, count, &names, allowed);
    if (row && permits(routes, exchange, row, &names))
        row->answer(routes, exchange, &names);
    else if (!row && *allowed)
        chainsi_answer_other_method(exchange, allowed);
    else if (!row && chainsi_route_permits(routes, exchange, CHAINSI_SCOPE_CALL, false, NULL))
        chainsi_answer_no_path(exchange);
}

size_t chainsi_route_max_body(chainsi_routes *routes, const chainsi_http_request *request)
{
    _Alignas(16) char space[512]; /* enough for all but odd paths */
    chainsi_arena arena = { 0 };
    chainsi_arena_lend(&arena, space, sizeof space);
    const char *segments[MAX_SEGMENTS];
    char allowed[CHAINSI_ROUTE_METHODS];
    chainsi_names names;
    size_t count = split_path(request->path, &arena, segments);
    size_t limit = MAX_API_BODY;
    if (count && !strcmp(segments[0], "chains")) {
        const chainsi_route_row *row =
            chainsi_route_find(request->method, segments, count, &names, allowed);
        chainsi_target target = target_of(&names);
        limit = row ? chainsi_proxy_max_body(routes->registry, &target) : CHAINSI_MAX_BODY;
    }
    chainsi_arena_done(&arena);
    return limit;
}
