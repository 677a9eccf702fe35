/* `chains delete`: stops a chain and forgets it. */
#include <stdio.h>
#include <string.h>

#include "cli/daemon.h"
#include "cli/options.h"

extern const chainsi_verb chainsi_verb_delete;

static int delete_chain(const char *name, bool json)
{
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    int status = CHAINSI_EXIT_FAILED;
    char path[512];
    int size = snprintf(path, sizeof path, "/api/v1/chains/%s", name);
    if (size < 0 || (size_t)size >= sizeof path || strpbrk(name, "/?# "))
        return chainsi_usage_error(&chainsi_verb_delete, "'%s' is no name of a chain", name);
    if (chainsi_daemon_find(&daemon, true)) {
        if (chainsi_daemon_ask(&daemon, "DELETE", path, NULL, true, 0, &answer)) {
            status = answer.status / 100 == 2 ? CHAINSI_EXIT_OK
                                              : chainsi_daemon_fail(&daemon, &answer, json);
            if (status == CHAINSI_EXIT_OK && json)
                printf("%.*s\n", (int)answer.size, answer.body);
            else if (status == CHAINSI_EXIT_OK)
                printf("%s is deleted; all its processes have ended\n", name);
        }
    }
    chainsi_daemon_close(&daemon);
    return status;
}

static int delete (int argc, char **argv)
{
    chainsi_words names = { 0 };
    bool json = false;
    const chainsi_option options[] = {
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_delete, options, argc, argv, 1, &names, &status))
        status = names.count == 1
                     ? delete_chain(names.items[0], json)
                     : chainsi_usage_error(&chainsi_verb_delete, "it takes the name of a chain");
    chainsi_words_done(&names);
    return status;
}

const chainsi_verb chainsi_verb_delete = {
    .name = "delete",
    .usage = "CHAIN [--json]",
    .summary = "Stop a deployed chain and forget it.",
    .help =
        "Lets running calls end, stops the chain's processes, and removes what the daemon keeps\n"
        "of it, logs included. Returns when all of that is done.\n"
        "\n"
        "Example:\n"
        "  chains delete hello\n",
    .run = delete,
};
