/* Waiting for a version in a cluster. With a controller it is ready when that says so, without one when all pods that its
 * Deployments want are. Meanwhile what keeps pods from it is told as it is seen; it ends the waiting if it can't pass by
 * itself, or hasn't for a while. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cluster_trouble.h"
#include "cli/deploy_cluster.h"
#include "cli/deploy_progress.h"
#include "kubernetes/object_names.h"

enum {
    LOOK_EVERY_MS = 500,
    LOG_LINES = 20,  /* shown of a container that failed */
    MOST_ASKED = 8,  /* pods whose events are looked at */
    SAY_AFTER_S = 3, /* what passes before needs no word */
};

/* What was told of a Chainlet, and since when it stands. */
typedef struct told {
    char *what; /* owned; NULL: all is well */
    int64_t since_ns;
    bool seen; /* in this look */
    bool said;
} told;

typedef struct waiting {
    chainsi_cluster_wait *wait;
    chainsi_deploy_progress progress;
    chainsi_arena arena; /* of one look */
    told *told;          /* of each Chainlet; owned */
    const char **labels; /* of each */
    chainsi_api_chainlet *rows;
    chainsi_view_list deployments, pods;
    chainsi_view_events events;
    chainsi_troubles troubles;
    int64_t now_ns, deadline_ns;
    bool failed;
} waiting;

static void clear_line(void *user)
{
    waiting *w = user;
    chainsi_bar_clear(&w->progress.line);
}

static bool fail(waiting *w)
{
    w->failed = true;
    return false;
}

/* Looking */

/* What a request that can't be answered any more means; false. */
static bool refuse(waiting *w)
{
    chainsi_cluster_session_complain(w->wait->session);
    return fail(w);
}

/* Of pods that don't run. Who may not read them gets on with what pods say. */
static void look_at_events(waiting *w)
{
    chainsi_cluster_session *s = w->wait->session;
    chainsi_view_events *all = &w->events;
    *all = (chainsi_view_events){ 0 };
    for (size_t i = 0, asked = 0; i < w->pods.count && asked < MOST_ASKED; i++) {
        const chainsi_view_object *pod = &w->pods.items[i];
        chainsi_view_events found;
        if (!chainsi_troubles_want_events(pod))
            continue;
        asked++;
        const char *path = chainsi_arena_printf(
            &w->arena, "%s?fieldSelector=involvedObject.name%%3D%s",
            chainsi_cluster_session_path(s, "v1", "events", NULL), pod->metadata.name);
        if (chainsi_cluster_session_ask(s, "GET", path, NULL, NULL, 0) != CHAINS_OK ||
            !chainsi_view_read_events(&s->answer.body, &w->arena, &found) || !found.count)
            continue;
        chainsi_view_event *items =
            chainsi_arena_array(&w->arena, all->count + found.count, sizeof *items);
        if (all->count)
            memcpy(items, all->items, all->count * sizeof *items);
        memcpy(items + all->count, found.items, found.count * sizeof *items);
        *all = (chainsi_view_events){ items, all->count + found.count };
    }
}

static bool is_knative(const chainsi_cluster_wait *wait)
{
    return wait->deploy->words.manifest.autoscaler == CHAINSI_AUTOSCALER_KNATIVE;
}

static bool look_at_lists(waiting *w)
{
    chainsi_cluster_wait *wait = w->wait;
    chainsi_cluster_session *s = wait->session;
    const bool knative = is_knative(wait);
    const char *deployments = chainsi_cluster_session_select(
        s, knative ? "serving.knative.dev/v1" : "apps/v1", knative ? "services" : "deployments",
        wait->chain, wait->version);
    const char *pods = chainsi_cluster_session_select(s, "v1", "pods", wait->chain, wait->version);
    if (chainsi_cluster_session_list(s, deployments, &w->arena, &w->deployments) != CHAINS_OK ||
        chainsi_cluster_session_list(s, pods, &w->arena, &w->pods) != CHAINS_OK)
        return refuse(w);
    look_at_events(w);
    const chainsi_cluster_scene scene = {
        .name_space = chainsi_cluster_name_space(s->cluster),
        .secret = wait->secret,
        .deployments = &w->deployments,
        .pods = &w->pods,
        .events = &w->events,
    };
    w->troubles = chainsi_troubles_find(&scene, &w->arena);
    return true;
}

