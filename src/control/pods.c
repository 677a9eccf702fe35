#include "control/pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/followers.h"
#include "control/handle.h"
#include "control/log.h"
#include "control/wishes.h"
#include "schema/json.h"

struct chainsi_pods {
    const chainsi_cluster *cluster;  /* not owned */
    char *name_space;                /* owned */
    chainsi_followers *followers;    /* owned */
    chainsi_wishes *wishes;          /* owned */
    chainsi_pod_set *sets;           /* owned */
    chainsi_known_version *versions; /* owned */
    uint64_t listing
        [CHAINSI_COLLECTIONS]; /* counts lists; what was seen in an earlier one is gone when one ends */
    bool listed[CHAINSI_COLLECTIONS];
    uv_timer_t *tick;           /* owned */
    chainsi_pods_events events; /* on_version NULL: nobody cares yet */
};

/* Sets. */

chainsi_pod_set *chainsi_pods_sets(chainsi_pods *pods)
{
    return pods->sets;
}

chainsi_pod_set *chainsi_pods_find(chainsi_pods *pods, const char *object)
{
    for (chainsi_pod_set *set = pods->sets; set; set = set->next)
        if (!strcmp(set->object, object))
            return set;
    chainsi_pod_set *set = chainsi_make(sizeof *set);
    set->object = chainsi_copy_text(object);
    set->chain = chainsi_copy_text("");
    set->version = chainsi_copy_text("");
    set->why = chainsi_copy_text("");
    set->wanted = -1;
    set->next = pods->sets;
    pods->sets = set;
    return set;
}

static void tell(const chainsi_pod_set *set)
{
    if (set->on_change)
        set->on_change(set->user);
}

static void replace_text(char **text, const char *with)
{
    if (!strcmp(*text, with))
        return;
    free(*text);
    *text = chainsi_copy_text(with);
}

static void free_pod(chainsi_known_pod *known)
{
    chainsi_arena_done(&known->arena);
    free(known);
}

static void remove_pod(chainsi_pod_set *set, const char *uid)
{
    for (chainsi_known_pod **at = &set->pods; *at; at = &(*at)->next) {
        chainsi_known_pod *known = *at;
        if (strcmp(known->pod.uid, uid) != 0)
            continue;
        *at = known->next;
        free_pod(known);
        tell(set);
        return;
    }
}

static void note_pod(chainsi_pods *pods, chainsi_note *note)
{
    if (!*note->pod.object)
        return;
    chainsi_pod_set *set = chainsi_pods_find(pods, note->pod.object);
    if (note->kind == CHAINSI_NOTE_GONE) {
        remove_pod(set, note->pod.uid);
        return;
    }
    chainsi_known_pod **at = &set->pods; /* in the order in which they came */
    while (*at && strcmp((*at)->pod.uid, note->pod.uid) != 0)
        at = &(*at)->next;
    if (!*at)
        *at = chainsi_make(sizeof **at);
    chainsi_known_pod *known = *at;
    chainsi_arena_done(&known->arena);
    known->arena = note->arena;
    known->pod = note->pod;
    known->seen = pods->listing[note->of];
    note->arena = (chainsi_arena){ 0 };
    tell(set);
}

static void forget_unseen_pods(chainsi_pods *pods)
{
    for (chainsi_pod_set *set = pods->sets; set; set = set->next) {
        bool some = false;
        for (chainsi_known_pod **at = &set->pods; *at;) {
            chainsi_known_pod *known = *at;
            if (known->seen == pods->listing[CHAINSI_PODS_OF_CHAINS]) {
                at = &known->next;
                continue;
            }
            *at = known->next;
            free_pod(known);
            some = true;
        }
        if (some)
            tell(set);
    }
}

/* Deployments. */

static void note_no_deployment(chainsi_pod_set *set)
{
    set->exists = false;
    set->replicas = 0;
    replace_text(&set->why, "");
    tell(set);
}

static void note_deployment(chainsi_pods *pods, const chainsi_note *note)
{
    const chainsi_pod_deployment *said = &note->deployment;
    chainsi_pod_set *set = chainsi_pods_find(pods, said->name);
    if (note->kind == CHAINSI_NOTE_GONE) {
        note_no_deployment(set);
        return;
    }
    set->exists = true;
    set->replicas = said->replicas;
    set->seen = pods->listing[note->of];
    replace_text(&set->chain, said->chain);
    replace_text(&set->version, said->version);
    replace_text(&set->why, said->why);
    set->refused = false;
    /* It is new, or somebody else has changed it. */
    if (set->on_change && set->wanted >= 0 && set->wanted != set->replicas)
        chainsi_pods_scale(pods, set, set->wanted);
    tell(set);
}

