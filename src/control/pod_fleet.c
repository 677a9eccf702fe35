#include "control/pod_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/pod_look.h"
#include "control/pods.h"
#include "control/sampler.h"

/* While a version is being deployed. */
enum {
    CRASHES_TO_FAIL = 2, /* restarts */
    PATIENCE_S = 60, /* with what may pass: a quota that others use up, a registry that is away */
};

static bool is_deploying(const chainsi_fleet *fleet)
{
    return fleet->options.start.policy == &chainsi_backoff_deploying;
}

/* That of the variable is for tests. */
static int64_t patience_ns(const chainsi_replica *replica)
{
    const double *said_s = replica->options.patience_s;
    if (said_s)
        return (int64_t)(*said_s * 1000) * CHAINSI_NS_PER_MS;
    const char *text = getenv("CHAINS_POD_PATIENCE_S");
    char *end = NULL;
    const long seconds = text ? strtol(text, &end, 10) : -1;
    return (end && end != text && seconds >= 0 ? seconds : PATIENCE_S) * 1000 * CHAINSI_NS_PER_MS;
}

/* Replicas. */

void chainsi_pod_replica_free(chainsi_replica *replica)
{
    chainsi_replica_unlist(replica);
    chainsi_pod_look_free(replica->look);
    chainsi_upstream_free(replica->probes);
    free(replica->pod);
    free(replica->node);
    free(replica->ip);
    free(replica);
}

static chainsi_replica *add_replica(chainsi_fleet *fleet, const char *pod)
{
    size_t index = 0;
    while (index < fleet->place_count && fleet->places[index].replica)
        index++;
    chainsi_fleet_make_places(fleet, index + 1);
    chainsi_replica *replica = chainsi_make(sizeof *replica);
    replica->options = fleet->options.start;
    replica->options.number = (int64_t)index;
    replica->pod = chainsi_copy_text(pod);
    replica->node = chainsi_copy_text("");
    replica->ip = chainsi_copy_text("");
    replica->ready_ns = replica->spawned_ns = replica->stuck_ns = -1;
    replica->started_ns = chainsi_now_ns();
    replica->retry_ns = CHAINSI_NEVER;
    replica->starts = 1;
    replica->probes_fd = -1;
    chainsi_time_text(replica->since);
    chainsi_replica_list(replica);
    fleet->places[index].replica = replica;
    return replica;
}

static void set_state(chainsi_replica *replica, chainsi_replica_state state)
{
    const bool ended = state == CHAINSI_REPLICA_BACKING_OFF || state == CHAINSI_REPLICA_FAILED;
    chainsi_say("%s: pod %s: %s -> %s%s%s", replica->options.label,
                *replica->pod ? replica->pod : "(none)", chainsi_replica_state_name(replica->state),
                chainsi_replica_state_name(state), ended && replica->last_end[0] ? ": " : "",
                ended ? replica->last_end : "");
    replica->state = state;
    if (state == CHAINSI_REPLICA_READY)
        replica->ready_ns = chainsi_now_ns();
    chainsi_time_text(replica->since);
    chainsi_sampler_expect(replica->options.supervisor->sampler, replica->options.place.chain);
}

static bool is_late(const chainsi_fleet *fleet, const chainsi_replica *replica)
{
    const double limit_s = replica->options.start_timeout_s;
    return is_deploying(fleet) && limit_s > 0 &&
           chainsi_now_ns() - replica->started_ns > (int64_t)(limit_s * 1e9);
}

/* Notes whether it can't be started. Reasons alternate (ErrImagePull, ImagePullBackOff): it counts from the first. */
static void note_stuck(chainsi_replica *replica, bool stuck, bool over)
{
    if (over)
        replica->stuck_ns = -1;
    else if (stuck && replica->stuck_ns < 0)
        replica->stuck_ns = chainsi_now_ns();
}

static bool is_stuck_for_long(const chainsi_replica *replica)
{
    return replica->stuck_ns >= 0 && chainsi_now_ns() - replica->stuck_ns >= patience_ns(replica);
}

