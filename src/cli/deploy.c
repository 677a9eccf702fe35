/* `chains deploy`: builds the services of a chain, hands them to the daemon, and waits until all are ready. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "cli/deploy.h"
#include "cli/deploy_cluster.h"
#include "cli/deploy_progress.h"
#include "cli/describe.h"
#include "cli/environment.h"
#include "cli/failure.h"
#include "compiler/sample.h"
#include "compiler/service.h"
#include "schema/json.h"

extern const chainsi_verb chainsi_verb_deploy;

enum {
    LOOK_EVERY_MS = 20,
    LOG_LINES = 20, /* shown of a Chainlet that failed */
};

/* How it can be tried. */
static const char *make_sample(const chainsi_model *model, chainsi_arena *arena)
{
    chainsi_buffer sample = { 0 };
    chainsi_sample_arguments(model->entrypoint, &sample);
    const char *text = chainsi_arena_copy(arena, sample.data, sample.size);
    chainsi_buffer_done(&sample);
    return text;
}

/* Whether each process asks for GPUs of one kind alone; else it is said on stderr. */
static bool check_kinds(const chainsi_built *built, const char *verb)
{
    for (size_t i = 0; i < built->service_count; i++) {
        const chainsi_service_gpus gpus = chainsi_service_find_gpus(&built->services[i]);
        if (!gpus.other)
            continue;
        fprintf(stderr,
                "chains %s: %s and %s are in one process, and ask for GPUs of different "
                "kinds (.gpu): %s and %s\n",
                verb, gpus.first->wire_name, gpus.other->wire_name, gpus.first->gpu_kind,
                gpus.other->gpu_kind);
        return false;
    }
    return true;
}

bool chainsi_deploy_describe(const chainsi_model *model, const chainsi_built *built,
                             chainsi_deploy_request *r, chainsi_daemon *daemon,
                             chainsi_api_deploy *out)
{
    chainsi_arena *arena = &daemon->arena;
    if (!check_kinds(built, r->verb))
        return false;
    chainsi_api_deploy deploy =
        chainsi_describe_deploy(model, built->services, built->service_count, arena);
    if (r->name)
        deploy.chain = r->name;
    deploy.environment = r->environment;
    deploy.canary = r->canary;
    deploy.swappable = r->swappable;
    chainsi_describe_origin(model, &r->fakes, arena, &deploy);
    r->sample = make_sample(model, arena);
    chainsi_time_text(r->began);
    *out = deploy;
    return true;
}

/* Lists the Chainlets that ask for GPUs, of those that the entrypoint needs. */
static void list_gpus(const chainsi_model_chainlet *from, chainsi_api_services *services,
                      bool *seen)
{
    if (seen[from->index])
        return;
    seen[from->index] = true;
    for (size_t i = 0; i < from->dependency_count; i++)
        list_gpus(from->dependencies[i].chainlet, services, seen);
    if (!from->gpu_kind)
        return;
    const chainsi_scaling_options scaling = chainsi_scaling_options_of(&from->config);
    services->items[services->count++] = (chainsi_api_service){
        .name = from->wire_name,
        .c_name = from->c_name,
        .binary = "/",
        .start_timeout_s = 1,
        .max_queue = 1,
        .max_body = 1,
        .concurrency = 1,
        .scaling = chainsi_api_scaling_of(&scaling),
        .gpu = from->config.gpu,
    };
}

/* What the daemon refuses. */
static int fail_as_answered(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                            chainsi_deploy_request *r)
{
    r->told = r->json;
    return chainsi_daemon_fail(daemon, answer, r->json);
}

/* Asks whether there are the GPUs, before anything is built for them. With fakes it is asked when it is known
 * what they replace. */
