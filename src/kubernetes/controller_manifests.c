/* chainsd as objects of a cluster. What it may do is a Role of its namespace: no more verbs than it uses. */
#include "kubernetes/controller_manifests.h"

#include <stdlib.h>
#include <string.h>

#include "kubernetes/manifest_state.h"

enum {
    STOP_S = 60, /* calls that run, and the Lease that is given up */
    TMP_MIB = 256,
    FILE_MODE = 0440,
};

#define NAME      CHAINSI_CONTROLLER_NAME
#define HOME      "/var/lib/chains"
#define TLS_DIR   "/run/chains/tls"
#define STATE_DIR "/run/chains/state"
#define KEYS_DIR  "/run/chains/keys"
#define COMPONENT "controller"

typedef struct controller {
    const chainsi_controller_options *options;
    chainsi_manifest manifest; /* for what writes parts of all manifests */
} controller;

static chainsi_document *document_of(controller *it)
{
    return &it->manifest.document;
}

/* Parts */

static void write_match(controller *it, const char *key)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, key);
    chainsi_document_text(d, "app.kubernetes.io/name", NAME);
    chainsi_document_text(d, "app.kubernetes.io/component", COMPONENT);
    chainsi_document_close(d);
}

static void write_labels(controller *it, bool pod)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, "labels");
    chainsi_document_text(d, "app.kubernetes.io/name", NAME);
    chainsi_document_text(d, "app.kubernetes.io/component", COMPONENT);
    chainsi_document_text(d, "app.kubernetes.io/part-of", "chains");
    chainsi_document_text(d, "app.kubernetes.io/managed-by", "chains");
    if (pod) /* which Chainlets let in */
        chainsi_document_text(d, "chains.dev/front-door", "true");
    chainsi_document_close(d);
}

static void open_object(controller *it, const char *api, const char *kind, const char *name)
{
    chainsi_document *d = document_of(it);
    if (!it->options->json)
        chainsi_buffer_add_text(d->out, "---\n");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "apiVersion", api);
    chainsi_document_text(d, "kind", kind);
    chainsi_document_open_map(d, "metadata");
    chainsi_document_text(d, "name", name);
    if (strcmp(kind, "Namespace") != 0)
        chainsi_document_text(d, "namespace", it->options->name_space);
    write_labels(it, false);
    chainsi_document_close(d);
}

static void write_words(chainsi_document *d, const char *key, const char *words)
{
    char word[64];
    chainsi_document_open_list(d, key);
    while (*words) {
        size_t size = strcspn(words, " ");
        memcpy(word, words, size);
        word[size] = 0;
        /* The core's group has no name. */
        chainsi_document_text(d, NULL, strcmp(word, "core") ? word : "");
        words += size + (words[size] == ' ');
    }
    chainsi_document_close(d);
}

/* Who it is, and what it may do */