/* What keeps it from being ready; the names are what people look it up by. */
static void explain(const chainsi_fleet *fleet, chainsi_replica *replica, const chainsi_pod *pod)
{
    char *text = replica->last_end;
    const size_t size = sizeof replica->last_end;
    if (pod->crashing || (pod->last_end[0] && pod->phase != CHAINSI_POD_WAITING))
        snprintf(text, size, "%s", pod->last_end);
    else if (pod->hopeless)
        snprintf(text, size, "pod %s: %.280s", pod->name, pod->why);
    else if (is_late(fleet, replica) && pod->phase != CHAINSI_POD_READY)
        snprintf(text, size, "pod %s isn't ready after %g s (.start_timeout_s)%s%.200s", pod->name,
                 replica->options.start_timeout_s, *pod->why ? ": " : "", pod->why);
    else
        snprintf(text, size, "%s", pod->last_end);
}

static chainsi_replica_state find_state(const chainsi_fleet *fleet, const chainsi_replica *replica,
                                        const chainsi_pod *pod)
{
    const bool fails = (pod->crashing && pod->restarts >= CRASHES_TO_FAIL) ||
                       (pod->hopeless && (!pod->may_pass || is_stuck_for_long(replica)));
    switch (pod->phase) {
    case CHAINSI_POD_READY:
        return CHAINSI_REPLICA_READY;
    case CHAINSI_POD_LEAVING:
        return CHAINSI_REPLICA_DRAINING;
    case CHAINSI_POD_ENDED:
        return CHAINSI_REPLICA_STOPPED;
    case CHAINSI_POD_WAITING:
    case CHAINSI_POD_STARTING:
        break;
    }
    if (is_deploying(fleet) && (fails || is_late(fleet, replica)))
        return CHAINSI_REPLICA_FAILED;
    return pod->crashing || pod->hopeless ? CHAINSI_REPLICA_BACKING_OFF : CHAINSI_REPLICA_STARTING;
}

static void replace_text(char **text, const char *with)
{
    if (!strcmp(*text, with))
        return;
    free(*text);
    *text = chainsi_copy_text(with);
}

/* Where it answers; it may get another address when its node was lost. */
static void find_address(chainsi_replica *replica, const chainsi_pod *pod)
{
    replace_text(&replica->node, pod->node);
    if (!*pod->ip || !strcmp(replica->ip, pod->ip))
        return;
    replace_text(&replica->ip, pod->ip);
    chainsi_pod_look_free(replica->look);
    replica->look = NULL;
    chainsi_upstream_free(replica->probes);
    replica->probes = chainsi_upstream_new_address(replica->options.supervisor->loop, pod->ip,
                                                   CHAINSI_POD_PROBES_PORT);
}

static bool update(const chainsi_fleet *fleet, chainsi_replica *replica, const chainsi_pod *pod)
{
    const uint64_t starts = (uint64_t)pod->restarts + 1;
    bool changed = replica->starts != starts || strcmp(replica->ip, pod->ip) != 0;
    find_address(replica, pod);
    if (replica->starts != starts)
        replica->started_ns = chainsi_now_ns();
    const bool ran_out = replica->starts < starts && replica->state != CHAINSI_REPLICA_STOPPED &&
                         pod->out_of_memory; /* just now */
    replica->starts = starts;
    snprintf(replica->started_at, sizeof replica->started_at, "%s", pod->started_at);
    note_stuck(replica, pod->hopeless, pod->phase != CHAINSI_POD_WAITING);
    explain(fleet, replica, pod);
    if (ran_out)
        fleet->options.on_death(fleet->options.user, replica, CHAINSI_ENDED_BY_LIMIT);
    const chainsi_replica_state state = find_state(fleet, replica, pod);
    if (state == replica->state)
        return changed;
    set_state(replica, state);
    return true;
}

/* The replica that is no pod; NULL: there is none. */
static chainsi_replica *find_teller(const chainsi_fleet *fleet)
{
    for (size_t i = 0; i < fleet->place_count; i++)
        if (fleet->places[i].replica && !*fleet->places[i].replica->pod)
            return fleet->places[i].replica;
    return NULL;
}

/* Why there can't be pods; "": there can. */
static void explain_none(const chainsi_fleet *fleet, char *why, size_t size)
{
    const chainsi_pod_set *set = fleet->options.pods;
    *why = 0;
    if (fleet->stopping)
        return;
    if (*set->why)
        snprintf(why, size, "Deployment %s: %.300s", set->object, set->why);
    else if (!set->exists && fleet->wanted)
        snprintf(why, size, "Deployment %s isn't there", set->object);
}

