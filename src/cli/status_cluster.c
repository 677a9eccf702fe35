/* `chains status --target kubernetes`: the versions that are in a namespace, and how many pods of each Chainlet are ready;
 * of one Chainlet the pods themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster_hpa.h"
#include "cli/cluster_verbs.h"
#include "cli/status_pods.h"
#include "cli/table.h"
#include "kubernetes/manifests.h"
#include "kubernetes/object_names.h"
#include "schema/fields.h"
#include "schema/json.h"

typedef struct shown_chainlet {
    const char *name;
    int64_t ready, wanted;
    const char *
        unscaled; /* why its HorizontalPodAutoscaler does nothing; NULL: it does, or there is none */
} shown_chainlet;
typedef struct shown_chainlets {
    shown_chainlet *items;
    size_t count;
} shown_chainlets;
typedef struct shown_version {
    const char *chain, *version, *environment, *state, *message, *created;
    shown_chainlets chainlets;
} shown_version;
typedef struct shown_versions {
    shown_version *items;
    size_t count;
} shown_versions;

static const chainsi_field chainlet_fields[] = {
    CHAINSI_FIELD_TEXT(shown_chainlet, name),
    CHAINSI_FIELD_INTEGER(shown_chainlet, ready),
    CHAINSI_FIELD_INTEGER(shown_chainlet, wanted),
    CHAINSI_FIELD_NULLABLE(shown_chainlet, unscaled),
};
static const chainsi_type chainlet_type = CHAINSI_STRUCT_OF(shown_chainlet, chainlet_fields);
static const chainsi_type chainlets_type = CHAINSI_LIST_OF(shown_chainlets, &chainlet_type);
static const chainsi_field version_fields[] = {
    CHAINSI_FIELD_TEXT(shown_version, chain),
    CHAINSI_FIELD_TEXT(shown_version, version),
    CHAINSI_FIELD_TEXT(shown_version, environment),
    CHAINSI_FIELD_NULLABLE(shown_version, state),
    CHAINSI_FIELD_NULLABLE(shown_version, message),
    CHAINSI_FIELD_NAMED(shown_version, created, "created_at"),
    CHAINSI_FIELD_OF(shown_version, chainlets, &chainlets_type),
};
static const chainsi_type version_type = CHAINSI_STRUCT_OF(shown_version, version_fields);
static const chainsi_type versions_type = CHAINSI_LIST_OF(shown_versions, &version_type);

typedef struct work {
    chainsi_cluster_session session;
    const char *chain, *environment;
    chainsi_view_list versions, deployments, autoscalers;
    shown_versions shown;
    bool controller, unscaled;
} work;

static chains_status ask(work *w, const char *api, const char *resource, const char *selector,
                         chainsi_view_list *found)
{
    chainsi_arena *arena = &w->session.arena;
    const char *path = chainsi_arena_printf(
        arena, "%s?labelSelector=%s%s%s",
        chainsi_cluster_session_path(&w->session, api, resource, NULL), selector,
        w->chain ? "%2Cchains.dev%2Fchain%3D" : "",
        w->chain ? chainsi_cluster_escape(arena, chainsi_label_value(arena, w->chain)) : "");
    return chainsi_cluster_session_list(&w->session, path, arena, found);
}

static bool list(work *w, const char *api, const char *resource, const char *selector,
                 chainsi_view_list *found)
{
    if (ask(w, api, resource, selector, found) == CHAINS_OK)
        return true;
    chainsi_cluster_session_complain(&w->session);
    return false;
}

static const char *label(const chainsi_view_object *object, const char *key)
{
    const char *value = chainsi_view_find(object->metadata.labels, key);
    return value ? value : "";
}

/* Where some versions have them. Who may not read them isn't told of them. */
static void list_autoscalers(work *w)
{
    const char *hpa = chainsi_autoscaler_name(CHAINSI_AUTOSCALER_HPA);
    for (size_t i = 0; i < w->versions.count; i++) {
        const char *by = chainsi_view_find(w->versions.items[i].data, "autoscaler");
        if (!by || strcmp(by, hpa) != 0)
            continue;
        if (ask(w, chainsi_autoscaler_hpa_api(w->session.minor), "horizontalpodautoscalers",
                "chains.dev%2Fchain", &w->autoscalers) != CHAINS_OK)
            w->autoscalers = (chainsi_view_list){ 0 };
        return;
    }
}

