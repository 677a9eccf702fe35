/* `chains status`: what is deployed, and how it is. */
#include <stdio.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/cluster_verbs.h"
#include "cli/environment.h"
#include "cli/fetched.h"
#include "cli/status_pods.h"
#include "cli/status_watch.h"
#include "control/api_scale.h"
#include "control/store_history.h"

extern const chainsi_verb chainsi_verb_status;

enum { LOG_LINES = 5 };

/* The last lines of the log of a Chainlet that has failed. */
static void print_log(chainsi_daemon *daemon, const chainsi_api_chain *chain, const char *chainlet)
{
    chainsi_daemon_answer answer;
    const char *path = chainsi_arena_printf(
        &daemon->arena, "/api/v1/chains/%s/chainlets/%s/logs?tail=%d&environment=%s", chain->name,
        chainlet, LOG_LINES, chain->environment);
    if (!chainsi_daemon_ask(daemon, "GET", path, NULL, 0, &answer) || answer.status != 200 ||
        !answer.size)
        return;
    const char *at = answer.body, *end = at + answer.size;
    printf("    the last lines of its log:\n");
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        printf("      ");
        chainsi_text_write(stdout, at, (size_t)(line_end - at), CHAINSI_TEXT_LINES);
        putchar('\n');
        at = line_end + 1;
    }
}

/* Pods, and what is at zero, have none here. */
static bool has_processes(const chainsi_api_chainlets *chainlets)
{
    for (size_t i = 0; i < chainlets->count; i++)
        for (size_t k = 0; k < chainlets->items[i].replicas.count; k++)
            if (chainlets->items[i].replicas.items[k].pid)
                return true;
    return false;
}

static void print_chainlet(const chainsi_api_chainlet *chainlet, chainsi_arena *arena)
{
    int64_t restarts = 0;
    char pids[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < chainlet->replicas.count; i++) {
        const chainsi_api_replica *replica = &chainlet->replicas.items[i];
        restarts += replica->restarts;
        if (replica->pid && used < sizeof pids) {
            int added = snprintf(pids + used, sizeof pids - used, "%s%lld", used ? " " : "",
                                 (long long)replica->pid);
            used += added > 0 ? (size_t)added : 0;
        }
    }
    char ready[48], since[32] = "-";
    snprintf(ready, sizeof ready, "%lld/%lld", (long long)chainlet->ready,
             (long long)chainlet->wanted);
    if (chainlet->replicas.count)
        snprintf(since, sizeof since, "%.19sZ", chainlet->replicas.items[0].since);
    printf("  %-24s %-12s %8s %9lld %7lld %8lld  %-20s  %s\n", chainlet->name, chainlet->state,
           ready, (long long)chainlet->in_flight, (long long)chainlet->waiting, (long long)restarts,
           since, pids);
    if (chainlet->override)
        printf("    scaled by `chains scale`, since %.19sZ: %d to %d replicas\n",
               chainlet->override->set_at, (int)chainlet->scaling.min_replicas,
               (int)chainlet->scaling.max_replicas);
    for (size_t i = 0; i < chainlet->replicas.count; i++) {
        const chainsi_api_replica *replica = &chainlet->replicas.items[i];
        if (replica->pod && *replica->pod)
            printf("    %s pod %s on %s\n", replica->state, replica->pod,
                   replica->node && *replica->node ? replica->node : "no node yet");
    }
    for (size_t i = 0; i < chainlet->replicas.count; i++) {
        const chainsi_api_replica *replica = &chainlet->replicas.items[i];
        if (replica->last_end)
            printf("    ended %swith: %s\n", strcmp(replica->state, "ready") ? "" : "before ",
                   chainsi_text_shown(arena, replica->last_end));
    }
    for (size_t i = 0; i < chainlet->replicas.count; i++)
        for (size_t k = 0; k < chainlet->replicas.items[i].gpus.count; k++)
            printf("    %lld has %s\n", (long long)chainlet->replicas.items[i].pid,
                   chainsi_text_shown(arena, chainlet->replicas.items[i].gpus.items[k]));
    for (size_t i = 0; i < chainlet->notes.count; i++)
        printf("    note: %s\n", chainsi_text_shown(arena, chainlet->notes.items[i]));
}

