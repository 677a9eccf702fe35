/* `chains secret`: secrets of the daemon. A value never stands on the command line, where everybody on the
 * machine could read it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cluster_verbs.h"
#include "cli/daemon.h"
#include "cli/options.h"
#include "control/api.h"
#include "control/home.h"
#include "control/sealing.h"
#include "control/store_keys.h"
#include "control/vault.h"
#include "schema/json.h"
#include "schema/utf8.h"

extern const chainsi_verb chainsi_verb_secret;

/* What a terminal keeps of a line that is typed, its end included; the rest is dropped without a word. */
enum { MOST_TYPED = 4096 };

typedef struct request {
    chainsi_words words; /* what to do, and perhaps a secret's name */
    const char *file, *chain;
    chainsi_cluster_words where;
    bool json;
} request;

static void read_all(FILE *file, chainsi_buffer *value)
{
    for (int c; value->size <= CHAINSI_SECRET_MOST && (c = getc(file)) != EOF;)
        chainsi_buffer_add_byte(value, (uint8_t)c);
}

/* A line of the terminal, without its end; false, if a signal wants us to end, which `ends` has. */
static bool read_line(int ends, chainsi_buffer *value)
{
    for (;;) {
        struct pollfd polled[] = { { .fd = ends, .events = POLLIN },
                                   { .fd = STDIN_FILENO, .events = POLLIN } };
        if (poll(polled, 2, -1) < 0)
            continue;
        if (polled[0].revents)
            return false;
        ssize_t got = read(STDIN_FILENO, chainsi_buffer_reserve(value, MOST_TYPED), MOST_TYPED);
        if (got <= 0)
            return true;
        value->size += (size_t)got;
        if (value->data[value->size - 1] != '\n')
            continue;
        value->size--;
        return true;
    }
}

/* Asks at the terminal, which shows nothing meanwhile; whatever ends us, it shows what is typed again. */
static void ask(const char *name, const struct termios *shown, chainsi_buffer *value)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    sigset_t blocked, before;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&blocked, numbers[i]);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    int ends = signalfd(-1, &blocked, SFD_CLOEXEC);
    struct termios hidden = *shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "The value of '%s' (it isn't shown): ", name);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool done = read_line(ends, value);
    tcsetattr(STDIN_FILENO, done ? TCSADRAIN : TCSAFLUSH, shown);
    fputc('\n', stderr);
    close(ends);
    sigprocmask(SIG_SETMASK, &before, NULL); /* what came is delivered now */
}

/* Of what is piped in, a line break at the end is the shell's, not the secret's. */
static void read_piped(chainsi_buffer *value)
{
    read_all(stdin, value);
    if (value->size && value->data[value->size - 1] == '\n')
        value->size--;
    if (value->size && value->data[value->size - 1] == '\r')
        value->size--;
}

/* False, said on stderr: there is none that could be taken. */
static bool read_value(const request *r, const char *name, chainsi_buffer *value)
{
    struct termios shown;
    bool typed = false;
    if (r->file) {
        FILE *file = fopen(r->file, "re");
        if (file)
            read_all(file, value);
        bool good = file && !ferror(file);
        if (!good)
            fprintf(stderr, "chains secret: can't read '%s': %s\n", r->file, strerror(errno));
        if (file)
            fclose(file);
        if (!good)
            return false;
    } else if (tcgetattr(STDIN_FILENO, &shown) == 0) {
        ask(name, &shown, value);
        typed = true;
    } else {
        read_piped(value);
    }
    if (typed && value->size >= MOST_TYPED - 1) {
        fprintf(stderr,
                "chains secret: a terminal gives no more than %d bytes of a line\n"
                "  hint: read it from a file, with --file\n",
                MOST_TYPED - 1);
    } else if (value->size > CHAINSI_SECRET_MOST) {
        fprintf(stderr, "chains secret: a secret has at most %d KiB\n", CHAINSI_SECRET_MOST / 1024);
    } else if (!value->size) {
        fprintf(stderr, "chains secret: the value is empty\n");
    } else if (memchr(value->data, 0, value->size) ||
               chainsi_utf8_valid((const char *)value->data, value->size) != value->size) {
        fprintf(stderr, "chains secret: the value is no UTF-8 text\n"
                        "  hint: write it in base64, and decode it in the Chainlet\n");
    } else {
        return true;
    }
    return false;
}

static const char *path_of(chainsi_daemon *daemon, const request *r)
{
    return chainsi_arena_printf(&daemon->arena, "/api/v1/secrets/%s%s%s", r->chain ? r->chain : "",
                                r->chain ? "/" : "", r->words.items[1]);
}

static int set_secret(chainsi_daemon *daemon, const request *r)
{
    chainsi_buffer value = { 0 }, body = { 0 };
    chainsi_codec_error why;
    chainsi_daemon_answer answer;
    chainsi_api_secret_changed changed;
    int status = CHAINSI_EXIT_FAILED;
    if (read_value(r, r->words.items[1], &value)) {
        chainsi_buffer_add_byte(&value, 0);
        chainsi_json_encode(&chainsi_api_secret_value_type,
                            &(chainsi_api_secret_value){ (const char *)value.data }, &body, &why);
        if (chainsi_daemon_have(daemon) &&
            chainsi_daemon_ask(daemon, "PUT", path_of(daemon, r), &body, 0, &answer) &&
            chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_api_secret_changed_type,
                                  &changed)) {
            status = CHAINSI_EXIT_OK;
            if (r->json)
                chainsi_daemon_print(&answer);
            else
                printf("%s is set\n", changed.name);
            for (size_t i = 0; !r->json && i < changed.used_by.count; i++)
                printf("  %s gets it when its processes start next, as with `chains deploy`\n",
                       changed.used_by.items[i]);
        }
    }
    if (value.data)
        explicit_bzero(value.data, value.capacity);
    if (body.data)
        explicit_bzero(body.data, body.capacity);
    chainsi_buffer_done(&value);
    chainsi_buffer_done(&body);
    return status;
}

