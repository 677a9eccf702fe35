/* The pods of a Chainlet: one container, which has nothing but its program. */
#include <math.h>
#include <string.h>

#include "kubernetes/image_reference.h"
#include "kubernetes/manifest_state.h"

enum {
    LEAVE_S = 3,      /* before SIGTERM, until callers outside of the chain know that it goes */
    SLEEP_MINOR = 30, /* of the first Kubernetes that can wait so without a shell */
    ASK_MINOR = 22,   /* of the first that asks whether a pod is ready once it has started */
    END_S = 2,        /* of a process, beyond its calls */
    DEFAULT_START_S = 600,
    DEFAULT_DRAIN_S = 30,
    TMP_MIB = 256,
    MOST_VARIABLES = sizeof((chains_config *)0)->env / sizeof *((chains_config *)0)->env,
    SECRET_MODE = 0440,      /* read by the group of the pod's files */
    OPEN_SECRET_MODE = 0444, /* where a pod can't have one */
};

#define SECRETS_DIR "/run/chains/secrets"
#define TLS_DIR     "/run/chains/tls"

const char *chainsi_manifest_literal(const chainsi_manifest *manifest, const char *text)
{
    char *literal = chainsi_arena_alloc(manifest->arena, 2 * strlen(text) + 1), *end = literal;
    for (; *text; text++) {
        *end++ = *text;
        if (*text == '$')
            *end++ = '$';
    }
    return literal;
}

void chainsi_manifest_mount(chainsi_manifest *manifest, const char *name, const char *path,
                            bool read_only)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", name);
    chainsi_document_text(d, "mountPath", path);
    if (read_only)
        chainsi_document_truth(d, "readOnly", true);
    chainsi_document_close(d);
}

/* Its environment */

/* Names that were written: each may be there once. */
typedef struct variables {
    chainsi_manifest *manifest;
    const char **names;
    size_t count;
} variables;

static void add_variable(variables *all, const char *name, const char *value)
{
    for (size_t i = 0; i < all->count; i++)
        if (!strcmp(all->names[i], name))
            return;
    all->names[all->count++] = name;
    chainsi_document *d = &all->manifest->document;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", name);
    chainsi_document_text(d, "value", chainsi_manifest_literal(all->manifest, value));
    chainsi_document_close(d);
}

static const char *scheme(const chainsi_manifest *manifest)
{
    return manifest->options.tls ? "https" : "http";
}

/* Where its callers find it: the name of its Service, which its certificate is for. */
static const char *callee_url(const chainsi_manifest *manifest,
                              const chainsi_model_chainlet *callee)
{
    const char *name = chainsi_manifest_name(manifest, callee);
    if (chainsi_manifest_is_knative(
            manifest)) /* its gateway goes by names that have the namespace */
        return chainsi_arena_printf(manifest->arena, "http://%s.%s.svc.cluster.local", name,
                                    manifest->options.name_space);
    return chainsi_arena_printf(manifest->arena, "%s://%s:%d", scheme(manifest), name,
                                CHAINSI_KUBERNETES_PORT);
}

/* What .env says goes before what is found out, as on one machine. */
static void write_environment(chainsi_manifest *manifest, const chainsi_service *service)
{
    enum { OWN = 10 };
    chainsi_arena *arena = manifest->arena;
    const chains_config *config = &service->chainlet->config;
    variables all = { manifest,
                      chainsi_arena_array(arena,
                                          MOST_VARIABLES + OWN + 2 * service->dependency_count,
                                          sizeof(const char *)),
                      0 };
    const char **secrets;
    chainsi_document_open_list(&manifest->document, "env");
    for (size_t i = 0; i < MOST_VARIABLES && config->env[i].name; i++)
        add_variable(&all, config->env[i].name, config->env[i].value ? config->env[i].value : "");
    if (config->cpu > 0) /* pools make a thread for each CPU that they see */
        add_variable(&all, "OMP_NUM_THREADS",
                     chainsi_arena_printf(arena, "%.0f", ceil(config->cpu)));
    add_variable(&all, "CHAINS_CHAIN", manifest->options.chain);
    add_variable(&all, "CHAINS_ENVIRONMENT", manifest->options.environment);
    if (chainsi_service_secrets(service, arena, &secrets))
        add_variable(&all, "CHAINS_SECRETS_DIR", SECRETS_DIR);
    if (chainsi_manifest_has_assets(service))
        add_variable(&all, "CHAINS_ASSETS_DIR", CHAINSI_MANIFEST_ASSETS_DIR);
    add_variable(&all, "CHAINS_PROBES_LISTEN",
                 chainsi_arena_printf(arena, "http://0.0.0.0:%d", CHAINSI_KUBERNETES_PROBES));
    if (manifest->options.tls) {
        add_variable(&all, "CHAINS_TLS_CERT", TLS_DIR "/tls.crt");
        add_variable(&all, "CHAINS_TLS_KEY", TLS_DIR "/tls.key");
        add_variable(&all, "CHAINS_TLS_CA", TLS_DIR "/ca.crt");
    }
    if (manifest->options.autoscaler ==
        CHAINSI_AUTOSCALER_CHAINS) /* callees may have no pod for now */
        add_variable(&all, "CHAINS_AT_ZERO", "wait");
    if (chainsi_manifest_is_knative(manifest))
        add_variable(&all, "CHAINS_BALANCE", "proxy");
    for (size_t i = 0; i < service->dependency_count; i++) {
        const chainsi_model_chainlet *callee = service->dependencies[i];
        if (!callee->external)
            add_variable(&all, chainsi_build_url_variable(arena, callee),
                         callee_url(manifest, callee));
        const char *near = chainsi_manifest_near_folder(manifest, service, callee);
        if (near)
            add_variable(&all, chainsi_manifest_near_variable(arena, callee), near);
    }
    if (chainsi_manifest_is_near(manifest, service) &&
        chainsi_manifest_near_folder(manifest, NULL, service->chainlet))
        add_variable(&all, "CHAINS_NEAR_LISTEN",
                     chainsi_manifest_near_folder(manifest, NULL, service->chainlet));
    chainsi_document_close(&manifest->document);
}