static bool check_gpus(const chainsi_model *model, chainsi_deploy_request *r,
                       chainsi_daemon *daemon)
{
    chainsi_arena arena = { 0 };
    chainsi_api_deploy deploy = {
        .chain = r->name ? r->name : model->entrypoint->wire_name,
        .environment = r->environment,
        .canary = r->canary,
        .services.items =
            chainsi_arena_array(&arena, model->chainlet_count, sizeof *deploy.services.items),
    };
    bool *seen = chainsi_arena_array(&arena, model->chainlet_count, sizeof *seen);
    memset(seen, 0, model->chainlet_count * sizeof *seen);
    if (!r->fakes.count)
        list_gpus(model->entrypoint, &deploy.services, seen);
    bool asked = deploy.services.count > 0;
    if (asked)
        deploy.entrypoint = deploy.services.items[0].name;
    chainsi_buffer body = { 0 };
    chainsi_codec_error why;
    chainsi_daemon_answer answer = { .status = 200 };
    bool good =
        !asked ||
        (chainsi_daemon_start(daemon, (int)r->port) &&
         chainsi_json_encode(&chainsi_api_deploy_type, &deploy, &body, &why) == CHAINS_OK &&
         chainsi_daemon_ask(daemon, "POST", "/api/v1/chains?only_check=1", &body, 0, &answer));
    if (good && answer.status / 100 != 2) {
        fail_as_answered(daemon, &answer, r);
        good = false;
    }
    chainsi_buffer_done(&body);
    chainsi_arena_done(&arena);
    return good;
}

void chainsi_deploy_show_log(chainsi_daemon *daemon, const char *chain, const char *environment,
                             const char *chainlet, const char *began)
{
    chainsi_daemon_answer answer;
    const char *path = chainsi_arena_printf(
        &daemon->arena, "/api/v1/chains/%s/chainlets/%s/logs?tail=%d&environment=%s&since=%s",
        chain, chainlet, LOG_LINES, environment, began);
    if (chainsi_daemon_ask(daemon, "GET", path, NULL, 0, &answer) && answer.status == 200 &&
        answer.size) {
        fprintf(stderr, "the last lines of its log:\n");
        chainsi_text_write(stderr, answer.body, answer.size, CHAINSI_TEXT_LINES);
    }
}

/* What of the machine isn't as the Chainlets want it. */
static void show_notes(const chainsi_api_deployment *deployment, chainsi_arena *arena)
{
    for (size_t i = 0; i < deployment->chainlets.count; i++)
        for (size_t k = 0; k < deployment->chainlets.items[i].notes.count; k++)
            fprintf(stderr, "note: %s\n",
                    chainsi_text_shown(arena, deployment->chainlets.items[i].notes.items[k]));
}

static int report_success(const chainsi_daemon *daemon, const chainsi_api_chain *chain,
                          const chainsi_deploy_request *r)
{
    if (r->json || r->quiet)
        return CHAINSI_EXIT_OK;
    bool elsewhere = strcmp(chain->environment, CHAINSI_PRODUCTION) != 0;
    if (chain->canary)
        printf("%s version %s gets %g %% of the calls in %s until %s:\n", chain->name,
               chain->deployment.version_id, chain->canary->percent, chain->environment,
               chain->canary->until);
    else
        printf("%s version %s is deployed to %s:\n", chain->name, chain->deployment.version_id,
               chain->environment);
    const char *option = elsewhere ? " --environment " : "",
               *environment = elsewhere ? chain->environment : "";
    printf("  %s\nSee it:\n  chains open %s%s%s    # or %s/ in a browser\n"
           "Try it:\n  chains call %s%s%s --input '%s'\n",
           chain->url, chain->name, option, environment, daemon->address, chain->name, option,
           environment, r->sample);
    return CHAINSI_EXIT_OK;
}

static int report_failure(chainsi_daemon *daemon, const chainsi_api_chain *chain,
                          chainsi_deploy_request *r)
{
    const chainsi_api_deployment *deployment = &chain->deployment;
    const char *why = chainsi_arena_printf(
        &daemon->arena, "%s%s%s", deployment->chainlet ? deployment->chainlet : "",
        deployment->chainlet ? ": " : "",
        deployment->message ? deployment->message : "the deployment failed");
    if (!r->json)
        fprintf(stderr, "chains %s: %s\n", r->verb, chainsi_text_shown(&daemon->arena, why));
    if (deployment->chainlet)
        chainsi_deploy_show_log(daemon, chain->name, chain->environment, deployment->chainlet,
                                r->began);
    if (chain->version && chain->version != deployment->version)
        fprintf(stderr, "version %s goes on answering calls\n", chain->version_id);
    if (r->json)
        chainsi_failure_print(CHAINS_FAILED_PRECONDITION, why);
    r->told = r->json;
    return CHAINSI_EXIT_FAILED;
}

