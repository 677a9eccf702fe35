/* `chains graph`: shows who calls whom, as the headers say or as it runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "cli/chain.h"
#include "cli/environment.h"
#include "cli/graph_pictures.h"
#include "compiler/graph.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_graph = {
    .name = "graph",
    .usage = "[FOLDER] [--entrypoint NAME] [--format FORMAT]\n"
             "       chains graph --deployed CHAIN [--environment NAME] [--format FORMAT]",
    .summary = "Show which Chainlets call which.",
    .help =
        "Draws the Chainlets of a folder as boxes, with what they want of the machine, and calls "
        "as\n"
        "arrows, with their options below; where the terminal is too narrow for that, as a tree.\n"
        "With --deployed what runs: states, replicas, calls in flight, and how often what is "
        "called\n"
        "and how long it takes, over the last ten seconds.\n"
        "\n"
        "  --entrypoint NAME  the Chainlet called from outside, instead of the marked one\n"
        "  --deployed CHAIN   of a chain that is deployed, instead of a folder\n"
        "  --environment NAME of it there. Default: production\n"
        "  --format text      boxes and arrows: the default\n"
        "  --format tree      a tree of calls from the entrypoint down, with what each takes and\n"
        "                     gives. One that was shown before is only named again\n"
        "  --format dot       for Graphviz\n"
        "  --format svg       a picture by itself\n"
        "  --format json      or --json: {entrypoint, chainlets: [{name, c_name, file, line,\n"
        "                     external, description, cpu, memory, gpu, inputs, outputs, stream,\n"
        "                     dependencies: [{name, parameter, retries, timeout_ms, "
        "colocate}]}]}.\n"
        "                     Deployed: as the daemon's API gives it (docs/daemon.md, \"The live\n"
        "                     view\"): chainlets with state and rates, edges between them\n"
        "\n"
        "Example:\n"
        "  chains graph hello\n"
        "  chains graph --deployed hello\n"
        "  chains graph hello --format svg > hello.svg\n",
    .run = run,
};

typedef struct request {
    const char *folder, *entrypoint, *deployed, *environment, *format;
} request;

static bool is_format(const request *r, const char *name)
{
    return !strcmp(r->format, name);
}

/* The terminal's columns; without one those of $COLUMNS, else any. */
static size_t find_columns(const chainsi_terminal *terminal)
{
    const char *columns = getenv("COLUMNS");
    if (terminal->columns)
        return terminal->columns;
    const long told = columns ? strtol(columns, NULL, 10) : 0;
    return told > 0 ? (size_t)told : 0;
}

static void print_picture(const request *r, const chainsi_picture *picture, bool titled)
{
    const chainsi_terminal terminal = chainsi_terminal_of(STDOUT_FILENO);
    const chainsi_picture_style style = { find_columns(&terminal), terminal.unicode,
                                          terminal.color };
    chainsi_buffer out = { 0 };
    if (is_format(r, "dot")) {
        chainsi_picture_dot(picture, &out);
    } else if (is_format(r, "svg")) {
        chainsi_picture_svg(picture, &out);
    } else {
        if (titled) {
            chainsi_text_add(&out, picture->title, strlen(picture->title), CHAINSI_TEXT_LINE);
            chainsi_buffer_add_text(&out, "\n\n");
        }
        if (is_format(r, "tree") || !chainsi_picture_text(picture, &style, &out))
            chainsi_picture_tree(picture, &style, &out);
    }
    fwrite(out.data, 1, out.size, stdout);
    chainsi_buffer_done(&out);
}

static void print_json(chainsi_buffer *out)
{
    chainsi_buffer_add_byte(out, '\n');
    chainsi_text_write(stdout, (const char *)out->data, out->size, CHAINSI_TEXT_JSON);
    chainsi_buffer_done(out);
}

static int show_folder(const request *r)
{
    chainsi_chain chain;
    int status = CHAINSI_EXIT_USAGE;
    if (chainsi_chain_open(&chain, r->folder, r->entrypoint, false)) {
        chainsi_buffer json = { 0 };
        chainsi_arena arena = { 0 };
        chainsi_picture picture;
        status = CHAINSI_EXIT_OK;
        if (is_format(r, "json")) {
            chainsi_graph_json(chain.model, &json);
            print_json(&json);
        } else {
            chainsi_graph_of_model(chain.model, &arena, &picture);
            print_picture(r, &picture, false);
        }
        chainsi_arena_done(&arena);
    }
    chainsi_chain_close(&chain);
    return status;
}

static int show_deployed(const request *r)
{
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    chainsi_api_graph graph;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon) &&
        chainsi_daemon_ask(&daemon, "GET",
                           chainsi_daemon_graph_path(&daemon, r->deployed, r->environment), NULL, 0,
                           &answer) &&
        chainsi_daemon_expect(&daemon, &answer, is_format(r, "json"), &chainsi_api_graph_type,
                              &graph)) {
        chainsi_picture picture;
        status = CHAINSI_EXIT_OK;
        if (is_format(r, "json")) {
            chainsi_daemon_print(&answer);
        } else {
            chainsi_graph_of_chain(&graph, &daemon.arena, &picture);
            print_picture(r, &picture, true);
        }
    }
    chainsi_daemon_close(&daemon);
    return status;
}

/* What is wrong with the words; NULL: nothing. */
static const char *find_mistake(const request *r)
{
    static const char *const formats[] = { "text", "tree", "dot", "svg", "json" };
    bool known = false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        known = known || is_format(r, formats[i]);
    if (!known)
        return "'--format' takes text, tree, dot, svg or json";
    if (r->deployed && (r->folder || r->entrypoint))
        return "'--deployed' takes the place of a folder and its '--entrypoint'";
    if (!r->deployed && r->environment)
        return "'--environment' is for '--deployed'";
    return NULL;
}

static int run(int argc, char **argv)
{
    bool json = false;
    request r = { .format = "text" };
    chainsi_words folders = { 0 };
    const chainsi_option options[] = {
        { "entrypoint", CHAINSI_OPTION_TEXT, &r.entrypoint },
        { "deployed", CHAINSI_OPTION_TEXT, &r.deployed },
        { "environment", CHAINSI_OPTION_TEXT, &r.environment },
        { "format", CHAINSI_OPTION_TEXT, &r.format },
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_graph, options, argc, argv, 1, &folders, &status)) {
        r.folder = folders.count ? folders.items[0] : NULL;
        r.format = json ? "json" : r.format;
        const char *mistake = find_mistake(&r);
        const char *names[] = { r.deployed, r.environment };
        if (mistake)
            status = chainsi_usage_error(&chainsi_verb_graph, "%s", mistake);
        else if (!chainsi_check_names(&chainsi_verb_graph, names, 2))
            status = CHAINSI_EXIT_USAGE;
        else if (!r.deployed)
            status = show_folder(&r);
        else {
            r.environment = r.environment ? r.environment : CHAINSI_PRODUCTION;
            status = show_deployed(&r);
        }
    }
    chainsi_words_done(&folders);
    return status;
}