static void print_starting(const chainsi_api_deployment *deployment)
{
    char words[CHAINSI_FETCHED_TEXT];
    const chainsi_api_fetched *assets = deployment->assets;
    if (assets && assets->files_done < assets->files) {
        chainsi_fetched_words(assets, words);
        printf("  %s is fetching %s\n", deployment->version_id, words);
    } else {
        printf("  %s is starting\n", deployment->version_id);
    }
}

static void print_chain(chainsi_daemon *daemon, const chainsi_api_chain *chain)
{
    printf("%-24s %-12s %-16s %-9s %s\n", "CHAIN", "ENVIRONMENT", "VERSION", "STATE", "URL");
    printf("%-24s %-12s %-16s %-9s %s\n", chain->name, chain->environment,
           chain->version_id ? chain->version_id : "-", chain->state, chain->url);
    if (chain->canary)
        printf(
            "  %s is tried on %g %% of the calls until %.19sZ: %lld of its %lld calls failed, of "
            "the old one's %lld of %lld\n",
            chain->canary->version_id, chain->canary->percent, chain->canary->until,
            (long long)chain->canary->new_version.failed,
            (long long)chain->canary->new_version.calls,
            (long long)chain->canary->old_version.failed,
            (long long)chain->canary->old_version.calls);
    else if (!strcmp(chain->deployment.state, "starting"))
        print_starting(&chain->deployment);
    else if (!strcmp(chain->deployment.state, "failed"))
        printf("  %s has failed: %s\n", chain->deployment.version_id,
               chainsi_text_shown(&daemon->arena, chain->deployment.message));
    printf("  %-24s %-12s %8s %9s %7s %8s  %-20s  %s\n", "CHAINLET", "STATE", "READY", "IN FLIGHT",
           "WAITING", "RESTARTS", "SINCE", has_processes(&chain->chainlets) ? "PIDS" : "");
    for (size_t i = 0; i < chain->chainlets.count; i++) {
        print_chainlet(&chain->chainlets.items[i], &daemon->arena);
        if (!strcmp(chain->chainlets.items[i].state, "failed"))
            print_log(daemon, chain, chain->chainlets.items[i].name);
    }
}

/* What is asked about; NULL: all. */
typedef struct request {
    const char *chain, *chainlet, *environment;
    bool json, watch;
    double every_s; /* of watching; 0: as often as it is sensible */
} request;

static int print_status(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                        const request *r)
{
    const chainsi_status_filter filter = { r->chain, r->environment };
    chainsi_api_chains chains;
    bool any = false;
    if (!chainsi_daemon_read(daemon, answer, &chainsi_api_chains_type, &chains))
        return CHAINSI_EXIT_FAILED;
    if (!r->chain)
        printf("daemon at %s%s%s\n", daemon->address, daemon->home ? ", " : "",
               daemon->home ? daemon->home : "");
    for (size_t i = 0; i < chains.count; i++) {
        if (!chainsi_status_is_shown(&filter, &chains.items[i]))
            continue;
        if (!r->chain || any)
            putchar('\n');
        print_chain(daemon, &chains.items[i]);
        any = true;
    }
    if (any)
        return CHAINSI_EXIT_OK;
    if (!r->chain && !r->environment) {
        printf("nothing is deployed\n");
        return CHAINSI_EXIT_OK;
    }
    fprintf(stderr, "chains: '%s' has no environment '%s'\n", r->chain ? r->chain : "",
            r->environment ? r->environment : "");
    return CHAINSI_EXIT_FAILED;
}

/* One process in a line, and beneath it how it ended. */
static void print_replica(const chainsi_stored_replica *replica, chainsi_arena *arena)
{
    char pid[24] = "-", ready[32] = "-", ended[32] = "-";
    if (replica->pid)
        snprintf(pid, sizeof pid, "%lld", (long long)replica->pid);
    if (replica->ready_at)
        snprintf(ready, sizeof ready, "%.19sZ", replica->ready_at);
    if (replica->ended_at)
        snprintf(ended, sizeof ended, "%.19sZ", replica->ended_at);
    printf("%-16s %8s  %.19sZ  %-20s  %-20s  %-11s  %s\n", replica->version, pid,
           replica->started_at, ready, ended, replica->ending ? replica->ending : "runs",
           chainsi_text_shown(arena, replica->how));
}

