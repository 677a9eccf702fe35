/* `chains versions`: the versions of a chain. */
#include <stdio.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/environment.h"

extern const chainsi_verb chainsi_verb_versions;

static void print_version(const chainsi_api_version *version, chainsi_arena *arena)
{
    printf("%-16s %-9s %.19sZ  %-12s %-12.12s", version->id,
           !strcmp(version->state, "ready") && !version->kept ? "collected" : version->state,
           version->created_at,
           version->created_by ? chainsi_text_shown(arena, version->created_by) : "-",
           version->source_digest ? version->source_digest : "-");
    for (size_t i = 0; i < version->environments.count; i++)
        printf("%s%s", i ? ", " : " ", version->environments.items[i]);
    printf("\n");
    if (version->message)
        printf("  %s\n", chainsi_text_shown(arena, version->message));
}

static int show(const char *chain, bool json)
{
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    chainsi_api_versions versions;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon)) {
        const char *path = chainsi_arena_printf(&daemon.arena, "/api/v1/chains/%s/versions", chain);
        if (!chainsi_daemon_ask(&daemon, "GET", path, NULL, 0, &answer)) {
            status = CHAINSI_EXIT_FAILED;
        } else if (answer.status != 200) {
            status = chainsi_daemon_fail(&daemon, &answer, json);
        } else if (json) {
            chainsi_daemon_print(&answer);
            status = CHAINSI_EXIT_OK;
        } else if (chainsi_daemon_read(&daemon, &answer, &chainsi_api_versions_type, &versions)) {
            printf("%-16s %-9s %-20s  %-12s %-12s %s\n", "VERSION", "STATE", "CREATED", "BY",
                   "SOURCE", "ANSWERS IN");
            for (size_t i = 0; i < versions.count; i++)
                print_version(&versions.items[i], &daemon.arena);
            status = CHAINSI_EXIT_OK;
        }
    }
    chainsi_daemon_close(&daemon);
    return status;
}

static int versions(int argc, char **argv)
{
    chainsi_words words = { 0 };
    bool json = false;
    const chainsi_option options[] = {
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_versions, options, argc, argv, 1, &words, &status)) {
        status = CHAINSI_EXIT_USAGE;
        if (words.count != 1)
            chainsi_usage_error(&chainsi_verb_versions, "it takes the name of a chain");
        else if (chainsi_check_names(&chainsi_verb_versions, words.items, 1))
            status = show(words.items[0], json);
    }
    chainsi_words_done(&words);
    return status;
}

const chainsi_verb chainsi_verb_versions = {
    .name = "versions",
    .usage = "CHAIN [--json]",
    .summary = "Show the versions of a chain.",
    .help =
        "Shows what was deployed, the newest first: state, when and by whom, the beginning of the\n"
        "SHA-256 of its sources, and the environments whose calls it answers. A version that is\n"
        "ready can be promoted; of one that is collected the programs are no longer kept.\n"
        "\n"
        "  --json    an array, an object a version\n"
        "\n"
        "Example:\n"
        "  chains versions hello\n",
    .run = versions,
};