/* A Deployment that isn't there may yet come, a quota may be raised; who may not scale it waits in vain. */
static chainsi_replica_state find_state_of_none(const chainsi_fleet *fleet,
                                                const chainsi_replica *teller)
{
    const chainsi_pod_set *set = fleet->options.pods;
    if (!*teller->last_end)
        return CHAINSI_REPLICA_STOPPED;
    if (!is_deploying(fleet))
        return CHAINSI_REPLICA_BACKING_OFF;
    if ((*set->why && (set->refused || is_stuck_for_long(teller))) || is_late(fleet, teller))
        return CHAINSI_REPLICA_FAILED;
    return *set->why ? CHAINSI_REPLICA_BACKING_OFF : CHAINSI_REPLICA_STARTING;
}

/* Of a set that can't have pods: a replica that says why. */
static bool tell_why_none(chainsi_fleet *fleet)
{
    chainsi_replica *teller = find_teller(fleet);
    char why[sizeof teller->last_end];
    explain_none(fleet, why, sizeof why);
    if (!teller && !*why)
        return false;
    if (!teller)
        teller = add_replica(fleet, "");
    teller->seen_round = fleet->round;
    snprintf(teller->last_end, sizeof teller->last_end, "%s", why);
    note_stuck(teller, *fleet->options.pods->why, !*why || !*fleet->options.pods->why);
    const chainsi_replica_state state = find_state_of_none(fleet, teller);
    if (state == teller->state)
        return false;
    set_state(teller, state);
    return true;
}

void chainsi_pod_fleet_sync(chainsi_fleet *fleet)
{
    const chainsi_pod_set *set = fleet->options.pods;
    bool changed = false;
    if (fleet->let_go)
        return;
    fleet->round++;
    for (chainsi_known_pod *each = set->pods; each; each = each->next) {
        if (each->pod.phase == CHAINSI_POD_ENDED) {
            each->replica = NULL; /* which goes */
            continue;
        }
        if (!each->replica) {
            each->replica = add_replica(fleet, each->pod.name);
            changed = true;
        }
        each->replica->seen_round = fleet->round;
        changed = update(fleet, each->replica, &each->pod) || changed;
    }
    changed = tell_why_none(fleet) || changed;
    for (size_t i = 0; i < fleet->place_count; i++) {
        chainsi_replica *replica = fleet->places[i].replica;
        if (!replica || replica->seen_round == fleet->round ||
            replica->state == CHAINSI_REPLICA_STOPPED)
            continue;
        set_state(replica, CHAINSI_REPLICA_STOPPED);
        changed = true;
    }
    if (changed)
        fleet->options.on_change(fleet->options.user);
}

/* The set. */

static void on_answer(void *user)
{
    const chainsi_fleet *fleet = user;
    if (!fleet->let_go && fleet->options.on_measured)
        fleet->options.on_measured(fleet->options.user);
}

static void on_spans(void *user, const void *body, size_t size)
{
    const chainsi_replica_options *start = &((const chainsi_fleet *)user)->options.start;
    char why[256];
    if (start->supervisor->collector &&
        !chainsi_collector_take_batch(start->supervisor->collector, start->chain, body, size, why,
                                      sizeof why))
        chainsi_say("%s: what its pods tell of calls can't be read: %s", start->label, why);
}

static void on_tick(void *user)
{
    chainsi_fleet *fleet = user;
    if (is_deploying(fleet))
        chainsi_pod_fleet_sync(fleet); /* some may be late */
    for (size_t i = 0; i < fleet->place_count; i++) {
        chainsi_replica *replica = fleet->places[i].replica;
        if (!replica || !replica->probes)
            continue;
        if (!replica->look)
            replica->look = chainsi_pod_look_new(
                replica->probes, &(chainsi_pod_look_events){ on_answer, on_spans, fleet });
        chainsi_pod_look_ask(replica->look, replica->state == CHAINSI_REPLICA_READY ||
                                                replica->state == CHAINSI_REPLICA_DRAINING);
    }
}

