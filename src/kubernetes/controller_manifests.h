/* The Kubernetes objects that chainsd is in a cluster: what runs it, what it may do there, where its state is, and how it is
 * reached. All are called "chainsd", in one namespace, which it looks after.
 *
 * The same options give the same bytes. No cluster is asked. docs/kubernetes.md tells what is in the objects and
 * why. */
#ifndef CHAINSI_KUBERNETES_CONTROLLER_MANIFESTS_H
#define CHAINSI_KUBERNETES_CONTROLLER_MANIFESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum {
    CHAINSI_CONTROLLER_PORT = 8600,   /* the front door */
    CHAINSI_CONTROLLER_HEALTH = 8601, /* /healthz and /readyz, of the leader and of who stands by */
};
#define CHAINSI_CONTROLLER_NAME  "chainsd"
/* The Secret with what its pods have in common: token, webhook.key, secret.key (control/shared_keys.h). */
#define CHAINSI_CONTROLLER_TOKEN "chainsd-token"

typedef struct chainsi_controller_options {
    const char *image;       /* a reference */
    const char *name_space;  /* NULL: whichever they are applied to */
    bool create_name_space;  /* with an object for it */
    const char *pull_secret; /* for the image's registry; NULL: none */
    int replicas;
    /* Where the state is: one of the three. */
    const char *state;         /* a Secret with the URL of a PostgreSQL database, key "url" */
    bool ephemeral;            /* in the pod, with which it goes */
    const char *storage;       /* else on a volume of that size: "1Gi" */
    const char *storage_class; /* NULL: the cluster's default */
    /* How it is reached. Neither: through a forwarded port alone. */
    const char *tls_secret;      /* a Secret with tls.crt and tls.key */
    bool allow_insecure_network; /* without TLS and keys, by whoever reaches it */
    const char *const *allowed_hosts;
    size_t allowed_host_count;
    bool json; /* a v1 List instead of YAML */
} chainsi_controller_options;

/* Appends the objects. */
void chainsi_controller_write(const chainsi_controller_options *options, chainsi_buffer *out);

/* What can be deleted, as chainsi_cluster_path takes it; ends with an entry of NULLs. The volume and the token are the last two. */
typedef struct chainsi_controller_object {
    const char *api, *resource, *name;
} chainsi_controller_object;
extern const chainsi_controller_object chainsi_controller_objects[];

/* Whether the text is a quantity of bytes as Kubernetes has them: "1Gi", "500M". */
bool chainsi_is_quantity(const char *text);

#endif
