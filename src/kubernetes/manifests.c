/* The objects of a version, one after another: of the version, then Chainlet by Chainlet, callees first, so that who applies
 * them in order finds its dependencies there.
 *
 * A version that isn't named is named after what is written: all of it is written once with a name that stands for
 * it, and then again. So whatever changes an object changes the version, and nothing else does. */
#include "kubernetes/manifests.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "kubernetes/image_reference.h"
#include "kubernetes/manifest_state.h"
#include "kubernetes/object_names.h"
#include "schema/json.h"

#define MANAGER     "chains"
#define FETCH_IMAGE "docker.io/curlimages/curl:8.11.1"

enum {
    POLICY_MINOR = 21, /* of the first Kubernetes with policy/v1 */
    OLD_VERSIONS = 2,  /* of a Deployment's pods; versions of ours are Deployments of their own */
    BEYOND_START_S = 120,
    DEFAULT_START_S = 600,
};

/* What files share */

const char *chainsi_manifest_name(const chainsi_manifest *manifest,
                                  const chainsi_model_chainlet *chainlet)
{
    return chainsi_object_name(manifest->arena, manifest->options.chain, manifest->options.version,
                               chainlet->wire_name);
}

const char *chainsi_manifest_version_name(const chainsi_manifest *manifest)
{
    return chainsi_object_name(manifest->arena, manifest->options.chain, manifest->options.version,
                               NULL);
}

const char *chainsi_manifest_secret_name(const chainsi_manifest *manifest)
{
    return chainsi_object_name_of_chain(manifest->arena, manifest->options.chain, "secrets");
}

static void write_label(chainsi_manifest *manifest, const char *key, const char *text)
{
    chainsi_document_text(&manifest->document, key, chainsi_label_value(manifest->arena, text));
}

void chainsi_manifest_match(chainsi_manifest *manifest, const chainsi_model_chainlet *chainlet)
{
    write_label(manifest, "chains.dev/chain", manifest->options.chain);
    write_label(manifest, "chains.dev/version", manifest->options.version);
    if (chainlet)
        write_label(manifest, "chains.dev/chainlet", chainlet->wire_name);
}

void chainsi_manifest_select(chainsi_manifest *manifest, const char *key,
                             const chainsi_model_chainlet *chainlet)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, key);
    chainsi_document_open_map(d, "matchLabels");
    chainsi_manifest_match(manifest, chainlet);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* The map stays open. */
static void open_labels(chainsi_manifest *manifest, const chainsi_model_chainlet *chainlet)
{
    chainsi_document *d = &manifest->document;
    const bool entrypoint = chainlet == manifest->model->entrypoint;
    chainsi_document_open_map(d, "labels");
    write_label(manifest, "app.kubernetes.io/name",
                chainlet ? chainlet->wire_name : manifest->options.chain);
    write_label(manifest, "app.kubernetes.io/instance", chainsi_manifest_version_name(manifest));
    write_label(manifest, "app.kubernetes.io/version", manifest->options.version);
    if (chainlet)
        chainsi_document_text(d, "app.kubernetes.io/component",
                              entrypoint ? "entrypoint" : "chainlet");
    write_label(manifest, "app.kubernetes.io/part-of", manifest->options.chain);
    chainsi_document_text(d, "app.kubernetes.io/managed-by", MANAGER);
    chainsi_manifest_match(manifest, chainlet);
    if (!chainlet) /* by which chainsd finds versions */
        chainsi_document_text(d, "chains.dev/kind", "version");
}

void chainsi_manifest_labels(chainsi_manifest *manifest, const chainsi_model_chainlet *chainlet)
{
    open_labels(manifest, chainlet);
    chainsi_document_close(&manifest->document);
}

/* Objects */

/* The version's ConfigMap owns all else: with it goes everything. */
static void write_owner(chainsi_manifest *manifest)
{
    chainsi_document *d = &manifest->document;
    if (!manifest->options.owner_uid)
        return;
    chainsi_document_open_list(d, "ownerReferences");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "apiVersion", "v1");
    chainsi_document_text(d, "kind", "ConfigMap");
    chainsi_document_text(d, "name", chainsi_manifest_version_name(manifest));
    chainsi_document_text(d, "uid", manifest->options.owner_uid);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void begin_object(chainsi_manifest *manifest, const char *api, const char *kind)
{
    chainsi_document *d = &manifest->document;
    if (manifest->options.json) {
        chainsi_document_open_map(d, NULL);
    } else {
        chainsi_buffer_add_text(d->out, "---\n");
        chainsi_document_open_map(d, NULL);
    }
    chainsi_document_text(d, "apiVersion", api);
    chainsi_document_text(d, "kind", kind);
}

