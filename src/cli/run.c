/* `chains run`: builds the whole chain into one program and makes one call. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/chain.h"
#include "schema/json.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_run = {
    .name = "run",
    .usage = "[FOLDER] [--input JSON|@FILE|-] [--entrypoint NAME] [--fake FILE.c]...\n"
             "                  [--use NAME=URL]... [--secret NAME=VALUE]... [--assets FOLDER]\n"
             "                  [--sanitize] [--strict] [--stream] [--json]",
    .summary = "Run a chain once, in one process.",
    .help =
        "Builds the entrypoint and all that it calls into one program, calls it, and prints the\n"
        "answer's JSON. Nothing is deployed. An error goes to stderr with its trace.\n"
        "\n"
        "  --input JSON         the arguments by name; @FILE reads a file, - stdin. Default: {}\n"
        "  --entrypoint NAME    the Chainlet to call, instead of the marked one\n"
        "  --fake FILE.c        use the Chainlets that this file defines instead of the real ones\n"
        "  --use NAME=URL       call a deployed Chainlet there: http://host:port or unix:/path\n"
        "  --secret NAME=VALUE  a secret that chains_secret gives to Chainlets that name it\n"
        "  --assets FOLDER      where chains_asset finds files by their .path; nothing is "
        "fetched.\n"
        "                       Default: $CHAINS_ASSETS_DIR, else this folder\n"
        "  --sanitize           with the address and undefined behaviour sanitizers\n"
        "  --strict             copy and guard arguments, as deployment would\n"
        "  --stream             print the items of a stream as they come, a line of JSON each\n"
        "  --json               print an error as JSON, too\n"
        "\n"
        "Example:\n"
        "  chains run hello --input '{\"words\": [\"moon\", \"sun\"]}'\n",
    .run = run,
};

typedef struct request {
    const char *input, *entrypoint, *assets;
    chainsi_words folders, fakes, uses, secrets;
    bool sanitize, strict, stream, json;
} request;

/* Splits each `NAME=VALUE` at its first '='. False, with the usage said, if there is none. */
static bool check_pairs(const chainsi_words *words, const char *option)
{
    for (size_t i = 0; i < words->count; i++) {
        const char *equals = strchr(words->items[i], '=');
        if (!equals || equals == words->items[i]) {
            chainsi_usage_error(&chainsi_verb_run, "'--%s' takes NAME=VALUE, not '%s'", option,
                                words->items[i]);
            return false;
        }
    }
    return true;
}

/* Hands secrets to the program in a file without a name: neither its arguments nor its environment
 * shows them to others. */
static bool pass_secrets(const chainsi_words *secrets)
{
    if (!secrets->count)
        return true;
    chainsi_buffer out = { 0 };
    for (size_t i = 0; i < secrets->count; i++) {
        const char *equals = strchr(secrets->items[i], '=');
        char *name = strndup(secrets->items[i], (size_t)(equals - secrets->items[i]));
        chainsi_buffer_add_text(&out, i ? ", " : "{");
        chainsi_json_write_text(&out, name);
        chainsi_buffer_add_text(&out, ": ");
        chainsi_json_write_text(&out, equals + 1);
        free(name);
    }
    chainsi_buffer_add_byte(&out, '}');
    int fd = memfd_create("secrets", 0); /* not CLOEXEC: it is for the program */
    size_t at = 0;
    while (fd >= 0 && at < out.size) {
        ssize_t put = write(fd, out.data + at, out.size - at);
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    bool good = fd >= 0 && at == out.size && !lseek(fd, 0, SEEK_SET);
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    good = good && !setenv("CHAINS_SECRETS_FD", number, 1);
    chainsi_buffer_done(&out);
    if (!good)
        perror("chains run: secrets");
    return good;
}

/* Sets $CHAINS_<NAME>_URL for each --use, and the variables of .env of all Chainlets that the
 * environment doesn't set. */
static void set_environment(const chainsi_model *model, const chainsi_words *uses,
                            chainsi_arena *arena)
{
    for (size_t i = 0; i < uses->count; i++) {
        const char *equals = strchr(uses->items[i], '=');
        const char *name =
            chainsi_arena_copy(arena, uses->items[i], (size_t)(equals - uses->items[i]));
        const chainsi_model_chainlet *chainlet = chainsi_model_find(model, name);
        if (chainlet)
            setenv(chainsi_build_url_variable(arena, chainlet), equals + 1, 1);
    }
    for (size_t i = 0; i < model->chainlet_count; i++) {
        const chains_config *config = &model->chainlets[i]->config;
        for (size_t j = 0; j < sizeof config->env / sizeof *config->env && config->env[j].name; j++)
            setenv(config->env[j].name, config->env[j].value ? config->env[j].value : "", 0);
    }
}

/* Waits for the program, and says how it ended if it didn't end by itself. Ctrl-C is for the program, which tells
 * by its end what became of it. */
static int await_program(pid_t child, bool sanitized)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    int number = WTERMSIG(status);
    if (number == SIGINT || number == SIGQUIT || number == SIGTERM) {
        signal(number, SIG_DFL);
        raise(number);
    }
    fprintf(stderr, "chains run: the program was ended by signal %d (%s)\n", number,
            strsignal(number));
    if (!sanitized)
        fprintf(stderr, "  hint: `chains run --sanitize` tells where memory was misused\n");
    return CHAINSI_EXIT_FAILED;
}

