/* `chains call`: one call of a deployed chain. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/environment.h"
#include "runtime/input.h"

extern const chainsi_verb chainsi_verb_call;

typedef struct request {
    const char *input, *chainlet, *environment, *version;
    chainsi_words names;
    double timeout_ms;
    bool stream, json;
} request;

static int call_chain(chainsi_daemon *daemon, const request *r, const chainsi_buffer *input)
{
    const char *where = r->environment ? r->environment : CHAINSI_PRODUCTION;
    const char *path =
        chainsi_arena_printf(&daemon->arena, "/chains/%s/%s%s%s%s/run_remote", r->names.items[0],
                             r->version ? "versions/" : "", r->version ? r->version : where,
                             r->chainlet ? "/chainlets/" : "", r->chainlet ? r->chainlet : "");
    chainsi_daemon_answer answer;
    bool streamed = false;
    if (r->stream ? !chainsi_daemon_stream(daemon, path, input, r->timeout_ms, &answer, &streamed)
                  : !chainsi_daemon_ask(daemon, "POST", path, input, r->timeout_ms, &answer))
        return CHAINSI_EXIT_FAILED;
    if (streamed)
        return answer.size ? chainsi_daemon_fail(daemon, &answer, r->json) : CHAINSI_EXIT_OK;
    if (answer.status != 200)
        return chainsi_daemon_fail(daemon, &answer, r->json);
    bool good = fwrite(answer.body, 1, answer.size, stdout) == answer.size &&
                putchar('\n') != EOF && fflush(stdout) == 0;
    return good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

static int read_and_call(const request *r)
{
    if (r->names.count != 1)
        return chainsi_usage_error(&chainsi_verb_call, "it takes the name of a chain");
    if (r->environment && r->version)
        return chainsi_usage_error(&chainsi_verb_call,
                                   "it takes '--environment' or '--version', not both");
    const char *names[] = { r->names.items[0], r->chainlet, r->environment, r->version };
    if (!chainsi_check_names(&chainsi_verb_call, names, 4))
        return CHAINSI_EXIT_USAGE;
    if (r->timeout_ms < 0)
        return chainsi_usage_error(&chainsi_verb_call,
                                   "'--timeout' takes milliseconds, or 0 for no limit");
    chainsi_buffer input = { 0 };
    if (!chainsi_input_read(r->input ? r->input : "{}", &input)) {
        fprintf(stderr, "chains call: can't read the input '%s': %s\n", r->input, strerror(errno));
        chainsi_buffer_done(&input);
        return CHAINSI_EXIT_USAGE;
    }
    chainsi_daemon daemon;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon, true))
        status = call_chain(&daemon, r, &input);
    chainsi_daemon_close(&daemon);
    chainsi_buffer_done(&input);
    return status;
}

static int call(int argc, char **argv)
{
    request r = { 0 };
    const chainsi_option options[] = {
        { "input", CHAINSI_OPTION_TEXT, &r.input },
        { "chainlet", CHAINSI_OPTION_TEXT, &r.chainlet },
        { "environment", CHAINSI_OPTION_TEXT, &r.environment },
        { "version", CHAINSI_OPTION_TEXT, &r.version },
        { "timeout", CHAINSI_OPTION_NUMBER, &r.timeout_ms },
        { "stream", CHAINSI_OPTION_FLAG, &r.stream },
        { "json", CHAINSI_OPTION_FLAG, &r.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_call, options, argc, argv, 1, &r.names, &status))
        status = read_and_call(&r);
    chainsi_words_done(&r.names);
    return status;
}

const chainsi_verb chainsi_verb_call = {
    .name = "call",
    .usage =
        "NAME [--input JSON|@FILE|-] [--environment NAME | --version VERSION] [--chainlet NAME] "
        "[--timeout MS] [--stream] [--json]",
    .summary = "Call a deployed chain.",
    .help = "Calls the entrypoint of a chain that `chains deploy` has deployed, and prints the\n"
            "answer's JSON. An error goes to stderr with its trace.\n"
            "\n"
            "  --input JSON       the arguments by name; @FILE reads a file, - stdin. Default: {}\n"
            "  --environment NAME the version that answers there. Default: production\n"
            "  --version VERSION  this very version, wherever it runs\n"
            "  --chainlet NAME    one Chainlet of the chain instead of its entrypoint\n"
            "  --timeout MS       give up after that many milliseconds, everywhere below, too.\n"
            "                     Default: 0, never\n"
            "  --stream           print the items of a stream as they come, a line of JSON each,\n"
            "                     and then its result; without it, all of them in one object\n"
            "  --json             print an error as JSON\n"
            "\n"
            "Example:\n"
            "  chains call hello --input '{\"words\": [\"moon\", \"sun\"]}'\n",
    .run = call,
};
