/* `chains controller`: chainsd in a cluster: printed, installed, and removed. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "cli/cluster_objects.h"
#include "cli/cluster_trouble.h"
#include "cli/make_images.h"
#include "kubernetes/controller_manifests.h"
#include "kubernetes/image_reference.h"

extern const chainsi_verb chainsi_verb_controller;

enum {
    LOOK_EVERY_MS = 500,
    WAIT_S = 180, /* for an image to come, and for the Lease of one before */
    AWAY_S = 60,  /* that the API server may be away meanwhile */
    MOST_KEY_BYTES = 32,
    MOST_REPLICAS = 5,
};

typedef struct request {
    chainsi_cluster_words where;
    chainsi_controller_options controller;
    chainsi_words allowed_hosts;
    const char *registry, *tag, *compression_word;
    chainsi_compression compression;
    int64_t replicas, timeout_s;
    bool print, delete, with_state;
} request;

/* Words */

static bool is_object_name(const char *text)
{
    enum { MOST = 253 };
    const size_t size = strlen(text);
    return size && size <= MOST && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == size &&
           !strchr("-.", *text) && !strchr("-.", text[size - 1]) && !strstr(text, "..");
}

/* What of the options can't be meant; NULL: nothing. */
static const char *find_mistake(const request *r)
{
    const chainsi_controller_options *c = &r->controller;
    if (r->delete)
        return r->print || c->image || r->registry ? "--delete goes with --with-state and the "
                                                     "cluster's options alone"
                                                   : NULL;
    if (r->with_state)
        return "--with-state is for --delete";
    if (!c->image == !r->registry)
        return "it takes --registry HOST/PATH, where chainsd's image is pushed to, or --image "
               "REFERENCE of one that is there";
    if (r->tag && !r->registry)
        return "--tag is for --registry";
    if (r->compression_word && !r->registry)
        return "--compression is for --registry";
    if (r->tag && !chainsi_is_image_tag(r->tag))
        return "--tag has letters, digits, '.', '_' and '-'";
    if (!!c->state + c->ephemeral + !!c->storage > 1)
        return "--state, --ephemeral and --storage are three places for the state: say one";
    if (c->storage_class && (c->state || c->ephemeral))
        return "--storage-class is for a volume";
    if (c->storage && !chainsi_is_quantity(c->storage))
        return "--storage takes a size, such as 1Gi";
    if (r->replicas < 1 || r->replicas > MOST_REPLICAS)
        return "--replicas takes 1 to 5";
    if (r->replicas > 1 && !c->state)
        return "--replicas above 1 need --state, as a volume is one pod's";
    if (c->tls_secret && c->allow_insecure_network)
        return "--tls-secret and --allow-insecure-network are two ways to be reached: say one";
    if (c->tls_secret && c->ephemeral)
        return "--tls-secret takes API keys, which --ephemeral forgets with each pod";
    if (r->timeout_s < 0)
        return "--timeout takes seconds";
    if (c->json && !r->print)
        return "--json is for --print";
    return NULL;
}

static bool check_names(const request *r)
{
    const chainsi_controller_options *c = &r->controller;
    const struct {
        const char *option, *text;
    } names[] = {
        { "namespace", r->where.name_space },  { "state", c->state },
        { "tls-secret", c->tls_secret },       { "pull-secret", c->pull_secret },
        { "storage-class", c->storage_class },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!names[i].text || is_object_name(names[i].text))
            continue;
        chainsi_usage_error(&chainsi_verb_controller,
                            "--%s is '%s': it has lower-case letters, digits and '-'",
                            names[i].option, names[i].text);
        return false;
    }
    for (size_t i = 0; i < r->allowed_hosts.count; i++) {
        if (is_object_name(r->allowed_hosts.items[i]))
            continue;
        chainsi_usage_error(&chainsi_verb_controller, "--allow-host is '%s': it is a host's name",
                            r->allowed_hosts.items[i]);
        return false;
    }
    const char *image = c->image;
    if (!image || (*image && strlen(image) < 512 &&
                   image[strspn(image, "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789./:_@-")] == 0))
        return true;
    chainsi_usage_error(&chainsi_verb_controller,
                        "--image is '%s': it is a reference, such as "
                        "registry.example.com/chains/chainsd:v1",
                        image);
    return false;
}

/* Printing */

