#include "cli/environment.h"

#include <stdio.h>

bool chainsi_check_names(const chainsi_verb *verb, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] && !chainsi_is_name(names[i])) {
            chainsi_usage_error(verb, "'%s' is no name: letters, digits, '.', '_' and '-'",
                                names[i]);
            return false;
        }
    return true;
}

bool chainsi_check_canary(const chainsi_verb *verb, const chainsi_api_canary *canary)
{
    char why[256];
    if (chainsi_api_check_canary(canary, why, sizeof why) == CHAINS_OK)
        return true;
    chainsi_usage_error(verb, "%s", why);
    return false;
}

static void say(const chainsi_api_chain *chain)
{
    if (chain->canary)
        printf("version %s gets %g %% of the calls of %s in %s until %s\n",
               chain->canary->version_id, chain->canary->percent, chain->name, chain->environment,
               chain->canary->until);
    else
        printf("version %s answers the calls of %s in %s:\n  %s\n",
               chain->version_id ? chain->version_id : "-", chain->name, chain->environment,
               chain->url);
}

int chainsi_change_environment(const char *chain, const char *environment, const char *what,
                               const chainsi_buffer *body, bool json)
{
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    chainsi_api_chain now;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon)) {
        const char *path = chainsi_arena_printf(
            &daemon.arena, "/api/v1/chains/%s/environments/%s/%s", chain, environment, what);
        if (!chainsi_daemon_ask(&daemon, "POST", path, body, 0, &answer))
            status = CHAINSI_EXIT_FAILED;
        else if (answer.status != 200)
            status = chainsi_daemon_fail(&daemon, &answer, json);
        else if (json) {
            chainsi_daemon_print(&answer);
            status = CHAINSI_EXIT_OK; /* whether it could be written main() looks at */
        } else if (chainsi_daemon_read(&daemon, &answer, &chainsi_api_chain_type, &now)) {
            say(&now);
            status = CHAINSI_EXIT_OK;
        }
    }
    chainsi_daemon_close(&daemon);
    return status;
}
