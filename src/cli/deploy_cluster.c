/* `chains deploy --target kubernetes`: images, then the version's ConfigMap, then all that it owns, then the wait until all of
 * it is ready. The version before isn't touched: what was applied of one that fails goes again.
 *
 * What makes a version is all that is written of it, digests of images included; so the same input is a version that is there
 * already. */
#include "cli/deploy_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cluster_objects.h"
#include "cli/deploy_cluster_work.h"
#include "cli/describe.h"
#include "cli/failure.h"
#include "cli/make_images.h"
#include "compiler/service.h"
#include "kubernetes/image_reference.h"
#include "kubernetes/object_names.h"

enum {
    DEFAULT_START_S = 600,
    BEYOND_START_S = 120, /* for nodes to be found, and images to be fetched */
    GONE_S = 120,         /* that what is deleted may take */
    LOOK_EVERY_MS = 200,
};

typedef chainsi_cluster_work work;

static chainsi_manifest_options *options_of(work *w)
{
    return &w->deploy->words.manifest;
}

static const char *name_space_of(const work *w)
{
    return chainsi_cluster_name_space(w->session.cluster);
}

bool chainsi_cluster_deploy_unused(const chainsi_verb *verb, const chainsi_cluster_deploy *deploy)
{
    const chainsi_manifest_options *m = &deploy->words.manifest;
    const struct {
        const char *option;
        bool given;
    } all[] = {
        { "version", m->version != NULL },
        { "registry", m->registry != NULL },
        { "images", deploy->words.images != NULL },
        { "pull-secret", m->pull_secret != NULL },
        { "create-namespace", m->create_name_space },
        { "front-door-namespace", m->front_door_name_space != NULL },
        { "asset-claim", m->asset_claim != NULL },
        { "near-claim", m->near_claim != NULL },
        { "fetch-image", m->fetch_image != NULL },
        { "autoscaler", deploy->words.autoscaler != NULL },
        { "tls", deploy->words.tls != NULL },
        { "compression", deploy->compression_word != NULL },
        { "timeout", deploy->timeout_s != 0 },
        { "patience", deploy->patience_s != CHAINSI_CLUSTER_PATIENCE_S },
        { "keep", deploy->keep },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given) {
            chainsi_usage_error(verb, "--%s is for --target kubernetes", all[i].option);
            return false;
        }
    return true;
}

static bool check_usage(work *w)
{
    chainsi_cluster_deploy *d = w->deploy;
    const chainsi_deploy_request *r = d->request;
    if (r->fakes.count)
        chainsi_usage_error(w->verb, "--fake is for this machine alone");
    else if (r->port != -1)
        chainsi_usage_error(w->verb, "--port is for this machine's daemon alone");
    else if (d->timeout_s < 0 || d->patience_s < 0)
        chainsi_usage_error(w->verb, "--timeout and --patience take seconds");
    else if (d->patience_s > CHAINSI_API_MOST_PATIENCE_S)
        chainsi_usage_error(w->verb, "--patience takes at most %d seconds, a day",
                            CHAINSI_API_MOST_PATIENCE_S);
    else if (!d->words.manifest.registry && !d->words.images)
        chainsi_usage_error(w->verb,
                            "--target kubernetes needs --registry HOST[:PORT][/PATH], where images "
                            "are pushed to and nodes fetch them, or --images FILE, which says "
                            "where they are");
    else if (d->compression_word && d->words.images)
        chainsi_usage_error(w->verb, "--compression is of images that are made, not of --images");
    else
        return chainsi_images_compression(w->verb, d->compression_word, &d->compression) &&
               chainsi_manifest_words_read(w->verb, &d->words);
    return false;
}

