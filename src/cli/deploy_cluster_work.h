/* What the files of `chains deploy --target kubernetes` share. */
#ifndef CHAINSI_CLI_DEPLOY_CLUSTER_WORK_H
#define CHAINSI_CLI_DEPLOY_CLUSTER_WORK_H

#include "cli/deploy_cluster.h"

/* One deployment. */
typedef struct chainsi_cluster_work {
    const chainsi_verb *verb;
    chainsi_cluster_deploy *deploy;
    chainsi_chain chain;
    chainsi_cluster_session session;
    chainsi_arena arena; /* what isn't the session's */
    const char *name;    /* of the chain */
    const chainsi_service *services;
    size_t service_count;
    chainsi_manifest_identity identity;
    chainsi_cluster_wait wait;
    bool there;  /* the version was there before */
    bool change; /* and something of it had to be set right */
} chainsi_cluster_work;

/* deploy_cluster_report.c: prints what became of it, now that it is there. */
void chainsi_cluster_deploy_report(chainsi_cluster_work *work);
/* Other versions of the chain where it is deployed, or only the one that answers calls there: "v1, v2". */
const char *chainsi_cluster_deploy_others(chainsi_cluster_work *work, bool answering);

#endif
