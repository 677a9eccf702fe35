/* What verbs about deployed chains do with `--target kubernetes`. Each returns the exit status; all has been said. */
#ifndef CHAINSI_CLI_CLUSTER_VERBS_H
#define CHAINSI_CLI_CLUSTER_VERBS_H

#include "cli/cluster_session.h"

/* delete_cluster.c: a chain with all that is its, or its versions of an environment, or one version. Returns when all of it is
 * gone. */
int chainsi_delete_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                              const char *chain, const char *environment, const char *version,
                              bool json);
/* status_cluster.c: versions and their pods. chain, environment NULL: all. */
int chainsi_status_of_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                              const char *chain, const char *environment, bool json);
/* The pods of a Chainlet in one environment. */
int chainsi_status_of_pods(const chainsi_verb *verb, const chainsi_cluster_words *where,
                           const char *chain, const char *chainlet, const char *environment,
                           bool json);
/* secret_cluster.c: the keys of the chain's Secret. */
int chainsi_secret_set_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                                  const char *chain, const char *name, const chainsi_buffer *value);
int chainsi_secret_list_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                                   const char *chain, bool json);
int chainsi_secret_delete_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                                     const char *chain, const char *name);

#endif