/* What the cluster says about how it is deployed. */
static bool adapt(work *w)
{
    chainsi_manifest_options *m = options_of(w);
    const chainsi_deploy_request *r = w->deploy->request;
    if (w->session.minor < CHAINSI_KUBERNETES_OLDEST) {
        chainsi_cluster_session_fail(&w->session, CHAINS_FAILED_PRECONDITION,
                                     "%s is Kubernetes 1.%d; it takes 1.%d or later",
                                     chainsi_cluster_server(w->session.cluster), w->session.minor,
                                     CHAINSI_KUBERNETES_OLDEST);
        return false;
    }
    m->minor = w->session.minor;
    m->name_space = name_space_of(w);
    m->json = true;
    m->chain = w->name;
    m->environment = r->environment;
    w->wait.controller = m->autoscaler != CHAINSI_AUTOSCALER_KNATIVE && /* which looks after all */
                         chainsi_cluster_session_has_controller(&w->session);
    /* Without one nobody would make certificates. */
    if (!w->deploy->words.tls_said && !w->wait.controller)
        m->tls = false;
    return true;
}

/* Secrets */

/* Whether the chain's Secret has all that its Chainlets name. */
static bool check_secrets(work *w)
{
    chainsi_view_object secret = { 0 };
    chainsi_buffer missing = { 0 }, words = { 0 };
    const char *path =
        chainsi_cluster_session_path(&w->session, "v1", "secrets", w->identity.secret);
    chains_status status = CHAINS_UNKNOWN;
    size_t count = 0;
    for (size_t i = 0; i < w->service_count; i++) {
        const char **names;
        const size_t named = chainsi_service_secrets(&w->services[i], &w->arena, &names);
        if (named && status == CHAINS_UNKNOWN)
            status = chainsi_cluster_session_get(&w->session, path, &w->arena, &secret);
        if (status == CHAINS_OK || status == CHAINS_NOT_FOUND)
            for (size_t k = 0; k < named; k++) {
                const char *quoted = chainsi_arena_printf(&w->arena, "'%s'", names[k]);
                if (chainsi_view_find(secret.data, names[k]) ||
                    (missing.size && memmem(missing.data, missing.size, quoted, strlen(quoted))))
                    continue;
                chainsi_buffer_printf(&missing, "%s%s", missing.size ? ", " : "", quoted);
                chainsi_buffer_printf(
                    &words,
                    "%schains secret set %s --chain %s --target kubernetes --namespace %s < FILE",
                    words.size ? "\n        " : "\n  hint: ", names[k], w->name, name_space_of(w));
                count++;
            }
    }
    if (count)
        chainsi_cluster_session_fail(
            &w->session, CHAINS_FAILED_PRECONDITION,
            "%s '%s' in namespace '%s'%s%.*s, which Chainlets name in .secrets%.*s",
            secret.metadata.name ? "the Secret" : "there is no Secret", w->identity.secret,
            name_space_of(w), secret.metadata.name ? " lacks " : " with ", (int)missing.size,
            (const char *)missing.data, (int)words.size, (const char *)words.data);
    chainsi_buffer_done(&missing);
    chainsi_buffer_done(&words);
    return !count;
}

/* Images */

static const char *given_image(const work *w, const char *name)
{
    const chainsi_image_map *images = &w->deploy->words.manifest.images;
    for (size_t i = 0; i < images->count; i++)
        if (!strcmp(images->items[i].key, name))
            return images->items[i].value;
    return NULL;
}

