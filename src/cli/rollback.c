/* `chains rollback`: has the version before answer again. */
#include "cli/environment.h"

extern const chainsi_verb chainsi_verb_rollback;

static int rollback(int argc, char **argv)
{
    chainsi_words words = { 0 };
    const char *environment = CHAINSI_PRODUCTION;
    bool json = false;
    const chainsi_option options[] = {
        { "environment", CHAINSI_OPTION_TEXT, &environment },
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_rollback, options, argc, argv, 1, &words, &status)) {
        const char *names[] = { environment, words.count ? words.items[0] : NULL };
        status = CHAINSI_EXIT_USAGE;
        if (words.count != 1)
            chainsi_usage_error(&chainsi_verb_rollback, "it takes the name of a chain");
        else if (chainsi_check_names(&chainsi_verb_rollback, names, 2))
            status = chainsi_change_environment(names[1], environment, "rollback", NULL, json);
    }
    chainsi_words_done(&words);
    return status;
}

const chainsi_verb chainsi_verb_rollback = {
    .name = "rollback",
    .usage = "CHAIN [--environment NAME] [--json]",
    .summary = "Have the version before answer again.",
    .help =
        "Gives up the version that is being started or tried, if there is one. Else the version\n"
        "that answered before the present one is started again, and answers when all of it is\n"
        "ready; a second rollback goes there and back.\n"
        "\n"
        "  --environment NAME   default: production\n"
        "  --json               print the environment as JSON\n"
        "\n"
        "Example:\n"
        "  chains rollback hello\n",
    .run = rollback,
};
