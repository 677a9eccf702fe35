/* Each lane asks for one pod at a time, with a connection of its own; what it works on is its own until it is back in the
 * loop. Lines are told apart by their times, which the API server gives in nanoseconds, and takes in seconds: so some
 * come again, and are passed over. */
#include "control/pod_logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/log.h"
#include "control/log_search.h"

enum {
    LANES = 2, /* the pool is others', too */
    ASK_MS = 10 * 1000,
};

/* How far a pod's lines have been seen. */
typedef struct mark {
    int64_t at_ns; /* of the last one; 0: none */
    size_t lines;  /* that have that very time */
} mark;

typedef struct source {
    char *pod, *chain, *environment, *version, *chainlet; /* owned */
    int64_t replica, restarts;
    bool named;     /* since it was asked last */
    bool restarted; /* it has written before its container was started again, which is asked for */
    mark seen;
    struct source *next;
} source;

/* What a thread of the pool works with. */
typedef struct lane {
    struct chainsi_pod_logs *logs;
    chainsi_cluster *cluster; /* owned */
    uv_work_t work;           /* its data: this */
    source *source;           /* that it asks for; NULL: there is none to ask */
    mark seen;
    bool before;    /* of the container before this one */
    size_t tail;    /* lines at most, from the end; 0: all */
    char since[64]; /* or from this time on; "" */
    chainsi_log_tag tag;
    chainsi_buffer lines; /* that were found */
    chains_status status;
    bool in_vain; /* others would be asked in vain, too */
    char why[1024];
} lane;

struct chainsi_pod_logs {
    chainsi_pod_logs_options options;
    chainsi_log_filter filter; /* its texts are owned */
    atomic_bool stop;          /* nobody wants to know any more */
    source *sources;           /* owned */
    source *next;              /* to be asked; NULL: all were */
    lane lanes[LANES];
    size_t working;  /* lanes that do, or tell of it */
    unsigned rounds; /* that have ended */
    bool freed;
    char why[1024]; /* of the first that couldn't be asked */
};

/* Lines. */

/* A number of so many digits. */
static bool read_digits(const char **at, const char *end, int digits, int *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (*at == end || **at < '0' || **at > '9')
            return false;
        *number = *number * 10 + (**at - '0');
    }
    return true;
}

static bool skip(const char **at, const char *end, char what)
{
    if (*at == end || **at != what)
        return false;
    (*at)++;
    return true;
}

/* What stands behind the seconds: ".123456789". */
static int64_t read_fraction(const char **at, const char *end)
{
    int64_t ns = 0, unit = CHAINSI_NS_PER_MS * 100;
    if (!skip(at, end, '.'))
        return 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        ns += (**at - '0') * unit;
    return ns;
}

/* "Z" or "+01:00". */
static bool read_zone(const char **at, const char *end, int64_t *seconds)
{
    int hours, minutes;
    *seconds = 0;
    if (skip(at, end, 'Z'))
        return true;
    const bool ahead = skip(at, end, '+');
    if (!ahead && !skip(at, end, '-'))
        return false;
    if (!read_digits(at, end, 2, &hours) || !skip(at, end, ':') ||
        !read_digits(at, end, 2, &minutes))
        return false;
    *seconds = (hours * 60 + minutes) * (ahead ? 60 : -60);
    return true;
}

bool chainsi_pod_logs_read_line(const char *line, size_t size, int64_t *at_ns, chainsi_slice *text)
{
    const char *at = line, *end = line + size;
    struct tm day = { 0 };
    int64_t ahead_s;
    if (!read_digits(&at, end, 4, &day.tm_year) || !skip(&at, end, '-') ||
        !read_digits(&at, end, 2, &day.tm_mon) || !skip(&at, end, '-') ||
        !read_digits(&at, end, 2, &day.tm_mday) || !skip(&at, end, 'T') ||
        !read_digits(&at, end, 2, &day.tm_hour) || !skip(&at, end, ':') ||
        !read_digits(&at, end, 2, &day.tm_min) || !skip(&at, end, ':') ||
        !read_digits(&at, end, 2, &day.tm_sec))
        return false;
    const int64_t fraction_ns = read_fraction(&at, end);
    if (!read_zone(&at, end, &ahead_s) || (at < end && !skip(&at, end, ' ')))
        return false;
    if (day.tm_year < 1970 || day.tm_year > 2200)
        return false;
    day.tm_year -= 1900;
    day.tm_mon--;
    *at_ns = (timegm(&day) - ahead_s) * CHAINSI_NS_PER_MS * 1000 + fraction_ns;
    *text = (chainsi_slice){ at, (size_t)(end - at) };
    return true;
}

/* Whether a line of that time hasn't been seen; notes that it was. left: how many that have the last time are passed
 * over. */
