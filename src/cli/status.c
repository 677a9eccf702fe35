/* `chains status`: what is deployed, and how it is. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/fetched.h"
#include "cli/options.h"
#include "control/api.h"

extern const chainsi_verb chainsi_verb_status;

static void print_chainlet(const chainsi_api_chainlet *chainlet)
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
    for (size_t i = 0; i < chainlet->replicas.count; i++) {
        const chainsi_api_replica *replica = &chainlet->replicas.items[i];
        if (replica->last_end)
            printf("    ended %swith: %s\n", strcmp(replica->state, "ready") ? "" : "before ",
                   replica->last_end);
    }
    for (size_t i = 0; i < chainlet->replicas.count; i++)
        for (size_t k = 0; k < chainlet->replicas.items[i].gpus.count; k++)
            printf("    %lld has %s\n", (long long)chainlet->replicas.items[i].pid,
                   chainlet->replicas.items[i].gpus.items[k]);
    for (size_t i = 0; i < chainlet->notes.count; i++)
        printf("    note: %s\n", chainlet->notes.items[i]);
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

static void print_chain(const chainsi_api_chain *chain)
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
               chain->deployment.message ? chain->deployment.message : "");
    printf("  %-24s %-12s %8s %9s %7s %8s  %-20s  %s\n", "CHAINLET", "STATE", "READY", "IN FLIGHT",
           "WAITING", "RESTARTS", "SINCE", "PIDS");
    for (size_t i = 0; i < chain->chainlets.count; i++)
        print_chainlet(&chain->chainlets.items[i]);
}

static int print_status(chainsi_daemon *daemon, const chainsi_daemon_answer *answer)
{
    chainsi_api_chains chains;
    if (!chainsi_daemon_read(daemon, answer, &chainsi_api_chains_type, &chains))
        return CHAINSI_EXIT_FAILED;
    printf("daemon at %s, %s\n", daemon->address, daemon->home);
    if (!chains.count)
        printf("nothing is deployed\n");
    for (size_t i = 0; i < chains.count; i++) {
        putchar('\n');
        print_chain(&chains.items[i]);
    }
    return CHAINSI_EXIT_OK;
}

static int status(int argc, char **argv)
{
    bool json = false;
    const chainsi_option options[] = {
        { "json", CHAINSI_OPTION_FLAG, &json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int result;
    if (!chainsi_options_read(&chainsi_verb_status, options, argc, argv, 0, NULL, &result))
        return result;
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    result = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon, true) &&
        chainsi_daemon_ask(&daemon, "GET", "/api/v1/chains", NULL, 0, &answer)) {
        if (answer.status != 200) {
            result = chainsi_daemon_fail(&daemon, &answer, json);
        } else if (json) {
            printf("%.*s\n", (int)answer.size, answer.body);
            result = CHAINSI_EXIT_OK;
        } else {
            result = print_status(&daemon, &answer);
        }
    }
    chainsi_daemon_close(&daemon);
    return result;
}

const chainsi_verb chainsi_verb_status = {
    .name = "status",
    .usage = "[--json]",
    .summary = "Show what is deployed, and how it is.",
    .help =
        "Shows the daemon's address, and of each chain in each environment the version that\n"
        "answers, its state, URL, Chainlets and their processes: how many are ready of those\n"
        "that there should be, calls that run and that wait; of what is being deployed how far "
        "its\n"
        "assets are. Ends with 1 when no daemon runs.\n"
        "\n"
        "  --json    as the daemon's API gives it: an array, an object a chain and environment\n"
        "\n"
        "Example:\n"
        "  chains status\n",
    .run = status,
};
