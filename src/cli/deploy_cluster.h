/* `chains deploy --target kubernetes`. */
#ifndef CHAINSI_CLI_DEPLOY_CLUSTER_H
#define CHAINSI_CLI_DEPLOY_CLUSTER_H

#include "cli/cluster_session.h"
#include "cli/deploy.h"
#include "cli/manifest_options.h"
#include "image/compression.h"

typedef struct chainsi_cluster_deploy {
    chainsi_deploy_request *request; /* what deployments to this machine are told as well */
    chainsi_cluster_words where;
    chainsi_manifest_words words;
    const char *compression_word; /* of images; NULL: it wasn't given */
    chainsi_compression compression;
    int64_t timeout_s;  /* until all is ready; 0: what its Chainlets' starts may take */
    int64_t patience_s; /* how long what may pass by itself may last */
    bool keep;          /* what was applied of a version that fails stays */
} chainsi_cluster_deploy;

#define CHAINSI_CLUSTER_PATIENCE_S 60

/* Checks that none of the options was given that are for clusters alone. False: said as a usage error. */
bool chainsi_cluster_deploy_unused(const chainsi_verb *verb, const chainsi_cluster_deploy *deploy);
/* The exit status; all has been said. */
int chainsi_deploy_to_cluster(const chainsi_verb *verb, chainsi_cluster_deploy *deploy);

/* deploy_cluster_wait.c: a version that was applied, until it is ready or won't be. */
typedef struct chainsi_cluster_wait {
    chainsi_cluster_session *session;
    const chainsi_cluster_deploy *deploy;
    const char *chain, *version, *config_map, *secret;
    const char *const *names; /* of its Chainlets, callees first */
    size_t count;
    bool controller;       /* says what becomes of it */
    const char *requested; /* what that has to have handled before its word counts; NULL: nothing */
    int64_t timeout_s;
    /* What came of it; texts are the session's. */
    const char *state, *message; /* of the controller; NULL */
    const char *idle; /* without one: a Deployment of it that is to have no pod; NULL: none is */
} chainsi_cluster_wait;
/* True: it is ready. False, said on stderr: it isn't, and why. */
bool chainsi_cluster_await(chainsi_cluster_wait *wait);

#endif
