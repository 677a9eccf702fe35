/* `chains promote`: has a version answer the calls of an environment. */
#include "cli/environment.h"
#include "schema/json.h"

extern const chainsi_verb chainsi_verb_promote;

static int send(const char *chain, const char *environment, const chainsi_api_promote *asked,
                bool json)
{
    chainsi_buffer body = { 0 };
    chainsi_codec_error why;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_json_encode(&chainsi_api_promote_type, asked, &body, &why) == CHAINS_OK)
        status = chainsi_change_environment(chain, environment, "promote", &body, json);
    chainsi_buffer_done(&body);
    return status;
}

static int promote(int argc, char **argv)
{
    chainsi_words words = { 0 };
    chainsi_api_promote asked = { .canary = CHAINSI_NO_CANARY };
    const char *environment = CHAINSI_PRODUCTION;
    bool json = false;
    const chainsi_option options[] = {
        { "environment", CHAINSI_OPTION_TEXT, &environment },
        CHAINSI_CANARY_OPTIONS(asked.canary),
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_promote, options, argc, argv, 2, &words, &status)) {
        const char *names[] = { environment, words.count > 0 ? words.items[0] : NULL,
                                words.count > 1 ? words.items[1] : NULL };
        status = CHAINSI_EXIT_USAGE;
        if (words.count != 2)
            chainsi_usage_error(&chainsi_verb_promote, "it takes a chain and a version of it");
        else if (chainsi_check_names(&chainsi_verb_promote, names, 3) &&
                 chainsi_check_canary(&chainsi_verb_promote, &asked.canary)) {
            asked.version = names[2];
            status = send(names[1], environment, &asked, json);
        }
    }
    chainsi_words_done(&words);
    return status;
}

const chainsi_verb chainsi_verb_promote = {
    .name = "promote",
    .usage = "CHAIN VERSION [--environment NAME] " CHAINSI_CANARY_USAGE " [--json]",
    .summary = "Have a version answer the calls of an environment.",
    .help =
        "Starts the version from its kept programs if it doesn't run in that environment, waits\n"
        "until all of it is ready, and then switches; calls in flight end where they are. A "
        "version\n"
        "that is being tried gets all calls. `chains versions` shows which there are.\n"
        "\n"
        "  --environment NAME   made if it doesn't exist. Default: production\n" CHAINSI_CANARY_HELP
        "  --json               print the environment as JSON\n"
        "\n"
        "Example:\n"
        "  chains promote hello v12\n",
    .run = promote,
};