/* What it may use */

/* Cores as a quantity: "2", "500m"; never less than the least that there is. */
static const char *cpu_quantity(chainsi_arena *arena, double cores)
{
    const double thousandths = ceil(cores * 1000 - 1e-6);
    if (fmod(thousandths, 1000) == 0)
        return chainsi_arena_printf(arena, "%.0f", thousandths / 1000);
    return chainsi_arena_printf(arena, "%.0fm", thousandths);
}

static void write_resources(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    const chains_config *config = &service->chainlet->config;
    const chainsi_service_gpus gpus = chainsi_service_find_gpus(service);
    const char *cpu = config->cpu > 0 ? cpu_quantity(manifest->arena, config->cpu) : NULL;
    chainsi_document_open_map(d, "resources");
    chainsi_document_open_map(d, "requests");
    chainsi_document_text(d, "cpu", cpu);
    chainsi_document_text(d, "memory", config->memory);
    chainsi_document_close(d);
    chainsi_document_open_map(d, "limits");
    chainsi_document_text(d, "cpu", cpu);
    chainsi_document_text(d, "memory", config->memory);
    if (gpus.kind)
        chainsi_document_text(d, "nvidia.com/gpu",
                              chainsi_arena_printf(manifest->arena, "%d", gpus.count));
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* Its life */

static void write_probe(chainsi_document *d, const char *key, const char *path, int64_t period_s,
                        int64_t timeout_s, int64_t failures)
{
    chainsi_document_open_map(d, key);
    chainsi_document_open_map(d, "httpGet");
    chainsi_document_text(d, "path", path);
    chainsi_document_number(d, "port", CHAINSI_KUBERNETES_PROBES);
    chainsi_document_close(d);
    chainsi_document_number(d, "periodSeconds", period_s);
    chainsi_document_number(d, "timeoutSeconds", timeout_s);
    chainsi_document_number(d, "failureThreshold", failures);
    chainsi_document_close(d);
}

static double start_timeout_s(const chainsi_service *service)
{
    const double seconds = service->chainlet->config.start_timeout_s;
    return seconds > 0 ? seconds : DEFAULT_START_S;
}

static bool waits_before_end(const chainsi_manifest *manifest)
{
    return manifest->options.minor >= SLEEP_MINOR && !chainsi_manifest_is_knative(manifest);
}

/* /healthz answers from the beginning on; until _new has returned it is the start that is waited for. */
static void write_life(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    write_probe(d, "startupProbe", "/readyz", 1, 1, (int64_t)ceil(start_timeout_s(service)));
    write_probe(d, "livenessProbe", "/livez", 10, 5, 3);
    if (manifest->options.minor >= ASK_MINOR || chainsi_manifest_is_knative(manifest))
        write_probe(d, "readinessProbe", "/readyz", 5, 3, 2);
    else /* else a pod that has started would be asked up to 5 s later, while calls wait for it */
        write_probe(d, "readinessProbe", "/readyz", 1, 3, 5);
    if (!waits_before_end(manifest))
        return;
    chainsi_document_open_map(d, "lifecycle");
    chainsi_document_open_map(d, "preStop");
    chainsi_document_open_map(d, "sleep");
    chainsi_document_number(d, "seconds", LEAVE_S);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

int64_t chainsi_manifest_grace_s(const chainsi_manifest *manifest, const chainsi_service *service)
{
    const double drain_s = service->chainlet->config.drain_timeout_s;
    return (waits_before_end(manifest) ? LEAVE_S : 0) +
           (int64_t)ceil(drain_s > 0 ? drain_s : DEFAULT_DRAIN_S) + END_S;
}

static const char *image_of(const chainsi_manifest *manifest,
                            const chainsi_model_chainlet *chainlet)
{
    const chainsi_manifest_options *options = &manifest->options;
    const char *digest = NULL;
    for (size_t i = 0; i < options->images.count; i++) {
        if (strcmp(options->images.items[i].key, chainlet->wire_name) != 0)
            continue;
        digest = options->images.items[i].value;
        if (!chainsi_is_image_digest(digest))
            return digest; /* a whole reference */
    }
    return chainsi_image_reference(manifest->arena, options->registry, options->chain,
                                   chainlet->wire_name, options->version, digest);
}

static void write_port(chainsi_document *d, const char *name, int number)
{
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", name);
    chainsi_document_number(d, "containerPort", number);
    chainsi_document_text(d, "protocol", "TCP");
    chainsi_document_close(d);
}

/* Knative takes one, which it knows by name. */
static void write_ports(chainsi_manifest *manifest)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_list(d, "ports");
    if (chainsi_manifest_is_knative(manifest)) {
        write_port(d, "http1", CHAINSI_KUBERNETES_PORT);
    } else {
        write_port(d, "calls", CHAINSI_KUBERNETES_PORT);
        write_port(d, "probes", CHAINSI_KUBERNETES_PROBES);
    }
    chainsi_document_close(d);
}

static void write_container(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    const char **secrets;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "chainlet");
    chainsi_document_text(d, "image", image_of(manifest, service->chainlet));
    chainsi_document_open_list(d, "args");
    chainsi_document_text(d, NULL, "--listen");
    chainsi_document_text(d, NULL,
                          chainsi_arena_printf(manifest->arena, "%s://0.0.0.0:%d", scheme(manifest),
                                               CHAINSI_KUBERNETES_PORT));
    chainsi_document_close(d);
    write_environment(manifest, service);
    write_ports(manifest);
    write_resources(manifest, service);
    write_life(manifest, service);
    chainsi_manifest_container_security(manifest);
    chainsi_document_open_list(d, "volumeMounts");
    chainsi_manifest_mount(manifest, "tmp", "/tmp", false);
    if (chainsi_service_secrets(service, manifest->arena, &secrets))
        chainsi_manifest_mount(manifest, "secrets", SECRETS_DIR, true);
    if (manifest->options.tls)
        chainsi_manifest_mount(manifest, "tls", TLS_DIR, true);
    chainsi_manifest_near_mount(manifest, service);
    chainsi_manifest_asset_mounts(manifest, service);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* Files */

/* The values that its Chainlets name, and no others. */
static void write_secrets(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    const char **names;
    const size_t count = chainsi_service_secrets(service, manifest->arena, &names);
    if (!count)
        return;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "secrets");
    chainsi_document_open_map(d, "secret");
    chainsi_document_text(d, "secretName", chainsi_manifest_secret_name(manifest));
    chainsi_document_number(d, "defaultMode",
                            chainsi_manifest_is_knative(manifest) ? OPEN_SECRET_MODE : SECRET_MODE);
    chainsi_document_open_list(d, "items");
    for (size_t i = 0; i < count; i++) {
        chainsi_document_open_map(d, NULL);
        chainsi_document_text(d, "key", names[i]);
        chainsi_document_text(d, "path", names[i]);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* What chainsd makes, and makes anew: without it no pod starts. */
static void write_certificate(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    if (!manifest->options.tls)
        return;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "tls");
    chainsi_document_open_map(d, "secret");
    chainsi_document_text(d, "secretName",
                          chainsi_arena_printf(manifest->arena, "%s-tls",
                                               chainsi_manifest_name(manifest, service->chainlet)));
    chainsi_document_number(d, "defaultMode", SECRET_MODE);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_volumes(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_list(d, "volumes");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "tmp");
    chainsi_document_open_map(d, "emptyDir");
    chainsi_document_text(d, "sizeLimit", chainsi_arena_printf(manifest->arena, "%dMi", TMP_MIB));
    chainsi_document_close(d);
    chainsi_document_close(d);
    write_secrets(manifest, service);
    write_certificate(manifest, service);
    chainsi_manifest_near_volume(manifest, service);
    chainsi_manifest_asset_volumes(manifest, service);
    chainsi_document_close(d);
}

/* Where it runs */

static void write_node_term(chainsi_manifest *manifest, const char *label,
                            const char *const *values, size_t count)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, NULL);
    chainsi_document_open_list(d, "matchExpressions");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "key", label);
    chainsi_document_text(d, "operator", "In");
    chainsi_document_open_list(d, "values");
    for (size_t i = 0; i < count; i++)
        chainsi_document_text(d, NULL, values[i]);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* A kind is a word of the device's name, which a label can't be searched for: nodes are said to have it, or
 * have the whole name as NVIDIA's device discovery writes it. */