/* The controller's word, if there is one. */
static bool look_at_fate(waiting *w)
{
    chainsi_cluster_wait *wait = w->wait;
    chainsi_cluster_session *s = wait->session;
    chainsi_view_object version;
    const char *path = chainsi_cluster_session_path(s, "v1", "configmaps", wait->config_map);
    const chains_status status = chainsi_cluster_session_get(s, path, &w->arena, &version);
    if (status == CHAINS_NOT_FOUND || (status == CHAINS_OK && version.metadata.deleted)) {
        chainsi_cluster_session_fail(s, CHAINS_ABORTED,
                                     "version %s of %s has been deleted meanwhile", wait->version,
                                     wait->chain);
        return fail(w);
    }
    if (status != CHAINS_OK)
        return refuse(w);
    wait->state = chainsi_arena_strdup(
        &s->arena, chainsi_view_find(version.metadata.annotations, "chains.dev/state"));
    wait->message = chainsi_arena_strdup(
        &s->arena, chainsi_view_find(version.metadata.annotations, "chains.dev/message"));
    if (wait->state && !wait->controller && !is_knative(wait) &&
        chainsi_cluster_session_has_controller(s))
        wait->controller = true;
    if (!wait->controller)
        wait->state = wait->message = NULL; /* the words of one that isn't there any more */
    const char *handled = chainsi_view_find(version.metadata.annotations, "chains.dev/handled");
    if (wait->requested && (!handled || strcmp(handled, wait->requested) != 0))
        wait->state = NULL; /* of before */
    return true;
}

/* Pods of each Chainlet */

static int64_t wanted_of(const chainsi_view_object *deployment)
{
    return deployment->spec && deployment->spec->replicas ? *deployment->spec->replicas : 1;
}

/* Whether what its status says is about what was applied, and all pods that are wanted are ready. */
static bool is_ready(const chainsi_view_object *deployment)
{
    const chainsi_view_status *status = deployment->status;
    const chainsi_view_condition *ready = chainsi_view_condition_of(deployment, "Ready");
    if (!status || status->observed_generation < deployment->metadata.generation)
        return false;
    if (ready) /* Knative's */
        return ready->status && !strcmp(ready->status, "True");
    const int64_t wanted = wanted_of(deployment);
    return status->ready_replicas >= wanted && status->updated_replicas >= wanted;
}

static const chainsi_view_object *deployment_of(const waiting *w, size_t which)
{
    for (size_t i = 0; i < w->deployments.count; i++) {
        const char *label =
            chainsi_view_find(w->deployments.items[i].metadata.labels, "chains.dev/chainlet");
        if (label && !strcmp(label, w->labels[which]))
            return &w->deployments.items[i];
    }
    return NULL;
}

/* "hand 1/2" until it is ready. */
static size_t count_ready(waiting *w)
{
    size_t ready = 0;
    w->wait->idle = NULL;
    for (size_t i = 0; i < w->wait->count; i++) {
        const chainsi_view_object *deployment = deployment_of(w, i);
        const bool good = deployment && is_ready(deployment);
        if (good && !w->wait->controller && deployment->spec && !wanted_of(deployment))
            w->wait->idle =
                chainsi_arena_strdup(&w->wait->session->arena, deployment->metadata.name);
        w->rows[i].state = good ? "ready" : "starting";
        w->rows[i].name =
            good || !deployment
                ? w->wait->names[i]
                : chainsi_arena_printf(
                      &w->arena, "%s %lld/%lld", w->wait->names[i],
                      (long long)(deployment->status ? deployment->status->ready_replicas : 0),
                      (long long)wanted_of(deployment));
        ready += good;
    }
    return ready;
}

static void show(waiting *w)
{
    const chainsi_api_deployment deployment = { .chainlets = { w->rows, w->wait->count } };
    if (!w->wait->deploy->request->quiet)
        chainsi_deploy_progress_show(&w->progress, &deployment, w->now_ns);
}

