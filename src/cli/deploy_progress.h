/* What `chains deploy` shows while it waits: assets that are fetched, and Chainlets that become ready. */
#ifndef CHAINSI_CLI_DEPLOY_PROGRESS_H
#define CHAINSI_CLI_DEPLOY_PROGRESS_H

#include "cli/fetched.h"

typedef struct chainsi_deploy_progress {
    chainsi_bar line;
    chainsi_fetched_shown fetched;
    bool *shown;     /* of each Chainlet whether it was said to be ready; owned */
    size_t count;    /* of them */
    char words[256]; /* of the bar now */
} chainsi_deploy_progress;

/* On out, of a deployment of at most so many Chainlets. What it is at must not be moved. */
void chainsi_deploy_progress_init(chainsi_deploy_progress *progress, FILE *out,
                                  chainsi_terminal terminal, size_t count);
/* Also takes the bar away. */
void chainsi_deploy_progress_done(chainsi_deploy_progress *progress);
/* Tells what is new, as of now_ns: on a terminal in a bar, elsewhere a line for each Chainlet that has become ready. */
void chainsi_deploy_progress_show(chainsi_deploy_progress *progress,
                                  const chainsi_api_deployment *deployment, int64_t now_ns);

#endif