static int print(request *r)
{
    chainsi_buffer out = { 0 };
    chainsi_arena arena = { 0 };
    chainsi_controller_options *c = &r->controller;
    c->name_space = r->where.name_space ? r->where.name_space : "default";
    if (r->registry)
        c->image = chainsi_image_reference(&arena, r->registry, CHAINSI_CONTROLLER_IMAGE_CHAIN,
                                           CHAINSI_CONTROLLER_IMAGE,
                                           r->tag ? r->tag : CHAINSI_VERSION, NULL);
    if (!c->json)
        chainsi_buffer_printf(&out,
                              "# Its pods wait for their keys, which no manifest holds:\n"
                              "#   kubectl -n %s create secret generic " CHAINSI_CONTROLLER_TOKEN
                              " --from-literal=token=\"$(openssl rand -hex 16)\""
                              " --from-literal=webhook.key=\"$(openssl rand -hex 16)\""
                              " --from-file=secret.key=<(openssl rand 32)\n",
                              c->name_space);
    chainsi_controller_write(c, &out);
    fwrite(out.data, 1, out.size, stdout);
    chainsi_buffer_done(&out);
    chainsi_arena_done(&arena);
    return CHAINSI_EXIT_OK;
}

/* Installing */

static bool push_image(request *r, chainsi_cluster_session *session)
{
    chainsi_problem problem = { 0 };
    const chainsi_images_request images = { .registry = r->registry,
                                            .tag = r->tag ? r->tag : CHAINSI_VERSION,
                                            .compression = r->compression };
    if (!r->registry)
        return true;
    chainsi_image_work *work = chainsi_images_make_controller(&images, &problem);
    if (work) {
        const chainsi_made_image *made = &chainsi_images_made(work)->items[0];
        r->controller.image =
            chainsi_image_reference(&session->arena, r->registry, CHAINSI_CONTROLLER_IMAGE_CHAIN,
                                    CHAINSI_CONTROLLER_IMAGE, NULL, made->digest);
        printf("pushed %s\n", made->reference);
        fflush(stdout);
    } else {
        chainsi_cluster_session_say(session, "error: %s%s%s", problem.message,
                                    *problem.hint ? "\n  hint: " : "", problem.hint);
    }
    chainsi_images_done(work);
    return work != NULL;
}

/* Adds a key of random bytes, as hexadecimal digits or as it is, to JSON data of a Secret. */
static void add_key(chainsi_buffer *data, const char *name, size_t size, bool digits)
{
    unsigned char bytes[MOST_KEY_BYTES], text[2 * MOST_KEY_BYTES + 1],
        encoded[4 * (2 * MOST_KEY_BYTES + 2) / 3 + 1];
    if (RAND_bytes(bytes, (int)size) != 1)
        abort();
    for (size_t i = 0; i < size; i++)
        snprintf((char *)text + 2 * i, 3, "%02x", bytes[i]);
    if (digits)
        EVP_EncodeBlock(encoded, text, (int)(2 * size));
    else
        EVP_EncodeBlock(encoded, bytes, (int)size);
    chainsi_buffer_printf(data, "%s\"%s\":\"%s\"", data->size ? "," : "", name, encoded);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(text, sizeof text);
    explicit_bzero(encoded, sizeof encoded);
}

/* The keys that a Secret doesn't have (NULL: there is none), as members of its data. */
static void add_missing_keys(const chainsi_view_object *known, chainsi_buffer *data)
{
    static const struct {
        const char *name;
        size_t size;
        bool digits;
    } keys[] = { { "token", 16, true }, { "webhook.key", 16, true }, { "secret.key", 32, false } };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!known || !chainsi_view_find(known->data, keys[i].name))
            add_key(data, keys[i].name, keys[i].size, keys[i].digits);
}