/* Troubles */

static const char *name_of(const waiting *w, const chainsi_trouble *trouble, size_t *which)
{
    for (*which = 0; *which < w->wait->count; ++*which)
        if (!strcmp(w->labels[*which], trouble->chainlet))
            return w->wait->names[*which];
    return trouble->chainlet;
}

/* Tells of those that are new; *worst: the first that the version fails by. */
static void tell(waiting *w, const chainsi_trouble **worst)
{
    const int64_t patience_ns = w->wait->deploy->patience_s * 1000 * CHAINSI_NS_PER_MS;
    *worst = NULL;
    for (size_t i = 0; i < w->wait->count; i++)
        w->told[i].seen = false;
    for (size_t i = 0; i < w->troubles.count; i++) {
        const chainsi_trouble *trouble = &w->troubles.items[i];
        size_t which;
        const char *name = name_of(w, trouble, &which);
        if (which == w->wait->count)
            continue;
        told *of = &w->told[which];
        of->seen = true;
        if (!of->what) {
            of->since_ns = w->now_ns;
            of->said = false;
            of->what = strdup(trouble->what);
            if (!of->what)
                abort();
        }
        const int64_t lasts_ns = w->now_ns - of->since_ns;
        if (!*worst && (trouble->certain || lasts_ns >= patience_ns))
            *worst = trouble;
        else if (!of->said && lasts_ns >= SAY_AFTER_S * 1000 * CHAINSI_NS_PER_MS) {
            of->said = true;
            chainsi_cluster_session_say(w->wait->session, "%s: %s: %s; waiting", name,
                                        trouble->object, trouble->what);
        }
    }
    for (size_t i = 0; i < w->wait->count; i++)
        if (!w->told[i].seen) {
            free(w->told[i].what);
            w->told[i].what = NULL;
        }
}

static void show_log(waiting *w, const chainsi_trouble *trouble)
{
    chainsi_cluster_session *s = w->wait->session;
    const char *path =
        chainsi_arena_printf(&w->arena, "%s/log?container=%s&tailLines=%d%s",
                             chainsi_cluster_session_path(s, "v1", "pods", trouble->pod),
                             chainsi_cluster_escape(&w->arena, trouble->container), LOG_LINES,
                             trouble->again ? "&previous=true" : "");
    if (chainsi_cluster_session_ask(s, "GET", path, NULL, NULL, 0) != CHAINS_OK ||
        !s->answer.body.size)
        return;
    fprintf(stderr, "the last lines of its log:\n");
    chainsi_text_write(stderr, (const char *)s->answer.body.data, s->answer.body.size,
                       CHAINSI_TEXT_LINES);
}

/* Whether a text begins with the Chainlet. */
static bool begins_with(const char *text, const char *name)
{
    const size_t size = strlen(name);
    return !strncmp(text, name, size) && (text[size] == ':' || text[size] == ' ');
}

static bool fail_by(waiting *w, const chainsi_trouble *trouble, const char *why)
{
    size_t which;
    const char *name = name_of(w, trouble, &which);
    const bool named = begins_with(why, name);
    chainsi_cluster_session_fail(w->wait->session, CHAINS_FAILED_PRECONDITION, "%s%s%s%s%s: %s%s%s",
                                 why, *why ? ": " : "", named ? "" : name, named ? "" : ": ",
                                 trouble->object, trouble->what, trouble->hint ? "\n  hint: " : "",
                                 trouble->hint ? trouble->hint : "");
    if (trouble->pod)
        show_log(w, trouble);
    return fail(w);
}

/* Its fate */

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(text, *words) != 0)
        words++;
    return *words != NULL;
}

static bool fail_as_said(waiting *w)
{
    const chainsi_cluster_wait *wait = w->wait;
    const bool stands_by = !strcmp(wait->state, "standing-by");
    const char *message = wait->message && *wait->message ? wait->message
                          : stands_by ? "it is ready, but another version answers calls"
                                      : "the deployment failed";
    if (w->troubles.count && !stands_by)
        return fail_by(w, &w->troubles.items[0], message);
    /* With its pods goes what the cluster said of them. */
    const char *hint =
        strstr(message, "exceeded quota")
            ? chainsi_arena_printf(
                  &w->arena, "\n  hint: `kubectl describe quota -n %s` shows what there may be",
                  chainsi_cluster_name_space(wait->session->cluster))
            : "";
    chainsi_cluster_session_fail(wait->session, CHAINS_FAILED_PRECONDITION, "%s%s", message, hint);
    return fail(w);
}