static void forget_unseen_deployments(chainsi_pods *pods)
{
    for (chainsi_pod_set *set = pods->sets; set; set = set->next)
        if (set->exists && set->seen != pods->listing[CHAINSI_DEPLOYMENTS_OF_CHAINS])
            note_no_deployment(set);
}

/* Versions. */

chainsi_known_version *chainsi_pods_versions(chainsi_pods *pods)
{
    return pods->versions;
}

chainsi_known_version *chainsi_pods_version(chainsi_pods *pods, const char *chain,
                                            const char *version)
{
    chainsi_known_version *oldest = NULL;
    for (chainsi_known_version *each = pods->versions; each; each = each->next)
        if (!strcmp(each->version.chain, chain) && !strcmp(each->version.version, version) &&
            (!oldest || strcmp(each->version.created, oldest->version.created) < 0))
            oldest = each;
    return oldest;
}

static void free_version(chainsi_known_version *known)
{
    chainsi_arena_done(&known->arena);
    free(known->taken);
    free(known);
}

static void remove_version(chainsi_pods *pods, chainsi_known_version **at)
{
    chainsi_known_version *known = *at;
    *at = known->next;
    if (pods->events.on_version_gone)
        pods->events.on_version_gone(pods->events.user, known);
    free_version(known);
}

/* A version stays what it was: with other names in its ConfigMap it would be another one, and the one that it was would
 * have gone with all that answers. One that was refused may get others. */
static void keep_names(chainsi_known_version *known, chainsi_note *note)
{
    const chainsi_pod_version *before = &known->version;
    chainsi_pod_version *said = &note->version;
    const bool keeps = known->established && (strcmp(before->chain, said->chain) ||
                                              strcmp(before->version, said->version));
    if (keeps && !known->renamed)
        chainsi_say("ConfigMap %s: data.chain and data.version were '%s' and '%s': it is taken for "
                    "that still, as other names are for other ConfigMaps",
                    said->name, before->chain, before->version);
    known->renamed = keeps;
    if (!keeps)
        return;
    said->chain = chainsi_arena_strdup(&note->arena, before->chain);
    said->version = chainsi_arena_strdup(&note->arena, before->version);
}

static void note_version(chainsi_pods *pods, chainsi_note *note)
{
    chainsi_known_version **at = &pods->versions;
    while (*at && strcmp((*at)->version.uid, note->version.uid) != 0)
        at = &(*at)->next;
    if (note->kind == CHAINSI_NOTE_GONE) {
        if (*at)
            remove_version(pods, at);
        return;
    }
    if (*at)
        keep_names(*at, note);
    else
        *at = chainsi_make(sizeof **at);
    chainsi_known_version *known = *at;
    chainsi_arena_done(&known->arena);
    known->arena = note->arena;
    known->version = note->version;
    known->seen = pods->listing[note->of];
    note->arena = (chainsi_arena){ 0 };
    if (pods->events.on_version)
        pods->events.on_version(pods->events.user, known);
}

static void forget_unseen_versions(chainsi_pods *pods)
{
    for (chainsi_known_version **at = &pods->versions; *at;)
        if ((*at)->seen != pods->listing[CHAINSI_VERSIONS_OF_CHAINS])
            remove_version(pods, at);
        else
            at = &(*at)->next;
}

void chainsi_pods_set_events(chainsi_pods *pods, const chainsi_pods_events *events)
{
    pods->events = *events;
    if (!events->on_version)
        return;
    /* Those that answer come first: for whoever has forgotten what was there, others come after them. */
    for (int running = 1; running >= 0; running--)
        for (chainsi_known_version *each = pods->versions; each; each = each->next)
            if (running == !strcmp(each->version.state, "running"))
                events->on_version(events->user, each);
}

/* Notes. */

static void end_list(chainsi_pods *pods, chainsi_collection of)
{
    pods->listed[of] = true;
    if (of == CHAINSI_PODS_OF_CHAINS)
        forget_unseen_pods(pods);
    else if (of == CHAINSI_DEPLOYMENTS_OF_CHAINS)
        forget_unseen_deployments(pods);
    else
        forget_unseen_versions(pods);
}

