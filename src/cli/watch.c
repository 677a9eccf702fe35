/* `chains watch`: rebuilds a chain whenever a file of it is saved, and swaps what has changed in a development
 * deployment. One thread: it waits for files, builds, and asks the daemon, which it lets be when files change
 * meanwhile. What goes wrong is shown, and the next save is waited for. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/deploy.h"
#include "cli/environment.h"
#include "cli/file_watch.h"
#include "cli/watch_report.h"
#include "control/handle.h"
#include "control/home.h"
#include "rpc/address.h"
#include "runtime/error.h"
#include "schema/json.h"

extern const chainsi_verb chainsi_verb_watch;

#define DEVELOPMENT "development"

enum {
    QUIET_MS = 30,       /* after the last event of a save: editors write several files */
    MISSING_MS = 250,    /* while one is away, which editors that rename bring back */
    MOST_QUIET_MS = 1000 /* since the first */
};

typedef struct session {
    chainsi_deploy_request request;
    chainsi_file_watch files;
    chainsi_watch_report report;
    chainsi_interrupt interrupt; /* of what the daemon is asked */
    const char *folder;          /* as it was given */
    bool deployed;               /* something was, in this session */
} session;

/* Ctrl-C. */

static int ending[2]; /* a pipe: readable when it is to end */

static void on_signal(int number)
{
    (void)number;
    int error = errno;
    (void)!write(ending[1], "", 1);
    errno = error;
}

static bool catch_signals(void)
{
    /* A second one ends it at once. */
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    return pipe2(ending, O_CLOEXEC | O_NONBLOCK) == 0 && sigaction(SIGINT, &action, NULL) == 0 &&
           sigaction(SIGTERM, &action, NULL) == 0;
}

static bool is_ending(void)
{
    struct pollfd end = { .fd = ending[0], .events = POLLIN };
    return poll(&end, 1, 0) > 0;
}

/* Files. */

static bool is_interrupted(void *user)
{
    session *s = user;
    return chainsi_file_watch_look(&s->files) || s->files.gone || is_ending();
}

static bool is_missing(const session *s)
{
    for (size_t i = 0; i < s->files.changed.count; i++) {
        const char *name = s->files.changed.items[i];
        char *path =
            *name == '/' ? chainsi_copy_text(name) : chainsi_path("%s/%s", s->files.folder, name);
        bool missing = access(path, F_OK) != 0;
        free(path);
        if (missing)
            return true;
    }
    return false;
}

/* Waits for something to happen to files, at most so long (-1: for good). False: nothing did, or it is to end. */
static bool wait_for_files(session *s, int limit_ms)
{
    struct pollfd fds[] = { { .fd = s->files.fd, .events = POLLIN },
                            { .fd = ending[0], .events = POLLIN } };
    int ready;
    while ((ready = poll(fds, 2, limit_ms)) < 0 && errno == EINTR)
        ;
    return ready > 0 && !fds[1].revents;
}

/* Waits until files have been saved, and all of those that are saved together. False: it is to end. */
static bool await_save(session *s)
{
    while (!chainsi_file_watch_look(&s->files))
        if (s->files.gone || !wait_for_files(s, -1))
            return false;
    s->report.saved_ns = chainsi_now_ns();
    int64_t until_ns = chainsi_deadline_after_ms(s->report.saved_ns, MOST_QUIET_MS);
    while (chainsi_now_ns() < until_ns && wait_for_files(s, is_missing(s) ? MISSING_MS : QUIET_MS))
        chainsi_file_watch_look(&s->files);
    return !is_ending() && !s->files.gone;
}

/* Building and handing over. */

static char *environment_path(const session *s, const chainsi_api_deploy *deploy, const char *what,
                              chainsi_daemon *daemon)
{
    return chainsi_arena_printf(&daemon->arena, "/api/v1/chains/%s/environments/%s%s",
                                deploy->chain, s->request.environment, what);
}

static void deploy(session *s, chainsi_daemon *daemon, const chainsi_api_deploy *what,
                   const char *reason)
{
    s->request.quiet = s->deployed || s->report.json;
    bool good = chainsi_deploy_hand_over(daemon, what, &s->request) == CHAINSI_EXIT_OK;
    if (!good && is_interrupted(s))
        return;
    if (!good) {
        chainsi_watch_say_failed(&s->report, NULL, NULL);
        return;
    }
    chainsi_watch_say_deployed(&s->report, s->request.version_id, reason);
    s->deployed = true;
}

/* Whether the daemon's answer is that it has to be deployed; *reason: why, NULL if nothing runs yet. */
static bool needs_deployment(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                             const char **reason)
{
    chains_error error;
    if (!chainsi_error_decode(answer->body, answer->size, false, &daemon->arena, &error))
        return false;
    *reason = error.status == CHAINS_FAILED_PRECONDITION ? error.message : NULL;
    return error.status == CHAINS_FAILED_PRECONDITION || error.status == CHAINS_NOT_FOUND;
}

