/* What is below /api/v1: see api.h for the list. */
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/route.h"
#include "schema/json.h"

enum { DEFAULT_TAIL = 100 };

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

static void deploy(chainsi_routes *routes, chainsi_exchange *exchange)
{
    if (!chainsi_route_permits(routes, exchange, CHAINSI_RIGHT_DEPLOY, true, NULL))
        return;
    if (!is_json(exchange)) {
        chainsi_exchange_refuse(exchange, 415, NULL, CHAINS_INVALID_ARGUMENT,
                                "the body must be application/json");
        return;
    }
    chainsi_api_deploy asked;
    chainsi_codec_error error;
    if (chainsi_json_decode(&chainsi_api_deploy_type, exchange->body, exchange->body_size,
                            &exchange->arena, &asked, &error) != CHAINS_OK) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s%s%s", error.path,
                              error.path[0] ? ": " : "", error.message);
        return;
    }
    if (!chainsi_route_permits(routes, exchange, CHAINSI_RIGHT_DEPLOY, true, asked.chain))
        return;
    char why[512];
    chainsi_api_accepted accepted = { .chain = asked.chain };
    chains_status status =
        chainsi_registry_deploy(routes->registry, &asked, &accepted.version, why, sizeof why);
    if (status != CHAINS_OK)
        chainsi_exchange_fail(exchange, status, "%s", why);
    else
        chainsi_answer_value(exchange, 202, &chainsi_api_accepted_type, &accepted);
}

/* Whether there is something to describe; what only ends has no place in lists. */
static bool is_there(const chainsi_chain *chain)
{
    return !chain->deleting && (chain->active || chain->next_one || chain->failed);
}

static bool is_shown(const chainsi_routes *routes, const chainsi_exchange *exchange,
                     const chainsi_chain *chain)
{
    return is_there(chain) && chainsi_route_shows(routes, exchange, chain);
}

static void list_chains(chainsi_routes *routes, chainsi_exchange *exchange)
{
    if (!chainsi_route_permits(routes, exchange, CHAINSI_RIGHT_CALL, false, NULL))
        return;
    size_t count = 0;
    for (const chainsi_chain *chain = routes->registry->chains; chain; chain = chain->next)
        count += is_shown(routes, exchange, chain);
    chainsi_api_chains list = {
        .items = chainsi_arena_array(&exchange->arena, count, sizeof *list.items),
    };
    for (const chainsi_chain *chain = routes->registry->chains; chain; chain = chain->next)
        if (is_shown(routes, exchange, chain))
            chainsi_chain_describe(chain, routes->base_url, &exchange->arena,
                                   &list.items[list.count++]);
    chainsi_answer_value(exchange, 200, &chainsi_api_chains_type, &list);
}

static void on_deleter_gone(chainsi_exchange *exchange)
{
    chainsi_chain *chain = exchange->user;
    chain->on_deleted = NULL;
}

static void on_deleted(void *user)
{
    chainsi_exchange *exchange = user;
    const chainsi_chain *chain = exchange->user;
    chainsi_api_deleted deleted = { .chain = chain->name };
    exchange->on_gone = NULL;
    chainsi_answer_value(exchange, 200, &chainsi_api_deleted_type, &deleted);
}

/* Logs. */

/* A number in the query, such as tail in "tail=10&follow=1"; missing if it isn't there or no number. */
static size_t query_number(chainsi_slice query, const char *name, size_t missing)
{
    size_t name_size = strlen(name);
    const char *at = query.data, *end = query.data + query.size;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) > name_size + 1 && !memcmp(at, name, name_size) &&
            at[name_size] == '=') {
            size_t number = 0;
            const char *digit = at + name_size + 1;
            while (digit < stop && *digit >= '0' && *digit <= '9' && number < 100000000)
                number = number * 10 + (size_t)(*digit++ - '0');
            return digit == stop ? number : missing;
        }
        at = stop + 1;
    }
    return missing;
}

typedef struct log_reader log_reader;

/* One log that a reader follows. */
typedef struct followed_log {
    chainsi_log_follower follower; /* first: on_line is handed a pointer to it */
    log_reader *reader;
    const char *prefix; /* before each line; "" */
} followed_log;

/* A client that follows logs; in its exchange's arena. */
struct log_reader {
    chainsi_exchange *exchange;
    followed_log *logs;
    size_t count, open; /* all, and those that have not ended */
};

