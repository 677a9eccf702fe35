/* `chains logs`: what the Chainlets of a chain say. The answer is printed as it comes, since with -f it has no end. */
#include <string.h>

#include "cli/daemon.h"
#include "cli/options.h"

extern const chainsi_verb chainsi_verb_logs;

typedef struct request {
    chainsi_words names; /* the chain, and perhaps a Chainlet */
    int64_t tail;
    bool follow;
} request;

static int find_and_show(const request *r)
{
    if (!r->names.count)
        return chainsi_usage_error(&chainsi_verb_logs, "it takes the name of a chain");
    if (r->tail < 0)
        return chainsi_usage_error(&chainsi_verb_logs, "'--tail' takes a number of lines");
    for (size_t i = 0; i < r->names.count; i++)
        if (strpbrk(r->names.items[i], "/?#% "))
            return chainsi_usage_error(&chainsi_verb_logs, "'%s' is no name of a chain or Chainlet",
                                       r->names.items[i]);
    chainsi_daemon daemon;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon, true)) {
        bool one = r->names.count == 2;
        const char *path = chainsi_arena_printf(
            &daemon.arena, "/api/v1/chains/%s%s%s/logs?tail=%lld%s", r->names.items[0],
            one ? "/chainlets/" : "", one ? r->names.items[1] : "", (long long)r->tail,
            r->follow ? "&follow=1" : "");
        chainsi_daemon_answer answer;
        if (chainsi_daemon_copy(&daemon, path, &answer))
            status = answer.status == 200 ? CHAINSI_EXIT_OK
                                          : chainsi_daemon_fail(&daemon, &answer, false);
    }
    chainsi_daemon_close(&daemon);
    return status;
}

static int logs(int argc, char **argv)
{
    request r = { .tail = 100 };
    const chainsi_option options[] = {
        { "f", CHAINSI_OPTION_FLAG, &r.follow },
        { "follow", CHAINSI_OPTION_FLAG, &r.follow },
        { "tail", CHAINSI_OPTION_INTEGER, &r.tail },
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
    .usage = "CHAIN [CHAINLET] [-f] [--tail N]",
    .summary = "Show what the Chainlets of a chain say.",
    .help = "Prints the last lines of the log of a chain, or of one of its Chainlets: what\n"
            "chains_log writes, and whatever else its processes print.\n"
            "\n"
            "  -f, --follow    go on as more comes, until Ctrl-C\n"
            "  --tail N        how many lines of the past. Default: 100\n"
            "\n"
            "Example:\n"
            "  chains logs hello -f\n",
    .run = logs,
};