void chainsi_manifest_open(chainsi_manifest *manifest, const char *api, const char *kind,
                           const chainsi_model_chainlet *chainlet)
{
    chainsi_document *d = &manifest->document;
    begin_object(manifest, api, kind);
    chainsi_document_open_map(d, "metadata");
    chainsi_document_text(d, "name",
                          chainlet ? chainsi_manifest_name(manifest, chainlet)
                                   : chainsi_manifest_version_name(manifest));
    chainsi_document_text(d, "namespace", manifest->options.name_space);
    open_labels(manifest, chainlet);
    if (!strcmp(api, CHAINSI_MANIFEST_KNATIVE)) /* else it would be there for all the world */
        chainsi_document_text(d, "networking.knative.dev/visibility", "cluster-local");
    chainsi_document_close(d);
    if (chainlet)
        write_owner(manifest);
    chainsi_document_close(d);
}

static void write_name_space(chainsi_manifest *manifest)
{
    chainsi_document *d = &manifest->document;
    begin_object(manifest, "v1", "Namespace");
    chainsi_document_open_map(d, "metadata");
    chainsi_document_text(d, "name", manifest->options.name_space);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_names(chainsi_document *d, const char *key,
                        const chainsi_model_chainlet *const *chainlets, size_t count,
                        const chainsi_model_chainlet *but)
{
    chainsi_document_open_list(d, key);
    for (size_t i = 0; i < count; i++)
        if (chainlets[i] != but)
            chainsi_document_text(d, NULL, chainlets[i]->wire_name);
    chainsi_document_close(d);
}

/* JSON as people read it. */
static const char *pretty(const chainsi_manifest *manifest, const char *text, size_t size)
{
    chainsi_buffer lines = { 0 };
    chains_status status = chainsi_json_pretty(text, size, &lines);
    assert(status == CHAINS_OK);
    (void)status;
    chainsi_buffer_add_byte(&lines, '\n');
    const char *copied = chainsi_arena_copy(manifest->arena, lines.data, lines.size);
    chainsi_buffer_done(&lines);
    return copied;
}

/* The services as JSON: what is in each, whom it calls, and as what its callers know it. */
static const char *describe_services(const chainsi_manifest *manifest)
{
    chainsi_buffer text = { 0 };
    chainsi_document d;
    chainsi_document_init(&d, true, &text);
    chainsi_document_open_list(&d, NULL);
    for (size_t i = 0; i < manifest->service_count; i++) {
        const chainsi_service *service = &manifest->services[i];
        chainsi_document_open_map(&d, NULL);
        chainsi_document_text(&d, "name", service->chainlet->wire_name);
        chainsi_document_text(&d, "object", chainsi_manifest_name(manifest, service->chainlet));
        chainsi_document_text(
            &d, "interface",
            chainsi_arena_printf(manifest->arena, "%016llx",
                                 (unsigned long long)service->chainlet->fingerprint));
        write_names(&d, "calls", service->dependencies, service->dependency_count, NULL);
        write_names(&d, "inside", service->inside, service->inside_count, service->chainlet);
        chainsi_document_close(&d);
    }
    chainsi_document_close(&d);
    const char *described = pretty(manifest, (const char *)text.data, text.size);
    chainsi_buffer_done(&text);
    return described;
}

/* What the version is, for people and for what looks after it. */
static void write_config_map(chainsi_manifest *manifest)
{
    chainsi_document *d = &manifest->document;
    chainsi_manifest_open(manifest, "v1", "ConfigMap", NULL);
    chainsi_document_open_map(d, "data");
    chainsi_document_text(d, "chain", manifest->options.chain);
    chainsi_document_text(d, "version", manifest->options.version);
    chainsi_document_text(d, "environment", manifest->options.environment);
    chainsi_document_text(d, "entrypoint", manifest->model->entrypoint->wire_name);
    chainsi_document_text(d, "autoscaler", chainsi_autoscaler_name(manifest->options.autoscaler));
    chainsi_document_text(d, "tls", manifest->options.tls ? "on" : "off");
    chainsi_document_text(d, "digest", manifest->digest);
    chainsi_document_text(d, "services.json", describe_services(manifest));
    if (manifest->options.deploy)
        chainsi_document_text(
            d, "deploy.json",
            pretty(manifest, manifest->options.deploy, strlen(manifest->options.deploy)));
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_account(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_manifest_open(manifest, "v1", "ServiceAccount", service->chainlet);
    chainsi_document_truth(d, "automountServiceAccountToken", false);
    if (manifest->options.pull_secret) {
        chainsi_document_open_list(d, "imagePullSecrets");
        chainsi_document_open_map(d, NULL);
        chainsi_document_text(d, "name", manifest->options.pull_secret);
        chainsi_document_close(d);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
}

static bool calls(const chainsi_service *caller, const chainsi_model_chainlet *callee)
{
    for (size_t i = 0; i < caller->dependency_count; i++)
        if (caller->dependencies[i] == callee)
            return true;
    return false;
}

/* The pods of what passes calls of others on: of its namespace, or of this one. */
static void write_front_door(chainsi_manifest *manifest)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, NULL);
    if (manifest->options.front_door_name_space) {
        chainsi_document_open_map(d, "namespaceSelector");
        chainsi_document_open_map(d, "matchLabels");
        chainsi_document_text(d, "kubernetes.io/metadata.name",
                              manifest->options.front_door_name_space);
        chainsi_document_close(d);
        chainsi_document_close(d);
    }
    chainsi_document_open_map(d, "podSelector");
    chainsi_document_open_map(d, "matchLabels");
    chainsi_document_text(d, "chains.dev/front-door", "true");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_ports(chainsi_document *d, const int *ports, size_t count)
{
    chainsi_document_open_list(d, "ports");
    for (size_t i = 0; i < count; i++) {
        chainsi_document_open_map(d, NULL);
        chainsi_document_text(d, "protocol", "TCP");
        chainsi_document_number(d, "port", ports[i]);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
}

static void write_callers(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    bool none = true;
    for (size_t i = 0; i < manifest->service_count; i++) {
        if (!calls(&manifest->services[i], service->chainlet))
            continue;
        if (none) {
            chainsi_document_open_map(d, NULL);
            chainsi_document_open_list(d, "from");
        }
        none = false;
        chainsi_document_open_map(d, NULL);
        chainsi_manifest_select(manifest, "podSelector", manifest->services[i].chainlet);
        chainsi_document_close(d);
    }
    if (none) /* a rule without anybody would let in everybody */
        return;
    chainsi_document_close(d);
    write_ports(d, (const int[]){ CHAINSI_KUBERNETES_PORT }, 1);
    chainsi_document_close(d);
}

/* Who may call it: the Chainlets that depend on it, and the front door, which knows who may call what and alone looks at
 * how it is. The kubelet of its node always may. */
static void write_network_policy(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_manifest_open(manifest, "networking.k8s.io/v1", "NetworkPolicy", service->chainlet);
    chainsi_document_open_map(d, "spec");
    chainsi_manifest_select(manifest, "podSelector", service->chainlet);
    chainsi_document_open_list(d, "policyTypes");
    chainsi_document_text(d, NULL, "Ingress");
    chainsi_document_close(d);
    chainsi_document_open_list(d, "ingress");
    write_callers(manifest, service);
    chainsi_document_open_map(d, NULL);
    chainsi_document_open_list(d, "from");
    write_front_door(manifest);
    chainsi_document_close(d);
    write_ports(d, (const int[]){ CHAINSI_KUBERNETES_PORT, CHAINSI_KUBERNETES_PROBES }, 2);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* Headless: its name has the addresses of all pods that are ready, between which callers choose by themselves. */
static void write_service(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_manifest_open(manifest, "v1", "Service", service->chainlet);
    chainsi_document_open_map(d, "spec");
    chainsi_document_text(d, "clusterIP", "None");
    chainsi_document_open_map(d, "selector");
    chainsi_manifest_match(manifest, service->chainlet);
    chainsi_document_close(d);
    chainsi_document_open_list(d, "ports");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "calls");
    chainsi_document_text(d, "appProtocol", manifest->options.tls ? "https" : "http");
    chainsi_document_text(d, "protocol", "TCP");
    chainsi_document_number(d, "port", CHAINSI_KUBERNETES_PORT);
    chainsi_document_text(d, "targetPort", "calls");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_deployment(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    const chains_config *config = &service->chainlet->config;
    const double start_s = config->start_timeout_s > 0 ? config->start_timeout_s : DEFAULT_START_S;
    chainsi_manifest_open(manifest, "apps/v1", "Deployment", service->chainlet);
    chainsi_document_open_map(d, "spec");
    if (!chainsi_manifest_is_scaled(manifest, service)) /* else an apply would undo what it does */
        chainsi_document_number(d, "replicas", chainsi_manifest_least(service));
    chainsi_document_number(d, "revisionHistoryLimit", OLD_VERSIONS);
    chainsi_document_number(d, "progressDeadlineSeconds", (int64_t)ceil(start_s) + BEYOND_START_S);
    chainsi_manifest_select(manifest, "selector", service->chainlet);
    chainsi_document_open_map(d, "strategy");
    chainsi_document_text(d, "type", "RollingUpdate");
    chainsi_document_open_map(d, "rollingUpdate");
    chainsi_document_number(d, "maxUnavailable", 0);
    chainsi_document_number(d, "maxSurge", 1);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_manifest_pod(manifest, service);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* A node that is emptied takes one pod of a Chainlet at a time, and never waits for ever, as a least number would have
 * it do for a single one. */
static void write_budget(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_manifest_open(manifest,
                          manifest->options.minor >= POLICY_MINOR ? "policy/v1" : "policy/v1beta1",
                          "PodDisruptionBudget", service->chainlet);
    chainsi_document_open_map(d, "spec");
    chainsi_document_number(d, "maxUnavailable", 1);
    chainsi_manifest_select(manifest, "selector", service->chainlet);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_objects(chainsi_manifest *manifest)
{
    if (manifest->options.create_name_space && manifest->options.name_space)
        write_name_space(manifest);
    write_config_map(manifest);
    for (size_t i = 0; i < manifest->service_count; i++) {
        const chainsi_service *service = &manifest->services[i];
        write_account(manifest, service);
        if (chainsi_manifest_is_knative(manifest)) {
            chainsi_manifest_knative_service(manifest, service);
        } else {
            write_network_policy(manifest, service);
            write_service(manifest, service);
            write_deployment(manifest, service);
        }
        write_budget(manifest, service);
        chainsi_manifest_autoscaler(manifest, service);
    }
}

static void write_all(chainsi_manifest *manifest, chainsi_buffer *out)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_init(d, manifest->options.json, out);
    if (!manifest->options.json) {
        write_objects(manifest);
        return;
    }
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "apiVersion", "v1");
    chainsi_document_text(d, "kind", "List");
    chainsi_document_open_list(d, "items");
    write_objects(manifest);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_buffer_add_byte(out, '\n');
}

/* What can't run in a cluster */

static bool starts_with(const char *text, const char *start)
{
    return !strncasecmp(text, start, strlen(start));
}

static void check_assets(const chainsi_service *service, chainsi_arena *arena,
                         chainsi_diagnostics *diagnostics)
{
    chainsi_service_asset *assets;
    const size_t count = chainsi_service_assets(service, arena, &assets);
    for (size_t i = 0; i < count; i++)
        if (!starts_with(assets[i].url, "http://") && !starts_with(assets[i].url, "https://"))
            chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR,
                                    assets[i].chainlet->position,
                                    "put the file where pods can fetch it, by http or https",
                                    "the asset \"%s\" is at %s, which isn't there in a cluster",
                                    assets[i].path, assets[i].url);
}

static void check_service(const chainsi_service *service, chainsi_arena *arena,
                          chainsi_diagnostics *diagnostics)
{
    const chainsi_service_gpus gpus = chainsi_service_find_gpus(service);
    check_assets(service, arena, diagnostics);
    if (gpus.other)
        chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, gpus.other->position,
                                "leave .colocate out, or give both the same kind",
                                "%s and %s are in one process, and ask for GPUs of different "
                                "kinds (.gpu): %s and %s",
                                gpus.first->wire_name, gpus.other->wire_name, gpus.first->gpu_kind,
                                gpus.other->gpu_kind);
    for (size_t i = 0; i < service->dependency_count; i++) {
        const chainsi_model_chainlet *callee = service->dependencies[i];
        if (callee->external && callee->external_config.url &&
            starts_with(callee->external_config.url, "unix:"))
            chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, callee->position,
                                    "give it an http or https address that pods reach",
                                    "%s is at %s, which isn't there in a cluster",
                                    callee->wire_name, callee->external_config.url);
    }
}

/* Whether each image that is given is one of a service. */
static void check_images(const chainsi_manifest *manifest, chainsi_diagnostics *diagnostics)
{
    const chainsi_image_map *images = &manifest->options.images;
    for (size_t i = 0; i < images->count; i++) {
        bool known = false;
        for (size_t k = 0; k < manifest->service_count; k++)
            known =
                known || !strcmp(manifest->services[k].chainlet->wire_name, images->items[i].key);
        if (!known)
            chainsi_diagnostics_add(
                diagnostics, CHAINSI_SEVERITY_ERROR, (chainsi_position){ 0 },
                "name Chainlets that have a process of their own, as `chains graph` shows them",
                "an image is given for %s, which needs none", images->items[i].key);
    }
}

/* A hash of what is written under a name that stands for the version's, in whichever form; who owns it comes later,
 * and the namespace is no part of it. */
static const char *find_digest(const chainsi_manifest *unnamed)
{
    chainsi_buffer text = { 0 };
    chainsi_manifest named = *unnamed;
    named.options.version = "v0";
    named.options.json = true;
    named.options.owner_uid = NULL;
    named.options.create_name_space = false; /* with it or without, where it is already */
    write_all(&named, &text);
    uint64_t hash = chainsi_hash_add(CHAINSI_HASH_START, text.data, text.size);
    hash ^= hash >> 24 ^ hash >> 48; /* its end is what versions are named after */
    chainsi_buffer_done(&text);
    return chainsi_arena_printf(unnamed->arena, "%016llx", (unsigned long long)hash);
}

/* With it, and with a version by it where none is named. */
static void finish(chainsi_manifest *manifest)
{
    manifest->digest = find_digest(manifest);
    if (!manifest->options.version)
        manifest->options.version =
            chainsi_arena_printf(manifest->arena, "v0-%s", manifest->digest + 10);
}

static void fill_defaults(chainsi_manifest_options *options, const chainsi_model *model)
{
    if (!options->chain)
        options->chain = model->entrypoint->wire_name;
    if (!options->environment)
        options->environment = "production";
    if (!options->fetch_image)
        options->fetch_image = FETCH_IMAGE;
    if (!options->minor)
        options->minor = CHAINSI_KUBERNETES_DEFAULT;
}

void chainsi_manifests_identify(const chainsi_model *model, const chainsi_manifest_options *options,
                                chainsi_arena *arena, chainsi_manifest_identity *identity)
{
    chainsi_manifest manifest = { .model = model, .options = *options, .arena = arena };
    fill_defaults(&manifest.options, model);
    manifest.service_count = chainsi_services_list(model, arena, &manifest.services);
    finish(&manifest);
    *identity = (chainsi_manifest_identity){
        .version = manifest.options.version,
        .digest = manifest.digest,
        .config_map = chainsi_manifest_version_name(&manifest),
        .secret = chainsi_manifest_secret_name(&manifest),
    };
}

bool chainsi_manifests_write(const chainsi_model *model, const chainsi_manifest_options *options,
                             chainsi_diagnostics *diagnostics, chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    chainsi_manifest manifest = { .model = model, .options = *options, .arena = &arena };
    fill_defaults(&manifest.options, model);
    manifest.service_count = chainsi_services_list(model, &arena, &manifest.services);
    for (size_t i = 0; i < manifest.service_count; i++) {
        check_service(&manifest.services[i], &arena, diagnostics);
        chainsi_manifest_check_autoscaler(&manifest, &manifest.services[i], diagnostics);
    }
    check_images(&manifest, diagnostics);
    chainsi_manifest_check_knative(&manifest, diagnostics);
    const bool good = !chainsi_diagnostics_failed(diagnostics);
    if (good) {
        finish(&manifest);
        if (options->digest)
            manifest.digest = options->digest;
        write_all(&manifest, out);
    }
    chainsi_arena_done(&arena);
    return good;
}
