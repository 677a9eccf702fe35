/* `chains build`: generates code and builds every service of a chain. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/chain.h"
#include "schema/json.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_build = {
    .name = "build",
    .usage = "[FOLDER] [--entrypoint NAME] [--fake FILE.c]... [--sanitize] [--json]",
    .summary = "Build the services of a chain.",
    .help =
        "Checks the headers, generates code under FOLDER/.chains/ and builds a program for each\n"
        "service that the entrypoint needs. Prints where they are. What is up to date is left\n"
        "alone. Compilers are $CC and $CXX, else cc and c++; nvcc for CUDA.\n"
        "\n"
        "  --entrypoint NAME  the Chainlet called from outside, instead of the marked one\n"
        "  --fake FILE.c      use the Chainlets that this file defines instead of the real ones\n"
        "  --sanitize         with the address and undefined behaviour sanitizers\n"
        "  --json             print [{name, binary, fake, dependencies}]\n"
        "\n"
        "Example:\n"
        "  chains build hello\n",
    .run = run,
};

static void print_json(const chainsi_built *built)
{
    chainsi_buffer out = { 0 };
    chainsi_buffer_add_byte(&out, '[');
    for (size_t i = 0; i < built->service_count; i++) {
        const chainsi_service *service = &built->services[i];
        chainsi_buffer_add_text(&out, i ? ", {\"name\": " : "{\"name\": ");
        chainsi_json_write_text(&out, service->chainlet->wire_name);
        chainsi_buffer_add_text(&out, ", \"binary\": ");
        chainsi_json_write_text(&out, service->binary);
        chainsi_buffer_printf(&out, ", \"fake\": %s, \"dependencies\": [",
                              service->fake ? "true" : "false");
        for (size_t j = 0; j < service->dependency_count; j++) {
            chainsi_buffer_add_text(&out, j ? ", " : "");
            chainsi_json_write_text(&out, service->dependencies[j]->wire_name);
        }
        chainsi_buffer_add_text(&out, "]}");
    }
    chainsi_buffer_add_text(&out, "]\n");
    fwrite(out.data, 1, out.size, stdout);
    chainsi_buffer_done(&out);
}

static void print_services(const chainsi_chain *chain, const chainsi_built *built)
{
    size_t folder_size = strlen(chain->model->folder);
    bool here = !strcmp(chain->folder, ".");
    for (size_t i = 0; i < built->service_count; i++) {
        const chainsi_service *service = &built->services[i];
        const char *below = service->binary + folder_size + 1;
        printf("%-20s %s%s%s%s\n", service->chainlet->wire_name, here ? "" : chain->folder,
               here ? "" : "/", below, service->fake ? "  (fake)" : "");
    }
}

static int run(int argc, char **argv)
{
    bool json = false, sanitize = false;
    const char *entrypoint = NULL;
    chainsi_words folders = { 0 }, fakes = { 0 };
    const chainsi_option options[] = {
        { "entrypoint", CHAINSI_OPTION_TEXT, &entrypoint },
        { "fake", CHAINSI_OPTION_WORDS, &fakes },
        { "sanitize", CHAINSI_OPTION_FLAG, &sanitize },
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_build, options, argc, argv, 1, &folders, &status)) {
        chainsi_chain chain;
        status = CHAINSI_EXIT_USAGE;
        if (chainsi_chain_open(&chain, folders.count ? folders.items[0] : NULL, entrypoint, true)) {
            chainsi_build_options build_options = {
                .fakes = fakes.items, .fake_count = fakes.count, .sanitize = sanitize, .quiet = json
            };
            chainsi_built *built =
                chainsi_build_services(chain.model, &build_options, &chain.diagnostics);
            chainsi_chain_report(&chain);
            status = built ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
            if (built && json)
                print_json(built);
            else if (built)
                print_services(&chain, built);
            chainsi_built_free(built);
        }
        chainsi_chain_close(&chain);
    }
    chainsi_words_done(&folders);
    chainsi_words_done(&fakes);
    return status;
}
