/* `chains logs`: what the Chainlets of a chain say, and what happened to them. A log is printed as it comes, since with -f it has no end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/daemon.h"
#include "cli/options.h"
#include "control/store_history.h"

extern const chainsi_verb chainsi_verb_logs;

typedef struct request {
    chainsi_words names; /* the chain, and perhaps a Chainlet */
    int64_t tail;
    bool follow, events, json;
} request;

enum { MOST_EVENTS = 1000 /* that the daemon gives at once */ };

static const char *chainlet_of(const request *r)
{
    return r->names.count == 2 ? r->names.items[1] : NULL;
}

static int show_log(chainsi_daemon *daemon, const request *r)
{
    const char *chainlet = chainlet_of(r);
    const char *path = chainsi_arena_printf(
        &daemon->arena, "/api/v1/chains/%s%s%s/logs?tail=%lld%s", r->names.items[0],
        chainlet ? "/chainlets/" : "", chainlet ? chainlet : "", (long long)r->tail,
        r->follow ? "&follow=1" : "");
    chainsi_daemon_answer answer;
    if (!chainsi_daemon_copy(daemon, path, &answer))
        return CHAINSI_EXIT_FAILED;
    return answer.status == 200 ? CHAINSI_EXIT_OK : chainsi_daemon_fail(daemon, &answer, false);
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

/* What is wrong with the words; NULL: nothing. */
static const char *find_mistake(const request *r)
{
    if (!r->names.count)
        return "it takes the name of a chain";
    if (r->tail < 0)
        return "'--tail' takes a number of lines";
    if (r->json && !r->events)
        return "'--json' is for '--events': a log is text";
    if (r->follow && r->events)
        return "'--follow' is for logs, not for '--events'";
    if (r->events && (r->tail < 1 || r->tail > MOST_EVENTS))
        return "of '--events' there are 1 to 1000 with '--tail'";
    return NULL;
}

static int find_and_show(const request *r)
{
    const char *mistake = find_mistake(r);
    if (mistake)
        return chainsi_usage_error(&chainsi_verb_logs, "%s", mistake);
    for (size_t i = 0; i < r->names.count; i++)
        if (!chainsi_is_name(r->names.items[i]))
            return chainsi_usage_error(&chainsi_verb_logs, "'%s' is no name of a chain or Chainlet",
                                       r->names.items[i]);
    chainsi_daemon daemon;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon))
        status = r->events ? show_events(&daemon, r) : show_log(&daemon, r);
    chainsi_daemon_close(&daemon);
    return status;
}

static int logs(int argc, char **argv)
{
    request r = { .tail = 100 };
    const chainsi_option options[] = {
        { "f", CHAINSI_OPTION_FLAG, &r.follow },     { "follow", CHAINSI_OPTION_FLAG, &r.follow },
        { "tail", CHAINSI_OPTION_INTEGER, &r.tail }, { "events", CHAINSI_OPTION_FLAG, &r.events },
        { "json", CHAINSI_OPTION_FLAG, &r.json },    { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_logs, options, argc, argv, 2, &r.names, &status))
        status = find_and_show(&r);
    chainsi_words_done(&r.names);
    return status;
}

const chainsi_verb chainsi_verb_logs = {
    .name = "logs",
    .usage = "CHAIN [CHAINLET] [-f] [--tail N] [--events [--json]]",
    .summary = "Show what the Chainlets of a chain say, or what happened to them.",
    .help =
        "Prints the last lines of the log of a chain, or of one of its Chainlets: what\n"
        "chains_log writes, and whatever else its processes print.\n"
        "\n"
        "  -f, --follow    go on as more comes, until Ctrl-C\n"
        "  --tail N        how many lines of the past. Default: 100\n"
        "  --events        what happened instead: versions that were deployed, promoted or given\n"
        "                  up, replicas that became more or fewer and why, or that crashed; also "
        "of a\n"
        "                  chain that is gone\n"
        "  --json          with --events: as the daemon's API gives it, an array, the newest "
        "first\n"
        "\n"
        "Example:\n"
        "  chains logs hello -f\n"
        "  chains logs hello --events\n",
    .run = logs,
};
