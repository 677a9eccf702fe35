#include "control/pod_chainlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/deployment.h"
#include "control/handle.h"
#include "control/pod_fleet.h"
#include "control/pod_identities.h"
#include "control/pods.h"

chainsi_pod_set *chainsi_pod_chainlet_set(const chainsi_deployment *deployment,
                                          const chainsi_api_service *service)
{
    chainsi_pods *pods = deployment->options.supervisor->pods;
    return pods && service->object ? chainsi_pods_find(pods, service->object) : NULL;
}

/* Calls. */

static void on_wait(void *user)
{
    const chainsi_chainlet *chainlet = user;
    if (chainlet->scaler)
        chainsi_scaler_call_waits(chainlet->scaler);
}

static const chainsi_pod_identity *find_identity(const chainsi_chainlet *chainlet)
{
    const chainsi_deployment_options *options = &chainlet->deployment->options;
    return chainsi_pod_identities_find(options->supervisor->identities, options->deploy->chain);
}

static void identify(const chainsi_chainlet *chainlet, chainsi_upstream *calls)
{
    char why[256];
    const chainsi_pod_identity *identity = find_identity(chainlet);
    if (chainlet->deployment->options.deploy->tls && identity &&
        !chainsi_upstream_set_tls(calls, identity->certificate, identity->key,
                                  identity->authorities, chainlet->service->object, why,
                                  sizeof why))
        chainsi_say("%s: the certificate to call it with can't be used: %s", chainlet->label, why);
}

chainsi_upstream *chainsi_pod_chainlet_open_calls(chainsi_chainlet *chainlet)
{
    const chainsi_api_service *service = chainlet->service;
    chainsi_upstream *calls =
        chainsi_upstream_new_set(chainlet->deployment->options.supervisor->loop,
                                 (uint32_t)(service->concurrency > 0 ? service->concurrency : 1),
                                 (uint32_t)service->max_queue);
    chainsi_upstream_on_wait(calls, on_wait, chainlet);
    identify(chainlet, calls);
    return calls;
}

void chainsi_pod_chainlet_identify(const chainsi_chainlet *chainlet)
{
    if (!chainlet->calls)
        return;
    identify(chainlet, chainlet->calls);
    chainsi_pod_chainlet_note(chainlet);
}

/* Without one that it needs its calls wait. */
static bool lacks_identity(const chainsi_chainlet *chainlet)
{
    return chainlet->deployment->options.deploy->tls && !find_identity(chainlet);
}

/* Another's number is what is wanted. But while it starts a zero is what was before it was asked to start, or said of a
 * Deployment that isn't there yet: by it all would be ready, with no pod. */
static void note_wanted(const chainsi_chainlet *chainlet)
{
    const int64_t replicas = chainlet->pods->replicas;
    if (!chainlet->fleet->stopping &&
        (replicas || chainlet->deployment->state != CHAINSI_DEPLOYMENT_STARTING))
        chainlet->fleet->wanted = replicas;
}

void chainsi_pod_chainlet_note(const chainsi_chainlet *chainlet)
{
    const chainsi_fleet *fleet = chainlet->fleet;
    if (!fleet || fleet->let_go)
        return;
    if (chainsi_pod_chainlet_scaled_by_others(chainlet))
        note_wanted(chainlet);
    chainsi_endpoint *endpoints = chainsi_make((fleet->place_count + 1) * sizeof *endpoints);
    const bool lacks = lacks_identity(chainlet);
    size_t count = 0;
    for (size_t i = 0; i < fleet->place_count; i++) {
        const chainsi_replica *replica = fleet->places[i].replica;
        if (!replica || replica->state != CHAINSI_REPLICA_READY || lacks)
            continue;
        snprintf(endpoints[count].host, sizeof endpoints[count].host, "%s", replica->ip);
        endpoints[count++].port = CHAINSI_POD_CALLS_PORT;
    }
    chainsi_upstream_set_endpoints(chainlet->calls, endpoints, count);
    free(endpoints);
}

/* Scaling. */

bool chainsi_pod_chainlet_scaled_by_others(const chainsi_chainlet *chainlet)
{
    const char *by = chainlet->deployment->options.deploy->autoscaler;
    return chainlet->pods && by && *by && strcmp(by, "chains") != 0;
}

static bool calls(const chainsi_chainlet *caller, const chainsi_chainlet *callee)
{
    for (size_t i = 0; i < caller->service->dependencies.count; i++)
        if (!strcmp(caller->service->dependencies.items[i], callee->service->name))
            return true;
    return false;
}

/* Calls of its callers' pods that wait for it. */
static uint32_t count_waits(const chainsi_chainlet *callee)
{
    const chainsi_deployment *deployment = callee->deployment;
    uint32_t sum = 0;
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        const chainsi_chainlet *caller = &deployment->chainlets[i];
        if (caller->fleet && calls(caller, callee))
            sum += chainsi_pod_fleet_waits(caller->fleet, callee->service->name);
    }
    return sum;
}

/* A call that waits in its caller may be seen by the pods, too, which it asks for a slot. What the front door has
 * running is running in pods, which may not have said so yet. */
chainsi_demand chainsi_pod_chainlet_measure(void *user)
{
    const chainsi_chainlet *chainlet = user;
    chainsi_demand demand = chainsi_pod_fleet_demand(chainlet->fleet);
    const chainsi_upstream_load front = chainsi_upstream_read_load(chainlet->calls);
    const uint32_t waits = front.waiting + count_waits(chainlet);
    if (waits > demand.waiting)
        demand.waiting = waits;
    if (front.running > demand.running)
        demand.running = front.running;
    demand.turns += front.begun;
    return demand;
}

void chainsi_pod_chainlet_measured(void *user)
{
    const chainsi_chainlet *caller = user;
    chainsi_deployment *deployment = caller->deployment;
    for (size_t i = 0; i < caller->service->dependencies.count; i++) {
        const char *name = caller->service->dependencies.items[i];
        const chainsi_chainlet *callee = chainsi_deployment_find(deployment, name);
        if (callee && callee->scaler && !callee->fleet->wanted &&
            chainsi_pod_fleet_waits(caller->fleet, name))
            chainsi_scaler_call_waits(callee->scaler);
    }
}