static bool fail_late(waiting *w, size_t ready)
{
    char why[256];
    const chainsi_cluster_wait *wait = w->wait;
    snprintf(why, sizeof why, "%zu of %zu Chainlets are ready after %lld s (--timeout)", ready,
             wait->count, (long long)wait->timeout_s);
    if (w->troubles.count)
        return fail_by(w, &w->troubles.items[0], why);
    if (ready == wait->count)
        chainsi_cluster_session_fail(
            wait->session, CHAINS_DEADLINE_EXCEEDED,
            "%s, but chainsd doesn't say that version %s runs\n  hint: see that it does: "
            "`kubectl get pods -n %s` and `kubectl logs -n %s deploy/chainsd`",
            why, wait->version, chainsi_cluster_name_space(wait->session->cluster),
            chainsi_cluster_name_space(wait->session->cluster));
    else
        chainsi_cluster_session_fail(
            wait->session, CHAINS_DEADLINE_EXCEEDED,
            "%s\n  hint: `kubectl get pods -n %s -l chains.dev/version=%s` shows what they do", why,
            chainsi_cluster_name_space(wait->session->cluster),
            chainsi_label_value(&w->arena, wait->version));
    return fail(w);
}

/* True: it is ready. False: not yet, or failed. */
static bool look(waiting *w)
{
    static const char *const done[] = { "running", "trying", NULL };
    static const char *const over[] = { "failed", "standing-by", NULL };
    const chainsi_trouble *worst;
    chainsi_arena_reset(&w->arena);
    if (!look_at_fate(w) || !look_at_lists(w))
        return false;
    w->now_ns = chainsi_now_ns();
    const size_t ready = count_ready(w);
    const char *state = w->wait->state;
    if (state && is_one_of(state, over))
        return fail_as_said(w); /* without pods by now, which says nothing of who was ready */
    show(w);
    if (state && is_one_of(state, done))
        return true;
    if (!w->wait->controller && ready == w->wait->count)
        return true;
    tell(w, &worst);
    if (worst)
        return fail_by(w, worst, "");
    return w->now_ns >= w->deadline_ns ? fail_late(w, ready) : false;
}

static void begin(waiting *w, chainsi_cluster_wait *wait)
{
    const chainsi_deploy_request *r = wait->deploy->request;
    const chainsi_terminal terminal =
        r->json ? (chainsi_terminal){ 0 } : chainsi_terminal_of(STDERR_FILENO);
    chainsi_arena *arena = &wait->session->arena;
    *w = (waiting){
        .wait = wait,
        .told = calloc(wait->count + 1, sizeof *w->told),
        .labels = chainsi_arena_array(arena, wait->count, sizeof *w->labels),
        .rows = chainsi_arena_array(arena, wait->count, sizeof *w->rows),
        .deadline_ns = chainsi_now_ns() + wait->timeout_s * 1000 * CHAINSI_NS_PER_MS,
    };
    if (!w->told)
        abort();
    for (size_t i = 0; i < wait->count; i++)
        w->labels[i] = chainsi_label_value(arena, wait->names[i]);
    chainsi_deploy_progress_init(&w->progress, stderr, terminal, wait->count);
    wait->session->deadline_ns = w->deadline_ns;
    wait->session->on_line = clear_line;
    wait->session->user = w;
}

bool chainsi_cluster_await(chainsi_cluster_wait *wait)
{
    waiting w;
    bool ready;
    begin(&w, wait);
    while (!(ready = look(&w)) && !w.failed)
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    wait->session->on_line = NULL;
    chainsi_deploy_progress_done(&w.progress);
    for (size_t i = 0; i < wait->count; i++)
        free(w.told[i].what);
    free(w.told);
    chainsi_arena_done(&w.arena);
    return ready;
}