static int list_secrets(chainsi_daemon *daemon, const request *r)
{
    chainsi_daemon_answer answer;
    chainsi_stored_secrets secrets;
    if (!chainsi_daemon_find(daemon) ||
        !chainsi_daemon_ask(daemon, "GET", "/api/v1/secrets", NULL, 0, &answer) ||
        !chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_shown_secrets_type, &secrets))
        return CHAINSI_EXIT_FAILED;
    if (r->json)
        chainsi_daemon_print(&answer);
    else
        printf("%-32s %s\n", "NAME", "SET");
    for (size_t i = 0; !r->json && i < secrets.count; i++)
        printf("%-32s %.19sZ\n", secrets.items[i].name, secrets.items[i].updated_at);
    return CHAINSI_EXIT_OK;
}

static int delete_secret(chainsi_daemon *daemon, const request *r)
{
    chainsi_daemon_answer answer;
    chainsi_api_secret_changed changed;
    if (!chainsi_daemon_find(daemon) ||
        !chainsi_daemon_ask(daemon, "DELETE", path_of(daemon, r), NULL, 0, &answer) ||
        !chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_api_secret_changed_type,
                               &changed))
        return CHAINSI_EXIT_FAILED;
    if (r->json)
        chainsi_daemon_print(&answer);
    else
        printf("%s is deleted\n", changed.name);
    return CHAINSI_EXIT_OK;
}

static int set_in_cluster(const request *r)
{
    chainsi_buffer value = { 0 };
    const char *name = r->words.items[1];
    int status = CHAINSI_EXIT_FAILED;
    if (read_value(r, name, &value))
        status =
            chainsi_secret_set_in_cluster(&chainsi_verb_secret, &r->where, r->chain, name, &value);
    if (value.data)
        explicit_bzero(value.data, value.capacity);
    chainsi_buffer_done(&value);
    return status;
}

/* There each chain has a Secret of its own. */
static int run_in_cluster(const request *r, const char *what, bool named)
{
    const chainsi_verb *verb = &chainsi_verb_secret;
    if (!r->chain)
        return chainsi_usage_error(verb, "--target kubernetes needs --chain NAME");
    if (!strcmp(what, "set") && named)
        return set_in_cluster(r);
    if (!strcmp(what, "list") && r->words.count == 1)
        return chainsi_secret_list_in_cluster(verb, &r->where, r->chain, r->json);
    if (!strcmp(what, "delete") && named)
        return chainsi_secret_delete_in_cluster(verb, &r->where, r->chain, r->words.items[1]);
    return chainsi_usage_error(verb, "it takes set NAME, list, or delete NAME");
}

static int run(const request *r)
{
    bool cluster;
    const char *what = r->words.count ? r->words.items[0] : "";
    bool named = r->words.count == 2;
    if (named && (!chainsi_vault_is_name(r->words.items[1]) ||
                  (r->chain && !chainsi_api_is_chain_name(r->chain))))
        return chainsi_usage_error(&chainsi_verb_secret,
                                   "the name of a secret has letters, digits, '_' and '-'");
    if (!chainsi_cluster_words_read(&chainsi_verb_secret, &r->where, &cluster))
        return CHAINSI_EXIT_USAGE;
    if (cluster)
        return run_in_cluster(r, what, named);
    chainsi_daemon daemon = { 0 };
    int status;
    if (!strcmp(what, "set") && named)
        status = set_secret(&daemon, r);
    else if (!strcmp(what, "list") && r->words.count == 1)
        status = list_secrets(&daemon, r);
    else if (!strcmp(what, "delete") && named)
        status = delete_secret(&daemon, r);
    else
        status = chainsi_usage_error(
            &chainsi_verb_secret, "it takes set NAME, list, or delete NAME; the value comes from "
                                  "stdin or --file");
    chainsi_daemon_close(&daemon);
    return status;
}

static int secret(int argc, char **argv)
{
    request r = { 0 };
    const chainsi_option options[] = {
        { "file", CHAINSI_OPTION_TEXT, &r.file }, { "chain", CHAINSI_OPTION_TEXT, &r.chain },
        CHAINSI_CLUSTER_OPTIONS(r.where),         { "json", CHAINSI_OPTION_FLAG, &r.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_secret, options, argc, argv, 2, &r.words, &status))
        status = run(&r);
    chainsi_words_done(&r.words);
    return status;
}

const chainsi_verb chainsi_verb_secret = {
    .name = "secret",
    .usage = "set NAME [--file FILE] [--chain NAME] | list | delete NAME [--chain NAME]  [--json]\n"
             "                     " CHAINSI_CLUSTER_USAGE,
    .summary = "Set, list and delete what Chainlets read with chains_secret.",
    .help =
        "The value is read from stdin, less a line break at its end; on a terminal it is asked\n"
        "for and not shown. The daemon keeps it sealed, and hands it to the processes of those\n"
        "Chainlets that name it in their .secrets, when they start.\n"
        "\n"
        "  --file FILE     the value is what the file has, to its last byte\n"
        "  --chain NAME    for that chain alone; it goes before one for all of that name\n"
        "  --json          print what the daemon's API answers, which has no "
        "values\n" CHAINSI_CLUSTER_HELP "                       There they are keys of the Secret "
        "CHAIN-secrets: --chain is needed,\n"
        "                       `list` tells the names\n"
        "\n"
        "Example:\n"
        "  chains secret set hf_token < token.txt\n",
    .run = secret,
};
