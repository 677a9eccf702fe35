/* The API server of a Kubernetes cluster: where it is, who asks, and one request at a time.
 *
 * Where and who come from a kubeconfig (--kubeconfig, $KUBECONFIG with its list of files, ~/.kube/config), or in a pod
 * from its service account, whose token is read again when its file changes. Credentials: client certificates, tokens,
 * token files, user and password, exec plugins (client.authentication.k8s.io v1 and v1beta1).
 *
 * A chainsi_cluster is used by one thread at a time; each thread that asks has one of its own (chainsi_cluster_copy). Every
 * function that asks blocks. Requests go by libcurl, which is loaded with the first one. */
#ifndef CHAINSI_CLUSTER_CLUSTER_H
#define CHAINSI_CLUSTER_CLUSTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "chains.h"

typedef struct chainsi_cluster chainsi_cluster;

/* All NULL: what kubectl would take; in a pod without a kubeconfig its service account. */
typedef struct chainsi_cluster_options {
    const char *kubeconfig; /* a file */
    const char *context;    /* its name in there */
    const char *name_space; /* instead of the context's, or the pod's; else "default" */
} chainsi_cluster_options;

/* Asks nobody yet, but exec plugins may run. NULL with a sentence that says what to do. */
chainsi_cluster *chainsi_cluster_open(const chainsi_cluster_options *options, char *why,
                                      size_t why_size);
/* The same cluster for another thread. Never NULL. */
chainsi_cluster *chainsi_cluster_copy(const chainsi_cluster *cluster);
/* NULL is allowed. */
void chainsi_cluster_close(chainsi_cluster *cluster);

/* For the requests that follow: how long an attempt may take (0: as long as bytes come), and what breaks it off (NULL: nothing;
 * looked at at least every 200 ms; the status then is CANCELLED). */
void chainsi_cluster_limit(chainsi_cluster *cluster, int64_t timeout_ms, const atomic_bool *stop);

const char *chainsi_cluster_name_space(const chainsi_cluster *cluster);
/* "https://10.0.0.1:6443", for messages. */
const char *chainsi_cluster_server(const chainsi_cluster *cluster);
/* "context 'x' of /home/me/.kube/config", "the service account of this pod"; for messages. */
const char *chainsi_cluster_origin(const chainsi_cluster *cluster);

/* What the API server answered. All zero before the first use, and used again for the next request. */
typedef struct chainsi_cluster_answer {
    int status;          /* HTTP's; 0: there was no answer */
    chainsi_buffer body; /* JSON; owned, chainsi_cluster_answer_done */
    char
        reason[64]; /* of a failure: "NotFound", "Conflict", "Forbidden", "QuotaExceeded" ...; "" */
    char why[1024]; /* of a failure: a sentence that names the object; "" */
} chainsi_cluster_answer;
void chainsi_cluster_answer_done(chainsi_cluster_answer *answer);

/* One request. path: "/api/v1/namespaces/ns/pods?limit=5". type NULL: no body. OK for 2xx, else with answer->why: NOT_FOUND
 * (404), ALREADY_EXISTS (409 on create), ABORTED (409 else), PERMISSION_DENIED (403), UNAUTHENTICATED (401),
 * INVALID_ARGUMENT (400, 422), RESOURCE_EXHAUSTED (429, a quota), UNAVAILABLE (5xx, or nobody there), FAILED_PRECONDITION
 * (certificates, proxies, URLs, which another try doesn't help). What certainly was not carried out, and 429 and 503 with
 * Retry-After, are tried again for up to patience_s (0: once); GET and server-side apply, which do no harm twice, also after a
 * connection that broke and after 5xx. */
chains_status chainsi_cluster_ask(chainsi_cluster *cluster, const char *method, const char *path,
                                  const char *type, const void *body, size_t size,
                                  double patience_s, chainsi_cluster_answer *answer);

#define CHAINSI_CLUSTER_JSON  "application/json"
#define CHAINSI_CLUSTER_APPLY "application/apply-patch+yaml" /* server-side apply; JSON is YAML */
#define CHAINSI_CLUSTER_MERGE "application/merge-patch+json"

/* Objects that come and go, as JSON texts that live until on_object returns. In a listing they have neither apiVersion nor
 * kind. cluster may be asked for other things meanwhile, by the thread that follows. */
typedef struct chainsi_cluster_watch {
    /* A collection with its selector: "/api/v1/namespaces/ns/pods?labelSelector=chains.dev%2Fchain". */
    const char *path;
    /* gone: it was deleted (object as it was last). During the first listing, and after a watch that couldn't go on
     * (410 Gone; after a break it goes on), all that there is comes again between on_list(begin) and on_list(end): what didn't
     * come in between is gone without having been told so. A listing that breaks off begins anew, with begin again. */
    void (*on_object)(void *user, bool gone, const char *object, size_t size);
    void (*on_list)(void *user, bool begin);
    /* It can't be asked, and is tried again with growing pauses; "": it can again. */
    void (*on_trouble)(void *user, const char *why);
    void *user;
} chainsi_cluster_watch;

/* Lists, watches, and begins again, until *stop is set, which is looked at at least every 200 ms. */
void chainsi_cluster_follow(chainsi_cluster *cluster, const chainsi_cluster_watch *watch,
                            const atomic_bool *stop);

#endif