/* Of a Chainlet of which no process was ever known: those of a cluster have pods. */
static int print_pods(chainsi_daemon *daemon, const request *r)
{
    chainsi_daemon_answer answer;
    chainsi_api_chain chain;
    chainsi_shown_pods pods = { 0 };
    const char *path = chainsi_arena_printf(&daemon->arena, "/api/v1/chains/%s/environments/%s",
                                            r->chain, r->environment);
    if (!chainsi_daemon_ask(daemon, "GET", path, NULL, 0, &answer) ||
        !chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_api_chain_type, &chain))
        return CHAINSI_EXIT_FAILED;
    if (chainsi_shown_pods_add_chain(&pods, &daemon->arena, &chain, r->chainlet)) {
        chainsi_shown_pods_print(&pods, r->chainlet, r->json);
        return CHAINSI_EXIT_OK;
    }
    fprintf(stderr, "chains: no process and no pod of '%s' of '%s' is known in '%s'\n", r->chainlet,
            r->chain, r->environment);
    return CHAINSI_EXIT_FAILED;
}

static int print_history(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                         const request *r)
{
    chainsi_stored_replicas replicas;
    if (!chainsi_daemon_read(daemon, answer, &chainsi_stored_replicas_type, &replicas))
        return CHAINSI_EXIT_FAILED;
    if (!replicas.count)
        return print_pods(daemon, r);
    if (r->json) {
        chainsi_daemon_print(answer);
        return CHAINSI_EXIT_OK;
    }
    printf("%-16s %8s  %-20s  %-20s  %-20s  %-11s  %s\n", "VERSION", "PID", "STARTED", "READY",
           "ENDED", "HOW", "");
    for (size_t i = 0; i < replicas.count; i++)
        print_replica(&replicas.items[i], &daemon->arena);
    return CHAINSI_EXIT_OK;
}

static int watch(const request *r)
{
    chainsi_daemon daemon;
    const chainsi_status_filter filter = { r->chain, r->environment };
    const int result = chainsi_daemon_find(&daemon)
                           ? chainsi_status_watch(&daemon, &filter, r->every_s, r->json)
                           : CHAINSI_EXIT_FAILED;
    chainsi_daemon_close(&daemon);
    return result;
}

static int show(const request *r)
{
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    int result = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon)) {
        const char *path = "/api/v1/chains";
        if (r->chainlet)
            path = chainsi_arena_printf(
                &daemon.arena, "/api/v1/chains/%s/environments/%s/chainlets/%s/replicas?limit=1000",
                r->chain, r->environment, r->chainlet);
        else if (r->chain && r->environment && r->json)
            path = chainsi_arena_printf(&daemon.arena, "/api/v1/chains/%s/environments/%s",
                                        r->chain, r->environment);
        else if (r->chain)
            path = chainsi_arena_printf(&daemon.arena, "/api/v1/chains/%s/environments", r->chain);
        if (!chainsi_daemon_ask(&daemon, "GET", path, NULL, 0, &answer)) {
            result = CHAINSI_EXIT_FAILED;
        } else if (answer.status != 200) {
            result = chainsi_daemon_fail(&daemon, &answer, r->json);
        } else if (r->chainlet) {
            result = print_history(&daemon, &answer, r);
        } else if (r->json) {
            chainsi_daemon_print(&answer);
            result = CHAINSI_EXIT_OK;
        } else {
            result = print_status(&daemon, &answer, r);
        }
    }
    chainsi_daemon_close(&daemon);
    return result;
}

