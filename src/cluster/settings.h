/* Where a cluster is and who asks it, as kubeconfig or a pod's service account say. Read once, never changed. */
#ifndef CHAINSI_CLUSTER_SETTINGS_H
#define CHAINSI_CLUSTER_SETTINGS_H

#include "base/arena.h"
#include "cluster/cluster.h"

/* A certificate, key or authority: the text itself, or a file that is read whenever it is needed, because others renew
 * it. Both NULL: none. */
typedef struct chainsi_pem {
    const char *text, *file;
} chainsi_pem;

typedef struct chainsi_exec_variable {
    const char *name, *value;
} chainsi_exec_variable;

/* A program that says who asks: client.authentication.k8s.io. */
typedef struct chainsi_exec {
    const char *api_version, *command;
    const char **arguments; /* argument_count */
    size_t argument_count;
    const chainsi_exec_variable *variables;
    size_t variable_count;
    const char *install_hint;  /* or NULL */
    const char *cluster;       /* JSON, for a program that wants to know; or NULL */
    bool never_asks, must_ask; /* the user: interactiveMode Never, Always */
} chainsi_exec;

typedef struct chainsi_cluster_settings {
    chainsi_arena arena; /* of all below */
    const char *server;  /* "https://10.0.0.1:6443/prefix", without a slash at its end */
    const char *name_space;
    const char
        *origin; /* "context 'x' of /home/me/.kube/config", "the service account of this pod" */
    const char *user; /* "user 'x'"; for messages */
    /* How it is reached. */
    const char *server_name, *proxy; /* NULL: as the URL and the environment say */
    chainsi_pem authority;           /* none: the system's */
    bool trusts_any;
    /* Who asks. */
    chainsi_pem certificate, key;
    const char *token, *token_file; /* the file first; it is read again each time */
    const char *login, *password;
    const chainsi_exec *exec;      /* or NULL */
    const char *const *as_headers; /* of impersonation, ended by NULL */
} chainsi_cluster_settings;

/* Fills *settings, or says why not. chainsi_cluster_settings_done in any case. */
bool chainsi_cluster_settings_find(const chainsi_cluster_options *options,
                                   chainsi_cluster_settings *settings, char *why, size_t why_size);
void chainsi_cluster_settings_done(chainsi_cluster_settings *settings);

/* Whether there is a kubeconfig to read, with options or without; then *settings is filled from it, or *why says why
 * it can't be (then false as well, with *why). False with why "": there is none. */
bool chainsi_kubeconfig_find(const chainsi_cluster_options *options,
                             chainsi_cluster_settings *settings, char *why, size_t why_size);

/* The file's text with a NUL behind it, at most 16 MiB, in arena. NULL: errno. */
char *chainsi_cluster_read_file(chainsi_arena *arena, const char *path);

#endif
