/* `chains logs`: what the Chainlets of a chain say, and what happened to them. A log is printed as it comes, since with -f it has no end; where no
 * daemon runs it is read from its files. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/environment.h"
#include "control/home.h"
#include "control/log_search.h"
#include "control/store_history.h"

extern const chainsi_verb chainsi_verb_logs;

typedef struct request {
    chainsi_words names; /* the chain, and perhaps a Chainlet */
    int64_t tail;
    bool follow, events, json;
    const char *level, *since;
    chainsi_log_filter filter;
} request;

enum {
    MOST_EVENTS = 1000, /* that the daemon gives at once */
    STEP = 1024 * 1024, /* bytes of files at once */
};

static const char *chainlet_of(const request *r)
{
    return r->names.count == 2 ? r->names.items[1] : NULL;
}

static chainsi_text_form form_of(const request *r)
{
    return r->json ? CHAINSI_TEXT_JSON : CHAINSI_TEXT_LINES;
}

static bool is_filtered(const request *r)
{
    return r->filter.environment || r->filter.version || r->filter.contains ||
           r->filter.request_id || r->filter.replica >= 0 || r->level || r->since;
}

static void say_nothing_matches(const request *r, size_t printed)
{
    if (!printed && r->tail && is_filtered(r))
        fprintf(stderr, "chains: no line of the log is like that\n");
}

static void add_path(const request *r, chainsi_buffer *path)
{
    const char *chainlet = chainlet_of(r);
    chainsi_buffer_printf(path, "/api/v1/chains/%s%s%s/logs?tail=%lld%s&format=%s",
                          r->names.items[0], chainlet ? "/chainlets/" : "",
                          chainlet ? chainlet : "", (long long)r->tail,
                          r->follow ? "&follow=1" : "", r->json ? "json" : "text");
    if (r->filter.replica >= 0)
        chainsi_buffer_printf(path, "&replica=%" PRId64, r->filter.replica);
    chainsi_daemon_add_query(path, "environment", r->filter.environment);
    chainsi_daemon_add_query(path, "version", r->filter.version);
    chainsi_daemon_add_query(path, "contains", r->filter.contains);
    chainsi_daemon_add_query(path, "request_id", r->filter.request_id);
    chainsi_daemon_add_query(path, "level", r->level);
    chainsi_daemon_add_query(path, "since", r->since);
    chainsi_buffer_add_byte(path, 0);
}

static int show_log(chainsi_daemon *daemon, const request *r)
{
    chainsi_buffer path = { 0 };
    chainsi_daemon_answer answer;
    size_t printed = 0;
    add_path(r, &path);
    bool answered =
        chainsi_daemon_copy(daemon, (const char *)path.data, form_of(r), &printed, &answer);
    chainsi_buffer_done(&path);
    if (!answered)
        return CHAINSI_EXIT_FAILED;
    if (answer.status != 200)
        return chainsi_daemon_fail(daemon, &answer, r->json);
    say_nothing_matches(r, printed);
    return CHAINSI_EXIT_OK;
}

/* Without a daemon. */
static int show_files(const char *home, const request *r)
{
    const char *chainlet = chainlet_of(r);
    chainsi_log_filter filter = r->filter;
    filter.chainlet = chainlet;
    chainsi_log_search *search = chainsi_log_search_new(&filter, (size_t)r->tail);
    char *folder = chainsi_path("%s/logs/%s", home, r->names.items[0]);
    int found = chainsi_log_search_add_folder(search, folder), status = CHAINSI_EXIT_FAILED;
    if (found < 0 && errno != ENOENT) {
        fprintf(stderr, "chains: %s: %s\n", folder, strerror(errno));
    } else if (found <= 0) {
        fprintf(stderr,
                "chains: no daemon runs for %s, and there is no log of '%s%s%s' in it\n"
                "  hint: `chains deploy` starts one; CHAINS_HOME says which folder is meant\n",
                home, r->names.items[0], chainlet ? "/" : "", chainlet ? chainlet : "");
    } else {
        chainsi_buffer out = { 0 };
        while (chainsi_log_search_step(search, STEP))
            ;
        say_nothing_matches(r, chainsi_log_search_give(search, r->json, &out));
        chainsi_text_write(stdout, (const char *)out.data, out.size, form_of(r));
        if (fflush(stdout) == 0 && !ferror(stdout))
            status = CHAINSI_EXIT_OK;
        else
            fprintf(stderr, "chains: stdout can't be written: %s\n", strerror(errno));
        chainsi_buffer_done(&out);
    }
    free(folder);
    chainsi_log_search_free(search);
    return status;
}

/* The oldest first, as a log. */
static int show_events(chainsi_daemon *daemon, const request *r)
{
    const char *chainlet = chainlet_of(r);
    const char *path = chainsi_arena_printf(
        &daemon->arena, "/api/v1/chains/%s/events?limit=%" PRId64 "%s%s", r->names.items[0],
        r->tail, chainlet ? "&chainlet=" : "", chainlet ? chainlet : "");
    chainsi_daemon_answer answer;
    chainsi_stored_events events;
    if (!chainsi_daemon_ask(daemon, "GET", path, NULL, 0, &answer) ||
        !chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_stored_events_type, &events))
        return CHAINSI_EXIT_FAILED;
    if (r->json)
        chainsi_daemon_print(&answer);
    for (size_t i = events.count; !r->json && i-- > 0;)
        printf("%s  %-18s %s%s%s\n", events.items[i].at, events.items[i].kind,
               events.items[i].chainlet ? events.items[i].chainlet : "",
               events.items[i].chainlet ? ": " : "",
               chainsi_text_shown(&daemon->arena, events.items[i].message));
    return CHAINSI_EXIT_OK;
}

