/* `chains requests`: asynchronous requests and what came of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "cli/daemon.h"
#include "cli/options.h"
#include "control/api_requests.h"
#include "schema/json.h"

extern const chainsi_verb chainsi_verb_requests;

enum {
    PAGE = 20,
    FIRST_LOOK_MS = 20, /* between looks at one that is watched; doubles */
    LONGEST_LOOK_MS = 1000
};

typedef struct asked {
    chainsi_words ids;
    const char *chain, *status, *before;
    int64_t limit;
    bool cancel, watch, json;
} asked;

/* An id or a name goes into a path as it is. */
static bool is_plain(const char *text)
{
    return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789._-")];
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static int say_unreadable(const chainsi_codec_error *why)
{
    fprintf(stderr, "chains: the daemon's answer can't be read: %s: %s\n", why->path, why->message);
    return CHAINSI_EXIT_FAILED;
}

static const char *name_of(const chainsi_type *type, int64_t value)
{
    for (uint32_t i = 0; i < type->value_count; i++)
        if (type->values[i].value == value)
            return type->values[i].name;
    return "?";
}

/* One request. */

static void print_json(const char *what, const chains_json *json)
{
    fputs(what, stdout);
    chainsi_text_write(stdout, json->text, json->size, CHAINSI_TEXT_JSON);
    putchar('\n');
}

/* What others say is only shown. */
static void print_text(const char *before, const char *text)
{
    fputs(before, stdout);
    chainsi_text_print(stdout, text);
}

static void print_request(const chainsi_api_request *request)
{
    printf("request   %s\n", request->request_id);
    printf("chain     %s%s%s\n", request->chain, request->chainlet ? ", Chainlet " : "",
           request->chainlet ? request->chainlet : "");
    printf("status    %s\n", chainsi_request_state_name(request->status));
    if (request->key) {
        print_text("key       ", request->key);
        putchar('\n');
    }
    printf("attempts  %" PRId32 " of %" PRId32, request->attempts, request->retries + 1);
    if (request->losses)
        printf(", %" PRId32 " of them lost and made again", request->losses);
    printf("\npriority  %" PRId32 "\n", request->priority);
    printf("created   %s\nstarted   %s\nended     %s\n", request->created_at,
           or_dash(request->started_at), or_dash(request->ended_at));
    if (request->expires_at && !request->started_at)
        printf("expires   %s\n", request->expires_at);
    if (request->webhook) {
        print_text("webhook   ", request->webhook);
        printf(", %s after %" PRId32 " attempts",
               name_of(&chainsi_webhook_state_type, request->webhook_status),
               request->webhook_attempts);
        print_text(request->webhook_error ? ": " : "",
                   request->webhook_error ? request->webhook_error : "");
        putchar('\n');
    }
    if (request->error.text)
        print_json("error     ", &request->error);
    if (request->result.text)
        print_json("result    ", &request->result);
}

/* Asks for one; *request points into the daemon's arena. */
static int look(chainsi_daemon *daemon, const asked *a, const char *method,
                chainsi_daemon_answer *answer, chainsi_api_request *request)
{
    char path[256];
    chainsi_codec_error why;
    int size = snprintf(path, sizeof path, "/requests/%s", a->ids.items[0]);
    if (size < 0 || (size_t)size >= sizeof path)
        return chainsi_usage_error(&chainsi_verb_requests, "that id is too long");
    if (!chainsi_daemon_ask(daemon, method, path, NULL, 0, answer))
        return CHAINSI_EXIT_FAILED;
    if (answer->status != 200)
        return chainsi_daemon_fail(daemon, answer, a->json);
    if (chainsi_json_decode(&chainsi_api_request_type, answer->body, answer->size, &daemon->arena,
                            request, &why) != CHAINS_OK)
        return say_unreadable(&why);
    return CHAINSI_EXIT_OK;
}

static int show_one(chainsi_daemon *daemon, const asked *a)
{
    chainsi_daemon_answer answer;
    chainsi_api_request request;
    int64_t pause_ms = FIRST_LOOK_MS;
    int status = look(daemon, a, a->cancel ? "DELETE" : "GET", &answer, &request);
    while (status == CHAINSI_EXIT_OK && a->watch && !request.ended_at) {
        nanosleep(&(struct timespec){ .tv_sec = pause_ms / 1000,
                                      .tv_nsec = pause_ms % 1000 * CHAINSI_NS_PER_MS },
                  NULL);
        pause_ms = pause_ms * 2 < LONGEST_LOOK_MS ? pause_ms * 2 : LONGEST_LOOK_MS;
        chainsi_arena_reset(&daemon->arena);
        status = look(daemon, a, "GET", &answer, &request);
    }
    if (status != CHAINSI_EXIT_OK)
        return status;
    if (a->json)
        chainsi_daemon_print(&answer);
    else
        print_request(&request);
    return a->watch && request.status != CHAINSI_REQUEST_SUCCEEDED ? CHAINSI_EXIT_FAILED
                                                                   : CHAINSI_EXIT_OK;
}

/* Lists. */

static void print_table(const chainsi_api_requests *requests, int64_t limit)
{
    if (!requests->count) {
        printf("there are no such requests\n");
        return;
    }
    printf("%-32s  %-20s %-9s %8s %8s  %-20s  %-20s  %s\n", "REQUEST", "CHAIN", "STATUS",
           "PRIORITY", "ATTEMPTS", "CREATED", "ENDED", "WEBHOOK");
    for (size_t i = 0; i < requests->count; i++) {
        const chainsi_api_request *request = &requests->items[i];
        char ended[32] = "-";
        if (request->ended_at)
            snprintf(ended, sizeof ended, "%.19sZ", request->ended_at);
        printf("%-32s  %-20s %-9s %8" PRId32 " %8" PRId32 "  %.19sZ  %-20s  %s\n",
               request->request_id, request->chain, chainsi_request_state_name(request->status),
               request->priority, request->attempts, request->created_at, ended,
               request->webhook ? name_of(&chainsi_webhook_state_type, request->webhook_status)
                                : "-");
    }
    if ((int64_t)requests->count == limit)
        printf("\nfor earlier ones: --before %s\n", requests->items[limit - 1].request_id);
}

static void add_word(chainsi_buffer *path, const char *name, const char *value)
{
    if (value)
        chainsi_buffer_printf(path, "&%s=%s", name, value);
}

static int list(chainsi_daemon *daemon, const asked *a)
{
    chainsi_buffer path = { 0 };
    chainsi_buffer_printf(&path, "/requests?limit=%" PRId64, a->limit);
    add_word(&path, "chain", a->chain);
    add_word(&path, "status", a->status);
    add_word(&path, "before", a->before);
    chainsi_buffer_add_byte(&path, 0);
    chainsi_daemon_answer answer;
    bool answered = chainsi_daemon_ask(daemon, "GET", (const char *)path.data, NULL, 0, &answer);
    chainsi_buffer_done(&path);
    if (!answered)
        return CHAINSI_EXIT_FAILED;
    if (answer.status != 200)
        return chainsi_daemon_fail(daemon, &answer, a->json);
    if (a->json) {
        chainsi_daemon_print(&answer);
        return CHAINSI_EXIT_OK;
    }
    chainsi_api_requests requests;
    chainsi_codec_error why;
    if (chainsi_json_decode(&chainsi_api_requests_type, answer.body, answer.size, &daemon->arena,
                            &requests, &why) != CHAINS_OK)
        return say_unreadable(&why);
    print_table(&requests, a->limit);
    return CHAINSI_EXIT_OK;
}

static int check_and_show(const asked *a)
{
    const char *id = a->ids.count ? a->ids.items[0] : NULL;
    const char *const words[] = { id, a->chain, a->status, a->before };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i] && !is_plain(words[i]))
            return chainsi_usage_error(&chainsi_verb_requests, "'%s' is no id, name or status",
                                       words[i]);
    if (!id && (a->cancel || a->watch))
        return chainsi_usage_error(&chainsi_verb_requests, "'--%s' takes the id of a request",
                                   a->cancel ? "cancel" : "watch");
    if (id && (a->chain || a->status || a->before))
        return chainsi_usage_error(&chainsi_verb_requests,
                                   "'--chain', '--status' and '--before' are for lists");
    if (a->limit < 1 || a->limit > CHAINSI_REQUESTS_MOST_PAGE)
        return chainsi_usage_error(&chainsi_verb_requests, "'--limit' takes 1 to %d",
                                   CHAINSI_REQUESTS_MOST_PAGE);
    chainsi_daemon daemon;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon))
        status = id ? show_one(&daemon, a) : list(&daemon, a);
    chainsi_daemon_close(&daemon);
    return status;
}

