/* What the Chainlets of a chain say, as the API gives it: the last lines, and what comes.
 *
 * A long search is done in steps, between which the loop does its other work. Who follows is told of what comes from the
 * moment at which the search began; until it has ended that waits in the reader.
 *
 * Where replicas are pods, what they write is with the cluster: it is asked for before the search begins, which then is for
 * that and for what the daemon itself says of them; and for who follows again and again. */
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/log_search.h"
#include "control/pod_logs.h"
#include "control/pods.h"
#include "control/query.h"
#include "control/route.h"

enum {
    STEP = 1024 * 1024,             /* bytes of files that are read at once, or of an answer made */
    MOST_PENDING = 4 * 1024 * 1024, /* bytes that may come during a search */
    PODS_MS = 1000,                 /* between asking pods what they have written since */
};

static const char lines_type[] = "application/x-ndjson", text_type[] = "text/plain; charset=utf-8";

/* A client that reads logs; in its exchange's arena, with what its filter says. */
typedef struct log_reader {
    chainsi_log_follower follower; /* first: on_line is handed a pointer to it */
    chainsi_exchange *exchange;
    chainsi_log_filter filter;
    bool json, follows;
    size_t tail;                /* lines at most */
    bool ended;                 /* there are no more logs */
    chainsi_log_search *search; /* owned; NULL: it has ended */
    uv_timer_t *timer;          /* owned; while it is searched in steps */
    bool found;                 /* all that is to be */
    chainsi_buffer answer;      /* owned; as far as it is made */
    chainsi_buffer pending;     /* owned; what came meanwhile */
    /* Of pods. */
    chainsi_chain *chain;   /* until `ended` */
    chainsi_pod_logs *pods; /* owned; NULL: replicas are processes, or all has been told */
    uv_timer_t *again;      /* owned; to ask them again; NULL */
    bool has_asked;         /* once */
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
    chainsi_pod_logs_free(reader->pods);
    reader->pods = NULL;
    chainsi_handle_close(reader->again);
    reader->again = NULL;
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

/* False: the reader was cut off, and is gone. */
static bool give_line(log_reader *reader, const chainsi_log_line *line)
{
    bool keeps_up;
    if (!chainsi_log_filter_takes(&reader->filter, line, NULL))
        return true;
    if (reader->search) {
        add_line(reader, line, &reader->pending);
        keeps_up = reader->pending.size <= MOST_PENDING;
    } else {
        chainsi_buffer out = { 0 };
        add_line(reader, line, &out);
        keeps_up = chainsi_exchange_write(reader->exchange, out.data, out.size);
        chainsi_buffer_done(&out);
    }
    if (!keeps_up)
        cut_off(reader);
    return keeps_up;
}

static void on_line(chainsi_log_follower *follower, const chainsi_log_line *line)
{
    give_line((log_reader *)follower, line);
}

static void on_log_end(chainsi_log_follower *follower)
{
    log_reader *reader = (log_reader *)follower;
    reader->ended = true;
    if (reader->again)
        uv_timer_stop(reader->again);
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

/* Goes on with it from the loop. */
static void search_in_steps(log_reader *reader, uv_loop_t *loop)
{
    reader->timer = chainsi_timer_new(loop, reader);
    uv_timer_start(reader->timer, on_step, 0, 1);
}

/* Pods. */

static void add_pods(log_reader *reader, const chainsi_fleet *fleet)
{
    for (size_t i = 0; fleet && i < fleet->place_count; i++) {
        const chainsi_replica *replica = fleet->places[i].replica;
        if (!replica || !replica->pod || !*replica->pod)
            continue;
        const chainsi_history_place *place = &replica->options.place;
        const chainsi_log_tag tag = {
            .chain = place->chain,
            .environment = place->environment,
            .version = place->version,
            .chainlet = place->chainlet,
            .replica = replica->options.number,
        };
        chainsi_pod_logs_add(reader->pods, replica->pod, &tag,
                             replica->starts ? (int64_t)replica->starts - 1 : 0);
    }
}

static void add_deployment(log_reader *reader, const chainsi_deployment *deployment)
{
    const char *wanted = reader->filter.chainlet;
    for (size_t i = 0; deployment && i < deployment->options.deploy->services.count; i++) {
        const chainsi_chainlet *chainlet = &deployment->chainlets[i];
        if (!wanted || !strcmp(wanted, chainlet->service->name))
            add_pods(reader, chainlet->fleet);
    }
}

/* Asks all pods that there are. */
static void ask_pods(log_reader *reader)
{
    const char *wanted = reader->filter.environment;
    for (const chainsi_environment *each = reader->chain->environments; each; each = each->next) {
        if (wanted && strcmp(wanted, each->name) != 0)
            continue;
        add_deployment(reader, each->current);
        add_deployment(reader, each->candidate);
        add_deployment(reader, each->failed);
        for (size_t i = 0; i < each->retiring_count; i++)
            add_deployment(reader, each->retiring[i]);
    }
    chainsi_pod_logs_ask(reader->pods);
}

static void on_again(uv_timer_t *timer)
{
    log_reader *reader = timer->data;
    if (reader)
        ask_pods(reader);
}

static void on_pod_lines(void *user, const char *chainlet, const char *lines, size_t size)
{
    log_reader *reader = user;
    if (!reader->has_asked) {
        chainsi_log_search_add_lines(reader->search, lines, size, chainlet);
        return;
    }
    for (const char *end = lines + size; lines < end;) {
        const char *stop = memchr(lines, '\n', (size_t)(end - lines));
        const size_t line_size = (size_t)((stop ? stop : end) - lines);
        const chainsi_log_line line = chainsi_log_line_read(lines, line_size);
        if (!give_line(reader, &line))
            return;
        lines += line_size + 1;
    }
}

static void on_pods_asked(void *user, const char *why)
{
    log_reader *reader = user;
    const bool first = !reader->has_asked;
    chainsi_exchange *exchange = reader->exchange;
    reader->has_asked = true;
    if (first && *why) {
        leave(reader);
        chainsi_exchange_fail(exchange, CHAINS_UNAVAILABLE,
                              "what pods have written cannot be had: %s", why);
        return;
    }
    if (reader->follows && !reader->ended)
        uv_timer_start(reader->again, on_again, PODS_MS, 0);
    if (first)
        search_in_steps(reader, reader->again->loop);
}

/* Begins with them; the search follows. */
static void begin_with_pods(log_reader *reader, const chainsi_chain *chain)
{
    chainsi_supervisor *supervisor = chain->registry->supervisor;
    reader->again = chainsi_timer_new(supervisor->loop, reader);
    reader->pods = chainsi_pod_logs_new(&(chainsi_pod_logs_options){
        .loop = supervisor->loop,
        .cluster = chainsi_pods_cluster(supervisor->pods),
        .filter = &reader->filter,
        .tail = reader->tail,
        .on_lines = on_pod_lines,
        .on_asked = on_pods_asked,
        .user = reader,
    });
    ask_pods(reader);
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
    reader->chain = chain;
    reader->tail = chainsi_query_number(query, "tail", CHAINSI_LOG_TAIL);
    reader->search = chainsi_log_search_new(&reader->filter, reader->tail);
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
    if (chain->registry->supervisor->pods) {
        begin_with_pods(reader, chain);
        return;
    }
    step(reader);
    if (reader->found && !step(reader))
        answer(reader);
    else
        search_in_steps(reader, chain->registry->supervisor->loop);
}
