/* Handing the services of a chain to the daemon, as `chains deploy` and `chains watch` do. */
#ifndef CHAINSI_CLI_DEPLOY_H
#define CHAINSI_CLI_DEPLOY_H

#include "cli/chain.h"
#include "cli/daemon.h"
#include "control/api.h"
#include "control/time_text.h"

typedef struct chainsi_deploy_request {
    const char *verb; /* "deploy": what messages begin with */
    chainsi_words folders, fakes;
    const char *name, *entrypoint, *environment;
    chainsi_api_canary canary;
    int64_t port;
    bool json;
    bool swappable;                /* programs of the version may be replaced in place */
    bool quiet;                    /* says nothing of progress and success */
    const char *sample;            /* arguments to try it with */
    char began[CHAINSI_TIME_TEXT]; /* when, as the lines of logs begin */
    bool told;                     /* why it failed, as JSON */
    const char *version_id; /* what it became; the daemon's arena; NULL until it is accepted */
} chainsi_deploy_request;

/* What is sent to the daemon, in its arena. Sets sample and began. False, said on stderr: it asks for what can't
 * be. */
bool chainsi_deploy_describe(const chainsi_model *model, const chainsi_built *built,
                             chainsi_deploy_request *request, chainsi_daemon *daemon,
                             chainsi_api_deploy *out);
/* Sends it, and returns when all of it is ready, or has failed: the exit status. What went wrong has been said. */
int chainsi_deploy_hand_over(chainsi_daemon *daemon, const chainsi_api_deploy *deploy,
                             chainsi_deploy_request *request);
/* What is said on stderr when the command is interrupted (SIGINT) from now on. */
void chainsi_deploy_say_at_interrupt(const char *text);
/* Shows the end of a Chainlet's log on stderr, but nothing from before `began`. */
void chainsi_deploy_show_log(chainsi_daemon *daemon, const char *chain, const char *environment,
                             const char *chainlet, const char *began);

#endif
