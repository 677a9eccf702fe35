/* `chains delete --target kubernetes`: the ConfigMaps of versions, with which goes what they own; what is the chain's own; and
 * what was applied without an owner. Then the wait until nothing is left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cluster_objects.h"
#include "cli/cluster_verbs.h"
#include "kubernetes/object_names.h"
#include "schema/json.h"

enum {
    GONE_S = 300, /* that pods may take for their last calls */
    LOOK_EVERY_MS = 300,
    POLICY_MINOR = 21,
};

/* What a chain has in a cluster, those first that make others. Pods and what stands between are only looked for. */
typedef struct kind {
    const char *api, *resource, *name;
    bool made; /* by others */
} kind;
static const kind kinds[] = {
    { "v1", "configmaps", "ConfigMap", false },
    { "serving.knative.dev/v1", "services", "Service", false },
    { "apps/v1", "deployments", "Deployment", false },
    { "v1", "services", "Service", false },
    { "networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", false },
    { "policy", "poddisruptionbudgets", "PodDisruptionBudget", false },
    { "autoscaling/v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", false },
    { "v1", "serviceaccounts", "ServiceAccount", false },
    { "v1", "secrets", "Secret", false },
    { "apps/v1", "replicasets", "ReplicaSet", true },
    { "v1", "pods", "Pod", true },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct work {
    chainsi_cluster_session session;
    const char *chain;
    const char *const *versions; /* that are to go; NULL: all of the chain */
    size_t version_count;
    chainsi_arena arena; /* of one look */
    bool denied[KINDS];  /* it may not be looked for, or isn't known there */
    bool failed;
} work;

static const char *api_of(const work *w, const kind *which)
{
    if (strcmp(which->api, "policy") != 0)
        return which->api;
    return w->session.minor >= POLICY_MINOR ? "policy/v1" : "policy/v1beta1";
}

static bool is_meant(const work *w, const chainsi_view_object *object)
{
    const char *version = chainsi_view_find(object->metadata.labels, "chains.dev/version");
    if (!w->versions)
        return true;
    for (size_t i = 0; version && i < w->version_count; i++)
        if (!strcmp(version, w->versions[i]))
            return true;
    return false;
}

/* Those of a kind that are there and meant. False, said on stderr: it can't be told. */
static bool list(work *w, size_t which, chainsi_view_list *found)
{
    const char *path = chainsi_cluster_session_select(&w->session, api_of(w, &kinds[which]),
                                                      kinds[which].resource, w->chain, NULL);
    *found = (chainsi_view_list){ 0 };
    if (w->denied[which])
        return true;
    const chains_status status = chainsi_cluster_session_list(&w->session, path, &w->arena, found);
    if (status == CHAINS_NOT_FOUND || status == CHAINS_PERMISSION_DENIED) {
        w->denied[which] = true;
        /* What a cluster doesn't know isn't there. */
        if (status == CHAINS_PERMISSION_DENIED && !strstr(kinds[which].api, "knative"))
            chainsi_cluster_session_complain(&w->session);
        return true;
    }
    if (status != CHAINS_OK) {
        chainsi_cluster_session_complain(&w->session);
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < found->count; i++)
        if (is_meant(w, &found->items[i]))
            found->items[count++] = found->items[i];
    found->count = count;
    return true;
}

/* What is left of it; the first is named. False: it can't be told. */
static bool count_left(work *w, size_t *left, const char **first)
{
    *left = 0;
    *first = "";
    chainsi_arena_reset(&w->arena);
    for (size_t i = 0; i < KINDS; i++) {
        chainsi_view_list found;
        if (!list(w, i, &found))
            return false;
        if (found.count && !*left)
            *first = chainsi_arena_printf(&w->session.arena, "%s %s", kinds[i].name,
                                          found.items[0].metadata.name);
        *left += found.count;
    }
    return true;
}

static bool delete_listed(work *w, size_t which)
{
    chainsi_view_list found;
    if (!list(w, which, &found))
        return false;
    for (size_t i = 0; i < found.count; i++) {
        const chainsi_view_object *each = &found.items[i];
        if (each->metadata.deleted)
            continue;
        if (!chainsi_object_delete(&w->session, chainsi_cluster_session_path(
                                                    &w->session, api_of(w, &kinds[which]),
                                                    kinds[which].resource, each->metadata.name)))
            return false;
    }
    return true;
}

/* The chain's own Secrets, which need no labels to be its. */
static bool delete_secrets(work *w)
{
    static const char *const what[] = { "secrets", "ca" };
    for (size_t i = 0; !w->versions && i < sizeof what / sizeof *what; i++) {
        const char *name = chainsi_object_name_of_chain(&w->session.arena, w->chain, what[i]);
        if (!chainsi_object_delete(
                &w->session, chainsi_cluster_session_path(&w->session, "v1", "secrets", name)))
            return false;
    }
    return true;
}

static bool await_end(work *w)
{
    const int64_t end_ns = chainsi_now_ns() + GONE_S * 1000 * CHAINSI_NS_PER_MS;
    size_t left;
    const char *first;
    while (count_left(w, &left, &first)) {
        if (!left)
            return true;
        if (chainsi_now_ns() > end_ns) {
            chainsi_cluster_session_say(&w->session, "%zu objects are still there after %d s: %s%s",
                                        left, GONE_S, first, left > 1 ? " and others" : "");
            return false;
        }
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    return false;
}

/* Which versions those are: in this environment, or of this name. False, said on stderr: there are none, or one answers
 * calls. */
static bool choose_versions(work *w, const char *environment, const char *version)
{
    chainsi_view_list all;
    const char **chosen;
    if (!environment && !version)
        return true;
    if (!list(w, 0, &all))
        return false;
    chosen = chainsi_arena_array(&w->session.arena, all.count, sizeof *chosen);
    for (size_t i = 0; i < all.count; i++) {
        const chainsi_view_object *each = &all.items[i];
        const char *named = chainsi_view_find(each->data, "version");
        const char *where = chainsi_view_find(each->data, "environment");
        const char *state = chainsi_view_find(each->metadata.annotations, "chains.dev/state");
        if (!named || !where || (version && strcmp(named, version) != 0) ||
            (environment && strcmp(where, environment) != 0))
            continue;
        if (version && state && (!strcmp(state, "running") || !strcmp(state, "trying"))) {
            chainsi_cluster_session_say(&w->session,
                                        "version %s answers calls of %s in %s\n  hint: deploy "
                                        "another one first, or `chains "
                                        "delete %s --environment %s --target kubernetes`",
                                        version, w->chain, where, w->chain, where);
            return false;
        }
        chosen[w->version_count++] = chainsi_arena_strdup(
            &w->session.arena, chainsi_view_find(each->metadata.labels, "chains.dev/version"));
    }
    w->versions = chosen;
    if (!w->version_count)
        chainsi_cluster_session_say(
            &w->session, "%s has no version%s%s%s%s in namespace '%s'", w->chain,
            version ? " " : "", version ? version : "", environment ? " in the environment " : "",
            environment ? environment : "", chainsi_cluster_name_space(w->session.cluster));
    return w->version_count > 0;
}

static bool delete_all(work *w, const char *environment, const char *version)
{
    size_t left;
    const char *first;
    if (!choose_versions(w, environment, version) || !count_left(w, &left, &first))
        return false;
    if (!left) {
        chainsi_cluster_session_say(
            &w->session,
            "there is no chain '%s' in namespace '%s'\n  hint: `chains status --target "
            "kubernetes` lists those that are there",
            w->chain, chainsi_cluster_name_space(w->session.cluster));
        return false;
    }
    for (size_t i = 0; i < KINDS; i++)
        if (!kinds[i].made && !delete_listed(w, i))
            return false;
    return delete_secrets(w) && await_end(w);
}

static void print(const work *w, const char *environment, const char *version, bool json)
{
    chainsi_buffer out = { 0 };
    if (!json) {
        printf("%s%s%s is deleted from namespace '%s'; nothing of it is left\n", w->chain,
               version || environment ? " " : "",
               version       ? version
               : environment ? environment
                             : "",
               chainsi_cluster_name_space(w->session.cluster));
        return;
    }
    chainsi_buffer_add_text(&out, "{\"chain\":");
    chainsi_json_write_text(&out, w->chain);
    chainsi_buffer_add_text(&out, ",\"environment\":");
    chainsi_json_write_text(&out, environment);
    chainsi_buffer_add_text(&out, ",\"version_id\":");
    chainsi_json_write_text(&out, version);
    chainsi_buffer_add_text(&out, "}\n");
    fwrite(out.data, 1, out.size, stdout);
    chainsi_buffer_done(&out);
}

int chainsi_delete_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                              const char *chain, const char *environment, const char *version,
                              bool json)
{
    work w = { .chain = chain };
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_cluster_session_open(&w.session, verb, where)) {
        w.session.deadline_ns = chainsi_now_ns() + GONE_S * 1000 * CHAINSI_NS_PER_MS;
        if (delete_all(&w, environment, version)) {
            print(&w, environment, version, json);
            status = CHAINSI_EXIT_OK;
        }
    }
    chainsi_cluster_session_close(&w.session);
    chainsi_arena_done(&w.arena);
    return status;
}