/* Nothing is pushed with --images: what that doesn't name would be run from a tag that nobody has made. */
static bool check_images(work *w)
{
    const chainsi_cluster_deploy *d = w->deploy;
    chainsi_buffer missing = { 0 }, nowhere = { 0 };
    for (size_t i = 0; d->words.images && i < w->service_count; i++) {
        const char *name = w->services[i].chainlet->wire_name;
        const char *image = given_image(w, name);
        chainsi_buffer *where = !image ? &missing
                                : !d->words.manifest.registry && chainsi_is_image_digest(image)
                                    ? &nowhere
                                    : NULL;
        if (where)
            chainsi_buffer_printf(where, "%s%s", where->size ? ", " : "", name);
    }
    const bool good = !missing.size && !nowhere.size;
    if (missing.size)
        fprintf(stderr,
                "chains deploy: --images names none for %.*s, and builds none\n"
                "  hint: name all of its Chainlets, as `chains image --registry HOST/PATH --json` "
                "prints them, or say --registry alone, which builds and pushes them\n",
                (int)missing.size, (const char *)missing.data);
    else if (nowhere.size)
        fprintf(stderr,
                "chains deploy: --images says a digest alone for %.*s, and not where that is\n"
                "  hint: say --registry HOST[:PORT][/PATH], too, or a whole reference\n",
                (int)nowhere.size, (const char *)nowhere.data);
    chainsi_buffer_done(&missing);
    chainsi_buffer_done(&nowhere);
    return good;
}

static void show_image(const chainsi_made_image *image, void *user)
{
    const work *w = user;
    if (!w->deploy->request->json)
        fprintf(stderr, "pushed %s  %s\n", image->name, image->reference);
}

/* As manifests take them: what was pushed by its digest, which always is what was built. */
static void note_images(work *w, const chainsi_made_images *made)
{
    chainsi_manifest_options *m = options_of(w);
    m->images.items = chainsi_arena_array(&w->arena, made->count, sizeof *m->images.items);
    m->images.count = made->count;
    for (size_t i = 0; i < made->count; i++)
        m->images.items[i] = (chainsi_image_entry){
            chainsi_arena_strdup(&w->arena, made->items[i].name),
            chainsi_arena_strdup(&w->arena, made->items[i].digest),
        };
}

static bool build_images(work *w)
{
    chainsi_build_options building = { .quiet = w->deploy->request->json };
    chainsi_problem problem = { 0 };
    const chainsi_images_request request = {
        .chain = w->name,
        .registry = options_of(w)->registry,
        .tls = options_of(w)->tls,
        .compression = w->deploy->compression,
        .on_made = show_image,
        .user = w,
    };
    if (w->deploy->words.images)
        return true;
    chainsi_built *built = chainsi_build_services(w->chain.model, &building, &w->chain.diagnostics);
    chainsi_chain_report(&w->chain);
    chainsi_image_work *images =
        built ? chainsi_images_make(w->chain.model, built, &request, &problem) : NULL;
    const bool good = images != NULL;
    if (good)
        note_images(w, chainsi_images_made(images));
    else if (built)
        chainsi_cluster_session_fail(&w->session, CHAINS_UNAVAILABLE, "%s%s%s", problem.message,
                                     *problem.hint ? "\n  hint: " : "", problem.hint);
    chainsi_images_done(images);
    chainsi_built_free(built);
    return good;
}

/* Manifests */

/* Who owns them is known once the version's ConfigMap is there; NULL: not yet. False, with diagnostics, if the chain can't
 * run so. */
static bool write_manifests(work *w, const char *owner, chainsi_buffer *list)
{
    chainsi_manifest_options m = *options_of(w);
    m.owner_uid = owner;
    m.trial = !owner;
    list->size = 0;
    const bool good = chainsi_manifests_write(w->chain.model, &m, &w->chain.diagnostics, list);
    chainsi_chain_report(&w->chain);
    return good;
}

static bool identify(work *w)
{
    chainsi_manifest_options *m = options_of(w), unnamed = *m;
    const chainsi_api_deploy deploy = chainsi_deploy_identity(w->chain.model, m, &w->arena);
    unnamed.deploy = chainsi_deploy_text(w->verb, &deploy, &w->arena);
    if (!unnamed.deploy)
        return false;
    chainsi_manifests_identify(w->chain.model, &unnamed, &w->arena, &w->identity);
    return true;
}