/* Keys that are there stay: pods and people know them. */
static bool make_keys(chainsi_cluster_session *session)
{
    chainsi_view_object secret = { 0 };
    chains_status status = chainsi_cluster_session_get(
        session, chainsi_cluster_session_path(session, "v1", "secrets", CHAINSI_CONTROLLER_TOKEN),
        &session->arena, &secret);
    if (status != CHAINS_OK && status != CHAINS_NOT_FOUND) {
        chainsi_cluster_session_complain(session);
        return false;
    }
    const chainsi_view_object *known = status == CHAINS_OK ? &secret : NULL;
    chainsi_buffer data = { 0 }, body = { 0 };
    add_missing_keys(known, &data);
    if (!data.size)
        return true;
    chainsi_buffer_add_byte(&data, 0);
    if (known)
        chainsi_buffer_printf(&body, "{\"data\":{%s}}", (const char *)data.data);
    else
        chainsi_buffer_printf(&body,
                              "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"Opaque\","
                              "\"metadata\":{\"name\":\"%s\",\"labels\":{\"app.kubernetes.io/"
                              "name\":\"chainsd\",\"app.kubernetes.io/managed-by\":\"chains\"}},"
                              "\"data\":{%s}}",
                              CHAINSI_CONTROLLER_TOKEN, (const char *)data.data);
    /* Made once: where the API server went away in mid-request, they may be there. */
    status = chainsi_cluster_session_ask(
        session, known ? "PATCH" : "POST",
        chainsi_cluster_session_path(session, "v1", "secrets",
                                     known ? CHAINSI_CONTROLLER_TOKEN : NULL),
        known ? CHAINSI_CLUSTER_MERGE : CHAINSI_CLUSTER_JSON, body.data, body.size);
    explicit_bzero(body.data, body.size);
    explicit_bzero(data.data, data.size);
    chainsi_buffer_done(&body);
    chainsi_buffer_done(&data);
    if (status == CHAINS_OK || status == CHAINS_ALREADY_EXISTS)
        return true;
    chainsi_cluster_session_complain(session);
    return false;
}

/* Whether the API server would take all, before anything is changed; then it does. */
static bool apply(request *r, chainsi_cluster_session *session)
{
    chainsi_buffer list = { 0 };
    chainsi_applied applied = { 0 };
    chainsi_controller_options options = r->controller;
    options.json = true;
    options.name_space = chainsi_cluster_name_space(session->cluster);
    chainsi_controller_write(&options, &list);
    bool good = !options.create_name_space ||
                chainsi_objects_apply(session, &list, "Namespace", NULL, false, &applied);
    good = good && chainsi_objects_apply(session, &list, NULL, "Namespace", true, &applied) &&
           make_keys(session) &&
           chainsi_objects_apply(session, &list, NULL, "Namespace", false, &applied);
    chainsi_buffer_done(&applied.notes);
    chainsi_buffer_done(&list);
    return good;
}

/* Waiting */

/* All pods are the new ones, and one of them leads. */
static bool is_up(const chainsi_view_object *deployment, int64_t replicas)
{
    const chainsi_view_status *status = deployment->status;
    return status && status->observed_generation >= deployment->metadata.generation &&
           status->updated_replicas >= replicas && status->replicas == status->updated_replicas &&
           status->ready_replicas >= 1;
}

/* Those of its objects. */
static bool list(chainsi_cluster_session *session, const char *api, const char *resource,
                 chainsi_arena *arena, chainsi_view_list *found)
{
    const char *path = chainsi_arena_printf(
        arena, "%s?labelSelector=app.kubernetes.io%%2Fname%%3D" CHAINSI_CONTROLLER_NAME,
        chainsi_cluster_session_path(session, api, resource, NULL));
    return chainsi_cluster_session_list(session, path, arena, found) == CHAINS_OK;
}

/* What keeps its pods from running; NULL: nothing that is known. */
static const chainsi_trouble *find_trouble(chainsi_cluster_session *session,
                                           const chainsi_view_list *before, chainsi_arena *arena)
{
    chainsi_view_list pods = { 0 }, deployments = { 0 };
    if (!list(session, "v1", "pods", arena, &pods) ||
        !list(session, "apps/v1", "deployments", arena, &deployments))
        return NULL;
    const chainsi_cluster_scene scene = {
        .name_space = chainsi_cluster_name_space(session->cluster),
        .secret = CHAINSI_CONTROLLER_TOKEN,
        .deployments = &deployments,
        .pods = &pods,
        .before = before,
    };
    const chainsi_troubles found = chainsi_troubles_find(&scene, arena);
    return found.count ? &found.items[0] : NULL;
}