static bool is_new(mark *seen, int64_t at_ns, size_t *left)
{
    if (at_ns < seen->at_ns)
        return false;
    if (at_ns == seen->at_ns && *left) {
        --*left;
        return false;
    }
    seen->lines = at_ns == seen->at_ns ? seen->lines + 1 : 1;
    seen->at_ns = at_ns;
    return true;
}

/* Adds a line where it is wanted, as this daemon would have written it. */
static void add_line(lane *it, int64_t at_ns, chainsi_slice text)
{
    char at[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(at, at_ns / CHAINSI_NS_PER_MS);
    do {
        const size_t size = text.size < CHAINSI_LOG_MAX_LINE ? text.size : CHAINSI_LOG_MAX_LINE;
        const size_t from = it->lines.size;
        chainsi_log_line_add(&it->lines, &it->tag, at, text.data, size);
        const chainsi_log_line line =
            chainsi_log_line_read((const char *)it->lines.data + from, it->lines.size - from);
        if (!chainsi_log_filter_takes(&it->logs->filter, &line, it->tag.chainlet))
            it->lines.size = from;
        text.data += size;
        text.size -= size;
    } while (text.size);
}

static void read_lines(lane *it, const char *data, size_t size)
{
    const char *end = data + size;
    size_t left = it->seen.lines;
    while (data < end) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        const size_t line = (size_t)((stop ? stop : end) - data);
        int64_t at_ns;
        chainsi_slice text;
        if (chainsi_pod_logs_read_line(data, line, &at_ns, &text) &&
            is_new(&it->seen, at_ns, &left))
            add_line(it, at_ns, text);
        data += line + 1;
    }
}

/* Asking, on a thread of the pool. */

static void ask_once(lane *it, bool before)
{
    char tail[48] = "", since[96] = "", path[512];
    chainsi_cluster_answer answer = { 0 };
    if (it->tail)
        snprintf(tail, sizeof tail, "&tailLines=%zu", it->tail);
    if (*it->since)
        snprintf(since, sizeof since, "&sinceTime=%s", it->since);
    snprintf(path, sizeof path, "/api/v1/namespaces/%s/pods/%s/log?timestamps=true%s%s%s",
             chainsi_cluster_name_space(it->cluster), it->source->pod,
             before ? "&previous=true" : "", tail, since);
    it->status = chainsi_cluster_ask(it->cluster, "GET", path, NULL, NULL, 0, 0, &answer);
    it->in_vain = !answer.status || answer.status == 401 || answer.status == 403;
    if (it->status == CHAINS_OK)
        read_lines(it, (const char *)answer.body.data, answer.body.size);
    else
        snprintf(it->why, sizeof it->why, "%s", answer.why);
    chainsi_cluster_answer_done(&answer);
}

static void ask(uv_work_t *work)
{
    lane *it = work->data;
    if (it->source && it->before)
        ask_once(it, true);
    if (it->source)
        ask_once(it, false);
}

/* Pods. */

static void free_source(source *it)
{
    free(it->pod);
    free(it->chain);
    free(it->environment);
    free(it->version);
    free(it->chainlet);
    free(it);
}

void chainsi_pod_logs_add(chainsi_pod_logs *logs, const char *pod, const chainsi_log_tag *tag,
                          int64_t restarts)
{
    source **at = &logs->sources;
    while (*at && strcmp((*at)->pod, pod) != 0)
        at = &(*at)->next;
    source *it = *at;
    if (!it) {
        it = *at = chainsi_make(sizeof *it);
        it->pod = chainsi_copy_text(pod);
        it->chain = chainsi_copy_text(tag->chain);
        it->environment = chainsi_copy_text(tag->environment);
        it->version = chainsi_copy_text(tag->version);
        it->chainlet = chainsi_copy_text(tag->chainlet);
        it->replica = tag->replica;
        it->restarted = restarts > 0;
    } else if (it->restarts != restarts) {
        it->restarted = true;
    }
    it->restarts = restarts;
    it->named = true;
}

/* Those that weren't named since they were asked are gone. */
static void forget_unnamed(chainsi_pod_logs *logs)
{
    for (source **at = &logs->sources; *at;) {
        source *it = *at;
        if (it->named) {
            at = &it->next;
            continue;
        }
        *at = it->next;
        free_source(it);
    }
}

/* Whether a filter looks at lines one by one, so that the last ones of a pod may be none that are meant. */
static bool picks_lines(const chainsi_log_filter *filter)
{
    return filter->contains || filter->request_id || filter->level != CHAINSI_LOG_NO_LEVEL;
}