static void report_swap(session *s, chainsi_daemon *daemon, const chainsi_api_swapped *swapped)
{
    s->deployed = true;
    if (strcmp(swapped->state, "failed") != 0) {
        chainsi_watch_say_swapped(&s->report, swapped->version_id, &swapped->chainlets);
        return;
    }
    chainsi_watch_say_failed(&s->report, swapped->chainlet, swapped->message);
    if (swapped->chainlet)
        chainsi_deploy_show_log(daemon, swapped->chain, swapped->environment, swapped->chainlet,
                                s->request.began);
}

/* Asks for a swap. One that is under way, taken back just now or another's, is waited for. */
static bool ask(session *s, chainsi_daemon *daemon, const char *path, const chainsi_buffer *body,
                chainsi_daemon_answer *answer)
{
    enum { ABORTED = 409, PAUSE_MS = 50, TRIES = 100 };
    for (int left = TRIES; chainsi_daemon_ask(daemon, "POST", path, body, 0, answer); left--) {
        if (answer->status != ABORTED || !left)
            return true;
        if (is_interrupted(s))
            break;
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    return false;
}

/* Swaps what can be swapped, and deploys what can't. */
static void hand_over(session *s, chainsi_daemon *daemon, const chainsi_api_deploy *what)
{
    chainsi_buffer body = { 0 };
    chainsi_codec_error why;
    chainsi_daemon_answer answer;
    chainsi_api_swapped swapped;
    const char *path = environment_path(s, what, "/swap", daemon), *reason;
    if (chainsi_json_encode(&chainsi_api_deploy_type, what, &body, &why) != CHAINS_OK)
        fprintf(stderr, "chains watch: %s: %s\n", why.path, why.message);
    else if (!ask(s, daemon, path, &body, &answer)) {
        if (!is_interrupted(s))
            chainsi_watch_say_failed(&s->report, NULL, NULL);
    } else if (answer.status == 200) {
        if (chainsi_daemon_read(daemon, &answer, &chainsi_api_swapped_type, &swapped))
            report_swap(s, daemon, &swapped);
    } else if (needs_deployment(daemon, &answer, &reason))
        deploy(s, daemon, what, reason);
    else {
        chainsi_daemon_fail(daemon, &answer, false);
        chainsi_watch_say_failed(&s->report, NULL, NULL);
    }
    chainsi_buffer_done(&body);
}

/* Sources that a header names elsewhere. */
static void watch_sources(session *s, const chainsi_model *model)
{
    size_t most = sizeof((chains_config *)0)->sources / sizeof(const char *);
    for (size_t i = 0; i < model->chainlet_count; i++) {
        const chainsi_model_chainlet *chainlet = model->chainlets[i];
        const char *slash = strrchr(chainlet->header, '/');
        int folder = slash ? (int)(slash + 1 - chainlet->header) : 0;
        for (size_t k = 0; k < most && chainlet->config.sources[k]; k++) {
            char *path = chainsi_path("%s/%.*s%s", model->folder, folder, chainlet->header,
                                      chainlet->config.sources[k]);
            chainsi_file_watch_add(&s->files, path);
            free(path);
        }
    }
}

/* Builds what is there now, and has it run. */
static void bring_up_to_date(session *s)
{
    chainsi_chain chain;
    chainsi_daemon daemon = { 0 };
    chainsi_build_options options = { .fakes = s->request.fakes.items,
                                      .fake_count = s->request.fakes.count,
                                      .quiet = s->deployed };
    chainsi_built *built = NULL;
    int64_t began_ns = chainsi_now_ns();
    chainsi_watch_begin_hearing(&s->report);
    if (chainsi_chain_open(&chain, s->folder, s->request.entrypoint, true)) {
        watch_sources(s, chain.model);
        built = chainsi_build_services(chain.model, &options, &chain.diagnostics);
        chainsi_chain_report(&chain);
    }
    s->report.built_ns = chainsi_now_ns() - began_ns;
    if (is_ending()) {
        ; /* what was being compiled may have been ended by the same key */
    } else if (!built) {
        chainsi_watch_say_not_built(&s->report);
    } else if (chainsi_daemon_start(&daemon, (int)s->request.port)) {
        daemon.interrupt = &s->interrupt;
        chainsi_api_deploy what;
        if (chainsi_deploy_describe(chain.model, built, &s->request, &daemon, &what))
            hand_over(s, &daemon, &what);
    }
    chainsi_watch_end_hearing(&s->report);
    chainsi_daemon_close(&daemon);
    chainsi_built_free(built);
    chainsi_chain_close(&chain);
}

static int watch_on(session *s)
{
    bring_up_to_date(s);
    chainsi_watch_say_watching(&s->report, s->folder);
    /* Where nobody reads what it says it ends, too. */
    while (!is_ending() && !ferror(stdout) && await_save(s)) {
        chainsi_watch_say_changed(&s->report, &s->files.changed);
        chainsi_file_watch_forget(&s->files);
        bring_up_to_date(s);
    }
    if (s->files.gone) {
        fprintf(stderr, "chains watch: %s isn't there any more\n", s->folder);
        return CHAINSI_EXIT_FAILED;
    }
    chainsi_watch_say_ended(&s->report);
    return ferror(stdout) ? CHAINSI_EXIT_FAILED : CHAINSI_EXIT_OK;
}

static int watch_folder(session *s)
{
    char why[PATH_MAX + 256];
    int status;
    s->folder = s->request.folders.count ? s->request.folders.items[0] : ".";
    s->report.environment = s->request.environment;
    if (!chainsi_file_watch_init(&s->files, s->folder, why, sizeof why)) {
        fprintf(stderr, "chains watch: %s\n", why);
        status = CHAINSI_EXIT_USAGE;
    } else if (!catch_signals()) {
        fprintf(stderr, "chains watch: %s\n", strerror(errno));
        status = CHAINSI_EXIT_FAILED;
    } else {
        for (size_t i = 0; i < s->request.fakes.count; i++)
            chainsi_file_watch_add(&s->files, s->request.fakes.items[i]);
        s->interrupt = (chainsi_interrupt){
            .count = 2,
            .watch = { { s->files.fd, POLLIN }, { ending[0], POLLIN } },
            .check = is_interrupted,
            .user = s,
        };
        status = watch_on(s);
    }
    chainsi_file_watch_done(&s->files);
    return status;
}

static int watch(int argc, char **argv)
{
    session s = { .request = { .verb = "watch",
                               .port = -1,
                               .environment = DEVELOPMENT,
                               .swappable = true,
                               .canary = CHAINSI_NO_CANARY } };
    chainsi_deploy_request *r = &s.request;
    const chainsi_option options[] = {
        { "name", CHAINSI_OPTION_TEXT, &r->name },
        { "entrypoint", CHAINSI_OPTION_TEXT, &r->entrypoint },
        { "environment", CHAINSI_OPTION_TEXT, &r->environment },
        { "fake", CHAINSI_OPTION_WORDS, &r->fakes },
        { "port", CHAINSI_OPTION_INTEGER, &r->port },
        { "json", CHAINSI_OPTION_FLAG, &s.report.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    const chainsi_verb *verb = &chainsi_verb_watch;
    int status;
    if (chainsi_options_read(verb, options, argc, argv, 1, &r->folders, &status)) {
        const char *names[] = { r->environment, r->name };
        if (r->port < -1 || r->port > 65535)
            status = chainsi_usage_error(verb, "'--port' takes 0 to 65535");
        else if (!strcmp(r->environment, CHAINSI_PRODUCTION))
            status = chainsi_usage_error(verb, "production isn't for watching: `chains deploy` "
                                               "changes it");
        else
            status = chainsi_check_names(verb, names, 2) ? watch_folder(&s) : CHAINSI_EXIT_USAGE;
    }
    chainsi_words_done(&r->folders);
    chainsi_words_done(&r->fakes);
    return status;
}

const chainsi_verb chainsi_verb_watch = {
    .name = "watch",
    .usage = "[FOLDER] [--name NAME] [--entrypoint NAME] [--environment NAME] [--fake FILE.c]... "
             "[--port N] [--json]",
    .summary = "Rebuild and swap a chain's Chainlets whenever a file is saved.",
    .help =
        "Deploys the chain to an environment of its own, and then, each time one of its sources "
        "or\n"
        "headers is saved, builds what has changed and puts it in the place of what runs: only\n"
        "those Chainlets get new processes, and it answers calls all the while. Where interfaces\n"
        "or options have changed, all of it is deployed as a new version. What doesn't compile, "
        "or\n"
        "doesn't start, is shown, and the old one goes on.\n"
        "\n"
        "Ctrl-C ends watching. The deployment stays, without a process when it isn't called;\n"
        "`chains delete NAME --environment development` ends it, too.\n"
        "\n"
        "  --name NAME          what the chain is called. Default: its entrypoint's name\n"
        "  --entrypoint NAME    the Chainlet to call, instead of the marked one\n"
        "  --environment NAME   where it runs, not production. Default: development\n"
        "  --fake FILE.c        use the Chainlets that this file defines instead of the real ones\n"
        "  --port N             the port of a daemon that is started; 0 for any. Default: the one "
        "of a\n"
        "                       daemon that was killed, else 8600\n"
        "  --json               print what happens as JSON, an object a line; what compilers say, "
        "too\n"
        "\n"
        "Example:\n"
        "  chains watch hello\n",
    .run = watch,
};