/* They are called as what they scale. */
static const char *find_unscaled(work *w, const chainsi_view_object *deployment)
{
    for (size_t i = 0; i < w->autoscalers.count; i++) {
        const chainsi_view_object *each = &w->autoscalers.items[i];
        if (!strcmp(each->metadata.name, deployment->metadata.name))
            return chainsi_hpa_trouble(each, &w->session.arena);
    }
    return NULL;
}

/* Its Deployments, as they are listed. */
static void add_chainlets(work *w, const chainsi_view_object *version, shown_version *shown)
{
    shown->chainlets.items = chainsi_arena_array(&w->session.arena, w->deployments.count,
                                                 sizeof *shown->chainlets.items);
    for (size_t i = 0; i < w->deployments.count; i++) {
        const chainsi_view_object *each = &w->deployments.items[i];
        if (strcmp(label(each, "chains.dev/chain"), label(version, "chains.dev/chain")) != 0 ||
            strcmp(label(each, "chains.dev/version"), label(version, "chains.dev/version")) != 0)
            continue;
        shown_chainlet *chainlet = &shown->chainlets.items[shown->chainlets.count++];
        *chainlet = (shown_chainlet){
            .name = label(each, "chains.dev/chainlet"),
            .ready = each->status ? each->status->ready_replicas : 0,
            .wanted = each->spec && each->spec->replicas ? *each->spec->replicas : 1,
            .unscaled = find_unscaled(w, each),
        };
        w->unscaled = w->unscaled || chainlet->unscaled;
    }
}

static void add_version(work *w, const chainsi_view_object *version)
{
    const char *chain = chainsi_view_find(version->data, "chain");
    const char *name = chainsi_view_find(version->data, "version");
    const char *environment = chainsi_view_find(version->data, "environment");
    if (!chain || !name || !environment ||
        (w->environment && strcmp(environment, w->environment) != 0))
        return;
    shown_version *shown = &w->shown.items[w->shown.count++];
    *shown = (shown_version){
        .chain = chain,
        .version = name,
        .environment = environment,
        .state = chainsi_view_find(version->metadata.annotations, "chains.dev/state"),
        .message = chainsi_view_find(version->metadata.annotations, "chains.dev/message"),
        .created = version->metadata.created,
    };
    add_chainlets(w, version, shown);
}

static bool is_ready(const shown_version *version)
{
    for (size_t i = 0; i < version->chainlets.count; i++)
        if (version->chainlets.items[i].ready < version->chainlets.items[i].wanted)
            return false;
    return true;
}

static const char *pods_of(work *w, const shown_version *version)
{
    chainsi_buffer text = { 0 };
    for (size_t i = 0; i < version->chainlets.count; i++) {
        const shown_chainlet *each = &version->chainlets.items[i];
        chainsi_buffer_printf(&text, "%s%s %lld/%lld", i ? ", " : "", each->name,
                              (long long)each->ready, (long long)each->wanted);
    }
    const char *copied = chainsi_arena_copy(&w->session.arena, text.data, text.size);
    chainsi_buffer_done(&text);
    return copied;
}

static void print_unscaled(work *w, const shown_version *version)
{
    for (size_t i = 0; i < version->chainlets.count; i++) {
        const shown_chainlet *each = &version->chainlets.items[i];
        if (each->unscaled)
            printf("%s %s: %s isn't scaled for now: %s\n", version->chain, version->version,
                   each->name, chainsi_text_shown(&w->session.arena, each->unscaled));
    }
}