/* The next step, where it is another one than with a chain. */
static const char *hint_of(const request *r, chainsi_cluster_session *session,
                           const chainsi_trouble *trouble)
{
    const chainsi_controller_options *c = &r->controller;
    const char *name_space = chainsi_cluster_name_space(session->cluster);
    if (strstr(trouble->what, "PersistentVolumeClaim"))
        return "--storage-class names a kind of volume that the cluster has (`kubectl get "
               "storageclass`); --state and --ephemeral need none";
    if (c->state && strstr(trouble->what, c->state))
        return chainsi_arena_printf(&session->arena,
                                    "`kubectl -n %s create secret generic %s "
                                    "--from-literal=url=postgresql://USER:PASSWORD@HOST/DATABASE`",
                                    name_space, c->state);
    if (c->tls_secret && strstr(trouble->what, c->tls_secret))
        return chainsi_arena_printf(&session->arena,
                                    "`kubectl -n %s create secret tls %s --cert=FILE --key=FILE`",
                                    name_space, c->tls_secret);
    if (trouble->hint && strstr(trouble->hint, "`chains image --registry`"))
        return "it isn't in the registry under that name: --registry instead of --image makes and "
               "pushes it";
    return trouble->hint;
}

static void say_trouble(const request *r, chainsi_cluster_session *session,
                        const chainsi_trouble *trouble)
{
    const char *hint = hint_of(r, session, trouble);
    chainsi_cluster_session_say(session, "%s: %s%s%s", trouble->object, trouble->what,
                                hint ? "\n  hint: " : "", hint ? hint : "");
}

static void show_log(chainsi_cluster_session *session, const chainsi_trouble *trouble)
{
    if (!trouble->pod || !trouble->container)
        return;
    const char *path =
        chainsi_arena_printf(&session->arena, "%s/log?tailLines=20%s",
                             chainsi_cluster_session_path(session, "v1", "pods", trouble->pod),
                             trouble->again ? "&previous=true" : "");
    if (chainsi_cluster_session_ask(session, "GET", path, NULL, NULL, 0) != CHAINS_OK ||
        !session->answer.body.size)
        return;
    fprintf(stderr, "the last lines of its log:\n");
    chainsi_text_write(stderr, (const char *)session->answer.body.data, session->answer.body.size,
                       CHAINSI_TEXT_LINES);
}

static void say_late(const request *r, chainsi_cluster_session *session, bool explained)
{
    chainsi_cluster_session_say(
        session, "chainsd isn't ready after %lld s%s%s%s", (long long)r->timeout_s,
        explained ? "" : "\n  hint: `kubectl -n ",
        explained ? "" : chainsi_cluster_name_space(session->cluster),
        explained ? "" : " describe pod -l app.kubernetes.io/name=chainsd` and its logs say more");
}

