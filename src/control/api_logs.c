/* What the Chainlets of a chain say, as the API gives it: the last lines, and what comes.
 *
 * A long search is done in steps, between which the loop does its other work. Who follows is told of what comes from the
 * moment at which the search began; until it has ended that waits in the reader. */
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/log_search.h"
#include "control/query.h"
#include "control/route.h"

enum {
    STEP = 1024 * 1024,             /* bytes of files that are read at once, or of an answer made */
    MOST_PENDING = 4 * 1024 * 1024, /* bytes that may come during a search */
};

static const char lines_type[] = "application/x-ndjson", text_type[] = "text/plain; charset=utf-8";

/* A client that reads logs; in its exchange's arena, with what its filter says. */
typedef struct log_reader {
    chainsi_log_follower follower; /* first: on_line is handed a pointer to it */
    chainsi_exchange *exchange;
    chainsi_log_filter filter;
    bool json, follows;
    bool ended;                 /* there are no more logs */
    chainsi_log_search *search; /* owned; NULL: it has ended */
    uv_timer_t *timer;          /* owned; while it is searched in steps */
    bool found;                 /* all that is to be */
    chainsi_buffer answer;      /* owned; as far as it is made */
    chainsi_buffer pending;     /* owned; what came meanwhile */
} log_reader;

static void end_search(log_reader *reader)
{
    chainsi_log_search_free(reader->search);
    reader->search = NULL;
    chainsi_handle_close(reader->timer);
    reader->timer = NULL;
}

static void leave(log_reader *reader)
{
    chainsi_log_unfollow(&reader->follower);
    end_search(reader);
    chainsi_buffer_done(&reader->pending);
    chainsi_buffer_done(&reader->answer);
    reader->exchange->on_gone = NULL;
}

static void on_reader_gone(chainsi_exchange *exchange)
{
    leave(exchange->user);
}

/* Nobody waits for a reader that is too slow: it is cut off, which it sees. */
static void cut_off(log_reader *reader)
{
    leave(reader);
    chainsi_exchange_abort(reader->exchange);
}

/* Following. */

static void add_line(const log_reader *reader, const chainsi_log_line *line, chainsi_buffer *out)
{
    if (reader->json) {
        chainsi_log_line_add_json(out, line, NULL);
        return;
    }
    chainsi_buffer_add(out, line->text.data, line->text.size);
    chainsi_buffer_add_byte(out, '\n');
}

static void on_line(chainsi_log_follower *follower, const chainsi_log_line *line)
{
    log_reader *reader = (log_reader *)follower;
    if (!chainsi_log_filter_takes(&reader->filter, line, NULL))
        return;
    if (reader->search) {
        add_line(reader, line, &reader->pending);
        if (reader->pending.size > MOST_PENDING)
            cut_off(reader);
        return;
    }
    chainsi_buffer out = { 0 };
    add_line(reader, line, &out);
    bool keeps_up = chainsi_exchange_write(reader->exchange, out.data, out.size);
    chainsi_buffer_done(&out);
    if (!keeps_up)
        cut_off(reader);
}

static void on_log_end(chainsi_log_follower *follower)
{
    log_reader *reader = (log_reader *)follower;
    reader->ended = true;
    if (reader->search)
        return;
    leave(reader);
    chainsi_exchange_end(reader->exchange);
}

/* Answering. */

/* All that was to be found has been found, and made an answer. */
static void answer(log_reader *reader)
{
    chainsi_exchange *exchange = reader->exchange;
    const char *type = reader->json ? lines_type : text_type;
    chainsi_buffer out = reader->answer;
    reader->answer = (chainsi_buffer){ 0 };
    end_search(reader);
    if (!reader->follows) {
        leave(reader);
        chainsi_exchange_answer(exchange, 200, type, NULL, out.data, out.size);
        chainsi_buffer_done(&out);
        return;
    }
    chainsi_buffer headers = { 0 };
    chainsi_buffer_printf(&headers, "Content-Type: %s\r\n", type);
    chainsi_exchange_begin(exchange, 200, &headers, -1);
    chainsi_buffer_done(&headers);
    chainsi_buffer_add(&out, reader->pending.data, reader->pending.size);
    chainsi_buffer_done(&reader->pending);
    reader->pending = (chainsi_buffer){ 0 };
    if (out.size)
        chainsi_exchange_write(exchange, out.data, out.size);
    chainsi_buffer_done(&out);
    if (reader->ended) {
        leave(reader);
        chainsi_exchange_end(exchange);
    }
}