static void leave(log_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++)
        chainsi_log_unfollow(&reader->logs[i].follower);
}

static void on_reader_gone(chainsi_exchange *exchange)
{
    leave(exchange->user);
}

static void on_line(chainsi_log_follower *follower, const char *line, size_t size)
{
    followed_log *followed = (followed_log *)follower;
    chainsi_exchange *exchange = followed->reader->exchange;
    chainsi_buffer out = { 0 };
    chainsi_buffer_add_text(&out, followed->prefix);
    chainsi_buffer_add(&out, line, size);
    bool keeps_up = chainsi_exchange_write(exchange, out.data, out.size);
    chainsi_buffer_done(&out);
    if (keeps_up)
        return;
    /* Nobody waits for a reader that is too slow: it is cut off, which it sees. */
    leave(followed->reader);
    chainsi_exchange_abort(exchange);
}

static void on_log_end(chainsi_log_follower *follower)
{
    log_reader *reader = ((followed_log *)follower)->reader;
    if (--reader->open)
        return;
    reader->exchange->on_gone = NULL;
    chainsi_exchange_end(reader->exchange);
}

typedef struct tail_line {
    const char *text, *prefix;
    size_t size, order;
} tail_line;

/* By time, which every line begins with; those of one time stay as they are. */
static int compare_lines(const void *left, const void *right)
{
    const tail_line *a = left, *b = right;
    int order = 0;
    if (a->size >= CHAINSI_TIME_TEXT && b->size >= CHAINSI_TIME_TEXT)
        order = memcmp(a->text, b->text, CHAINSI_TIME_TEXT - 1);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* The last lines of all logs together. */
static void merge_tails(const followed_log *logs, chainsi_log *const *sources, size_t count,
                        size_t tail, chainsi_arena *arena, chainsi_buffer *out)
{
    chainsi_buffer texts = { 0 };
    size_t *ends = chainsi_arena_array(arena, count, sizeof *ends);
    for (size_t i = 0; i < count; i++) {
        chainsi_log_tail(sources[i], tail, &texts);
        ends[i] = texts.size;
    }
    size_t line_count = 0;
    for (size_t at = 0; at < texts.size; at++)
        line_count += texts.data[at] == '\n';
    tail_line *lines = chainsi_make(line_count * sizeof *lines);
    size_t used = 0;
    for (size_t at = 0, source = 0; at < texts.size && used < line_count;) {
        while (at >= ends[source])
            source++;
        const uint8_t *end = memchr(texts.data + at, '\n', texts.size - at);
        size_t size = end ? (size_t)(end - texts.data) + 1 - at : texts.size - at;
        lines[used] = (tail_line){ (const char *)texts.data + at, logs[source].prefix, size, used };
        used++;
        at += size;
    }
    qsort(lines, used, sizeof *lines, compare_lines);
    for (size_t i = used > tail ? used - tail : 0; i < used; i++) {
        chainsi_buffer_add_text(out, lines[i].prefix);
        chainsi_buffer_add(out, lines[i].text, lines[i].size);
    }
    free(lines);
    chainsi_buffer_done(&texts);
}

static void answer_logs(chainsi_exchange *exchange, const chainsi_chain *chain,
                        const char *chainlet)
{
    /* Those of the version that is shown, and what is left of earlier ones if asked for by name. */
    const chainsi_deployment *shown = chain->next_one ? chain->next_one
                                      : chain->failed ? chain->failed
                                                      : chain->active;
    size_t service_count = shown->options.deploy->services.count, count = 0;
    chainsi_arena *arena = &exchange->arena;
    chainsi_log **sources = chainsi_arena_array(arena, service_count + 1, sizeof *sources);
    log_reader *reader = chainsi_arena_alloc(arena, sizeof *reader);
    reader->exchange = exchange;
    reader->logs = chainsi_arena_array(arena, service_count + 1, sizeof *reader->logs);
    if (chainlet) {
        sources[0] = chainsi_chain_find_log(chain, chainlet);
        reader->logs[0].prefix = "";
        count = sources[0] != NULL;
    } else {
        for (size_t i = 0; i < service_count; i++, count++) {
            const char *name = shown->options.deploy->services.items[i].name;
            sources[count] = chainsi_chain_find_log(chain, name);
            reader->logs[count].prefix = chainsi_arena_printf(arena, "%s | ", name);
        }
    }
    if (!count) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'",
                              chainlet, chain->name);
        return;
    }
    size_t tail = query_number(exchange->request.query, "tail", DEFAULT_TAIL);
    chainsi_buffer out = { 0 };
    merge_tails(reader->logs, sources, count, tail, arena, &out);
    if (!query_number(exchange->request.query, "follow", 0)) {
        chainsi_exchange_answer(exchange, 200, "text/plain; charset=utf-8", NULL, out.data,
                                out.size);
        chainsi_buffer_done(&out);
        return;
    }
    chainsi_buffer lines = { 0 };
    chainsi_buffer_add_text(&lines, "Content-Type: text/plain; charset=utf-8\r\n");
    chainsi_exchange_begin(exchange, 200, &lines, -1);
    chainsi_buffer_done(&lines);
    if (out.size)
        chainsi_exchange_write(exchange, out.data, out.size);
    chainsi_buffer_done(&out);
    exchange->user = reader;
    exchange->on_gone = on_reader_gone;
    reader->count = reader->open = count;
    for (size_t i = 0; i < count; i++) {
        reader->logs[i].reader = reader;
        reader->logs[i].follower.on_line = on_line;
        reader->logs[i].follower.on_end = on_log_end;
        chainsi_log_follow(sources[i], &reader->logs[i].follower);
    }
}