/* What is told the controller: who deploys from where, and how it is tried. */
static bool describe(work *w)
{
    chainsi_manifest_options *m = options_of(w);
    chainsi_api_deploy deploy = chainsi_deploy_identity(w->chain.model, m, &w->arena);
    chainsi_describe_origin(w->chain.model, &w->deploy->request->fakes, &w->arena, &deploy);
    deploy.canary = w->deploy->request->canary;
    const double patience_s = (double)w->deploy->patience_s;
    if (w->deploy->patience_s != CHAINSI_CLUSTER_PATIENCE_S) /* the controller's own, too */
        deploy.patience_s = &patience_s;
    m->deploy = chainsi_deploy_text(w->verb, &deploy, &w->arena);
    m->version = w->identity.version;
    m->digest = w->identity.digest;
    return m->deploy != NULL;
}

/* Waits until a namespace that was just made has the account that pods have there, which Knative's pods on trial are of. */
static void await_account(work *w)
{
    enum { ACCOUNT_S = 10 };
    chainsi_view_object account;
    const char *path =
        chainsi_cluster_session_path(&w->session, "v1", "serviceaccounts", "default");
    const int64_t end_ns = chainsi_now_ns() + ACCOUNT_S * 1000 * CHAINSI_NS_PER_MS;
    while (chainsi_cluster_session_get(&w->session, path, &w->arena, &account) ==
               CHAINS_NOT_FOUND &&
           chainsi_now_ns() < end_ns)
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
}

/* Whether the cluster would take all of it, before anything is built. */
static bool try_all(work *w)
{
    chainsi_buffer list = { 0 };
    chainsi_applied applied = { 0 };
    bool good = write_manifests(w, NULL, &list);
    if (good && options_of(w)->create_name_space)
        good = chainsi_objects_apply(&w->session, &list, "Namespace", NULL, false, &applied);
    if (good && options_of(w)->create_name_space &&
        options_of(w)->autoscaler == CHAINSI_AUTOSCALER_KNATIVE)
        await_account(w);
    good = good && chainsi_objects_apply(&w->session, &list, NULL, "Namespace", true, &applied);
    chainsi_buffer_done(&applied.notes);
    chainsi_buffer_done(&list);
    return good;
}

/* What is there already */

static const char *version_path(work *w)
{
    return chainsi_cluster_session_path(&w->session, "v1", "configmaps", w->identity.config_map);
}

