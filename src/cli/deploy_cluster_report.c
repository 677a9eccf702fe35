/* What is said of a version that is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cluster_hpa.h"
#include "cli/deploy_cluster_work.h"
#include "compiler/sample.h"
#include "kubernetes/object_names.h"
#include "schema/fields.h"
#include "schema/json.h"

typedef chainsi_cluster_work work;

/* Other versions of the chain, or only the one that answers calls where it is deployed. */
const char *chainsi_cluster_deploy_others(work *w, bool answering)
{
    chainsi_view_list all = { 0 };
    chainsi_buffer names = { 0 };
    const char *path =
        chainsi_cluster_session_select(&w->session, "v1", "configmaps", w->name, NULL);
    if (chainsi_cluster_session_list(&w->session, path, &w->arena, &all) != CHAINS_OK)
        return "";
    for (size_t i = 0; i < all.count; i++) {
        const chainsi_view_object *each = &all.items[i];
        const char *version = chainsi_view_find(each->data, "version");
        const char *environment = chainsi_view_find(each->data, "environment");
        const char *state = chainsi_view_find(each->metadata.annotations, "chains.dev/state");
        if (!version || !environment || !strcmp(version, w->identity.version) ||
            strcmp(environment, w->deploy->words.manifest.environment) != 0)
            continue;
        if (!answering || (state && !strcmp(state, "running")))
            chainsi_buffer_printf(&names, "%s%s", names.size ? ", " : "", version);
    }
    const char *copied = chainsi_arena_copy(&w->arena, names.data, names.size);
    chainsi_buffer_done(&names);
    return copied;
}

typedef struct shown_version {
    const char *chain, *version, *environment, *name_space, *state, *message, *url;
    bool controller, there;
} shown_version;
static const chainsi_field shown_fields[] = {
    CHAINSI_FIELD_TEXT(shown_version, chain),
    CHAINSI_FIELD_TEXT(shown_version, version),
    CHAINSI_FIELD_TEXT(shown_version, environment),
    CHAINSI_FIELD_NAMED(shown_version, name_space, "namespace"),
    CHAINSI_FIELD_TEXT(shown_version, state),
    CHAINSI_FIELD_NULLABLE(shown_version, message),
    CHAINSI_FIELD_NULLABLE(shown_version, url),
    CHAINSI_FIELD_OF(shown_version, controller, &chainsi_type_bool),
    { .name = "unchanged",
      .name_size = sizeof "unchanged" - 1,
      .offset = offsetof(shown_version, there),
      .type = &chainsi_type_bool },
};
static const chainsi_type shown_type = CHAINSI_STRUCT_OF(shown_version, shown_fields);

/* The entrypoint, where pods may call it. */
static const char *find_url(work *w)
{
    const chainsi_manifest_options *m = &w->deploy->words.manifest;
    if (w->wait.controller)
        return NULL; /* the front door's, wherever that is */
    const char *object = chainsi_object_name(&w->arena, w->name, w->identity.version,
                                             w->chain.model->entrypoint->wire_name);
    if (m->autoscaler == CHAINSI_AUTOSCALER_KNATIVE)
        return chainsi_arena_printf(&w->arena, "http://%s.%s.svc.cluster.local/run_remote", object,
                                    m->name_space);
    return chainsi_arena_printf(&w->arena, "%s://%s.%s:%d/run_remote", m->tls ? "https" : "http",
                                object, m->name_space, CHAINSI_KUBERNETES_PORT);
}

static void print_json(work *w, const char *url)
{
    chainsi_buffer out = { 0 };
    const shown_version shown = {
        .chain = w->name,
        .version = w->identity.version,
        .environment = w->deploy->words.manifest.environment,
        .name_space = w->deploy->words.manifest.name_space,
        .state = w->wait.state ? w->wait.state : "ready",
        .message = w->wait.message,
        .url = url,
        .controller = w->wait.controller,
        .there = w->there && !w->change,
    };
    if (chainsi_json_encode(&shown_type, &shown, &out, NULL) != CHAINS_OK)
        abort();
    printf("%.*s\n", (int)out.size, (const char *)out.data);
    chainsi_buffer_done(&out);
}