static void on_note(void *user, chainsi_note *note)
{
    chainsi_pods *pods = user;
    if (note->kind == CHAINSI_NOTE_LIST_BEGINS)
        pods->listing[note->of]++;
    else if (note->kind == CHAINSI_NOTE_LIST_ENDS)
        end_list(pods, note->of);
    else if (note->of == CHAINSI_PODS_OF_CHAINS)
        note_pod(pods, note);
    else if (note->of == CHAINSI_DEPLOYMENTS_OF_CHAINS)
        note_deployment(pods, note);
    else
        note_version(pods, note);
}

bool chainsi_pods_await(chainsi_pods *pods, int timeout_ms, char *why, size_t why_size)
{
    const int64_t deadline_ns = chainsi_now_ns() + timeout_ms * CHAINSI_NS_PER_MS;
    for (int of = 0; of < CHAINSI_COLLECTIONS;) {
        if (pods->listed[of]) {
            of++;
            continue;
        }
        int left = chainsi_poll_timeout(deadline_ns, chainsi_now_ns());
        if (left <= 0) {
            const char *trouble =
                chainsi_followers_trouble(pods->followers, (chainsi_collection)of);
            snprintf(why, why_size, "%s", *trouble ? trouble : "the API server doesn't answer");
            return false;
        }
        chainsi_followers_await(pods->followers, left);
    }
    return true;
}

/* Wishes. */

static const char scale_key[] = "scale ";

/* Whether it is no matter of waiting: neither an API server that is away for now, nor a Deployment that has just gone. */
static bool is_refusal(chains_status status)
{
    switch (status) {
    case CHAINS_OK:
    case CHAINS_UNAVAILABLE:
    case CHAINS_DEADLINE_EXCEEDED:
    case CHAINS_ABORTED:
    case CHAINS_CANCELLED:
    case CHAINS_UNKNOWN:
    case CHAINS_NOT_FOUND:
        return false;
    default:
        return true;
    }
}

/* What becomes of scaling is told to whoever scales. */
static void on_wish_end(void *user, const char *key, chains_status status, const char *why)
{
    chainsi_pods *pods = user;
    if (strncmp(key, scale_key, sizeof scale_key - 1) != 0) {
        if (status != CHAINS_OK)
            chainsi_say("%s: %s", key, why);
        return;
    }
    chainsi_pod_set *set = chainsi_pods_find(pods, key + sizeof scale_key - 1);
    if (status != CHAINS_OK && set->exists)
        chainsi_say("%s can't be scaled: %s", set->object, why);
    /* Where it went well what the Deployment says of its pods holds. */
    const bool refused = is_refusal(status) && set->exists;
    if (refused || set->refused || !set->exists)
        replace_text(&set->why, refused ? why : "");
    set->refused = refused;
    tell(set);
}

void chainsi_pods_scale(chainsi_pods *pods, chainsi_pod_set *set, int64_t replicas)
{
    bool done = set->wanted == replicas && set->replicas == replicas;
    set->wanted = replicas;
    if (done || !set->exists) /* it is asked for when it is there */
        return;
    chainsi_arena arena = { 0 };
    chainsi_wishes_add(
        pods->wishes,
        &(chainsi_wish){
            .key = chainsi_arena_printf(&arena, "%s%s", scale_key, set->object),
            .method = "PATCH",
            .path = chainsi_arena_printf(&arena, "/apis/apps/v1/namespaces/%s/deployments/%s/scale",
                                         pods->name_space, set->object),
            .type = CHAINSI_CLUSTER_MERGE,
            .body =
                chainsi_arena_printf(&arena, "{\"spec\":{\"replicas\":%lld}}", (long long)replicas),
        });
    chainsi_arena_done(&arena);
}

static void add_annotation(chainsi_buffer *body, const char *name, const char *value)
{
    chainsi_buffer_add_text(body, body->data[body->size - 1] == '{' ? "" : ",");
    chainsi_json_write_text(body, name);
    chainsi_buffer_add_text(body, ":");
    chainsi_json_write_text(body, value && *value ? value : NULL);
}