static void write_account(controller *it)
{
    chainsi_document *d = document_of(it);
    open_object(it, "v1", "ServiceAccount", NAME);
    chainsi_document_truth(d, "automountServiceAccountToken",
                           false); /* its pods say so themselves */
    if (it->options->pull_secret) {
        chainsi_document_open_list(d, "imagePullSecrets");
        chainsi_document_open_map(d, NULL);
        chainsi_document_text(d, "name", it->options->pull_secret);
        chainsi_document_close(d);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
}

static void write_role(controller *it)
{
    static const struct {
        const char *group, *resources, *verbs;
    } rules[] = {
        { "core", "configmaps", "get list watch patch delete" }, /* versions */
        { "core", "pods", "get list watch" },
        { "core", "pods/log", "get" },
        { "core", "events", "list" },              /* why a pod doesn't start */
        { "core", "secrets", "get create patch" }, /* certificates, by their names */
        { "apps", "deployments", "get list watch" },
        { "apps", "deployments/scale", "get patch update" },
        { "coordination.k8s.io", "leases", "get create patch" }, /* who leads */
    };
    chainsi_document *d = document_of(it);
    open_object(it, "rbac.authorization.k8s.io/v1", "Role", NAME);
    chainsi_document_open_list(d, "rules");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        chainsi_document_open_map(d, NULL);
        write_words(d, "apiGroups", rules[i].group);
        write_words(d, "resources", rules[i].resources);
        write_words(d, "verbs", rules[i].verbs);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
    chainsi_document_close(d);
    open_object(it, "rbac.authorization.k8s.io/v1", "RoleBinding", NAME);
    chainsi_document_open_map(d, "roleRef");
    chainsi_document_text(d, "apiGroup", "rbac.authorization.k8s.io");
    chainsi_document_text(d, "kind", "Role");
    chainsi_document_text(d, "name", NAME);
    chainsi_document_close(d);
    chainsi_document_open_list(d, "subjects");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "kind", "ServiceAccount");
    chainsi_document_text(d, "name", NAME);
    chainsi_document_text(d, "namespace", it->options->name_space);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* How it is reached */

static bool is_exposed(const controller *it)
{
    return it->options->tls_secret || it->options->allow_insecure_network;
}

/* Only the leader is ready, so only the leader is behind it. */
static void write_service(controller *it)
{
    chainsi_document *d = document_of(it);
    open_object(it, "v1", "Service", NAME);
    chainsi_document_open_map(d, "spec");
    write_match(it, "selector");
    chainsi_document_open_list(d, "ports");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "front-door");
    chainsi_document_text(d, "appProtocol", it->options->tls_secret ? "https" : "http");
    chainsi_document_text(d, "protocol", "TCP");
    chainsi_document_number(d, "port", CHAINSI_CONTROLLER_PORT);
    chainsi_document_text(d, "targetPort", "front-door");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* The front door where it is to be reached, and nothing else; kubelets of the node are always let in. */
static void write_network_policy(controller *it)
{
    chainsi_document *d = document_of(it);
    open_object(it, "networking.k8s.io/v1", "NetworkPolicy", NAME);
    chainsi_document_open_map(d, "spec");
    chainsi_document_open_map(d, "podSelector");
    write_match(it, "matchLabels");
    chainsi_document_close(d);
    write_words(d, "policyTypes", "Ingress");
    chainsi_document_open_list(d, "ingress");
    if (is_exposed(it)) {
        chainsi_document_open_map(d, NULL);
        chainsi_document_open_list(d, "ports");
        chainsi_document_open_map(d, NULL);
        chainsi_document_text(d, "protocol", "TCP");
        chainsi_document_number(d, "port", CHAINSI_CONTROLLER_PORT);
        chainsi_document_close(d);
        chainsi_document_close(d);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* Where its state is */

static bool has_volume(const controller *it)
{
    return !it->options->state && !it->options->ephemeral;
}

static void write_claim(controller *it)
{
    chainsi_document *d = document_of(it);
    open_object(it, "v1", "PersistentVolumeClaim", NAME);
    chainsi_document_open_map(d, "spec");
    write_words(d, "accessModes", "ReadWriteOnce");
    chainsi_document_text(d, "storageClassName", it->options->storage_class);
    chainsi_document_open_map(d, "resources");
    chainsi_document_open_map(d, "requests");
    chainsi_document_text(d, "storage", it->options->storage);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* Its pods */

static void write_arguments(controller *it)
{
    chainsi_document *d = document_of(it);
    const chainsi_controller_options *o = it->options;
    chainsi_document_open_list(d, "args");
    chainsi_document_text(d, NULL, "--kubernetes");
    chainsi_document_text(d, NULL, is_exposed(it) ? "--host=0.0.0.0" : "--host=127.0.0.1");
    chainsi_document_text(
        d, NULL, chainsi_arena_printf(it->manifest.arena, "--port=%d", CHAINSI_CONTROLLER_PORT));
    chainsi_document_text(
        d, NULL,
        chainsi_arena_printf(it->manifest.arena, "--health-port=%d", CHAINSI_CONTROLLER_HEALTH));
    if (o->tls_secret) {
        chainsi_document_text(d, NULL, "--tls-cert=" TLS_DIR "/tls.crt");
        chainsi_document_text(d, NULL, "--tls-key=" TLS_DIR "/tls.key");
    }
    if (o->allow_insecure_network)
        chainsi_document_text(d, NULL, "--allow-insecure-network");
    for (size_t i = 0; i < o->allowed_host_count; i++)
        chainsi_document_text(
            d, NULL,
            chainsi_arena_printf(it->manifest.arena, "--allow-host=%s", o->allowed_hosts[i]));
    chainsi_document_close(d);
}

static void open_variable(controller *it, const char *name)
{
    chainsi_document_open_map(document_of(it), NULL);
    chainsi_document_text(document_of(it), "name", name);
}

static void write_field(controller *it, const char *name, const char *path)
{
    chainsi_document *d = document_of(it);
    open_variable(it, name);
    chainsi_document_open_map(d, "valueFrom");
    chainsi_document_open_map(d, "fieldRef");
    chainsi_document_text(d, "fieldPath", path);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_environment(controller *it)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_list(d, "env");
    open_variable(it, "CHAINS_HOME");
    chainsi_document_text(d, "value", HOME);
    chainsi_document_close(d);
    write_field(it, "POD_NAME", "metadata.name");
    write_field(it, "POD_NAMESPACE", "metadata.namespace");
    if (it->options->state) {
        open_variable(it, "CHAINS_STATE_FILE");
        chainsi_document_text(d, "value", STATE_DIR "/url");
        chainsi_document_close(d);
        open_variable(it, "CHAINS_KEYS_DIR");
        chainsi_document_text(d, "value", KEYS_DIR);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
}

static void write_port(controller *it, const char *name, int port)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", name);
    chainsi_document_text(d, "protocol", "TCP");
    chainsi_document_number(d, "containerPort", port);
    chainsi_document_close(d);
}

static void write_probe(controller *it, const char *key, const char *path, int period_s,
                        int failures)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, key);
    chainsi_document_open_map(d, "httpGet");
    chainsi_document_text(d, "path", path);
    chainsi_document_text(d, "port", "health");
    chainsi_document_close(d);
    chainsi_document_number(d, "periodSeconds", period_s);
    chainsi_document_number(d, "timeoutSeconds", 3);
    chainsi_document_number(d, "failureThreshold", failures);
    chainsi_document_close(d);
}

/* A home of its own makes its other keys itself. */
static void write_token_mount(controller *it)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "token");
    chainsi_document_text(d, "mountPath", HOME "/token");
    chainsi_document_text(d, "subPath", "token");
    chainsi_document_truth(d, "readOnly", true);
    chainsi_document_close(d);
}

