/* What the Chainlets of a chain say, as the API gives it: the last lines, and what comes. */
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/route.h"

enum { DEFAULT_TAIL = 100 };

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

/* Of the version that is about to answer, or failed to, else of the one that answers; NULL: none. */
static const chainsi_deployment *latest_of(const chainsi_environment *environment)
{
    return environment->candidate ? environment->candidate
           : environment->failed  ? environment->failed
                                  : environment->current;
}

/* The logs of the Chainlets of those versions, each once. Returns how many. */
static size_t list_logs(const chainsi_chain *chain, chainsi_log **sources, followed_log *logs,
                        chainsi_arena *arena)
{
    size_t count = 0;
    for (const chainsi_environment *each = chain->environments; each; each = each->next) {
        const chainsi_deployment *shown = latest_of(each);
        for (size_t i = 0; shown && i < shown->options.deploy->services.count; i++) {
            const char *name = shown->options.deploy->services.items[i].name;
            chainsi_log *log = chainsi_chain_find_log(chain, name);
            bool listed = false;
            for (size_t k = 0; k < count; k++)
                listed = listed || sources[k] == log;
            if (listed)
                continue;
            sources[count] = log;
            logs[count++].prefix = chainsi_arena_printf(arena, "%s | ", name);
        }
    }
    return count;
}

void chainsi_answer_logs(chainsi_exchange *exchange, const chainsi_chain *chain,
                         const char *chainlet)
{
    size_t most = 0, count = 0;
    for (const chainsi_chain_log *log = chain->logs; log; log = log->next)
        most++;
    chainsi_arena *arena = &exchange->arena;
    chainsi_log **sources = chainsi_arena_array(arena, most + 1, sizeof *sources);
    log_reader *reader = chainsi_arena_alloc(arena, sizeof *reader);
    reader->exchange = exchange;
    reader->logs = chainsi_arena_array(arena, most + 1, sizeof *reader->logs);
    if (chainlet) {
        /* What is left of earlier versions as well, if it is asked for by name. */
        sources[0] = chainsi_chain_find_log(chain, chainlet);
        reader->logs[0].prefix = "";
        count = sources[0] != NULL;
    } else {
        count = list_logs(chain, sources, reader->logs, arena);
    }
    if (!count) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'",
                              chainlet ? chainlet : "", chain->name);
        return;
    }
    size_t tail = chainsi_query_number(exchange->request.query, "tail", DEFAULT_TAIL);
    chainsi_buffer out = { 0 };
    merge_tails(reader->logs, sources, count, tail, arena, &out);
    if (!chainsi_query_number(exchange->request.query, "follow", 0)) {
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