static void write_gpu_nodes(chainsi_manifest *manifest, const char *kind)
{
    chainsi_document *d = &manifest->document;
    chainsi_arena *arena = manifest->arena;
    const char *names[] = { kind, chainsi_arena_printf(arena, "NVIDIA-%s", kind) };
    chainsi_document_open_map(d, "nodeAffinity");
    chainsi_document_open_map(d, "requiredDuringSchedulingIgnoredDuringExecution");
    chainsi_document_open_list(d, "nodeSelectorTerms");
    write_node_term(manifest, "chains.dev/gpu", names, 1);
    write_node_term(manifest, "nvidia.com/gpu.product", names, 2);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void write_spread(chainsi_manifest *manifest, const chainsi_service *service,
                         const char *over)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, NULL);
    chainsi_document_number(d, "maxSkew", 1);
    chainsi_document_text(d, "topologyKey", over);
    chainsi_document_text(d, "whenUnsatisfiable", "ScheduleAnyway");
    chainsi_manifest_select(manifest, "labelSelector", service->chainlet);
    chainsi_document_close(d);
}

static void write_place(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    const chainsi_service_gpus gpus = chainsi_service_find_gpus(service);
    const bool kind = gpus.kind && strcasecmp(gpus.kind, "any") != 0;
    const bool knative =
        chainsi_manifest_is_knative(manifest); /* it takes what a GPU needs alone */
    /* Preferred, not required: a caller's node may be full, and callers may be at zero. */
    const bool near = !knative && chainsi_manifest_is_near(manifest, service);
    if (kind || near) {
        chainsi_document_open_map(d, "affinity");
        if (kind)
            write_gpu_nodes(manifest, gpus.kind);
        if (near)
            chainsi_manifest_near_affinity(manifest, service);
        chainsi_document_close(d);
    }
    if (gpus.kind) {
        chainsi_document_open_list(d, "tolerations");
        chainsi_document_open_map(d, NULL);
        chainsi_document_text(d, "key", "nvidia.com/gpu");
        chainsi_document_text(d, "operator", "Exists");
        chainsi_document_text(d, "effect", "NoSchedule");
        chainsi_document_close(d);
        chainsi_document_close(d);
    }
    if (knative)
        return;
    chainsi_document_open_list(d, "topologySpreadConstraints");
    if (!near)
        write_spread(manifest, service, "kubernetes.io/hostname");
    write_spread(manifest, service, "topology.kubernetes.io/zone");
    chainsi_document_close(d);
}

