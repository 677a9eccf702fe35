/* What pods have written, asked of the cluster's API server: lines as log_line.h has them, so that all that is done with logs
 * is done with these. It is asked a pod at a time, some pods at once, on the pool of the loop; one that was asked
 * before is asked for what came since.
 *
 * A cluster keeps what a pod writes as long as the pod is there, and of that the last part (a kubelet's
 * containerLogMaxSize); of a container that has ended what it wrote last is asked for as well. All functions belong to the
 * thread of the loop, and none blocks. */
#ifndef CHAINSI_CONTROL_POD_LOGS_H
#define CHAINSI_CONTROL_POD_LOGS_H

#include <uv.h>

#include "cluster/cluster.h"
#include "control/log_line.h"

typedef struct chainsi_pod_logs chainsi_pod_logs;

typedef struct chainsi_pod_logs_options {
    uv_loop_t *loop;
    const chainsi_cluster *cluster;   /* not owned; used at the beginning */
    const chainsi_log_filter *filter; /* which lines are wanted; copied */
    size_t tail;                      /* how many of the last ones of each pod, the first time */
    /* Lines of a pod that the filter takes, each with its break, in their order; they live until this returns. chainlet:
     * whose. */
    void (*on_lines)(void *user, const char *chainlet, const char *lines, size_t size);
    /* All have been asked. why: why some couldn't be; "". Both may free the logs. */
    void (*on_asked)(void *user, const char *why);
    void *user;
} chainsi_pod_logs_options;

/* Of no pod at first. Never NULL. */
chainsi_pod_logs *chainsi_pod_logs_new(const chainsi_pod_logs_options *options);
/* Neither function is called any more. NULL is allowed. */
void chainsi_pod_logs_free(chainsi_pod_logs *logs);
/* A pod is there, and is asked from the next time on until one after which it wasn't named again; one of that name that is
 * known goes on. tag: copied. restarts: of its container. */
void chainsi_pod_logs_add(chainsi_pod_logs *logs, const char *pod, const chainsi_log_tag *tag,
                          int64_t restarts);
/* Asks all of them, once. Not again before on_asked was called, which comes from the loop. */
void chainsi_pod_logs_ask(chainsi_pod_logs *logs);

/* Reads a line of the API server's, "2026-01-31T12:00:00.123456789Z TEXT" (or +01:00), without its break. False: it isn't
 * one. *at_ns: since 1970; *text points into it. */
bool chainsi_pod_logs_read_line(const char *line, size_t size, int64_t *at_ns, chainsi_slice *text);

#endif
