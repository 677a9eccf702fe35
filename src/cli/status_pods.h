/* The pods of a Chainlet in one environment: what `chains status CHAIN CHAINLET` shows of a cluster, whoever was asked. */
#ifndef CHAINSI_CLI_STATUS_PODS_H
#define CHAINSI_CLI_STATUS_PODS_H

#include "base/arena.h"
#include "control/api.h"

/* One pod; texts are whose it was read from. */
typedef struct chainsi_shown_pod {
    const char *pod;
    const char *node;    /* NULL: it has none yet */
    const char *version; /* of the chain */
    const char *state;   /* "starting", "ready", "draining" ... */
    int64_t restarts;    /* of its container */
    const char *since;   /* when it came into its state, or was made; NULL: not known */
    const char
        *why; /* what keeps it from being ready, or how it ended last; NULL: nothing is known */
} chainsi_shown_pod;
typedef struct chainsi_shown_pods {
    chainsi_shown_pod *items;
    size_t count;
} chainsi_shown_pods;

/* Adds one, in arena. */
void chainsi_shown_pods_add(chainsi_shown_pods *pods, chainsi_arena *arena, chainsi_shown_pod pod);
/* Adds those of a Chainlet as a controller tells of them: of the version that answers, and of one that is being started or
 * tried. False: there is no such Chainlet. */
bool chainsi_shown_pods_add_chain(chainsi_shown_pods *pods, chainsi_arena *arena,
                                  const chainsi_api_chain *chain, const char *chainlet);
/* Prints them on stdout, as a table, or as an array. */
void chainsi_shown_pods_print(const chainsi_shown_pods *pods, const char *chainlet, bool json);

#endif