void chainsi_manifest_pod(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    const bool knative = chainsi_manifest_is_knative(manifest);
    chainsi_document_open_map(d, "template");
    chainsi_document_open_map(d, "metadata");
    chainsi_manifest_labels(manifest, service->chainlet);
    if (knative)
        chainsi_manifest_knative_scaling(manifest, service);
    chainsi_document_close(d);
    chainsi_document_open_map(d, "spec");
    if (knative)
        chainsi_manifest_knative_limits(manifest, service);
    if (!knative ||
        !manifest->options.trial) /* it makes a pod on trial, and looks for the account */
        chainsi_document_text(d, "serviceAccountName",
                              chainsi_manifest_name(manifest, service->chainlet));
    chainsi_document_truth(d, "automountServiceAccountToken", false);
    /* Else each Service of the namespace would be told in variables, under names that may be ours. */
    chainsi_document_truth(d, "enableServiceLinks", false);
    if (!knative) {
        chainsi_document_number(d, "terminationGracePeriodSeconds",
                                chainsi_manifest_grace_s(manifest, service));
        chainsi_manifest_pod_security(manifest);
    }
    write_place(manifest, service);
    chainsi_manifest_asset_step(manifest, service);
    chainsi_document_open_list(d, "containers");
    write_container(manifest, service);
    chainsi_document_close(d);
    write_volumes(manifest, service);
    chainsi_document_close(d);
    chainsi_document_close(d);
}