/* Goes on with it for a while. True: it isn't done. */
static bool step(log_reader *reader)
{
    if (!reader->found) {
        reader->found = !chainsi_log_search_step(reader->search, STEP);
        return true;
    }
    return chainsi_log_search_give_some(reader->search, reader->json, STEP, &reader->answer);
}

static void on_step(uv_timer_t *timer)
{
    log_reader *reader = timer->data;
    if (reader && !step(reader))
        answer(reader);
}

/* A text in the query; NULL: it isn't there, or empty. */
static const char *find_text(chainsi_exchange *exchange, const char *name)
{
    const char *text = chainsi_query_text(exchange->request.query, name, &exchange->arena);
    return text && *text ? text : NULL;
}

/* False: it has been answered. */
static bool read_filter(chainsi_exchange *exchange, chainsi_log_filter *filter)
{
    enum { MOST_REPLICA = 999999999 };
    double replica = -1;
    const char *level = find_text(exchange, "level"), *since = find_text(exchange, "since");
    *filter = (chainsi_log_filter){
        .environment = find_text(exchange, "environment"),
        .version = find_text(exchange, "version"),
        .contains = find_text(exchange, "contains"),
        .request_id = find_text(exchange, "request_id"),
    };
    const char *mistake = NULL;
    if (level && !chainsi_log_level_read(level, &filter->level))
        mistake = "level is debug, info, warning or error";
    if (since && !chainsi_log_filter_since(filter, since, chainsi_unix_ms()))
        mistake = "since is a duration, as 90s or 1h30m, or a time, as 2026-01-31T12:00:00.000Z";
    if (!chainsi_query_double(exchange->request.query, "replica", MOST_REPLICA, &replica) ||
        (double)(int64_t)replica != replica)
        mistake = "replica is a number";
    filter->replica = (int64_t)replica;
    if (mistake)
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s", mistake);
    return !mistake;
}

/* False: it has been answered. */
static bool read_format(chainsi_exchange *exchange, bool *json)
{
    const chainsi_slice *accept = chainsi_http_find(&exchange->request.head, "Accept");
    const char *format = find_text(exchange, "format");
    *json = format
                ? !strcmp(format, "json")
                : accept && memmem(accept->data, accept->size, lines_type, sizeof lines_type - 1);
    bool good = !format || *json || !strcmp(format, "text");
    if (!good)
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "format is text or json");
    return good;
}

void chainsi_answer_logs(chainsi_exchange *exchange, chainsi_chain *chain, const char *chainlet)
{
    chainsi_slice query = exchange->request.query;
    log_reader *reader = chainsi_arena_alloc(&exchange->arena, sizeof *reader);
    *reader = (log_reader){
        .follower = { .on_line = on_line, .on_end = on_log_end },
        .exchange = exchange,
        .follows = chainsi_query_number(query, "follow", 0) != 0,
    };
    if (!read_filter(exchange, &reader->filter) || !read_format(exchange, &reader->json))
        return;
    reader->filter.chainlet = chainlet;
    reader->search = chainsi_log_search_new(&reader->filter,
                                            chainsi_query_number(query, "tail", CHAINSI_LOG_TAIL));
    char *folder = chainsi_path("%s/logs/%s", chain->registry->home, chain->name);
    int found = chainsi_log_search_add_folder(reader->search, folder);
    free(folder);
    /* One that has said nothing yet has no file. */
    bool known = found > 0 || (!chainlet && chain->logs);
    for (const chainsi_chain_log *log = chain->logs; log && !known; log = log->next)
        known = !strcmp(log->name, chainlet);
    if (!known) {
        end_search(reader);
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'",
                              chainlet ? chainlet : "", chain->name);
        return;
    }
    exchange->user = reader;
    exchange->on_gone = on_reader_gone;
    if (reader->follows)
        chainsi_log_follow(&chain->followers, &reader->follower);
    step(reader);
    if (reader->found && !step(reader)) {
        answer(reader);
        return;
    }
    reader->timer = chainsi_timer_new(chain->registry->supervisor->loop, reader);
    uv_timer_start(reader->timer, on_step, 0, 1);
}
