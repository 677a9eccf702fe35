/* What is asked of the API server of a cluster: one thread asks, one thing after the other. What can't be done is tried
 * again until it is done, or something else is wished in its place.
 *
 * Functions belong to the thread of the loop, and don't block but for chainsi_wishes_free. */
#ifndef CHAINSI_CONTROL_WISHES_H
#define CHAINSI_CONTROL_WISHES_H

#include <uv.h>

#include "cluster/cluster.h"

typedef struct chainsi_wishes chainsi_wishes;

typedef struct chainsi_wish {
    const char *key;    /* of several with one key the last counts: "scale hello-v1-hello" */
    const char *method; /* a constant */
    const char *path;
    const char *type; /* a constant; NULL: there is no body */
    const char *body;
    bool gone_is_good; /* that its object isn't there is no failure; */
    bool
        other_is_good; /* nor that it is another one by now: a conflict, which for others is tried again */
} chainsi_wish;

/* on_end: from the loop; status OK when it was done, else why not, and it is tried again unless it never can be
 * (INVALID_ARGUMENT, NOT_FOUND). */
chainsi_wishes *chainsi_wishes_new(uv_loop_t *loop, const chainsi_cluster *cluster,
                                   void (*on_end)(void *user, const char *key, chains_status status,
                                                  const char *why),
                                   void *user);
/* The wish is copied. */
void chainsi_wishes_add(chainsi_wishes *wishes, const chainsi_wish *wish);
/* How many aren't done. */
size_t chainsi_wishes_left(chainsi_wishes *wishes);
/* NULL is allowed. Waits for the request at hand; the rest is left. */
void chainsi_wishes_free(chainsi_wishes *wishes);

#endif