/* How it is called from here: the front door is the cluster's own, and wants to know who asks. */
static void print_ways(work *w)
{
    const char *name_space = w->deploy->words.manifest.name_space;
    const char *environment = w->deploy->words.manifest.environment;
    const bool elsewhere = strcmp(environment, CHAINSI_PRODUCTION) != 0;
    chainsi_buffer sample = { 0 };
    chainsi_sample_arguments(w->chain.model->entrypoint, &sample);
    printf("From here:\n"
           "  kubectl -n %s port-forward svc/chainsd 8600 &\n"
           "  export CHAINS_URL=http://127.0.0.1:8600\n"
           "  export CHAINS_TOKEN=$(kubectl -n %s get secret chainsd-token "
           "-o jsonpath='{.data.token}' | base64 -d)\n"
           "  chains call %s%s%s --input '%.*s'\n",
           name_space, name_space, w->name, elsewhere ? " --environment " : "",
           elsewhere ? environment : "", (int)sample.size, (const char *)sample.data);
    chainsi_buffer_done(&sample);
}

static void print_text(work *w, const char *url)
{
    const chainsi_manifest_options *m = &w->deploy->words.manifest;
    const char *state = w->wait.state ? w->wait.state : "ready";
    if (w->there && !w->change && !w->wait.requested)
        printf("%s version %s is there already%s:\n", w->name, w->identity.version,
               w->deploy->request->canary.percent > 0 ? ", and isn't tried again (--canary)" : "");
    else if (!strcmp(state, "trying"))
        printf("%s version %s gets %g %% of the calls in %s:\n", w->name, w->identity.version,
               w->deploy->request->canary.percent, m->environment);
    else
        printf("%s version %s is deployed to %s:\n", w->name, w->identity.version, m->environment);
    if (w->wait.controller) {
        print_ways(w);
        return;
    }
    const bool knative = m->autoscaler == CHAINSI_AUTOSCALER_KNATIVE; /* whose proxies let in all */
    printf("  %s    # from pods in the cluster%s\n", url,
           knative ? "" : " with the label chains.dev/front-door=true");
    if (!knative)
        printf(
            "There is no controller in namespace '%s': no front door, %snothing that takes an old "
            "version away.\n  chains controller --namespace %s --registry %s    # installs one\n",
            m->name_space,
            m->autoscaler == CHAINSI_AUTOSCALER_CHAINS ? "one pod of each Chainlet, " : "",
            m->name_space, m->registry ? m->registry : "HOST/PATH");
    if (w->wait.idle)
        printf("Nothing runs of some of it, whose Deployments are to have no pod:\n"
               "  kubectl -n %s scale deployment/%s --replicas=1\n",
               m->name_space, w->wait.idle);
    const char *others = chainsi_cluster_deploy_others(w, false);
    if (*others)
        printf("Also there: %s\n  chains delete %s --version VERSION --target kubernetes\n", others,
               w->name);
}

/* Whether some of it is scaled by what the cluster's metrics API says. */
static bool is_scaled_by_metrics(const work *w)
{
    for (size_t i = 0; i < w->service_count; i++)
        if (chainsi_autoscaler_is_hpa(w->deploy->words.manifest.autoscaler, &w->services[i]))
            return true;
    return false;
}

void chainsi_cluster_deploy_report(work *w)
{
    const char *url = find_url(w);
    if (w->deploy->request->json)
        print_json(w, url);
    else
        print_text(w, url);
    fflush(stdout); /* what is said of it comes after it, also where both are one file */
    if (is_scaled_by_metrics(w))
        chainsi_hpa_check_metrics(&w->session);
}