/* What is wrong with the words; NULL: nothing. Reads those of the filter. */
static const char *find_mistake(request *r)
{
    if (!r->names.count)
        return "it takes the name of a chain";
    if (r->tail < 0)
        return "'--tail' takes a number of lines";
    if (r->follow && r->events)
        return "'--follow' is for logs, not for '--events'";
    if (r->events && is_filtered(r))
        return "of '--events' there is no other choice than the Chainlet";
    if (r->events && (r->tail < 1 || r->tail > MOST_EVENTS))
        return "of '--events' there are 1 to 1000 with '--tail'";
    if (r->filter.replica < -1 || r->filter.replica > INT32_MAX)
        return "'--replica' takes a number";
    if (r->level && !chainsi_log_level_read(r->level, &r->filter.level))
        return "'--level' takes debug, info, warning or error";
    if (r->since && !chainsi_log_filter_since(&r->filter, r->since, chainsi_unix_ms()))
        return "'--since' takes a duration, as 90s or 1h30m, or a time, as "
               "2026-01-31T12:00:00.000Z";
    return NULL;
}

static int show(const request *r)
{
    chainsi_daemon daemon;
    int status = CHAINSI_EXIT_FAILED;
    bool runs =
        r->events || r->follow ? chainsi_daemon_find(&daemon) : chainsi_daemon_look(&daemon);
    if (runs)
        status = r->events ? show_events(&daemon, r) : show_log(&daemon, r);
    else if (r->follow && daemon.home)
        fprintf(stderr, "  hint: without '--follow' its log is read from its files\n");
    else if (!r->events && daemon.home)
        status = show_files(daemon.home, r);
    chainsi_daemon_close(&daemon);
    return status;
}

static int find_and_show(request *r)
{
    const char *mistake = find_mistake(r);
    if (mistake)
        return chainsi_usage_error(&chainsi_verb_logs, "%s", mistake);
    const char *const names[] = { r->names.items[0], chainlet_of(r), r->filter.environment,
                                  r->filter.version };
    if (!chainsi_check_names(&chainsi_verb_logs, names, sizeof names / sizeof *names))
        return CHAINSI_EXIT_USAGE;
    return show(r);
}

static int logs(int argc, char **argv)
{
    request r = { .tail = CHAINSI_LOG_TAIL, .filter.replica = -1 };
    const chainsi_option options[] = {
        { "f", CHAINSI_OPTION_FLAG, &r.follow },
        { "follow", CHAINSI_OPTION_FLAG, &r.follow },
        { "tail", CHAINSI_OPTION_INTEGER, &r.tail },
        { "environment", CHAINSI_OPTION_TEXT, &r.filter.environment },
        { "version", CHAINSI_OPTION_TEXT, &r.filter.version },
        { "replica", CHAINSI_OPTION_INTEGER, &r.filter.replica },
        { "level", CHAINSI_OPTION_TEXT, &r.level },
        { "grep", CHAINSI_OPTION_TEXT, &r.filter.contains },
        { "request-id", CHAINSI_OPTION_TEXT, &r.filter.request_id },
        { "since", CHAINSI_OPTION_TEXT, &r.since },
        { "events", CHAINSI_OPTION_FLAG, &r.events },
        { "json", CHAINSI_OPTION_FLAG, &r.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_logs, options, argc, argv, 2, &r.names, &status))
        status = find_and_show(&r);
    chainsi_words_done(&r.names);
    return status;
}

const chainsi_verb chainsi_verb_logs = {
    .name = "logs",
    .usage =
        "CHAIN [CHAINLET] [--environment NAME] [--version VERSION] [--replica N]\n"
        "       [--level LEVEL] [--grep TEXT] [--request-id ID] [--since WHEN] [--tail N] [-f]\n"
        "       [--events] [--json]",
    .summary = "Show what the Chainlets of a chain say, or what happened to them.",
    .help =
        "Prints the last lines of the log of a chain, or of one of its Chainlets: what\n"
        "chains_log writes, and whatever else its processes print. Each line begins with the\n"
        "time and with whose it is: environment, version, Chainlet/replica, level ('-' for what\n"
        "chains_log hasn't written), and the request's id:\n"
        "  2026-01-31T12:00:00.123Z production v0003-1a2b3c phi_llm/2 INFO    [3f2a91] loaded\n"
        "Where no daemon runs the files are read.\n"
        "\n"
        "  -f, --follow        go on as more comes, until Ctrl-C\n"
        "  --tail N            how many lines of the past. Default: 100\n"
        "  --environment NAME  of this environment alone\n"
        "  --version VERSION   of this version: v3, or its id\n"
        "  --replica N         of this replica of each Chainlet\n"
        "  --level LEVEL       debug, info, warning or error, and what is worse; not what has no\n"
        "                      level\n"
        "  --grep TEXT         with this text in the message\n"
        "  --request-id ID     of this request, in all Chainlets, also of a process that died "
        "with it\n"
        "  --since WHEN        not older: 90s, 15m, 1h30m, 2d, or a time as in the log\n"
        "  --events            what happened instead: versions that were deployed, promoted or\n"
        "                      given up, replicas that became more or fewer and why, or that\n"
        "                      crashed; also of a chain that is gone\n"
        "  --json              an object a line: at, environment, version, chainlet, replica,\n"
        "                      level, request_id, message; with --events: as the daemon's API\n"
        "                      gives it, an array, the newest first\n"
        "\n"
        "Example:\n"
        "  chains logs hello -f\n"
        "  chains logs hello --environment staging --level warning --since 1h\n"
        "  chains logs hello --events\n",
    .run = logs,
};
