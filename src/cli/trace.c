/* `chains trace`: recent calls, and where the time of one went. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/options.h"
#include "cli/waterfall.h"
#include "control/api_trace.h"

extern const chainsi_verb chainsi_verb_trace;

enum { DEFAULT_COLUMNS = 100 };

static chainsi_waterfall_style find_style(void)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    struct winsize size;
    const bool shows = isatty(STDOUT_FILENO) == 1 && (!no_color || !*no_color) && terminal &&
                       strcmp(terminal, "dumb") != 0;
    chainsi_waterfall_style style = { DEFAULT_COLUMNS, shows, shows };
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
        style.columns = size.ws_col;
    return style;
}

static int print_tree(chainsi_daemon *daemon, const chainsi_daemon_answer *answer)
{
    chainsi_api_trace_tree tree;
    if (!chainsi_daemon_read(daemon, answer, &chainsi_api_trace_tree_type, &tree))
        return CHAINSI_EXIT_FAILED;
    const chainsi_waterfall_style style = find_style();
    chainsi_buffer text = { 0 };
    chainsi_waterfall_write(&tree, &style, &text);
    fwrite(text.data, 1, text.size, stdout);
    chainsi_buffer_done(&text);
    return CHAINSI_EXIT_OK;
}

static int print_list(chainsi_daemon *daemon, const chainsi_daemon_answer *answer)
{
    chainsi_api_traces list;
    if (!chainsi_daemon_read(daemon, answer, &chainsi_api_traces_type, &list))
        return CHAINSI_EXIT_FAILED;
    const bool unicode = find_style().unicode;
    if (!list.traces.count) {
        printf("no calls are kept that fit\n");
        return CHAINSI_EXIT_OK;
    }
    printf("%-24s  %9s  %-20s  %-32s  %s\n", "STARTED", "TIME", "STATUS", "TRACE",
           "CHAIN/CHAINLET");
    for (size_t i = 0; i < list.traces.count; i++) {
        const chainsi_api_trace *trace = &list.traces.items[i];
        char took[32];
        chainsi_waterfall_time(took, trace->duration_ms, unicode);
        const int blanks = 9 - (int)strlen(took) + (strstr(took, "\u00b5") ? 1 : 0);
        printf("%-24s  %*s%s  %-20s  %-32s  %s/%s\n", trace->started_at, blanks > 0 ? blanks : 0,
               "", took, strcmp(trace->state, "partial") ? trace->status : "(partial)",
               trace->trace_id, trace->chain, trace->chainlet);
    }
    return CHAINSI_EXIT_OK;
}

static int trace(int argc, char **argv)
{
    bool json = false;
    const char *chain = NULL, *chainlet = NULL, *state = NULL;
    double min_ms = 0;
    int64_t limit = 20;
    const chainsi_option options[] = {
        { "chain", CHAINSI_OPTION_TEXT, &chain },    { "chainlet", CHAINSI_OPTION_TEXT, &chainlet },
        { "state", CHAINSI_OPTION_TEXT, &state },    { "min-ms", CHAINSI_OPTION_NUMBER, &min_ms },
        { "limit", CHAINSI_OPTION_INTEGER, &limit }, { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    chainsi_words words = { 0 };
    int result;
    if (!chainsi_options_read(&chainsi_verb_trace, options, argc, argv, 1, &words, &result))
        return result;
    chainsi_buffer path = { 0 };
    if (words.count) {
        chainsi_buffer_add_text(&path, "/api/v1/traces/");
        chainsi_daemon_add_word(&path, words.items[0]);
    } else {
        chainsi_buffer_printf(&path, "/api/v1/traces?limit=%lld&min_ms=%.6f", (long long)limit,
                              min_ms);
        chainsi_daemon_add_query(&path, "chain", chain);
        chainsi_daemon_add_query(&path, "chainlet", chainlet);
        chainsi_daemon_add_query(&path, "state", state);
    }
    chainsi_buffer_add_byte(&path, 0);
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    result = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon) &&
        chainsi_daemon_ask(&daemon, "GET", (const char *)path.data, NULL, 0, &answer)) {
        if (answer.status != 200) {
            result = chainsi_daemon_fail(&daemon, &answer, json);
        } else if (json) {
            printf("%.*s\n", (int)answer.size, answer.body);
            result = CHAINSI_EXIT_OK;
        } else {
            result = words.count ? print_tree(&daemon, &answer) : print_list(&daemon, &answer);
        }
    }
    chainsi_daemon_close(&daemon);
    chainsi_buffer_done(&path);
    chainsi_words_done(&words);
    return result;
}

const chainsi_verb chainsi_verb_trace = {
    .name = "trace",
    .usage = "[TRACE_ID | REQUEST_ID] [--chain NAME] [--chainlet NAME] [--state STATE]\n"
             "       [--min-ms N] [--limit N] [--json]",
    .summary = "Show recent calls, and where the time of one went.",
    .help =
        "Without an id: lists recent calls, the newest first. With the id of a trace or of a\n"
        "request: all that was told of it, a row a span: what called what, how long it took, and\n"
        "when. In a bar, dots are waiting in a queue (on a terminal: light), '=' waiting for "
        "calls\n"
        "that it made (half dark), '#' its own time (dark). A failure has '!', and what it says,\n"
        "and where it was raised.\n"
        "\n"
        "  --chain NAME      of this chain alone\n"
        "  --chainlet NAME   in which this Chainlet takes part\n"
        "  --state STATE     ok, failed, partial, or a status such as UNAVAILABLE\n"
        "  --min-ms N        that took so many milliseconds, or more\n"
        "  --limit N         how many; default 20, at most 500\n"
        "  --json            as the daemon's API gives it\n"
        "\n"
        "Example:\n"
        "  chains trace --state failed\n"
        "  chains trace 0af7651916cd43dd8448eb211c80319c\n",
    .run = trace,
};
