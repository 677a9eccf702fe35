/* Reasons as Kubernetes gives them, and what to do about each. What it tries again by itself (pulling an image, finding
 * a node) may pass; what only somebody can change is certain. */
#include "cli/cluster_trouble.h"

#include <string.h>

enum { CERTAIN_CRASHES = 2 }; /* starts after the first that ended alike */

typedef struct search {
    const chainsi_cluster_scene *scene;
    chainsi_arena *arena;
    chainsi_troubles found;
} search;

static bool has(const char *text, const char *part)
{
    return text && strcasestr(text, part);
}

static bool is(const char *text, const char *other)
{
    return text && other && !strcmp(text, other);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const char *chainlet_of(const chainsi_view_object *object)
{
    const char *name = chainsi_view_find(object->metadata.labels, "chains.dev/chainlet");
    return name ? name : "";
}

/* The first of a Chainlet stays, unless a later one is certain. */
static void add(search *s, chainsi_trouble trouble)
{
    for (size_t i = 0; i < s->found.count; i++) {
        chainsi_trouble *other = &s->found.items[i];
        if (strcmp(other->chainlet, trouble.chainlet) != 0)
            continue;
        if (trouble.certain && !other->certain)
            *other = trouble;
        return;
    }
    s->found.items[s->found.count++] = trouble;
}

/* The latest event of a pod whose reason and text begin so. */
static const char *find_event(const search *s, const char *pod, const char *reason,
                              const char *begin)
{
    const chainsi_view_events *events = s->scene->events;
    for (size_t i = events ? events->count : 0; i > 0; i--) {
        const chainsi_view_event *event = &events->items[i - 1];
        if (is(event->kind, "Pod") && is(event->name, pod) && is(event->reason, reason) &&
            !strncmp(or_empty(event->message), begin, strlen(begin)))
            return event->message;
    }
    return NULL;
}

/* Images */

static const char *pull_hint(search *s, const char *why)
{
    /* What Docker before 23 and containerd before 1.5 say. */
    if (has(why, "invalid tar header") || has(why, "tar+zstd"))
        return "its node's container engine can't read layers that are compressed by zstd: "
               "--compression gzip, or a newer engine";
    if (has(why, "unauthorized") || has(why, "denied") || has(why, "authentication") ||
        has(why, "401") || has(why, "403"))
        return chainsi_arena_printf(
            s->arena,
            "the registry wants a login: `kubectl create secret docker-registry registry "
            "--docker-server=HOST --docker-username=USER --docker-password-stdin -n %s`, and "
            "--pull-secret registry",
            s->scene->name_space);
    if (has(why, "not found") || has(why, "manifest unknown") || has(why, "404"))
        return "it isn't in the registry under that name: `chains image --registry` pushes it, "
               "with the same --name and --registry";
    if (has(why, "HTTP response to HTTPS client"))
        return "the registry speaks no TLS, which the nodes' container engine has to be told";
    return "the nodes have to reach the registry under the name that --registry says";
}

/* The end of what an engine says, which names the image several times on the way to it: 'Failed to pull image "i": rpc
 * error: …: failed to resolve reference "i": i: not found'. */
static const char *why_no_image(const char *image, const char *text)
{
    const size_t size = strlen(image);
    const char *why = text;
    for (const char *at = text; size && (at = strstr(at, image)); at += size) {
        const char *after = at + size;
        after += *after == '"';
        if (after[0] == ':' && after[1] == ' ' && after[2])
            why = after + 2;
    }
    return why;
}

static void look_at_image(search *s, const chainsi_view_object *pod, chainsi_trouble trouble,
                          const chainsi_view_container *container,
                          const chainsi_view_waiting *waiting)
{
    const char *event = find_event(s, pod->metadata.name, "Failed", "Failed to pull image");
    const char *why = event ? event : or_empty(waiting->message);
    trouble.what = chainsi_arena_printf(s->arena, "the image %s can't be pulled: %s",
                                        or_empty(container->image),
                                        why_no_image(or_empty(container->image), why));
    trouble.hint = is(container->name, "assets")
                       ? "--fetch-image names one that the nodes can have, "
                         "with sh, curl and sha256sum"
                       : pull_hint(s, why);
    add(s, trouble);
}

/* Containers */

static bool is_pulling(const char *reason)
{
    return is(reason, "ErrImagePull") || is(reason, "ImagePullBackOff") ||
           is(reason, "RegistryUnavailable");
}

static const char *secret_hint(search *s, const char *why)
{
    const char *name = s->scene->secret;
    if (!has(why, "secret"))
        return NULL;
    if (has(why, "-tls"))
        return "chainsd makes certificates: see that it runs (`chains controller` installs it), or "
               "deploy with --tls off";
    return chainsi_arena_printf(
        s->arena,
        "`kubectl create secret generic %s -n %s --from-file=NAME=FILE` makes it, `chains secret "
        "set` "
        "with --target kubernetes adds to it; `kubectl describe pod` names the one that is missing",
        name, s->scene->name_space);
}

/* The pod as it was before; NULL: it is a new one. */
static const chainsi_view_object *find_before(const search *s, const chainsi_view_object *pod)
{
    const chainsi_view_list *before = s->scene->before;
    for (size_t i = 0; before && i < before->count; i++)
        if (is(before->items[i].metadata.uid, pod->metadata.uid))
            return &before->items[i];
    return NULL;
}

/* How often a container has been started again since then. */
static int64_t restarts_since(const search *s, const chainsi_view_object *pod,
                              const chainsi_view_container *container)
{
    const chainsi_view_object *known = find_before(s, pod);
    const chainsi_view_status *status = known ? known->status : NULL;
    const chainsi_view_containers *all[] = { status ? status->steps : NULL,
                                             status ? status->containers : NULL };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (size_t i = 0; all[k] && i < all[k]->count; i++)
            if (is(all[k]->items[i].name, container->name))
                return container->restarts - all[k]->items[i].restarts;
    return container->restarts;
}

/* How it ended, and what to do about that. */
static void look_at_end(search *s, const chainsi_view_object *pod, chainsi_trouble trouble,
                        const chainsi_view_container *container)
{
    const chainsi_view_terminated *end =
        container->last_state ? container->last_state->terminated : NULL;
    trouble.certain = restarts_since(s, pod, container) >= CERTAIN_CRASHES;
    trouble.again = true;
    const char *starts =
        chainsi_arena_printf(s->arena, "%lld starts", (long long)container->restarts + 1);
    if (end && is(end->reason, "OOMKilled")) {
        trouble.what = chainsi_arena_printf(
            s->arena, "it was killed for using more memory than it may (%s)", starts);
        trouble.hint = "say more in .memory";
    } else if (end && end->signal) {
        trouble.what = chainsi_arena_printf(s->arena, "it was ended by signal %lld (%s)",
                                            (long long)end->signal, starts);
    } else {
        trouble.what =
            chainsi_arena_printf(s->arena, "it ends with exit status %lld once it is started (%s)",
                                 (long long)(end ? end->exit_code : 0), starts);
    }
    add(s, trouble);
}

static void look_at_container(search *s, const chainsi_view_object *pod,
                              const chainsi_view_container *container)
{
    const chainsi_view_waiting *waiting = container->state ? container->state->waiting : NULL;
    if (!waiting || container->ready)
        return;
    const char *reason = or_empty(waiting->reason), *message = or_empty(waiting->message);
    const bool new = !find_before(s, pod);
    chainsi_trouble trouble = {
        .chainlet = chainlet_of(pod),
        .object = chainsi_arena_printf(s->arena, "pod %s", or_empty(pod->metadata.name)),
    };
    if (is_pulling(reason)) {
        look_at_image(s, pod, trouble, container, waiting);
    } else if (is(reason, "CrashLoopBackOff")) {
        trouble.pod = container->name ? pod->metadata.name : NULL;
        trouble.container = container->name;
        look_at_end(s, pod, trouble, container);
    } else if (is(reason, "ErrImageNeverPull")) {
        trouble.certain = new;
        trouble.what =
            chainsi_arena_printf(s->arena, "the image %s isn't on its node, and may not be pulled",
                                 or_empty(container->image));
        trouble.hint = "bring it onto the nodes, or deploy with --registry";
        add(s, trouble);
    } else if (is(reason, "InvalidImageName")) {
        trouble.certain = new;
        trouble.what = chainsi_arena_printf(s->arena, "%s can't be the name of an image: %s",
                                            or_empty(container->image), message);
        trouble.hint = "say --registry HOST[:PORT][/PATH]";
        add(s, trouble);
    } else if (is(reason, "CreateContainerConfigError")) {
        trouble.certain = new;
        trouble.what =
            chainsi_arena_printf(s->arena, "what it needs to be started isn't there: %s", message);
        trouble.hint = secret_hint(s, message);
        add(s, trouble);
    } else if (is(reason, "CreateContainerError") || is(reason, "RunContainerError")) {
        trouble.what = chainsi_arena_printf(s->arena, "it can't be started: %s", message);
        trouble.hint = "`kubectl describe pod` tells more; the image may be made for another kind "
                       "of processor";
        add(s, trouble);
    }
}

/* Nodes */

static const char *node_hint(const char *why)
{
    if (has(why, "nvidia.com/gpu"))
        return "no node has a GPU free: add one, or see that NVIDIA's device plugin runs on those "
               "that are there";
    if (has(why, "node affinity") || has(why, "node selector"))
        return "no node is said to have the kind of GPU that .gpu names: `kubectl label node NODE "
               "chains.dev/gpu=KIND`";
    if (has(why, "Insufficient cpu") || has(why, "Insufficient memory"))
        return "no node has that much free: add one, or ask for less in .cpu and .memory";
    if (has(why, "taint"))
        return "all nodes refuse it by their taints: `kubectl describe nodes`";
    if (has(why, "persistentvolumeclaim"))
        return "the PersistentVolumeClaim that it wants isn't there, or has no volume: `kubectl "
               "get pvc`";
    return "`kubectl describe nodes` shows what they have";
}

static bool look_at_place(search *s, const chainsi_view_object *pod)
{
    const chainsi_view_condition *placed = chainsi_view_condition_of(pod, "PodScheduled");
    if (!placed || !is(placed->status, "False"))
        return false;
    const char *why = or_empty(placed->message);
    add(s, (chainsi_trouble){
               .chainlet = chainlet_of(pod),
               .object = chainsi_arena_printf(s->arena, "pod %s", or_empty(pod->metadata.name)),
               .what = chainsi_arena_printf(s->arena, "no node takes it: %s", why),
               .hint = node_hint(why),
           });
    return true;
}

/* Whether its containers have been begun with: what was told of its volumes and network before is over. */
static bool has_begun(const search *s, const char *pod)
{
    static const char *const begun[] = { "Pulling", "Pulled", "Created", "Started" };
    for (size_t i = 0; i < sizeof begun / sizeof *begun; i++)
        if (find_event(s, pod, begun[i], ""))
            return true;
    return false;
}

/* What a pod's own words don't tell. */
static void look_at_events(search *s, const chainsi_view_object *pod)
{
    const char *name = or_empty(pod->metadata.name);
    if (has_begun(s, name))
        return;
    const char *mount = find_event(s, name, "FailedMount", "MountVolume");
    const char *box = find_event(s, name, "FailedCreatePodSandBox", "");
    chainsi_trouble trouble = {
        .chainlet = chainlet_of(pod),
        .object = chainsi_arena_printf(s->arena, "pod %s", name),
    };
    if (mount) {
        trouble.what =
            chainsi_arena_printf(s->arena, "what it needs to be started isn't there: %s", mount);
        trouble.hint = secret_hint(s, mount);
    } else if (box) {
        trouble.what = chainsi_arena_printf(s->arena, "its node can't make room for it: %s", box);
        trouble.hint = "see to the node's network and container engine";
    }
    if (trouble.what)
        add(s, trouble);
}

static void look_at_pod(search *s, const chainsi_view_object *pod)
{
    const chainsi_view_status *status = pod->status;
    if (!status || pod->metadata.deleted || chainsi_view_is_ready(pod) || look_at_place(s, pod))
        return;
    const chainsi_view_containers *all[] = { status->steps, status->containers };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (size_t i = 0; all[k] && i < all[k]->count; i++)
            look_at_container(s, pod, &all[k]->items[i]);
    if (is(status->phase, "Pending"))
        look_at_events(s, pod);
}

/* Deployments */

static const char *refusal_hint(search *s, const char *why)
{
    if (has(why, "exceeded quota") || has(why, "must specify"))
        return chainsi_arena_printf(s->arena,
                                    "`kubectl describe quota -n %s` shows what there may be: ask "
                                    "for less, delete what isn't needed, or have it raised",
                                    s->scene->name_space);
    if (has(why, "PodSecurity") || has(why, "admission webhook"))
        return "the cluster's rules for pods forbid it: ask who runs the cluster";
    return "`kubectl describe replicaset` tells more";
}

static void look_at_deployment(search *s, const chainsi_view_object *deployment)
{
    const char *name = or_empty(deployment->metadata.name);
    const chainsi_view_condition *refused = chainsi_view_condition_of(deployment, "ReplicaFailure");
    const chainsi_view_condition *going = chainsi_view_condition_of(deployment, "Progressing");
    const chainsi_view_condition *ready = chainsi_view_condition_of(deployment, "Ready");
    chainsi_trouble trouble = {
        .chainlet = chainlet_of(deployment),
        .object = chainsi_arena_printf(s->arena, "deployment %s", name),
    };
    if (deployment->status && /* what that says is of before */
        deployment->status->observed_generation < deployment->metadata.generation)
        return;
    if (refused && is(refused->status, "True")) {
        trouble.what = chainsi_arena_printf(s->arena, "its pods aren't allowed: %s",
                                            or_empty(refused->message));
        trouble.hint = refusal_hint(s, or_empty(refused->message));
    } else if (going && is(going->reason, "ProgressDeadlineExceeded")) {
        trouble.certain = true;
        trouble.what = "it wasn't ready in time (.start_timeout_s)";
        trouble.hint = "see the log of its pod: `kubectl logs`";
    } else if (ready && is(ready->status, "False")) { /* Knative's */
        trouble.object = chainsi_arena_printf(s->arena, "service %s", name);
        trouble.what = chainsi_arena_printf(s->arena, "Knative says: %s", or_empty(ready->message));
        trouble.hint = "`kubectl describe ksvc` tells more";
    }
    if (trouble.what)
        add(s, trouble);
}

chainsi_troubles chainsi_troubles_find(const chainsi_cluster_scene *scene, chainsi_arena *arena)
{
    search s = { .scene = scene, .arena = arena };
    const size_t most = scene->pods->count + scene->deployments->count;
    s.found.items = chainsi_arena_array(arena, most, sizeof *s.found.items);
    /* What pods say is nearer to the cause than what is said of all of them. */
    for (size_t i = 0; i < scene->pods->count; i++)
        look_at_pod(&s, &scene->pods->items[i]);
    for (size_t i = 0; i < scene->deployments->count; i++)
        look_at_deployment(&s, &scene->deployments->items[i]);
    size_t certain = 0;
    for (size_t i = 0; i < s.found.count; i++)
        if (s.found.items[i].certain) {
            const chainsi_trouble first = s.found.items[i];
            memmove(&s.found.items[certain + 1], &s.found.items[certain],
                    (i - certain) * sizeof first);
            s.found.items[certain++] = first;
        }
    return s.found;
}

bool chainsi_troubles_want_events(const chainsi_view_object *pod)
{
    return pod->status && is(pod->status->phase, "Pending") && !pod->metadata.deleted;
}