/* Waits until the deployment of `version` has succeeded or failed. */
static int await(chainsi_daemon *daemon, const chainsi_api_deploy *deploy, int64_t version,
                 chainsi_deploy_request *r)
{
    chainsi_deploy_progress progress;
    /* Beside JSON there are lines alone. */
    const chainsi_terminal terminal =
        r->json ? (chainsi_terminal){ 0 } : chainsi_terminal_of(STDERR_FILENO);
    chainsi_deploy_progress_init(&progress, stderr, terminal, deploy->services.count);
    daemon->quiet = true;
    const char *path = chainsi_arena_printf(&daemon->arena, "/api/v1/chains/%s/environments/%s",
                                            deploy->chain, deploy->environment);
    int status = -1;
    while (status < 0) {
        chainsi_daemon_answer answer;
        chainsi_api_chain chain;
        if (!chainsi_daemon_ask(daemon, "GET", path, NULL, 0, &answer)) {
            chainsi_bar_clear(&progress.line);
            chainsi_daemon_complain(daemon);
            status = CHAINSI_EXIT_FAILED;
        } else if (answer.status != 200) {
            chainsi_bar_clear(&progress.line);
            status = fail_as_answered(daemon, &answer, r);
        } else if (!chainsi_daemon_read(daemon, &answer, &chainsi_api_chain_type, &chain)) {
            status = CHAINSI_EXIT_FAILED;
        } else if (chain.deployment.version != version) {
            chainsi_bar_clear(&progress.line);
            fprintf(stderr, "chains %s: another change of %s in %s has taken its place\n", r->verb,
                    deploy->chain, deploy->environment);
            status = CHAINSI_EXIT_FAILED;
        } else {
            if (!r->quiet)
                chainsi_deploy_progress_show(&progress, &chain.deployment, chainsi_now_ns());
            if (strcmp(chain.deployment.state, "starting") != 0)
                chainsi_bar_clear(&progress.line);
            bool failed = !strcmp(chain.deployment.state, "failed");
            bool done = !strcmp(chain.deployment.state, "ready") ||
                        !strcmp(chain.deployment.state, "trying");
            if (done || failed)
                show_notes(&chain.deployment, &daemon->arena);
            if (done)
                status = report_success(daemon, &chain, r);
            else if (failed)
                status = report_failure(daemon, &chain, r);
            if (status == CHAINSI_EXIT_OK && r->json)
                chainsi_daemon_print(&answer);
        }
        if (status < 0)
            nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    daemon->quiet = false;
    chainsi_deploy_progress_done(&progress);
    return status;
}

static char farewell[1024]; /* what is said when the command is interrupted from now on */

static void on_interrupt(int number)
{
    ssize_t written = write(STDERR_FILENO, farewell, strlen(farewell));
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

void chainsi_deploy_say_at_interrupt(const char *text)
{
    snprintf(farewell, sizeof farewell, "%s", text);
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_interrupt }, NULL);
}

/* Who interrupts the command interrupts the waiting alone, and is told so. */
static void prepare_farewell(chainsi_daemon *daemon, const chainsi_api_deploy *deploy,
                             const char *version)
{
    chainsi_deploy_say_at_interrupt(chainsi_arena_printf(
        &daemon->arena,
        "\nchains deploy: version %s of '%s' goes on becoming ready, and answers in %s then. "
        "`chains status %s` shows it; another `chains deploy`, `promote` or `delete` takes its "
        "place.\n",
        version, deploy->chain, deploy->environment, deploy->chain));
}