static void print_table(work *w)
{
    static const chainsi_table_column columns[] = {
        { .title = "CHAIN", .least = 8 },
        { .title = "VERSION" },
        { .title = "ENVIRONMENT", .least = 8, .rank = 1 },
        { .title = "STATE" },
        { .title = "PODS READY" },
    };
    const chainsi_terminal terminal = chainsi_terminal_of(STDOUT_FILENO);
    chainsi_table_row *rows = chainsi_arena_array(&w->session.arena, w->shown.count, sizeof *rows);
    chainsi_buffer head = { 0 }, body = { 0 };
    for (size_t i = 0; i < w->shown.count; i++) {
        const shown_version *each = &w->shown.items[i];
        const char *state = each->state ? each->state : is_ready(each) ? "ready" : "starting";
        const char *words[] = { each->chain, each->version, each->environment, state,
                                pods_of(w, each) };
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            rows[i].cells[k].text = words[k];
    }
    const chainsi_table table = { columns, sizeof columns / sizeof *columns, rows, w->shown.count };
    chainsi_table_write(&table, terminal.columns, terminal.unicode, terminal.color, &head, &body);
    printf("%.*s%.*s", (int)head.size, (char *)head.data, (int)body.size, (char *)body.data);
    chainsi_buffer_done(&head);
    chainsi_buffer_done(&body);
    for (size_t i = 0; i < w->shown.count; i++) {
        const shown_version *each = &w->shown.items[i];
        if (each->message && *each->message)
            printf("%s %s: %s\n", each->chain, each->version,
                   chainsi_text_shown(&w->session.arena, each->message));
        print_unscaled(w, each);
    }
    if (!w->controller)
        printf("There is no controller in namespace '%s': `chains controller` installs one\n",
               chainsi_cluster_name_space(w->session.cluster));
}

static void print_json(const work *w)
{
    chainsi_buffer out = { 0 };
    if (chainsi_json_encode(&versions_type, &w->shown, &out, NULL) != CHAINS_OK)
        abort();
    printf("%.*s\n", (int)out.size, (char *)out.data);
    chainsi_buffer_done(&out);
}

/* Asks for versions, and what there is of them. False, said on stderr; the session is to be closed in any case. */
static bool look(work *w, const chainsi_verb *verb, const chainsi_cluster_words *where)
{
    if (!chainsi_cluster_session_open(&w->session, verb, where) ||
        !list(w, "v1", "configmaps", "chains.dev%2Fkind%3Dversion", &w->versions) ||
        !list(w, "apps/v1", "deployments", "chains.dev%2Fchain", &w->deployments))
        return false;
    w->shown.items =
        chainsi_arena_array(&w->session.arena, w->versions.count, sizeof *w->shown.items);
    list_autoscalers(w);
    for (size_t i = 0; i < w->versions.count; i++)
        add_version(w, &w->versions.items[i]);
    return true;
}