static void write_container(controller *it)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", NAME);
    chainsi_document_text(d, "image", it->options->image);
    write_arguments(it);
    write_environment(it);
    chainsi_document_open_list(d, "ports");
    write_port(it, "front-door", CHAINSI_CONTROLLER_PORT);
    write_port(it, "health", CHAINSI_CONTROLLER_HEALTH);
    chainsi_document_close(d);
    write_probe(it, "livenessProbe", "/healthz", 10, 3);
    write_probe(it, "readinessProbe", "/readyz", 2, 1);
    chainsi_document_open_map(d, "resources");
    chainsi_document_open_map(d, "requests");
    chainsi_document_text(d, "cpu", "100m");
    chainsi_document_text(d, "memory", "128Mi");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_manifest_container_security(&it->manifest);
    chainsi_document_open_list(d, "volumeMounts");
    chainsi_manifest_mount(&it->manifest, "home", HOME, false);
    if (it->options->state)
        chainsi_manifest_mount(&it->manifest, "token", KEYS_DIR, true);
    else
        write_token_mount(it);
    chainsi_manifest_mount(&it->manifest, "tmp", "/tmp", false);
    if (it->options->tls_secret)
        chainsi_manifest_mount(&it->manifest, "tls", TLS_DIR, true);
    if (it->options->state)
        chainsi_manifest_mount(&it->manifest, "state", STATE_DIR, true);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_secret_volume(controller *it, const char *name, const char *secret)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", name);
    chainsi_document_open_map(d, "secret");
    chainsi_document_text(d, "secretName", secret);
    chainsi_document_number(d, "defaultMode", FILE_MODE);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_volumes(controller *it)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_list(d, "volumes");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "home");
    if (has_volume(it)) {
        chainsi_document_open_map(d, "persistentVolumeClaim");
        chainsi_document_text(d, "claimName", NAME);
    } else {
        chainsi_document_open_map(d, "emptyDir");
    }
    chainsi_document_close(d);
    chainsi_document_close(d);
    write_secret_volume(it, "token", CHAINSI_CONTROLLER_TOKEN);
    if (it->options->tls_secret)
        write_secret_volume(it, "tls", it->options->tls_secret);
    if (it->options->state)
        write_secret_volume(it, "state", it->options->state);
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "tmp");
    chainsi_document_open_map(d, "emptyDir");
    chainsi_document_text(d, "sizeLimit",
                          chainsi_arena_printf(it->manifest.arena, "%dMi", TMP_MIB));
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* The second one on another node, where there is one. */
static void write_place(controller *it)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_list(d, "topologySpreadConstraints");
    chainsi_document_open_map(d, NULL);
    chainsi_document_number(d, "maxSkew", 1);
    chainsi_document_text(d, "topologyKey", "kubernetes.io/hostname");
    chainsi_document_text(d, "whenUnsatisfiable", "ScheduleAnyway");
    chainsi_document_open_map(d, "labelSelector");
    write_match(it, "matchLabels");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* A volume is one pod's, so the old one goes first. Of two pods only the leader is ever ready: waiting for a new one to
 * be ready before the old leader goes would be waiting for ever. */