int chainsi_deploy_hand_over(chainsi_daemon *daemon, const chainsi_api_deploy *deploy,
                             chainsi_deploy_request *r)
{
    chainsi_buffer body = { 0 };
    chainsi_codec_error why;
    chainsi_daemon_answer answer;
    chainsi_api_accepted accepted;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_json_encode(&chainsi_api_deploy_type, deploy, &body, &why) != CHAINS_OK)
        fprintf(stderr, "chains %s: %s: %s\n", r->verb, why.path, why.message);
    else if (chainsi_daemon_ask(daemon, "POST", "/api/v1/chains", &body, 0, &answer)) {
        if (answer.status / 100 != 2)
            status = fail_as_answered(daemon, &answer, r);
        else if (chainsi_daemon_read(daemon, &answer, &chainsi_api_accepted_type, &accepted)) {
            r->version_id = accepted.version_id;
            if (!daemon->interrupt)
                prepare_farewell(daemon, deploy, accepted.version_id);
            status = await(daemon, deploy, accepted.version, r);
        }
    }
    chainsi_buffer_done(&body);
    return status;
}

static int build_and_deploy(chainsi_deploy_request *r)
{
    chainsi_chain chain;
    int status = CHAINSI_EXIT_USAGE;
    if (chainsi_chain_open(&chain, r->folders.count ? r->folders.items[0] : NULL, r->entrypoint,
                           true)) {
        chainsi_build_options options = { .fakes = r->fakes.items, .fake_count = r->fakes.count };
        chainsi_daemon daemon = { 0 };
        chainsi_built *built = NULL;
        if (check_gpus(chain.model, r, &daemon))
            built = chainsi_build_services(chain.model, &options, &chain.diagnostics);
        chainsi_chain_report(&chain);
        status = CHAINSI_EXIT_FAILED;
        if (built && (daemon.client || chainsi_daemon_start(&daemon, (int)r->port))) {
            chainsi_api_deploy deploy;
            if (chainsi_deploy_describe(chain.model, built, r, &daemon, &deploy))
                status = chainsi_deploy_hand_over(&daemon, &deploy, r);
        }
        chainsi_daemon_close(&daemon);
        chainsi_built_free(built);
    }
    chainsi_chain_close(&chain);
    if (r->json && status == CHAINSI_EXIT_FAILED && !r->told)
        chainsi_failure_print(CHAINS_FAILED_PRECONDITION,
                              "the chain isn't deployed; the lines before say why");
    return status;
}

/* On this machine, or in a cluster. */
static int deploy_where(chainsi_cluster_deploy *d)
{
    chainsi_deploy_request *r = d->request;
    bool cluster;
    if (r->port < -1 || r->port > 65535)
        return chainsi_usage_error(&chainsi_verb_deploy, "'--port' takes 0 to 65535");
    if (!chainsi_check_names(&chainsi_verb_deploy, &r->environment, 1) ||
        !chainsi_check_canary(&chainsi_verb_deploy, &r->canary) ||
        !chainsi_cluster_words_read(&chainsi_verb_deploy, &d->where, &cluster))
        return CHAINSI_EXIT_USAGE;
    if (cluster)
        return chainsi_deploy_to_cluster(&chainsi_verb_deploy, d);
    return chainsi_cluster_deploy_unused(&chainsi_verb_deploy, d) ? build_and_deploy(r)
                                                                  : CHAINSI_EXIT_USAGE;
}

