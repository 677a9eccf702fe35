/* What an answer that isn't 2xx means: a status, and a sentence that names the object and the next step. */
#ifndef CHAINSI_CLUSTER_REFUSAL_H
#define CHAINSI_CLUSTER_REFUSAL_H

#include "cluster/login.h"

/* Reads answer->status and answer->body, and fills answer->reason and answer->why. */
chains_status chainsi_cluster_refusal(const chainsi_cluster_settings *settings,
                                      const chainsi_credentials_now *now, const char *method,
                                      const char *path, chainsi_cluster_answer *answer);

#endif
