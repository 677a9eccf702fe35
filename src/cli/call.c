/* `chains call`: one call of a deployed chain, at once or as an asynchronous request. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/environment.h"
#include "control/api_requests.h"
#include "runtime/input.h"
#include "schema/json.h"

extern const chainsi_verb chainsi_verb_call;

typedef struct request {
    const char *input, *chainlet, *environment, *version;
    chainsi_words names;
    double timeout_ms;
    bool stream, json;
    bool async;
    const char *webhook;
    int64_t priority, retries;  /* -1: not said */
    double max_time_in_queue_s; /* -1: not said */
} request;

/* Hands the call over as a request, and prints its id. */
static int request_call(chainsi_daemon *daemon, const request *r, const char *path,
                        const chainsi_buffer *input)
{
    chainsi_api_async asked = {
        .input = { (const char *)input->data, input->size },
        .webhook = r->webhook,
        .priority = (int32_t)(r->priority < 0 ? 0 : r->priority),
        .max_time_in_queue_s = r->max_time_in_queue_s < 0 ? 0 : r->max_time_in_queue_s,
        .retries = (int32_t)(r->retries < 0 ? 0 : r->retries),
    };
    chainsi_buffer body = { 0 };
    chainsi_codec_error why;
    if (chainsi_json_encode(&chainsi_api_async_type, &asked, &body, &why) != CHAINS_OK) {
        fprintf(stderr, "chains call: the %s can't be sent: %s\n", why.path, why.message);
        chainsi_buffer_done(&body);
        return CHAINSI_EXIT_FAILED;
    }
    chainsi_daemon_answer answer;
    bool answered = chainsi_daemon_ask(daemon, "POST", path, &body, r->timeout_ms, &answer);
    chainsi_buffer_done(&body);
    if (!answered)
        return CHAINSI_EXIT_FAILED;
    chainsi_api_async_accepted accepted;
    if (answer.status != 202 ||
        chainsi_json_decode(&chainsi_api_async_accepted_type, answer.body, answer.size,
                            &daemon->arena, &accepted, NULL) != CHAINS_OK)
        return chainsi_daemon_fail(daemon, &answer, r->json);
    if (r->json)
        chainsi_daemon_print(&answer);
    else
        printf("%s\n", accepted.request_id);
    return fflush(stdout) == 0 ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

static int call_chain(chainsi_daemon *daemon, const request *r, const chainsi_buffer *input)
{
    const char *where = r->environment ? r->environment : CHAINSI_PRODUCTION;
    const char *path = chainsi_arena_printf(
        &daemon->arena, "/chains/%s/%s%s%s%s/%srun_remote", r->names.items[0],
        r->version ? "versions/" : "", r->version ? r->version : where,
        r->chainlet ? "/chainlets/" : "", r->chainlet ? r->chainlet : "", r->async ? "async_" : "");
    if (r->async)
        return request_call(daemon, r, path, input);
    chainsi_daemon_answer answer;
    bool streamed = false;
    if (r->stream ? !chainsi_daemon_stream(daemon, path, input, r->timeout_ms, &answer, &streamed)
                  : !chainsi_daemon_ask(daemon, "POST", path, input, r->timeout_ms, &answer))
        return CHAINSI_EXIT_FAILED;
    if (streamed)
        return answer.size ? chainsi_daemon_fail(daemon, &answer, r->json) : CHAINSI_EXIT_OK;
    if (answer.status != 200)
        return chainsi_daemon_fail(daemon, &answer, r->json);
    chainsi_text_write(stdout, answer.body, answer.size, CHAINSI_TEXT_JSON);
    bool good = putchar('\n') != EOF && fflush(stdout) == 0 && !ferror(stdout);
    return good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

/* What goes together with --async, and what doesn't; 0, or the exit status after a message. */
static int check_async(const request *r)
{
    const char *only = r->webhook                    ? "webhook"
                       : r->priority >= 0            ? "priority"
                       : r->retries >= 0             ? "retries"
                       : r->max_time_in_queue_s >= 0 ? "max-time-in-queue"
                                                     : NULL;
    if (!r->async && only)
        return chainsi_usage_error(&chainsi_verb_call, "'--%s' is for '--async'", only);
    if (r->async && r->stream)
        return chainsi_usage_error(&chainsi_verb_call, "'--async' has no '--stream'");
    if (r->priority > CHAINSI_REQUEST_MOST_PRIORITY || r->priority < -1)
        return chainsi_usage_error(&chainsi_verb_call, "'--priority' takes 0 to %d",
                                   CHAINSI_REQUEST_MOST_PRIORITY);
    if (r->retries > CHAINSI_REQUEST_MOST_RETRIES || r->retries < -1)
        return chainsi_usage_error(&chainsi_verb_call, "'--retries' takes 0 to %d",
                                   CHAINSI_REQUEST_MOST_RETRIES);
    return 0;
}

static int read_and_call(const request *r)
{
    int wrong = check_async(r);
    if (wrong)
        return wrong;
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
    if (chainsi_daemon_find(&daemon))
        status = call_chain(&daemon, r, &input);
    chainsi_daemon_close(&daemon);
    chainsi_buffer_done(&input);
    return status;
}

static int call(int argc, char **argv)
{
    request r = { .priority = -1, .retries = -1, .max_time_in_queue_s = -1 };
    const chainsi_option options[] = {
        { "input", CHAINSI_OPTION_TEXT, &r.input },
        { "chainlet", CHAINSI_OPTION_TEXT, &r.chainlet },
        { "environment", CHAINSI_OPTION_TEXT, &r.environment },
        { "version", CHAINSI_OPTION_TEXT, &r.version },
        { "timeout", CHAINSI_OPTION_NUMBER, &r.timeout_ms },
        { "stream", CHAINSI_OPTION_FLAG, &r.stream },
        { "async", CHAINSI_OPTION_FLAG, &r.async },
        { "webhook", CHAINSI_OPTION_TEXT, &r.webhook },
        { "priority", CHAINSI_OPTION_INTEGER, &r.priority },
        { "max-time-in-queue", CHAINSI_OPTION_NUMBER, &r.max_time_in_queue_s },
        { "retries", CHAINSI_OPTION_INTEGER, &r.retries },
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
        "[--timeout MS] [--stream] [--json]\n"
        "       chains call NAME --async [--webhook URL] [--priority N] [--retries N]\n"
        "                        [--max-time-in-queue S] ...",
    .summary = "Call a deployed chain.",
    .help =
        "Calls the entrypoint of a chain that `chains deploy` has deployed, and prints the\n"
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
        "  --json             print an error as JSON, and the answer of --async\n"
        "\n"
        "  --async            hand the call over and print the id of the request, which is on\n"
        "                     the daemon's disk then; `chains requests ID` shows what came of it\n"
        "  --webhook URL      be told there of its end, by a signed POST\n"
        "  --priority N       0, the default, goes before 1, and so on\n"
        "  --retries N        attempts after the first one failed. Default: 0\n"
        "  --max-time-in-queue S  it expires if it hasn't begun after S seconds. Default: never\n"
        "                     With --async, --timeout is for each attempt.\n"
        "\n"
        "Example:\n"
        "  chains call hello --input '{\"words\": [\"moon\", \"sun\"]}'\n"
        "  chains call hello --async --input '{\"words\": [\"moon\"]}' --retries 3\n",
    .run = call,
};
