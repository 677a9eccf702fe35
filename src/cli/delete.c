/* `chains delete`: stops a chain, an environment of it or a version, and forgets it. */
#include <stdio.h>

#include "cli/cluster_verbs.h"
#include "cli/environment.h"

extern const chainsi_verb chainsi_verb_delete;

/* kind: "environments" or "versions", of which only the one of that name goes; NULL: the whole chain. */
static int delete_it(const char *chain, const char *kind, const char *name, bool json)
{
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon)) {
        const char *path =
            chainsi_arena_printf(&daemon.arena, "/api/v1/chains/%s%s%s%s%s", chain, kind ? "/" : "",
                                 kind ? kind : "", kind ? "/" : "", kind ? name : "");
        if (chainsi_daemon_ask(&daemon, "DELETE", path, NULL, 0, &answer)) {
            status = answer.status / 100 == 2 ? CHAINSI_EXIT_OK
                                              : chainsi_daemon_fail(&daemon, &answer, json);
            if (status == CHAINSI_EXIT_OK && json)
                chainsi_daemon_print(&answer);
            else if (status == CHAINSI_EXIT_OK && kind)
                printf("%s of %s is deleted\n", name, chain);
            else if (status == CHAINSI_EXIT_OK)
                printf("%s is deleted; all its processes have ended\n", chain);
        }
    }
    chainsi_daemon_close(&daemon);
    return status;
}

static int delete_what(const chainsi_words *words, const chainsi_cluster_words *where,
                       const char *environment, const char *version, bool json)
{
    bool cluster;
    if (words->count != 1)
        return chainsi_usage_error(&chainsi_verb_delete, "it takes the name of a chain");
    if (environment && version)
        return chainsi_usage_error(&chainsi_verb_delete,
                                   "it takes '--environment' or '--version', not both");
    const char *names[] = { words->items[0], environment, version };
    if (!chainsi_check_names(&chainsi_verb_delete, names, 3) ||
        !chainsi_cluster_words_read(&chainsi_verb_delete, where, &cluster))
        return CHAINSI_EXIT_USAGE;
    if (cluster)
        return chainsi_delete_in_cluster(&chainsi_verb_delete, where, names[0], environment,
                                         version, json);
    return delete_it(names[0],
                     environment ? "environments"
                     : version   ? "versions"
                                 : NULL,
                     environment ? environment : version, json);
}

static int delete (int argc, char **argv)
{
    chainsi_words words = { 0 };
    chainsi_cluster_words where = { 0 };
    const char *environment = NULL, *version = NULL;
    bool json = false;
    const chainsi_option options[] = {
        { "environment", CHAINSI_OPTION_TEXT, &environment },
        { "version", CHAINSI_OPTION_TEXT, &version },
        CHAINSI_CLUSTER_OPTIONS(where),
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_delete, options, argc, argv, 1, &words, &status))
        status = delete_what(&words, &where, environment, version, json);
    chainsi_words_done(&words);
    return status;
}

const chainsi_verb chainsi_verb_delete = {
    .name = "delete",
    .usage = "CHAIN [--environment NAME | --version VERSION] [--json]\n"
             "                     " CHAINSI_CLUSTER_USAGE,
    .summary = "Stop a deployed chain, or a part of it, and forget it.",
    .help =
        "Lets running calls end, stops the chain's processes, and removes what the daemon keeps\n"
        "of it, logs included; only its events stay. Returns when all of that is done.\n"
        "\n"
        "  --environment NAME   only this environment; its versions stay\n"
        "  --version VERSION    only this version, which no environment may refer to\n"
        "  --json               print what was deleted as JSON\n" CHAINSI_CLUSTER_HELP
        "                       With the chain go its Secrets there, and all certificates\n"
        "\n"
        "Example:\n"
        "  chains delete hello\n",
    .run = delete,
};