int chainsi_status_of_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                              const char *chain, const char *environment, bool json)
{
    work w = { .chain = chain, .environment = environment };
    bool good = look(&w, verb, where);
    if (good) {
        for (size_t i = 0; i < w.shown.count; i++)
            w.controller = w.controller || w.shown.items[i].state;
        w.controller = w.controller || chainsi_cluster_session_has_controller(&w.session);
        if (json)
            print_json(&w);
        else if (w.shown.count)
            print_table(&w);
        else if (!chain)
            printf("nothing is deployed in namespace '%s'\n",
                   chainsi_cluster_name_space(w.session.cluster));
        if (chain && !w.shown.count) {
            if (!json)
                chainsi_cluster_session_say(&w.session, "there is no chain '%s' in namespace '%s'",
                                            chain, chainsi_cluster_name_space(w.session.cluster));
            good = false;
        }
        fflush(stdout); /* what is said of it comes after it, also where both are one file */
        if (w.unscaled)
            chainsi_hpa_check_metrics(&w.session);
    }
    chainsi_cluster_session_close(&w.session);
    return good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

/* The pods of one Chainlet */

/* Why its container, or a step before, doesn't run, or how it ended last; NULL. */
static const char *reason_of(work *w, const chainsi_view_containers *containers)
{
    for (size_t i = 0; containers && i < containers->count; i++) {
        const chainsi_view_container *each = &containers->items[i];
        const chainsi_view_waiting *waits = each->state ? each->state->waiting : NULL;
        const chainsi_view_terminated *end = each->last_state ? each->last_state->terminated : NULL;
        if (waits && waits->reason)
            return chainsi_arena_printf(&w->session.arena, "%s%s%s", waits->reason,
                                        waits->message && *waits->message ? ": " : "",
                                        waits->message ? waits->message : "");
        if (end && end->signal)
            return chainsi_arena_printf(&w->session.arena, "signal %lld", (long long)end->signal);
        if (end)
            return chainsi_arena_printf(&w->session.arena, "exit status %lld",
                                        (long long)end->exit_code);
    }
    return NULL;
}

static const char *why_of(work *w, const chainsi_view_object *pod)
{
    const chainsi_view_condition *placed = chainsi_view_condition_of(pod, "PodScheduled");
    const char *why = NULL;
    if (placed && placed->status && !strcmp(placed->status, "False"))
        return placed->message;
    if (pod->status)
        why = reason_of(w, pod->status->steps);
    if (pod->status && !why)
        why = reason_of(w, pod->status->containers);
    return why || !pod->status ? why : pod->status->reason; /* "Evicted" */
}

/* In the words that a controller has for it. */
static const char *state_of(const chainsi_view_object *pod)
{
    const char *phase = pod->status && pod->status->phase ? pod->status->phase : "";
    return pod->metadata.deleted                                     ? "draining"
           : !strcmp(phase, "Failed") || !strcmp(phase, "Succeeded") ? "stopped"
           : chainsi_view_is_ready(pod)                              ? "ready"
                                                                     : "starting";
}

static void add_pod(work *w, const shown_version *version, const chainsi_view_object *pod,
                    chainsi_shown_pods *pods)
{
    const chainsi_view_containers *containers = pod->status ? pod->status->containers : NULL;
    const chainsi_view_condition *ready = chainsi_view_condition_of(pod, "Ready");
    chainsi_shown_pod shown = {
        .pod = pod->metadata.name ? pod->metadata.name : "",
        .node = pod->spec ? pod->spec->node : NULL,
        .version = version->version,
        .state = state_of(pod),
        .since = ready && ready->since ? ready->since : pod->metadata.created,
        .why = why_of(w, pod),
    };
    for (size_t i = 0; containers && i < containers->count; i++)
        shown.restarts += containers->items[i].restarts;
    chainsi_shown_pods_add(pods, &w->session.arena, shown);
}

/* Of the versions that are shown. False: they have no such Chainlet. */
static bool add_pods(work *w, const char *chainlet, const chainsi_view_list *all,
                     chainsi_shown_pods *pods)
{
    const char *name = chainsi_label_value(&w->session.arena, chainlet);
    bool known = false;
    for (size_t i = 0; i < w->shown.count; i++) {
        const shown_version *version = &w->shown.items[i];
        const char *wanted = chainsi_label_value(&w->session.arena, version->version);
        for (size_t k = 0; k < version->chainlets.count; k++)
            known = known || !strcmp(version->chainlets.items[k].name, name);
        for (size_t k = 0; k < all->count; k++)
            if (!strcmp(label(&all->items[k], "chains.dev/version"), wanted) &&
                !strcmp(label(&all->items[k], "chains.dev/chainlet"), name))
                add_pod(w, version, &all->items[k], pods);
    }
    return known || pods->count;
}

int chainsi_status_of_pods(const chainsi_verb *verb, const chainsi_cluster_words *where,
                           const char *chain, const char *chainlet, const char *environment,
                           bool json)
{
    work w = { .chain = chain, .environment = environment };
    chainsi_view_list all = { 0 };
    chainsi_shown_pods pods = { 0 };
    bool good = look(&w, verb, where) && list(&w, "v1", "pods", "chains.dev%2Fchain", &all);
    if (good && add_pods(&w, chainlet, &all, &pods)) {
        chainsi_shown_pods_print(&pods, chainlet, json);
    } else if (good) {
        good = false;
        chainsi_cluster_session_say(
            &w.session, "'%s' has no Chainlet '%s' in environment '%s' of namespace '%s'", chain,
            chainlet, environment, chainsi_cluster_name_space(w.session.cluster));
    }
    chainsi_cluster_session_close(&w.session);
    return good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}