static int run_program(const request *r, const chainsi_model *model, const char *program,
                       chainsi_arena *arena)
{
    if (!pass_secrets(&r->secrets))
        return CHAINSI_EXIT_FAILED;
    set_environment(model, &r->uses, arena);
    if (r->strict)
        setenv("CHAINS_STRICT", "1", 1);
    const char *argv[6] = { program, "--input", r->input ? r->input : "{}" };
    int count = 3;
    if (r->json)
        argv[count++] = "--json";
    if (r->stream)
        argv[count++] = "--stream";
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* who ends this command ends the run */
        execv(program, (char *const *)argv);
        perror(program);
        _exit(CHAINSI_EXIT_FAILED);
    }
    if (child < 0) {
        perror("chains run");
        return CHAINSI_EXIT_FAILED;
    }
    return await_program(child, r->sanitize);
}

static int build_and_run(const request *r)
{
    chainsi_chain chain;
    chainsi_arena arena = { 0 };
    int status = CHAINSI_EXIT_USAGE;
    if (chainsi_chain_open(&chain, r->folders.count ? r->folders.items[0] : NULL, r->entrypoint,
                           true)) {
        const char **remote = chainsi_arena_array(&arena, r->uses.count + 1, sizeof *remote);
        for (size_t i = 0; i < r->uses.count; i++)
            remote[i] =
                chainsi_arena_copy(&arena, r->uses.items[i], strcspn(r->uses.items[i], "="));
        chainsi_build_options options = { .fakes = r->fakes.items,
                                          .fake_count = r->fakes.count,
                                          .remote = remote,
                                          .remote_count = r->uses.count,
                                          .sanitize = r->sanitize,
                                          .quiet = true };
        const char *program = chainsi_build_run(chain.model, &options, &chain.diagnostics, &arena);
        chainsi_chain_report(&chain);
        status = CHAINSI_EXIT_FAILED;
        if (program)
            status = run_program(r, chain.model, program, &arena);
    }
    chainsi_arena_done(&arena);
    chainsi_chain_close(&chain);
    return status;
}

static int run(int argc, char **argv)
{
    request r = { 0 };
    const chainsi_option options[] = {
        { "input", CHAINSI_OPTION_TEXT, &r.input },
        { "entrypoint", CHAINSI_OPTION_TEXT, &r.entrypoint },
        { "fake", CHAINSI_OPTION_WORDS, &r.fakes },
        { "use", CHAINSI_OPTION_WORDS, &r.uses },
        { "secret", CHAINSI_OPTION_WORDS, &r.secrets },
        { "assets", CHAINSI_OPTION_TEXT, &r.assets },
        { "sanitize", CHAINSI_OPTION_FLAG, &r.sanitize },
        { "strict", CHAINSI_OPTION_FLAG, &r.strict },
        { "stream", CHAINSI_OPTION_FLAG, &r.stream },
        { "json", CHAINSI_OPTION_FLAG, &r.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_run, options, argc, argv, 1, &r.folders, &status))
        status = check_pairs(&r.uses, "use") && check_pairs(&r.secrets, "secret") &&
                         chainsi_use_assets(&chainsi_verb_run, r.assets)
                     ? build_and_run(&r)
                     : CHAINSI_EXIT_USAGE;
    chainsi_words_done(&r.folders);
    chainsi_words_done(&r.fakes);
    chainsi_words_done(&r.uses);
    chainsi_words_done(&r.secrets);
    return status;
}
