/* Chainlets as Knative's Services: its revisions are made of the same pods, but for what it doesn't take in them, and it
 * starts and ends them by the calls that run in its proxies. docs/kubernetes.md tells what can't be kept there. */
#include <math.h>
#include <string.h>

#include "kubernetes/manifest_state.h"

enum {
    DEFAULT_TARGET_PERCENT = 70,
    DEFAULT_WINDOW_S = 60,
    LEAST_WINDOW_S = 6,
    DEFAULT_DOWN_S = 300,
    DEFAULT_ZERO_S = 900,
    MOST_S = 3600,     /* that it takes for each of these */
    CALL_S = 600,      /* that it takes for a call, unless its administrator says otherwise, */
    MOST_CALLS = 1000, /* and at once for a pod */
    DEFAULT_START_S = 600,
};

bool chainsi_manifest_is_knative(const chainsi_manifest *manifest)
{
    return manifest->options.autoscaler == CHAINSI_AUTOSCALER_KNATIVE;
}

/* Variables that it sets by itself, and refuses where somebody else does. */
static void check_variables(const chainsi_service *service, chainsi_diagnostics *diagnostics)
{
    static const char *const own[] = { "PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION" };
    const chains_config *config = &service->chainlet->config;
    for (size_t i = 0; i < sizeof config->env / sizeof *config->env && config->env[i].name; i++)
        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            if (!strcmp(config->env[i].name, own[k]))
                chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR,
                                        service->chainlet->position, "give it another name",
                                        "%s has the variable %s in its .env, which Knative sets by "
                                        "itself (--autoscaler knative)",
                                        service->chainlet->wire_name, own[k]);
}

void chainsi_manifest_check_knative(const chainsi_manifest *manifest,
                                    chainsi_diagnostics *diagnostics)
{
    if (!chainsi_manifest_is_knative(manifest))
        return;
    if (!manifest->options.name_space)
        chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, (chainsi_position){ 0 },
                                "say --namespace NAME",
                                "Knative's gateway knows Chainlets by names that have their "
                                "namespace in them (--autoscaler knative)");
    for (size_t i = 0; i < manifest->service_count; i++)
        check_variables(&manifest->services[i], diagnostics);
}

/* Seconds as the header says them: 0 is unset, -1 none. */
static int64_t seconds_of(double said, int64_t otherwise, int64_t least)
{
    const double seconds = said < 0 ? 0 : said > 0 ? ceil(said) : (double)otherwise;
    return (int64_t)fmin(MOST_S, fmax((double)least, seconds));
}

static void write_setting(chainsi_manifest *manifest, const char *key, const char *value)
{
    chainsi_document_text(&manifest->document,
                          chainsi_arena_printf(manifest->arena, "autoscaling.knative.dev/%s", key),
                          value);
}

/* How many calls a pod gets at once: as many as it has slots, for whole batches. */
static int64_t count_slots(const chains_config *config)
{
    const int64_t runs = config->concurrency > 0 ? config->concurrency : 1;
    const int64_t slots = runs * (config->batch.max_size > 1 ? config->batch.max_size : 1);
    return slots < MOST_CALLS ? slots : MOST_CALLS;
}

/* Calls a pod that it aims at: those that run at once, not those that a batch could hold. 0: as many as it gets. */
static double find_target(const chains_config *config)
{
    const int runs = config->concurrency > 0 ? config->concurrency : 1;
    if (config->autoscaling.concurrency_target > 0)
        return config->autoscaling.concurrency_target;
    return count_slots(config) > runs ? runs : 0;
}

void chainsi_manifest_knative_scaling(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_arena *arena = manifest->arena;
    const chains_config *config = &service->chainlet->config;
    const int least = config->autoscaling.min_replicas > 0 ? config->autoscaling.min_replicas : 0;
    const int most = config->autoscaling.max_replicas > 0 ? config->autoscaling.max_replicas
                     : least > 1                          ? least
                                                          : 1;
    const double share = config->autoscaling.target_utilization;
    const double start_s = config->start_timeout_s > 0 ? config->start_timeout_s : DEFAULT_START_S;
    chainsi_document_open_map(d, "annotations");
    write_setting(manifest, "min-scale", chainsi_arena_printf(arena, "%d", least));
    write_setting(manifest, "max-scale", chainsi_arena_printf(arena, "%d", most));
    if (find_target(config) > 0)
        write_setting(manifest, "target", chainsi_arena_printf(arena, "%g", find_target(config)));
    write_setting(manifest, "target-utilization-percentage",
                  chainsi_arena_printf(arena, "%.0f",
                                       share > 0 ? fmax(1, round(100 * share))
                                                 : (double)DEFAULT_TARGET_PERCENT));
    write_setting(manifest, "window",
                  chainsi_arena_printf(arena, "%llds",
                                       (long long)seconds_of(config->autoscaling.window_s,
                                                             DEFAULT_WINDOW_S, LEAST_WINDOW_S)));
    write_setting(manifest, "scale-down-delay",
                  chainsi_arena_printf(arena, "%llds",
                                       (long long)seconds_of(config->autoscaling.scale_down_delay_s,
                                                             DEFAULT_DOWN_S, 0)));
    write_setting(
        manifest, "scale-to-zero-pod-retention-period",
        chainsi_arena_printf(
            arena, "%llds",
            (long long)seconds_of(config->autoscaling.scale_to_zero_delay_s, DEFAULT_ZERO_S, 0)));
    chainsi_document_text(d, "serving.knative.dev/progress-deadline",
                          chainsi_arena_printf(arena, "%.0fs", ceil(start_s)));
    chainsi_document_close(d);
}

void chainsi_manifest_knative_limits(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document_number(&manifest->document, "containerConcurrency",
                            count_slots(&service->chainlet->config));
    chainsi_document_number(&manifest->document, "timeoutSeconds", CALL_S);
}

void chainsi_manifest_knative_service(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_manifest_open(manifest, CHAINSI_MANIFEST_KNATIVE, "Service", service->chainlet);
    chainsi_document_open_map(d, "spec");
    chainsi_manifest_pod(manifest, service);
    chainsi_document_close(d);
    chainsi_document_close(d);
}
