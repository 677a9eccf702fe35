/* `chains openapi`: prints the OpenAPI document of a Chainlet. */
#include <stdio.h>
#include <unistd.h>

#include "cli/chain.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_openapi = {
    .name = "openapi",
    .usage = "[FOLDER] [--entrypoint NAME]",
    .summary = "Print the OpenAPI document of a Chainlet.",
    .help =
        "Prints the OpenAPI 3.1 document of the entrypoint (or of NAME) as JSON: what its "
        "replicas\n"
        "serve at /openapi.json. Its source is not compiled, and its libraries are not needed.\n"
        "\n"
        "  --entrypoint NAME  another Chainlet than the marked one\n"
        "  --json             taken, and without effect: the document is JSON\n"
        "\n"
        "Example:\n"
        "  chains openapi hello > hello.json\n",
    .run = run,
};

static int run(int argc, char **argv)
{
    bool json = false;
    const char *entrypoint = NULL;
    chainsi_words folders = { 0 };
    const chainsi_option options[] = {
        { "entrypoint", CHAINSI_OPTION_TEXT, &entrypoint },
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_openapi, options, argc, argv, 1, &folders, &status)) {
        chainsi_chain chain;
        chainsi_arena arena = { 0 };
        status = CHAINSI_EXIT_USAGE;
        if (chainsi_chain_open(&chain, folders.count ? folders.items[0] : NULL, entrypoint, true)) {
            chainsi_build_options build_options = { .quiet = true };
            const char *program = chainsi_build_describer(
                chain.model, chain.model->entrypoint, &build_options, &chain.diagnostics, &arena);
            chainsi_chain_report(&chain);
            status = CHAINSI_EXIT_FAILED;
            if (program) {
                execl(program, program, "--openapi", (char *)NULL);
                perror(program);
            }
        }
        chainsi_arena_done(&arena);
        chainsi_chain_close(&chain);
    }
    chainsi_words_done(&folders);
    return status;
}