/* The first time the last lines; then what came since, also of one that came since. */
static void describe(lane *it, source *asked)
{
    chainsi_pod_logs *logs = it->logs;
    it->source = asked;
    it->seen = asked->seen;
    it->before = asked->restarted;
    it->tail = logs->options.tail;
    if (it->tail > CHAINSI_LOG_MAX_TAIL || picks_lines(&logs->filter))
        it->tail = CHAINSI_LOG_MAX_TAIL;
    if (!it->tail)
        it->tail = 1; /* it is to be known how far its lines go */
    if (logs->rounds)
        it->tail = 0;
    snprintf(it->since, sizeof it->since, "%s", logs->filter.since);
    if (asked->seen.at_ns)
        chainsi_time_text_of(it->since, asked->seen.at_ns / CHAINSI_NS_PER_MS);
    it->tag = (chainsi_log_tag){
        .chain = asked->chain,
        .environment = asked->environment,
        .version = asked->version,
        .chainlet = asked->chainlet,
        .replica = asked->replica,
    };
    it->lines.size = 0;
    it->why[0] = 0;
}

static void free_logs(chainsi_pod_logs *logs)
{
    for (source *it; (it = logs->sources);) {
        logs->sources = it->next;
        free_source(it);
    }
    for (size_t i = 0; i < LANES; i++) {
        chainsi_cluster_close(logs->lanes[i].cluster);
        chainsi_buffer_done(&logs->lanes[i].lines);
    }
    free((char *)logs->filter.chainlet);
    free((char *)logs->filter.environment);
    free((char *)logs->filter.version);
    free((char *)logs->filter.contains);
    free((char *)logs->filter.request_id);
    free(logs);
}

/* A pod whose container isn't started yet has no log, and one may have gone meanwhile. */
static bool is_trouble(chains_status status)
{
    return status != CHAINS_OK && status != CHAINS_INVALID_ARGUMENT && status != CHAINS_NOT_FOUND;
}

static void note_answer(lane *it)
{
    chainsi_pod_logs *logs = it->logs;
    if (it->status == CHAINS_OK) {
        it->source->seen = it->seen;
        it->source->restarted = false;
    } else if (is_trouble(it->status)) {
        if (!logs->why[0])
            snprintf(logs->why, sizeof logs->why, "%s", it->why);
        if (it->in_vain)
            logs->next = NULL;
    }
    if (it->lines.size)
        logs->options.on_lines(logs->options.user, it->source->chainlet,
                               (const char *)it->lines.data, it->lines.size);
}

static void on_asked(uv_work_t *work, int status);

static void begin(lane *it)
{
    it->logs->working++;
    uv_queue_work(it->logs->options.loop, &it->work, ask, on_asked);
}

/* Gives a lane the next pod. */
static void go_on(lane *it)
{
    chainsi_pod_logs *logs = it->logs;
    if (!logs->next)
        return;
    describe(it, logs->next);
    logs->next = logs->next->next;
    begin(it);
}

static void on_asked(uv_work_t *work, int status)
{
    lane *it = work->data;
    chainsi_pod_logs *logs = it->logs;
    if (!logs->freed && status == 0 && it->source)
        note_answer(it);
    it->source = NULL;
    if (!logs->freed)
        go_on(it);
    if (!logs->freed && logs->working == 1) { /* this one */
        logs->rounds++;
        logs->options.on_asked(logs->options.user, logs->why);
    }
    logs->working--;
    if (logs->freed && !logs->working)
        free_logs(logs);
}

void chainsi_pod_logs_ask(chainsi_pod_logs *logs)
{
    logs->why[0] = 0;
    forget_unnamed(logs);
    for (source *it = logs->sources; it; it = it->next)
        it->named = false;
    logs->next = logs->sources;
    for (size_t i = 0; i < LANES; i++)
        go_on(&logs->lanes[i]);
    if (!logs->working)
        begin(&logs->lanes[0]); /* to tell that there is none */
}

chainsi_pod_logs *chainsi_pod_logs_new(const chainsi_pod_logs_options *options)
{
    chainsi_pod_logs *logs = chainsi_make(sizeof *logs);
    const chainsi_log_filter *filter = options->filter;
    logs->options = *options;
    logs->filter = *filter;
    logs->filter.chainlet = chainsi_copy_text(filter->chainlet);
    logs->filter.environment = chainsi_copy_text(filter->environment);
    logs->filter.version = chainsi_copy_text(filter->version);
    logs->filter.contains = chainsi_copy_text(filter->contains);
    logs->filter.request_id = chainsi_copy_text(filter->request_id);
    for (size_t i = 0; i < LANES; i++) {
        lane *it = &logs->lanes[i];
        it->logs = logs;
        it->work.data = it;
        it->cluster = chainsi_cluster_copy(options->cluster);
        chainsi_cluster_limit(it->cluster, ASK_MS, &logs->stop);
    }
    return logs;
}

void chainsi_pod_logs_free(chainsi_pod_logs *logs)
{
    if (!logs)
        return;
    logs->freed = true;
    atomic_store(&logs->stop, true);
    if (!logs->working)
        free_logs(logs);
}