static void write_strategy(controller *it)
{
    chainsi_document *d = document_of(it);
    chainsi_document_open_map(d, "strategy");
    if (has_volume(it)) {
        chainsi_document_text(d, "type", "Recreate");
    } else {
        chainsi_document_text(d, "type", "RollingUpdate");
        chainsi_document_open_map(d, "rollingUpdate");
        chainsi_document_text(d, "maxUnavailable", "100%");
        chainsi_document_text(d, "maxSurge", "100%");
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
}

static void write_deployment(controller *it)
{
    chainsi_document *d = document_of(it);
    open_object(it, "apps/v1", "Deployment", NAME);
    chainsi_document_open_map(d, "spec");
    chainsi_document_number(d, "replicas", it->options->replicas);
    chainsi_document_number(d, "revisionHistoryLimit", 3);
    chainsi_document_open_map(d, "selector");
    write_match(it, "matchLabels");
    chainsi_document_close(d);
    write_strategy(it);
    chainsi_document_open_map(d, "template");
    chainsi_document_open_map(d, "metadata");
    write_labels(it, true);
    chainsi_document_close(d);
    chainsi_document_open_map(d, "spec");
    chainsi_document_text(d, "serviceAccountName", NAME);
    chainsi_document_truth(d, "automountServiceAccountToken", true);
    chainsi_document_truth(d, "enableServiceLinks", false);
    chainsi_document_number(d, "terminationGracePeriodSeconds", STOP_S);
    chainsi_manifest_pod_security(&it->manifest);
    if (it->options->replicas > 1)
        write_place(it);
    chainsi_document_open_list(d, "containers");
    write_container(it);
    chainsi_document_close(d);
    write_volumes(it);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* All of them */

const chainsi_controller_object chainsi_controller_objects[] = {
    { "apps/v1", "deployments", NAME },
    { "v1", "services", NAME },
    { "networking.k8s.io/v1", "networkpolicies", NAME },
    { "rbac.authorization.k8s.io/v1", "rolebindings", NAME },
    { "rbac.authorization.k8s.io/v1", "roles", NAME },
    { "v1", "serviceaccounts", NAME },
    { "coordination.k8s.io/v1", "leases", NAME },
    { "v1", "persistentvolumeclaims", NAME },
    { "v1", "secrets", CHAINSI_CONTROLLER_TOKEN },
    { NULL, NULL, NULL },
};

static void write_objects(controller *it)
{
    if (it->options->create_name_space && it->options->name_space) {
        open_object(it, "v1", "Namespace", it->options->name_space);
        chainsi_document_close(document_of(it));
    }
    write_account(it);
    write_role(it);
    write_service(it);
    write_network_policy(it);
    if (has_volume(it))
        write_claim(it);
    write_deployment(it);
}

void chainsi_controller_write(const chainsi_controller_options *options, chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    controller it = { .options = options, .manifest = { .arena = &arena } };
    chainsi_document *d = document_of(&it);
    chainsi_document_init(d, options->json, out);
    if (options->json) {
        chainsi_document_open_map(d, NULL);
        chainsi_document_text(d, "apiVersion", "v1");
        chainsi_document_text(d, "kind", "List");
        chainsi_document_open_list(d, "items");
    }
    write_objects(&it);
    if (options->json) {
        chainsi_document_close(d);
        chainsi_document_close(d);
        chainsi_buffer_add_byte(out, '\n');
    }
    chainsi_arena_done(&arena);
}

bool chainsi_is_quantity(const char *text)
{
    static const char *const units[] = { "",   "k",  "M",  "G",  "T",  "P", "E",
                                         "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
    const size_t digits = strspn(text, "0123456789");
    size_t size = digits;
    if (text[size] == '.')
        size += 1 + strspn(text + size + 1, "0123456789");
    if (!digits || digits > 15 || strtod(text, NULL) <= 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(text + size, units[i]))
            return true;
    return false;
}