/* Deletes the version, with all that it owns, and waits until it is gone. */
static bool clear(work *w)
{
    chainsi_view_object version;
    const int64_t end_ns = chainsi_now_ns() + GONE_S * 1000 * CHAINSI_NS_PER_MS;
    if (!chainsi_object_delete(&w->session, version_path(w)))
        return false;
    while (chainsi_cluster_session_get(&w->session, version_path(w), &w->arena, &version) ==
           CHAINS_OK) {
        if (chainsi_now_ns() > end_ns) {
            chainsi_cluster_session_fail(&w->session, CHAINS_DEADLINE_EXCEEDED,
                                         "ConfigMap '%s' doesn't go away", w->identity.config_map);
            return false;
        }
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    return true;
}

static const char *say_now(chainsi_arena *arena)
{
    char text[CHAINSI_TIME_TEXT];
    chainsi_time_text(text);
    return chainsi_arena_strdup(arena, text);
}

/* One that failed is tried anew, one that stands by is asked to answer again; one of another kind is refused. False, said on
 * stderr. */
static bool look_at_version(work *w)
{
    chainsi_view_object version = { 0 };
    const chains_status status =
        chainsi_cluster_session_get(&w->session, version_path(w), &w->arena, &version);
    if (status == CHAINS_NOT_FOUND)
        return true;
    if (status != CHAINS_OK) {
        chainsi_cluster_session_complain(&w->session);
        return false;
    }
    const char *digest = chainsi_view_find(version.data, "digest");
    const char *state = chainsi_view_find(version.metadata.annotations, "chains.dev/state");
    if (version.metadata.deleted || (state && !strcmp(state, "failed"))) {
        if (!version.metadata.deleted)
            chainsi_cluster_session_say(&w->session, "version %s failed before; it is tried again",
                                        w->identity.version);
        return clear(w);
    }
    if (!digest || strcmp(digest, w->identity.digest) != 0) {
        chainsi_cluster_session_fail(
            &w->session, CHAINS_ALREADY_EXISTS,
            "version %s of %s is there already, and is another one\n"
            "  hint: say another --version, or `chains delete %s --version %s --target kubernetes`",
            w->identity.version, w->name, w->name, w->identity.version);
        return false;
    }
    w->there = true;
    if (state && !strcmp(state, "standing-by"))
        w->wait.requested = say_now(&w->arena);
    else if (chainsi_view_find(version.data, "deploy.json")) /* as it was deployed */
        options_of(w)->deploy = chainsi_view_find(version.data, "deploy.json");
    return true;
}

/* Asks the controller to have it answer again. */
static bool request_again(work *w)
{
    if (!w->wait.requested)
        return true;
    const char *body = chainsi_arena_printf(
        &w->arena, "{\"metadata\":{\"annotations\":{\"chains.dev/requested\":\"%s\"}}}",
        w->wait.requested);
    if (chainsi_cluster_session_ask(&w->session, "PATCH", version_path(w), CHAINSI_CLUSTER_MERGE,
                                    body, strlen(body)) == CHAINS_OK)
        return true;
    chainsi_cluster_session_complain(&w->session);
    return false;
}

/* Applying */

static void tell_changes(work *w, chainsi_applied *applied)
{
    if (!w->there || !(applied->made + applied->changed))
        return;
    w->change = true;
    for (char *line = strtok((char *)applied->notes.data, "\n"); line; line = strtok(NULL, "\n"))
        chainsi_cluster_session_say(&w->session, "note: %s; it is as version %s has it again", line,
                                    w->identity.version);
}

static bool apply(work *w)
{
    chainsi_buffer list = { 0 };
    chainsi_applied applied = { 0 };
    chainsi_view_object version;
    bool good = write_manifests(w, NULL, &list) &&
                chainsi_objects_apply(&w->session, &list, "ConfigMap", NULL, false, &applied);
    if (good && !chainsi_view_read(&w->session.answer.body, &w->arena, &version)) {
        chainsi_cluster_session_fail(&w->session, CHAINS_INTERNAL,
                                     "ConfigMap '%s' was answered with something else",
                                     w->identity.config_map);
        good = false;
    }
    good = good && write_manifests(w, version.metadata.uid, &list) &&
           chainsi_objects_apply(&w->session, &list, NULL, "ConfigMap", false, &applied) &&
           request_again(w);
    chainsi_buffer_add_byte(&applied.notes, 0);
    if (good)
        tell_changes(w, &applied);
    chainsi_buffer_done(&applied.notes);
    chainsi_buffer_done(&list);
    return good;
}

/* The end */

static int fail(work *w)
{
    const char *answering = chainsi_cluster_deploy_others(w, true);
    if (w->there || w->deploy->keep) {
        chainsi_cluster_session_say(
            &w->session,
            "what there is of version %s stays: `chains delete %s --version %s --target "
            "kubernetes` removes it",
            w->identity.version, w->name, w->identity.version);
    } else {
        /* What is needed for it has been there, but for a server that is still away. */
        w->session.deadline_ns = 0;
        if (chainsi_object_delete(&w->session, version_path(w)))
            chainsi_cluster_session_say(&w->session,
                                        "what was applied for version %s is removed again (--keep "
                                        "keeps it)",
                                        w->identity.version);
    }
    if (*answering)
        chainsi_cluster_session_say(&w->session, "version %s goes on answering calls", answering);
    return CHAINSI_EXIT_FAILED;
}

static double longest_start_s(const work *w)
{
    double longest_s = 0;
    for (size_t i = 0; i < w->service_count; i++) {
        const double seconds = w->services[i].chainlet->config.start_timeout_s;
        const double start_s = seconds > 0 ? seconds : DEFAULT_START_S;
        longest_s = start_s > longest_s ? start_s : longest_s;
    }
    return longest_s;
}

static void prepare_wait(work *w)
{
    const char **names = chainsi_arena_array(&w->arena, w->service_count, sizeof *names);
    for (size_t i = 0; i < w->service_count; i++)
        names[i] = w->services[i].chainlet->wire_name;
    w->wait.session = &w->session;
    w->wait.deploy = w->deploy;
    w->wait.chain = w->name;
    w->wait.version = w->identity.version;
    w->wait.config_map = w->identity.config_map;
    w->wait.secret = w->identity.secret;
    w->wait.names = names;
    w->wait.count = w->service_count;
    w->wait.timeout_s =
        w->deploy->timeout_s ? w->deploy->timeout_s : (int64_t)longest_start_s(w) + BEYOND_START_S;
    /* From here on a server that is away is waited for. */
    w->session.deadline_ns = chainsi_now_ns() + w->wait.timeout_s * 1000 * CHAINSI_NS_PER_MS;
}

static int carry_out(work *w)
{
    if (!adapt(w) || !identify(w) || !try_all(w) || !check_secrets(w) || !build_images(w) ||
        !identify(w) || !describe(w) || !look_at_version(w))
        return CHAINSI_EXIT_FAILED;
    prepare_wait(w);
    chainsi_deploy_say_at_interrupt(chainsi_arena_printf(
        &w->arena,
        "\nchains deploy: version %s of '%s' goes on becoming ready. `chains status --target "
        "kubernetes` shows it; `chains delete %s --version %s --target kubernetes` removes it.\n",
        w->identity.version, w->name, w->name, w->identity.version));
    if (!apply(w) || !chainsi_cluster_await(&w->wait))
        return fail(w);
    chainsi_cluster_deploy_report(w);
    return CHAINSI_EXIT_OK;
}

/* Why it failed; what compilers say is said by then. */
static void print_failure(const chainsi_cluster_session *session)
{
    if (session->failure)
        chainsi_failure_print(session->failed_as, session->failure);
    else
        chainsi_failure_print(CHAINS_FAILED_PRECONDITION, "the chain can't be deployed so");
}

int chainsi_deploy_to_cluster(const chainsi_verb *verb, chainsi_cluster_deploy *deploy)
{
    const chainsi_deploy_request *r = deploy->request;
    work w = { .verb = verb, .deploy = deploy };
    int status = CHAINSI_EXIT_USAGE;
    deploy->words.manifest.chain = r->name;
    deploy->words.manifest.environment = r->environment;
    deploy->words.manifest.name_space = deploy->where.name_space;
    if (!check_usage(&w) || !chainsi_manifest_words_images(verb, &deploy->words, &w.arena)) {
        chainsi_arena_done(&w.arena);
        return status;
    }
    if (chainsi_chain_open(&w.chain, r->folders.count ? r->folders.items[0] : NULL, r->entrypoint,
                           true)) {
        w.name = r->name ? r->name : w.chain.model->entrypoint->wire_name;
        w.service_count = chainsi_services_list(w.chain.model, &w.arena, &w.services);
        if (check_images(&w)) {
            w.session.keeps = r->json;
            w.session.makes_name_space = true;
            status = chainsi_cluster_session_open(&w.session, verb, &deploy->where)
                         ? carry_out(&w)
                         : CHAINSI_EXIT_FAILED;
            if (r->json && status == CHAINSI_EXIT_FAILED)
                print_failure(&w.session);
            chainsi_cluster_session_close(&w.session);
        }
    }
    chainsi_chain_close(&w.chain);
    chainsi_arena_done(&w.arena);
    return status;
}
