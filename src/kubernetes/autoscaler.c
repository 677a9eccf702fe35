/* Scaling that is left to Kubernetes: by CPU, as that is what every cluster measures. It knows neither calls nor zero. */
#include <math.h>
#include <string.h>

#include "kubernetes/manifest_state.h"

enum {
    HPA_MINOR = 23, /* of the first Kubernetes with autoscaling/v2 */
    DEFAULT_DOWN_S = 300,
    MOST_DOWN_S = 3600, /* that a HorizontalPodAutoscaler takes */
    /* Pods use 100 % at most, as .cpu is their limit, too, and within a tenth above what is aimed at nothing is done: what aims
     * at more hardly ever adds a pod. */
    MOST_PERCENT = 85,
};

#define DEFAULT_UTILIZATION 0.7

int chainsi_manifest_least(const chainsi_service *service)
{
    const int least = service->chainlet->config.autoscaling.min_replicas;
    return least > 1 ? least : 1;
}

static const char *const names[] = {
    [CHAINSI_AUTOSCALER_CHAINS] = "chains",
    [CHAINSI_AUTOSCALER_NONE] = "none",
    [CHAINSI_AUTOSCALER_HPA] = "hpa",
    [CHAINSI_AUTOSCALER_KNATIVE] = "knative",
};

const char *chainsi_autoscaler_name(chainsi_autoscaler autoscaler)
{
    return names[autoscaler];
}

bool chainsi_autoscaler_read(const char *text, chainsi_autoscaler *autoscaler)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) {
            *autoscaler = (chainsi_autoscaler)i;
            return true;
        }
    return false;
}

bool chainsi_autoscaler_is_hpa(chainsi_autoscaler autoscaler, const chainsi_service *service)
{
    return autoscaler == CHAINSI_AUTOSCALER_HPA &&
           service->chainlet->config.autoscaling.max_replicas > chainsi_manifest_least(service);
}

const char *chainsi_autoscaler_hpa_api(int minor)
{
    return minor >= HPA_MINOR ? "autoscaling/v2" : "autoscaling/v2beta2";
}

static bool has_own(const chainsi_manifest *manifest, const chainsi_service *service)
{
    return chainsi_autoscaler_is_hpa(manifest->options.autoscaler, service);
}

bool chainsi_manifest_is_scaled(const chainsi_manifest *manifest, const chainsi_service *service)
{
    return manifest->options.autoscaler == CHAINSI_AUTOSCALER_CHAINS || has_own(manifest, service);
}

void chainsi_manifest_check_autoscaler(const chainsi_manifest *manifest,
                                       const chainsi_service *service,
                                       chainsi_diagnostics *diagnostics)
{
    if (has_own(manifest, service) && !(service->chainlet->config.cpu > 0))
        chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, service->chainlet->position,
                                "say .cpu: its share that is used is what is gone by",
                                "%s has no .cpu, which Kubernetes scales by (--autoscaler hpa)",
                                service->chainlet->wire_name);
}

static int64_t utilization_percent(const chains_config *config)
{
    const double share = config->autoscaling.target_utilization;
    const double percent = round(100 * (share > 0 ? share : DEFAULT_UTILIZATION));
    return (int64_t)fmin(MOST_PERCENT, fmax(1, percent));
}

/* -1 is none. */
static int64_t down_delay_s(const chains_config *config)
{
    const double seconds = config->autoscaling.scale_down_delay_s;
    return seconds < 0 ? 0
                       : (int64_t)fmin(MOST_DOWN_S, ceil(seconds > 0 ? seconds : DEFAULT_DOWN_S));
}

void chainsi_manifest_autoscaler(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    const chains_config *config = &service->chainlet->config;
    if (!has_own(manifest, service))
        return;
    chainsi_manifest_open(manifest, chainsi_autoscaler_hpa_api(manifest->options.minor),
                          "HorizontalPodAutoscaler", service->chainlet);
    chainsi_document_open_map(d, "spec");
    chainsi_document_open_map(d, "scaleTargetRef");
    chainsi_document_text(d, "apiVersion", "apps/v1");
    chainsi_document_text(d, "kind", "Deployment");
    chainsi_document_text(d, "name", chainsi_manifest_name(manifest, service->chainlet));
    chainsi_document_close(d);
    chainsi_document_number(d, "minReplicas", chainsi_manifest_least(service));
    chainsi_document_number(d, "maxReplicas", config->autoscaling.max_replicas);
    chainsi_document_open_list(d, "metrics");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "type", "Resource");
    chainsi_document_open_map(d, "resource");
    chainsi_document_text(d, "name", "cpu");
    chainsi_document_open_map(d, "target");
    chainsi_document_text(d, "type", "Utilization");
    chainsi_document_number(d, "averageUtilization", utilization_percent(config));
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_open_map(d, "behavior");
    chainsi_document_open_map(d, "scaleDown");
    chainsi_document_number(d, "stabilizationWindowSeconds", down_delay_s(config));
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}
