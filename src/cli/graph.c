/* `chains graph`: shows who calls whom. */
#include <stdio.h>
#include <string.h>

#include "cli/chain.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_graph = {
    .name = "graph",
    .usage = "[FOLDER] [--entrypoint NAME] [--json]",
    .summary = "Show which Chainlets call which.",
    .help =
        "Prints the Chainlets as a tree of calls from the entrypoint down. A Chainlet that was\n"
        "printed before is marked with '...', and not repeated with what it calls.\n"
        "\n"
        "  --entrypoint NAME  the Chainlet called from outside, instead of the marked one\n"
        "  --json             print {entrypoint, chainlets: [{name, c_name, header, source,\n"
        "                     external, dependencies: [{name, retries, timeout_ms, colocate}]}]}\n"
        "\n"
        "Example:\n"
        "  chains graph hello\n",
    .run = run,
};

static void print_node(const chainsi_model_chainlet *chainlet, const char *indent,
                       const char *branch, const chainsi_model_dependency *by, bool *printed)
{
    bool again = printed[chainlet->index] && chainlet->dependency_count;
    printf("%s%s%s", indent, branch, chainlet->wire_name);
    if (chainlet->external)
        printf("  (external%s%s)", chainlet->external_config.url ? ": " : "",
               chainlet->external_config.url ? chainlet->external_config.url : "");
    if (by && by->options.retries)
        printf("  retries %d", by->options.retries);
    if (by && by->options.timeout_ms > 0)
        printf("  timeout %g ms", by->options.timeout_ms);
    if (by && by->options.colocate)
        printf("  co-located");
    printf("%s\n", again ? "  ..." : "");
    if (again)
        return;
    printed[chainlet->index] = true;
    char deeper[1024];
    const char *line = !*branch ? "" : !strcmp(branch, "└─ ") ? "   " : "│  ";
    snprintf(deeper, sizeof deeper, "%s%s", indent, line);
    for (size_t i = 0; i < chainlet->dependency_count; i++)
        print_node(chainlet->dependencies[i].chainlet, deeper,
                   i + 1 == chainlet->dependency_count ? "└─ " : "├─ ", &chainlet->dependencies[i],
                   printed);
}

static void print_tree(const chainsi_model *model)
{
    chainsi_arena arena = { 0 };
    bool *printed = chainsi_arena_array(&arena, model->chainlet_count + 1, sizeof *printed);
    if (model->entrypoint)
        print_node(model->entrypoint, "", "", NULL, printed);
    /* Callers come last in the model: from there, what no entrypoint reaches begins at its roots. */
    for (size_t i = model->chainlet_count; i-- > 0;)
        if (!printed[i])
            print_node(model->chainlets[i], "", "", NULL, printed);
    chainsi_arena_done(&arena);
}

static void add_chainlet(chainsi_buffer *out, const chainsi_model_chainlet *chainlet)
{
    chainsi_buffer_add_text(out, "{\"name\": ");
    chainsi_json_add_text(out, chainlet->wire_name);
    chainsi_buffer_add_text(out, ", \"c_name\": ");
    chainsi_json_add_text(out, chainlet->c_name);
    chainsi_buffer_add_text(out, ", \"header\": ");
    chainsi_json_add_text(out, chainlet->header);
    chainsi_buffer_add_text(out, ", \"source\": ");
    chainsi_json_add_text(out, chainlet->source);
    chainsi_buffer_printf(out, ", \"external\": %s, \"dependencies\": [",
                          chainlet->external ? "true" : "false");
    for (size_t i = 0; i < chainlet->dependency_count; i++) {
        const chainsi_model_dependency *dependency = &chainlet->dependencies[i];
        chainsi_buffer_add_text(out, i ? ", {\"name\": " : "{\"name\": ");
        chainsi_json_add_text(out, dependency->chainlet->wire_name);
        chainsi_buffer_printf(out, ", \"retries\": %d, \"timeout_ms\": %.17g, \"colocate\": %s}",
                              dependency->options.retries, dependency->options.timeout_ms,
                              dependency->options.colocate ? "true" : "false");
    }
    chainsi_buffer_add_text(out, "]}");
}

static void print_json(const chainsi_model *model)
{
    chainsi_buffer out = { 0 };
    chainsi_buffer_add_text(&out, "{\"entrypoint\": ");
    chainsi_json_add_text(&out, model->entrypoint ? model->entrypoint->wire_name : NULL);
    chainsi_buffer_add_text(&out, ", \"chainlets\": [");
    for (size_t i = 0; i < model->chainlet_count; i++) {
        chainsi_buffer_add_text(&out, i ? ", " : "");
        add_chainlet(&out, model->chainlets[i]);
    }
    chainsi_buffer_add_text(&out, "]}\n");
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
                print_tree(chain.model);
        }
        chainsi_chain_close(&chain);
    }
    chainsi_words_done(&folders);
    return status;
}