/* It acts for nobody any more. */
static void let_go(chainsi_fleet *fleet)
{
    fleet->let_go = true;
    for (size_t i = 0; i < fleet->place_count; i++)
        if (fleet->places[i].replica)
            fleet->places[i].replica->state = CHAINSI_REPLICA_STOPPED;
    fleet->options.on_change(fleet->options.user);
}

/* Pods that may not be scaled to none are left: with their version, which doesn't wait for them, they go as well. */
static void on_change(void *user)
{
    chainsi_fleet *fleet = user;
    chainsi_pod_fleet_sync(fleet);
    if (fleet->stopping && fleet->options.pods->refused && !fleet->let_go)
        let_go(fleet);
}

bool chainsi_pod_fleet_take_up(chainsi_fleet *fleet)
{
    chainsi_pod_set *set = fleet->options.pods;
    chainsi_fleet *before = set->on_change ? set->user : NULL;
    set->on_change = on_change;
    set->on_tick = on_tick;
    set->user = fleet;
    if (before)
        let_go(before);
    for (chainsi_known_pod *each = set->pods; each; each = each->next)
        each->replica = NULL; /* another's */
    fleet->wanted = set->exists ? set->replicas : 0;
    chainsi_pod_fleet_sync(fleet);
    return set->exists;
}

void chainsi_pod_fleet_leave(chainsi_fleet *fleet)
{
    chainsi_pod_set *set = fleet->options.pods;
    if (set->user != fleet)
        return;
    set->on_change = NULL;
    set->on_tick = NULL;
    set->user = NULL;
    set->wanted = -1;
}

static chainsi_pods *cluster_of(const chainsi_fleet *fleet)
{
    return fleet->options.start.supervisor->pods;
}

void chainsi_pod_fleet_resize(chainsi_fleet *fleet, int64_t wanted)
{
    chainsi_pod_set *set = fleet->options.pods;
    fleet->wanted = wanted;
    /* Those of one that was to have none are about to go. */
    if (fleet->let_go || (fleet->options.others_scale && set->replicas && set->wanted))
        return;
    chainsi_pods_scale(cluster_of(fleet), set, wanted);
    if (fleet->options.others_scale)
        set->wanted = -1; /* theirs to change from now on */
}

void chainsi_pod_fleet_stop(chainsi_fleet *fleet)
{
    fleet->stopping = true;
    fleet->wanted = 0;
    if (fleet->let_go)
        return;
    if (fleet->options.start.supervisor->releasing)
        let_go(fleet);
    else
        chainsi_pods_scale(cluster_of(fleet), fleet->options.pods, 0);
    chainsi_pod_fleet_sync(fleet);
}

bool chainsi_pod_fleet_has_ended(const chainsi_fleet *fleet)
{
    const chainsi_pod_set *set = fleet->options.pods;
    if (fleet->let_go || fleet->options.start.supervisor->releasing)
        return true; /* another controller sees to it */
    if (set->exists && set->replicas)
        return false;
    for (const chainsi_known_pod *each = set->pods; each; each = each->next)
        if (each->pod.phase != CHAINSI_POD_ENDED)
            return false;
    return true;
}

/* Measuring. */

chainsi_demand chainsi_pod_fleet_demand(const chainsi_fleet *fleet)
{
    chainsi_demand sum = { 0 };
    for (size_t i = 0; i < fleet->place_count; i++) {
        const chainsi_replica *replica = fleet->places[i].replica;
        const chainsi_pod_demand *said =
            replica && replica->look && replica->state == CHAINSI_REPLICA_READY
                ? chainsi_pod_look_said(replica->look)
                : NULL;
        if (!said)
            continue;
        sum.running += said->running;
        sum.waiting += said->waiting;
        sum.slots += said->slots;
        sum.turns += said->calls;
        sum.replicas++;
    }
    return sum;
}

uint32_t chainsi_pod_fleet_waits(const chainsi_fleet *fleet, const char *callee)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < fleet->place_count; i++) {
        const chainsi_replica *replica = fleet->places[i].replica;
        const chainsi_pod_demand *said =
            replica && replica->look ? chainsi_pod_look_said(replica->look) : NULL;
        for (size_t k = 0; said && k < said->waits.count; k++)
            if (!strcmp(said->waits.items[k].key, callee))
                sum += said->waits.items[k].value;
    }
    return sum;
}
