/* `chains trace`: recent calls, and where the time of one went. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "cli/daemon.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/waterfall.h"
#include "control/api_trace.h"

extern const chainsi_verb chainsi_verb_trace;

enum { DEFAULT_COLUMNS = 100 };

static chainsi_waterfall_style find_style(void)
{
    const chainsi_terminal terminal = chainsi_terminal_of(STDOUT_FILENO);
    return (chainsi_waterfall_style){
        .columns = terminal.columns ? terminal.columns : DEFAULT_COLUMNS,
        .unicode = terminal.moves && terminal.unicode,
        .color = terminal.color,
    };
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
    if (!list.traces.count) {
        printf("no calls are kept that fit\n");
        return CHAINSI_EXIT_OK;
    }
    static const chainsi_table_column columns[] = {
        { .title = "STARTED", .rank = 1 },          { .title = "TIME", .right = true, .wants = 9 },
        { .title = "STATUS", .least = 8 },          { .title = "TRACE" },
        { .title = "CHAIN/CHAINLET", .least = 14 },
    };
    const chainsi_waterfall_style style = find_style();
    const chainsi_terminal terminal = chainsi_terminal_of(STDOUT_FILENO);
    chainsi_table table = { .columns = columns, .column_count = 5 };
    chainsi_table_row *rows = chainsi_arena_array(&daemon->arena, list.traces.count, sizeof *rows);
    for (size_t i = 0; i < list.traces.count; i++) {
        const chainsi_api_trace *trace = &list.traces.items[i];
        const bool failed = !strcmp(trace->state, "failed");
        char took[32];
        chainsi_waterfall_time(took, trace->duration_ms, style.unicode);
        rows[table.row_count++] =
            (chainsi_table_row){ .cells = {
                                     { .text = trace->started_at },
                                     { .text = chainsi_arena_strdup(&daemon->arena, took) },
                                     { strcmp(trace->state, "partial") ? trace->status
                                                                       : "(partial)",
                                       failed ? "31" : NULL },
                                     { .text = trace->trace_id },
                                     { .text =
                                           chainsi_arena_printf(&daemon->arena, "%s/%s",
                                                                trace->chain, trace->chainlet) },
                                 } };
    }
    table.rows = rows;
    chainsi_buffer text = { 0 }, body = { 0 };
    chainsi_table_write(&table, terminal.columns, style.unicode, style.color, &text, &body);
    chainsi_buffer_add(&text, body.data, body.size);
    fwrite(text.data, 1, text.size, stdout);
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&body);
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
            chainsi_daemon_print(&answer);
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
        "when; from 120 columns on also how long it was in a queue, decoded, ran and encoded. In "
        "a\n"
        "bar, dots are waiting in a queue (on a terminal: light), '=' waiting for calls that it "
        "made\n"
        "(half dark), ':' decoding and encoding, '#' its own time (dark). A failure has '!', and "
        "what\n"
        "it says, and where it was raised.\n"
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
