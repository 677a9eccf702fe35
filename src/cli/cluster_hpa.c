#include "cli/cluster_hpa.h"

#include <string.h>

#define METRICS "/apis/metrics.k8s.io/v1beta1"

void chainsi_hpa_check_metrics(chainsi_cluster_session *session)
{
    const int64_t deadline_ns = session->deadline_ns;
    session->deadline_ns = 0; /* that it is away is what is to be told */
    const chains_status status =
        chainsi_cluster_session_ask(session, "GET", METRICS, NULL, NULL, 0);
    session->deadline_ns = deadline_ns;
    if (status == CHAINS_NOT_FOUND)
        chainsi_cluster_session_say(
            session,
            "note: the cluster has no metrics API (metrics.k8s.io), which HorizontalPodAutoscalers "
            "read: they leave the numbers of pods as they are\n"
            "  hint: install metrics-server: `kubectl apply -f https://github.com/kubernetes-sigs/"
            "metrics-server/releases/latest/download/components.yaml`");
    else if (status == CHAINS_UNAVAILABLE)
        chainsi_cluster_session_say(
            session,
            "note: the cluster's metrics API (metrics.k8s.io), which HorizontalPodAutoscalers "
            "read, doesn't answer: they leave the numbers of pods as they are\n"
            "  hint: `kubectl describe apiservice v1beta1.metrics.k8s.io` says why");
}

const char *chainsi_hpa_trouble(const chainsi_view_object *autoscaler, chainsi_arena *arena)
{
    static const char *const types[] = { "AbleToScale", "ScalingActive" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const chainsi_view_condition *each = chainsi_view_condition_of(autoscaler, types[i]);
        if (!each || !each->status || strcmp(each->status, "False") != 0)
            continue;
        /* It is to have none: a version that doesn't answer. */
        if (each->reason && !strcmp(each->reason, "ScalingDisabled"))
            return NULL;
        return chainsi_arena_printf(arena, "%s: %s", each->reason ? each->reason : types[i],
                                    each->message ? each->message : "");
    }
    return NULL;
}
