/* HorizontalPodAutoscalers in a cluster (--autoscaler hpa): whether they can do what they are for. */
#ifndef CHAINSI_CLI_CLUSTER_HPA_H
#define CHAINSI_CLI_CLUSTER_HPA_H

#include "cli/cluster_session.h"

/* Asks for what they read, and says on stderr if nobody serves it, or it doesn't answer. Nothing is said where that can't be
 * told. */
void chainsi_hpa_check_metrics(chainsi_cluster_session *session);
/* "FailedGetResourceMetric: …": why one leaves the number of pods as it is, in arena. NULL: it doesn't, or there is none to
 * change, or nothing is known of it yet. */
const char *chainsi_hpa_trouble(const chainsi_view_object *autoscaler, chainsi_arena *arena);

#endif