void chainsi_pods_annotate(chainsi_pods *pods, const chainsi_known_version *known,
                           const char *state, const char *message)
{
    /* With every word until it is there: of two that wait the last one counts. */
    const bool tells = known->taken && strcmp(known->taken, known->version.handled) != 0;
    chainsi_arena arena = { 0 };
    chainsi_buffer body = { 0 };
    chainsi_buffer_add_text(&body, "{\"metadata\":{\"annotations\":{");
    add_annotation(&body, "chains.dev/state", state);
    add_annotation(&body, "chains.dev/message", message);
    if (tells)
        add_annotation(&body, "chains.dev/handled", known->taken);
    chainsi_buffer_add_text(&body, "}}}");
    chainsi_buffer_add_byte(&body, 0);
    chainsi_wishes_add(
        pods->wishes,
        &(chainsi_wish){
            .key = chainsi_arena_printf(&arena, "annotate %s", known->version.name),
            .method = "PATCH",
            .path = chainsi_arena_printf(&arena, "/api/v1/namespaces/%s/configmaps/%s",
                                         pods->name_space, known->version.name),
            .type = CHAINSI_CLUSTER_MERGE,
            .body = (const char *)body.data,
            .gone_is_good = true,
        });
    chainsi_buffer_done(&body);
    chainsi_arena_done(&arena);
}

void chainsi_pods_delete_version(chainsi_pods *pods, const chainsi_known_version *known)
{
    chainsi_arena arena = { 0 };
    chainsi_buffer body = { 0 };
    chainsi_buffer_add_text(&body,
                            "{\"propagationPolicy\":\"Background\",\"preconditions\":{\"uid\":");
    chainsi_json_write_text(&body, known->version.uid);
    chainsi_buffer_add_text(&body, "}}");
    chainsi_buffer_add_byte(&body, 0);
    chainsi_wishes_add(
        pods->wishes,
        &(chainsi_wish){
            .key = chainsi_arena_printf(&arena, "delete ConfigMap %s", known->version.name),
            .method = "DELETE",
            .path = chainsi_arena_printf(&arena, "/api/v1/namespaces/%s/configmaps/%s",
                                         pods->name_space, known->version.name),
            .type = CHAINSI_CLUSTER_JSON,
            .body = (const char *)body.data,
            .gone_is_good = true,
            .other_is_good = true,
        });
    chainsi_buffer_done(&body);
    chainsi_arena_done(&arena);
}

/* Its beginning and end. */

static void on_tick(uv_timer_t *timer)
{
    chainsi_pods *pods = timer->data;
    for (chainsi_pod_set *set = pods ? pods->sets : NULL; set; set = set->next)
        if (set->on_tick)
            set->on_tick(set->user);
}

chainsi_pods *chainsi_pods_new(uv_loop_t *loop, const chainsi_cluster *cluster)
{
    chainsi_pods *pods = chainsi_make(sizeof *pods);
    pods->cluster = cluster;
    pods->name_space = chainsi_copy_text(chainsi_cluster_name_space(cluster));
    pods->wishes = chainsi_wishes_new(loop, cluster, on_wish_end, pods);
    pods->followers = chainsi_followers_new(loop, cluster, on_note, pods);
    pods->tick = chainsi_timer_new(loop, pods);
    uv_unref((uv_handle_t *)pods->tick);
    uv_timer_start(pods->tick, on_tick, CHAINSI_POD_TICK_MS, CHAINSI_POD_TICK_MS);
    return pods;
}

static void free_set(chainsi_pod_set *set)
{
    while (set->pods) {
        chainsi_known_pod *known = set->pods;
        set->pods = known->next;
        free_pod(known);
    }
    free((char *)set->object);
    free(set->chain);
    free(set->version);
    free(set->why);
    free(set);
}

void chainsi_pods_free(chainsi_pods *pods)
{
    if (!pods)
        return;
    chainsi_handle_close(pods->tick);
    chainsi_followers_free(pods->followers);
    chainsi_wishes_free(pods->wishes);
    while (pods->sets) {
        chainsi_pod_set *set = pods->sets;
        pods->sets = set->next;
        free_set(set);
    }
    while (pods->versions) {
        chainsi_known_version *known = pods->versions;
        pods->versions = known->next;
        free_version(known);
    }
    free(pods->name_space);
    free(pods);
}

const chainsi_cluster *chainsi_pods_cluster(const chainsi_pods *pods)
{
    return pods->cluster;
}