/* /api/v1/chains/CHAIN... */
static void route_chain(chainsi_routes *routes, chainsi_exchange *exchange,
                        const char *const *segments, size_t count)
{
    chainsi_slice name = { segments[1], strlen(segments[1]) };
    chainsi_chain *chain = chainsi_registry_find(routes->registry, name);
    bool get = exchange->request.method == CHAINSI_HTTP_GET ||
               exchange->request.method == CHAINSI_HTTP_HEAD;
    bool logs = count > 2 && !strcmp(segments[count - 1], "logs") &&
                (count == 3 || (count == 5 && !strcmp(segments[2], "chainlets")));
    chainsi_right right = get && !logs ? CHAINSI_RIGHT_CALL
                          : get        ? CHAINSI_RIGHT_DEPLOY
                                       : CHAINSI_RIGHT_ADMIN;
    if (count > 2 && !logs) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is nothing at %.*s",
                              (int)exchange->request.path.size, exchange->request.path.data);
    } else if (logs && exchange->request.method != CHAINSI_HTTP_GET) {
        chainsi_answer_other_method(exchange, "GET");
    } else if (!get && exchange->request.method != CHAINSI_HTTP_DELETE) {
        chainsi_answer_other_method(exchange, "GET, HEAD, DELETE");
    } else if (!chainsi_route_permits(routes, exchange, right, !get, segments[1])) {
        return;
    } else if (!chain || !is_there(chain)) {
        chainsi_route_answer_no_chain(routes, exchange, segments[1]);
    } else if (logs) {
        answer_logs(exchange, chain, count == 5 ? segments[3] : NULL);
    } else if (get) {
        chainsi_api_chain description;
        chainsi_chain_describe(chain, routes->base_url, &exchange->arena, &description);
        chainsi_answer_value(exchange, 200, &chainsi_api_chain_type, &description);
    } else {
        exchange->user = chain;
        exchange->on_gone = on_deleter_gone;
        chainsi_chain_delete(chain, on_deleted, exchange);
    }
}

void chainsi_route_api(chainsi_routes *routes, chainsi_exchange *exchange,
                       const char *const *segments, size_t count)
{
    if (!count || strcmp(segments[0], "chains") != 0) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND,
                              "there is nothing at %.*s; the API has /api/v1/chains",
                              (int)exchange->request.path.size, exchange->request.path.data);
    } else if (count > 1) {
        route_chain(routes, exchange, segments, count);
    } else if (exchange->request.method == CHAINSI_HTTP_POST) {
        deploy(routes, exchange);
    } else if (exchange->request.method == CHAINSI_HTTP_GET ||
               exchange->request.method == CHAINSI_HTTP_HEAD) {
        list_chains(routes, exchange);
    } else {
        chainsi_answer_other_method(exchange, "GET, HEAD, POST");
    }
}
