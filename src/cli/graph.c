/* `chains graph`: shows who calls whom. */
#include <stdio.h>

#include "cli/chain.h"
#include "compiler/graph.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_graph = {
    .name = "graph",
    .usage = "[FOLDER] [--entrypoint NAME] [--json]",
    .summary = "Show which Chainlets call which.",
    .help =
        "Prints the Chainlets as a tree of calls from the entrypoint down, with what each takes "
        "and\n"
        "gives. One that was shown before is only named again.\n"
        "\n"
        "  --entrypoint NAME  the Chainlet called from outside, instead of the marked one\n"
        "  --json             print {entrypoint, chainlets: [{name, c_name, file, line, external,\n"
        "                     description, inputs, outputs, stream, dependencies: [{name,\n"
        "                     parameter, retries, timeout_ms, colocate}]}]}\n"
        "\n"
        "Example:\n"
        "  chains graph hello\n",
    .run = run,
};

static void print_json(const chainsi_model *model)
{
    chainsi_buffer out = { 0 };
    chainsi_graph_json(model, &out);
    chainsi_buffer_add_byte(&out, '\n');
    fwrite(out.data, 1, out.size, stdout);
    chainsi_buffer_done(&out);
}

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
    if (chainsi_options_read(&chainsi_verb_graph, options, argc, argv, 1, &folders, &status)) {
        chainsi_chain chain;
        status = CHAINSI_EXIT_USAGE;
        if (chainsi_chain_open(&chain, folders.count ? folders.items[0] : NULL, entrypoint,
                               false)) {
            status = CHAINSI_EXIT_OK;
            if (json)
                print_json(chain.model);
            else
                chainsi_graph_text(chain.model, stdout);
        }
        chainsi_chain_close(&chain);
    }
    chainsi_words_done(&folders);
    return status;
}
