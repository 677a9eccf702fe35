/* What the verbs about versions and environments share: their options, requests and words. */
#ifndef CHAINSI_CLI_ENVIRONMENT_H
#define CHAINSI_CLI_ENVIRONMENT_H

#include "cli/daemon.h"
#include "cli/options.h"
#include "control/api.h"

/* The options of a canary as a verb reads them, into one that begins as CHAINSI_NO_CANARY. */
#define CHAINSI_CANARY_OPTIONS(canary)                                                             \
    { "canary", CHAINSI_OPTION_NUMBER, &(canary).percent },                                        \
        { "max-error-rate-increase", CHAINSI_OPTION_NUMBER, &(canary).max_error_rate_increase },   \
        { "max-p99-ratio", CHAINSI_OPTION_NUMBER, &(canary).max_p99_ratio },                       \
    {                                                                                              \
        "canary-minutes", CHAINSI_OPTION_NUMBER, &(canary).minutes                                 \
    }
#define CHAINSI_CANARY_USAGE                                                                       \
    "[--canary PERCENT] [--max-error-rate-increase X] [--max-p99-ratio X] [--canary-minutes N]"
#define CHAINSI_CANARY_HELP                                                                        \
    "  --canary PERCENT     try it first: it gets that share of the calls, and all of them if "    \
    "it\n"                                                                                         \
    "                       does well; else it is given up. The margins:\n"                        \
    "  --max-error-rate-increase X   its share of failed calls may be higher by X. Default: "      \
    "0.01\n"                                                                                       \
    "  --max-p99-ratio X    its p99 may be X times the old one's. Default: 1.5\n"                  \
    "  --canary-minutes N   how long it is tried. Default: 10\n"

/* Whether all of these can be such names; NULL is none, and fine. False: said as a usage error. */
bool chainsi_check_names(const chainsi_verb *verb, const char *const *names, size_t count);
/* The same for a canary. */
bool chainsi_check_canary(const chainsi_verb *verb, const chainsi_api_canary *canary);

/* POSTs to /api/v1/chains/CHAIN/environments/ENVIRONMENT/what, and says what became of the environment.
 * body: JSON; NULL for none. Returns the exit status. Blocks until it is done. */
int chainsi_change_environment(const char *chain, const char *environment, const char *what,
                               const chainsi_buffer *body, bool json);

#endif
