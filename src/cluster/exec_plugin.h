/* Programs that say who asks (aws, gke-gcloud-auth-plugin, kubelogin …): client.authentication.k8s.io, an ExecCredential
 * on their standard output. */
#ifndef CHAINSI_CLUSTER_EXEC_PLUGIN_H
#define CHAINSI_CLUSTER_EXEC_PLUGIN_H

#include <time.h>

#include "cluster/settings.h"

enum {
    CHAINSI_EXEC_LIMIT_S =
        60, /* for a program that asks nobody; one that does has the time that they take */
    CHAINSI_EXEC_MOST_SAID = 1 << 20 /* bytes */
};

typedef struct chainsi_exec_answer {
    chainsi_arena arena; /* of the texts */
    const char *token;   /* NULL: none */
    const char *certificate, *key;
    time_t expires; /* 0: it doesn't say */
} chainsi_exec_answer;

/* Runs settings->exec. It may ask the user where standard input is a terminal. Blocks. False with why; answer->arena is the
 * caller's in any case. */
bool chainsi_exec_plugin_run(const chainsi_cluster_settings *settings, chainsi_exec_answer *answer,
                             char *why, size_t why_size);

#endif