static int deploy(int argc, char **argv)
{
    chainsi_deploy_request r = {
        .verb = "deploy",
        .port = -1,
        .environment = CHAINSI_PRODUCTION,
        .canary = CHAINSI_NO_CANARY,
    };
    chainsi_cluster_deploy d = { .request = &r, .patience_s = CHAINSI_CLUSTER_PATIENCE_S };
    const chainsi_option options[] = {
        { "name", CHAINSI_OPTION_TEXT, &r.name },
        { "entrypoint", CHAINSI_OPTION_TEXT, &r.entrypoint },
        { "fake", CHAINSI_OPTION_WORDS, &r.fakes },
        { "environment", CHAINSI_OPTION_TEXT, &r.environment },
        CHAINSI_CANARY_OPTIONS(r.canary),
        { "port", CHAINSI_OPTION_INTEGER, &r.port },
        CHAINSI_CLUSTER_OPTIONS(d.where),
        CHAINSI_MANIFEST_OPTIONS(d.words),
        { "images", CHAINSI_OPTION_TEXT, &d.words.images },
        { "compression", CHAINSI_OPTION_TEXT, &d.compression_word },
        { "create-namespace", CHAINSI_OPTION_FLAG, &d.words.manifest.create_name_space },
        { "front-door-namespace", CHAINSI_OPTION_TEXT, &d.words.manifest.front_door_name_space },
        { "timeout", CHAINSI_OPTION_INTEGER, &d.timeout_s },
        { "patience", CHAINSI_OPTION_INTEGER, &d.patience_s },
        { "keep", CHAINSI_OPTION_FLAG, &d.keep },
        { "json", CHAINSI_OPTION_FLAG, &r.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_deploy, options, argc, argv, 1, &r.folders, &status))
        status = deploy_where(&d);
    chainsi_words_done(&r.folders);
    chainsi_words_done(&r.fakes);
    return status;
}

const chainsi_verb chainsi_verb_deploy = {
    .name = "deploy",
    .usage =
        "[FOLDER] [--name NAME] [--entrypoint NAME] [--environment NAME] " CHAINSI_CANARY_USAGE
        " [--fake FILE.c]... [--port N] [--json]\n"
        "       chains deploy [FOLDER] --target kubernetes --registry HOST[:PORT][/PATH] [...]",
    .summary = "Run a chain's Chainlets as services behind one URL.",
    .help =
        "Checks and builds the chain, has its assets fetched, starts each of its Chainlets as a\n"
        "process of its own, and returns when all are ready. A daemon is started if none runs. "
        "Each\n"
        "deployment makes a version; it takes the place of the one before once all of it is "
        "ready,\n"
        "without a call lost.\n"
        "If that fails, the old one goes on.\n"
        "\n"
        "  --name NAME          what the chain is called. Default: its entrypoint's name\n"
        "  --entrypoint NAME    the Chainlet to call, instead of the marked one\n"
        "  --environment NAME   where it answers calls. Default: production\n" CHAINSI_CANARY_HELP
        "  --fake FILE.c        use the Chainlets that this file defines instead of the real ones\n"
        "  --port N             the port of a daemon that is started; 0 for any. Default: the one "
        "of a\n"
        "                       daemon that was killed, else 8600\n"
        "  --json               print the deployed chain as JSON; of a deployment that fails the\n"
        "                       last line of stderr is {\"error\": {status, message}}\n"
        "\n"
        "In a Kubernetes cluster: makes images of its Chainlets, pushes them, applies the objects "
        "that\n"
        "`chains manifests` prints, and returns when all of it is ready. The same input is a "
        "version\n"
        "that is there already; what was applied of one that fails is removed again.\n"
        "\n" CHAINSI_CLUSTER_HELP
        "  --registry HOST/PATH where images are pushed to, and nodes fetch them\n"
        "  --images FILE        where all of them are already, instead (chains manifests --help)\n"
        "  --compression gzip   of images' layers, for nodes that can't read zstd (chains image "
        "--help)\n"
        "  --version NAME       of the chain. Default: v0- and a hash of all that it is\n"
        "  --autoscaler WHICH   chains, hpa, knative or none (chains manifests --help)\n"
        "  --tls on|off         calls by TLS. Default: on where a controller runs that scales\n"
        "  --create-namespace   make the namespace, too\n"
        "  --timeout SECONDS    until all is ready. Default: the longest .start_timeout_s and 120\n"
        "  --patience SECONDS   how long what may pass by itself may last, as no node that has "
        "room,\n"
        "                       or an image that can't be pulled. Default: 60\n"
        "  --keep               leave what was applied of a version that fails\n"
        "  --pull-secret, --asset-claim, --near-claim, --fetch-image, --front-door-namespace: as\n"
        "                       manifests have them\n"
        "\n"
        "Example:\n"
        "  chains deploy hello\n"
        "  chains deploy hello --target kubernetes --registry registry.example.com/me\n",
    .run = deploy,
};