static int status(int argc, char **argv)
{
    request r = { 0 };
    chainsi_words names = { 0 };
    chainsi_cluster_words where = { 0 };
    bool cluster;
    const chainsi_option options[] = {
        { "environment", CHAINSI_OPTION_TEXT, &r.environment },
        CHAINSI_CLUSTER_OPTIONS(where),
        { "json", CHAINSI_OPTION_FLAG, &r.json },
        { "watch", CHAINSI_OPTION_FLAG, &r.watch },
        { "every", CHAINSI_OPTION_NUMBER, &r.every_s },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int result;
    if (chainsi_options_read(&chainsi_verb_status, options, argc, argv, 2, &names, &result)) {
        r.chain = names.count ? names.items[0] : NULL;
        r.chainlet = names.count == 2 ? names.items[1] : NULL;
        const char *words[] = { r.chain, r.chainlet, r.environment };
        if (!chainsi_check_names(&chainsi_verb_status, words, sizeof words / sizeof *words) ||
            !chainsi_cluster_words_read(&chainsi_verb_status, &where, &cluster))
            result = CHAINSI_EXIT_USAGE;
        else if (cluster && (r.watch || r.every_s != 0))
            result = chainsi_usage_error(&chainsi_verb_status,
                                         "--target kubernetes shows what is there, once: no "
                                         "--watch");
        else if (cluster && r.chainlet)
            result =
                chainsi_status_of_pods(&chainsi_verb_status, &where, r.chain, r.chainlet,
                                       r.environment ? r.environment : CHAINSI_PRODUCTION, r.json);
        else if (cluster)
            result = chainsi_status_of_cluster(&chainsi_verb_status, &where, r.chain, r.environment,
                                               r.json);
        else if (r.environment && !r.chain)
            result = chainsi_usage_error(&chainsi_verb_status, "'--environment' is one of a chain");
        else if (r.chainlet && r.watch)
            result = chainsi_usage_error(&chainsi_verb_status,
                                         "'--watch' shows chains, not the processes of a Chainlet");
        else if (r.every_s != 0 && !(r.watch && r.every_s >= 0.1 && r.every_s <= 86400))
            result = chainsi_usage_error(&chainsi_verb_status,
                                         "'--every' takes 0.1 to 86400 seconds, with '--watch'");
        else if (r.watch)
            result = watch(&r);
        else {
            if (r.chainlet && !r.environment)
                r.environment = CHAINSI_PRODUCTION;
            result = show(&r);
        }
    }
    chainsi_words_done(&names);
    return result;
}

const chainsi_verb chainsi_verb_status = {
    .name = "status",
    .usage = "[CHAIN [CHAINLET]] [--environment NAME] [--json]\n"
             "       chains status [CHAIN [--environment NAME]] --watch [--every SECONDS] [--json]",
    .summary = "Show what is deployed, and how it is.",
    .help =
        "Shows the daemon's address, and of each chain in each environment the version that\n"
        "answers, its state, URL, Chainlets and their processes: how many are ready of those\n"
        "that there should be, calls that run and that wait; of a Chainlet that has failed the "
        "last\n"
        "lines of its log; of what is being deployed how far "
        "its\n"
        "assets are. Ends with 1 when no daemon runs.\n"
        "With a CHAIN of that one alone. With a CHAINLET its processes, the newest first: those\n"
        "that run, and of those that ended when and how. The last 100 are kept, for 30 days. In\n"
        "a cluster its pods: their nodes, versions, states and restarts.\n"
        "\n"
        "  --environment NAME   of a chain: there alone. Of a Chainlet: there; default: "
        "production\n"
        "  --json               as the daemon's API gives it: an array, an object a chain and\n"
        "                       environment, or a process; of one environment its object\n"
        "  --watch              go on: a table that is renewed in place, with calls a second, the\n"
        "                       share of them that failed, and the times within which half and\n"
        "                       99 % of them ended, over the last ten seconds. q ends it. Where "
        "there\n"
        "                       is no terminal: lines, of each chain and each Chainlet; with "
        "--json\n"
        "                       the array, on a line each time. A daemon that goes away is looked "
        "for\n"
        "  --every SECONDS      how often. Default: 1; where there is no terminal "
        "10\n" CHAINSI_CLUSTER_HELP
        "                       Shows its versions, and of each Chainlet how many pods are ready\n"
        "                       of how many there should be; of a CHAINLET its pods\n"
        "\n"
        "Example:\n"
        "  chains status\n"
        "  chains status hello hello_writer\n"
        "  chains status --watch\n",
    .run = status,
};