static int requests(int argc, char **argv)
{
    asked a = { .limit = PAGE };
    const chainsi_option options[] = {
        { "chain", CHAINSI_OPTION_TEXT, &a.chain },   { "status", CHAINSI_OPTION_TEXT, &a.status },
        { "before", CHAINSI_OPTION_TEXT, &a.before }, { "limit", CHAINSI_OPTION_INTEGER, &a.limit },
        { "cancel", CHAINSI_OPTION_FLAG, &a.cancel }, { "watch", CHAINSI_OPTION_FLAG, &a.watch },
        { "json", CHAINSI_OPTION_FLAG, &a.json },     { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_requests, options, argc, argv, 1, &a.ids, &status))
        status = check_and_show(&a);
    chainsi_words_done(&a.ids);
    return status;
}

const chainsi_verb chainsi_verb_requests = {
    .name = "requests",
    .usage = "[ID [--watch] [--cancel]] [--chain NAME] [--status STATUS] [--limit N]\n"
             "                       [--before ID] [--json]",
    .summary = "Show asynchronous requests, or cancel one.",
    .help =
        "Lists what `chains call --async` has handed over, the newest first; with an ID, shows\n"
        "that request with what came of it. Those that have ended are kept for a day.\n"
        "\n"
        "  --watch          wait until the request has ended; ends with 1 unless it SUCCEEDED\n"
        "  --cancel         cancel it: it won't run, or its call is ended\n"
        "  --chain NAME     those of one chain\n"
        "  --status STATUS  QUEUED, RUNNING, SUCCEEDED, FAILED, EXPIRED or CANCELLED\n"
        "  --limit N        so many of them. Default: 20\n"
        "  --before ID      those that are older than that one\n"
        "  --json           as the daemon's API gives it: an object, or an array of them\n"
        "\n"
        "Example:\n"
        "  chains requests --status FAILED\n"
        "  chains requests $(chains call hello --async --input '{\"words\": []}') --watch\n",
    .run = requests,
};