/* True: it is up. False, said on stderr: it isn't, and why. */
static bool await(const request *r, chainsi_cluster_session *session,
                  const chainsi_view_list *before)
{
    chainsi_arena arena = { 0 };
    bool up = false;
    char told[512] = "";
    const int64_t end_ns = chainsi_now_ns() + r->timeout_s * 1000 * CHAINSI_NS_PER_MS;
    const char *path =
        chainsi_cluster_session_path(session, "apps/v1", "deployments", CHAINSI_CONTROLLER_NAME);
    for (;;) {
        chainsi_view_object deployment;
        chainsi_arena_reset(&arena);
        const bool there =
            chainsi_cluster_session_get(session, path, &arena, &deployment) == CHAINS_OK;
        up = there && is_up(&deployment, r->replicas);
        if (!there)
            chainsi_cluster_session_complain(session);
        if (up || !there)
            break;
        const chainsi_trouble *trouble = find_trouble(session, before, &arena);
        if (trouble && strncmp(told, trouble->what, sizeof told - 1) != 0) {
            snprintf(told, sizeof told, "%s", trouble->what);
            say_trouble(r, session, trouble);
        }
        const bool late = chainsi_now_ns() > end_ns;
        const bool over = late || (trouble && trouble->certain);
        if (over && trouble)
            show_log(session, trouble);
        if (late)
            say_late(r, session, trouble != NULL);
        if (over)
            break;
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    chainsi_arena_done(&arena);
    return up;
}

static void say_next(const request *r, chainsi_cluster_session *session)
{
    const char *name_space = chainsi_cluster_name_space(session->cluster);
    const chainsi_controller_options *c = &r->controller;
    const char *scheme = c->tls_secret ? "https" : "http";
    printf("chainsd %s the namespace %s\n", r->timeout_s > 0 ? "runs in" : "is applied to",
           name_space);
    if (c->ephemeral)
        printf(
            "  its state goes with its pod: versions stay, but which of them answers where, keys, "
            "secrets and requests are forgotten\n");
    if (c->tls_secret || c->allow_insecure_network)
        printf("  in the cluster it is %s://%s.%s:%d\n", scheme, CHAINSI_CONTROLLER_NAME,
               name_space, CHAINSI_CONTROLLER_PORT);
    printf("From here:\n");
    if (c->tls_secret) /* which is for a name, and leads there by itself */
        printf("  export CHAINS_URL=https://%s:%d\n",
               c->allowed_host_count ? c->allowed_hosts[0] : "NAME", CHAINSI_CONTROLLER_PORT);
    else
        printf("  kubectl -n %s port-forward svc/%s %d &\n"
               "  export CHAINS_URL=http://127.0.0.1:%d\n",
               name_space, CHAINSI_CONTROLLER_NAME, CHAINSI_CONTROLLER_PORT,
               CHAINSI_CONTROLLER_PORT);
    printf("  export CHAINS_TOKEN=$(kubectl -n %s get secret " CHAINSI_CONTROLLER_TOKEN
           " -o jsonpath='{.data.token}' | base64 -d)\n"
           "  chains status\n",
           name_space);
}

static int install(request *r, chainsi_cluster_session *session)
{
    chainsi_view_list before = { 0 }; /* who may not list pods learns less of what is wrong */
    if (!push_image(r, session))
        return CHAINSI_EXIT_FAILED;
    list(session, "v1", "pods", &session->arena, &before);
    if (!apply(r, session) || (r->timeout_s > 0 && !await(r, session, &before)))
        return CHAINSI_EXIT_FAILED;
    say_next(r, session);
    return CHAINSI_EXIT_OK;
}

/* Removing */

/* What its state is in, and its token, stay unless that is asked for. */
static bool is_kept(const request *r, const chainsi_controller_object *object)
{
    return !r->with_state && (!strcmp(object->resource, "persistentvolumeclaims") ||
                              !strcmp(object->resource, "secrets"));
}

static int delete (const request *r, chainsi_cluster_session *session)
{
    const char *name_space = chainsi_cluster_name_space(session->cluster);
    for (const chainsi_controller_object *at = chainsi_controller_objects; at->api; at++)
        if (!is_kept(r, at) &&
            !chainsi_object_delete(
                session, chainsi_cluster_session_path(session, at->api, at->resource, at->name)))
            return CHAINSI_EXIT_FAILED;
    printf(
        "chainsd is removed from the namespace %s; chains that are deployed there go on running, "
        "and nobody scales them or renews their certificates\n",
        name_space);
    if (!r->with_state)
        printf("  its volume, if it had one, and its token are still there: `chains controller "
               "--delete --with-state` removes them, too\n");
    return CHAINSI_EXIT_OK;
}

static int run(int argc, char **argv)
{
    request r = { .where.target = "kubernetes", .replicas = 1, .timeout_s = WAIT_S };
    chainsi_controller_options *c = &r.controller;
    const chainsi_option options[] = {
        { "kubeconfig", CHAINSI_OPTION_TEXT, &r.where.kubeconfig },
        { "context", CHAINSI_OPTION_TEXT, &r.where.context },
        { "namespace", CHAINSI_OPTION_TEXT, &r.where.name_space },
        { "create-namespace", CHAINSI_OPTION_FLAG, &c->create_name_space },
        { "registry", CHAINSI_OPTION_TEXT, &r.registry },
        { "tag", CHAINSI_OPTION_TEXT, &r.tag },
        { "compression", CHAINSI_OPTION_TEXT, &r.compression_word },
        { "image", CHAINSI_OPTION_TEXT, &c->image },
        { "pull-secret", CHAINSI_OPTION_TEXT, &c->pull_secret },
        { "replicas", CHAINSI_OPTION_INTEGER, &r.replicas },
        { "state", CHAINSI_OPTION_TEXT, &c->state },
        { "storage", CHAINSI_OPTION_TEXT, &c->storage },
        { "storage-class", CHAINSI_OPTION_TEXT, &c->storage_class },
        { "ephemeral", CHAINSI_OPTION_FLAG, &c->ephemeral },
        { "tls-secret", CHAINSI_OPTION_TEXT, &c->tls_secret },
        { "allow-insecure-network", CHAINSI_OPTION_FLAG, &c->allow_insecure_network },
        { "allow-host", CHAINSI_OPTION_WORDS, &r.allowed_hosts },
        { "timeout", CHAINSI_OPTION_INTEGER, &r.timeout_s },
        { "print", CHAINSI_OPTION_FLAG, &r.print },
        { "json", CHAINSI_OPTION_FLAG, &c->json },
        { "delete", CHAINSI_OPTION_FLAG, &r.delete },
        { "with-state", CHAINSI_OPTION_FLAG, &r.with_state },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (!chainsi_options_read(&chainsi_verb_controller, options, argc, argv, 0, NULL, &status)) {
        chainsi_words_done(&r.allowed_hosts);
        return status;
    }
    const char *mistake = find_mistake(&r);
    status = CHAINSI_EXIT_USAGE;
    if (mistake) {
        chainsi_usage_error(&chainsi_verb_controller, "%s", mistake);
    } else if (check_names(&r) && chainsi_images_compression(&chainsi_verb_controller,
                                                             r.compression_word, &r.compression)) {
        chainsi_cluster_session session = { .makes_name_space = !r.delete };
        c->replicas = (int)r.replicas;
        c->allowed_hosts = r.allowed_hosts.items;
        c->allowed_host_count = r.allowed_hosts.count;
        if (!c->storage)
            c->storage = "1Gi";
        status = CHAINSI_EXIT_FAILED;
        if (r.print)
            status = print(&r);
        else if (chainsi_cluster_session_open(&session, &chainsi_verb_controller, &r.where)) {
            session.deadline_ns = chainsi_now_ns() + AWAY_S * 1000 * CHAINSI_NS_PER_MS;
            status = r.delete ? delete (&r, &session) : install(&r, &session);
        }
        if (!r.print)
            chainsi_cluster_session_close(&session);
    }
    chainsi_words_done(&r.allowed_hosts);
    return status;
}

const chainsi_verb chainsi_verb_controller = {
    .name = "controller",
    .usage = "--registry HOST[:PORT][/PATH] | --image REFERENCE [--namespace NAME] ...\n"
             "       chains controller --print ... | --delete [--with-state] [--namespace NAME]",
    .summary = "Install chainsd in a Kubernetes cluster.",
    .help =
        "chainsd in a cluster looks after the chains of one namespace: `chains deploy --target\n"
        "kubernetes` hands them to it. Installs it, or a newer one in its place, and waits until\n"
        "it is ready. Nothing outside of the namespace is changed.\n"
        "\n"
        "  --namespace NAME          else that of the kubeconfig's context\n"
        "  --create-namespace        make it where it isn't there\n"
        "  --registry HOST/PATH      push its image there (`chains image --controller`)\n"
        "  --tag TAG                 of that image; else the version of Chains\n"
        "  --compression gzip        of its layers, for nodes that can't read zstd (`chains image "
        "--help`)\n"
        "  --image REFERENCE         one that is there already\n"
        "  --pull-secret NAME        what the registry wants of the cluster\n"
        "\n"
        "Its state:\n"
        "  --storage SIZE            on a volume of that size (1Gi)\n"
        "  --storage-class NAME      of which kind; else the cluster's default\n"
        "  --state SECRET            in PostgreSQL, whose URL is the key `url` of that Secret\n"
        "  --replicas N              pods of which one leads and the others stand by; above 1 "
        "with\n"
        "                            --state\n"
        "  --ephemeral               nowhere: it goes with its pod\n"
        "\n"
        "How its front door is reached. Without these only through `kubectl port-forward`:\n"
        "  --tls-secret NAME         by TLS, with tls.crt and tls.key of that Secret; it takes "
        "API\n"
        "                            keys, so make one first\n"
        "  --allow-insecure-network  without TLS and keys, by all that reach it: behind an "
        "Ingress\n"
        "                            that asks for both, or in a cluster that is yours alone\n"
        "  --allow-host NAME         a name under which it is reached; may be repeated\n"
        "\n"
        "  --timeout S               wait so long until it is ready (180); 0: don't\n"
        "  --print                   print the objects instead; no cluster is asked. --json as "
        "JSON\n"
        "  --delete                  remove it; chains go on running. Its volume and token stay,\n"
        "                            unless --with-state is said\n"
        "  --kubeconfig FILE, --context NAME\n"
        "                            which cluster; else the one that kubectl would take\n"
        "\n"
        "Examples:\n"
        "  chains controller --namespace chains --create-namespace --registry "
        "registry.example.com/me\n"
        "  chains controller --print --image registry.example.com/me/chains/chainsd:1 "
        "--ephemeral\n",
    .run = run,
};
