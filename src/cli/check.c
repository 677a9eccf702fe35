/* `chains check`: reads the headers and reports everything that is wrong with them. */
#include <stdio.h>

#include "cli/options.h"
#include "compiler/model.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_check = {
    .name = "check",
    .usage = "[FOLDER] [--entrypoint NAME] [--json]",
    .summary = "Check the headers of a chain.",
    .help =
        "Reads every header below FOLDER (default: here) and reports what is wrong with it: the\n"
        "place, the line, and what to write instead. Nothing is compiled or written.\n"
        "\n"
        "  --entrypoint NAME  the Chainlet called from outside, instead of the marked one\n"
        "  --json             print [{file, line, column, severity, message, hint}]\n"
        "\n"
        "Example:\n"
        "  chains check hello\n",
    .run = run,
};

static int run(int argc, char **argv)
{
    bool json = false;
    chainsi_model_options model_options = { .needs_entrypoint = true };
    chainsi_words folders = { 0 };
    const chainsi_option options[] = {
        { "json", CHAINSI_OPTION_FLAG, &json },
        { "entrypoint", CHAINSI_OPTION_TEXT, &model_options.entrypoint },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (!chainsi_options_read(&chainsi_verb_check, options, argc, argv, 1, &folders, &status)) {
        chainsi_words_done(&folders);
        return status;
    }
    const char *folder = folders.count ? folders.items[0] : ".";
    chainsi_diagnostics diagnostics;
    chainsi_diagnostics_init(&diagnostics, folder);
    chainsi_model *model = chainsi_model_read(folder, &model_options, &diagnostics);
    bool failed = !model || chainsi_diagnostics_failed(&diagnostics);
    if (json) {
        chainsi_buffer out = { 0 };
        chainsi_diagnostics_json(&diagnostics, &out);
        printf("%.*s\n", (int)out.size, (const char *)out.data);
        chainsi_buffer_done(&out);
    } else {
        chainsi_diagnostics_print(&diagnostics, stderr, chainsi_diagnostics_color(stderr));
        if (!failed)
            printf("%zu Chainlet%s, no errors\n", model->chainlet_count,
                   model->chainlet_count == 1 ? "" : "s");
    }
    chainsi_model_free(model);
    chainsi_diagnostics_done(&diagnostics);
    chainsi_words_done(&folders);
    return failed ? CHAINSI_EXIT_USAGE : CHAINSI_EXIT_OK;
}
