#include "control/pod_versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/chain.h"
#include "control/fields.h"
#include "control/handle.h"
#include "control/pod_chainlet.h"
#include "control/pod_config_map.h"
#include "control/pod_identities.h"
#include "control/pod_names.h"
#include "control/pods.h"
#include "control/store_chains.h"
#include "schema/json.h"

enum {
    REVIEW_MS = 50,
    RETRY_MS = 1000, /* what can't be asked for yet: its chain is being deleted */
};

struct chainsi_pod_versions {
    chainsi_registry *registry;
    chainsi_pods *pods;
    chainsi_certificates *certificates; /* owned */
    chainsi_pod_identities identities;  /* owned */
    uv_timer_t *review;                 /* owned */
    struct asker *forgetting;           /* versions that are being forgotten */
    bool begun;                         /* what was there at the beginning is known */
};

/* What the state knows of it. False: nothing. */
static bool find_stored(const chainsi_pod_versions *versions, const char *chain, const char *id,
                        chainsi_arena *arena, chainsi_stored_version *stored)
{
    return chainsi_stored_version_find(chainsi_store_reader(versions->registry->store), chain, id,
                                       arena, stored) == CHAINS_OK &&
           !strcmp(stored->id, id);
}

/* Whether Knative looks after it, which has Deployments of its own for it. */
static bool is_knatives(const chainsi_pod_version *said)
{
    return !strcmp(said->autoscaler, "knative");
}

/* Certificates. */

static void identify(const chainsi_deployment *deployment)
{
    for (size_t i = 0; deployment && i < deployment->options.deploy->services.count; i++)
        if (deployment->chainlets[i].pods)
            chainsi_pod_chainlet_identify(&deployment->chainlets[i]);
}

static void on_identity(void *user, const chainsi_front_identity *told)
{
    chainsi_pod_versions *versions = user;
    chainsi_pod_identities_set(&versions->identities, told);
    const chainsi_chain *chain = chainsi_registry_find(
        versions->registry, (chainsi_slice){ told->chain, strlen(told->chain) });
    for (const chainsi_environment *each = chain ? chain->environments : NULL; each;
         each = each->next) {
        identify(each->current);
        identify(each->candidate);
        for (size_t i = 0; i < each->retiring_count; i++)
            identify(each->retiring[i]);
    }
}

static void certify(const chainsi_pod_versions *versions, const chainsi_known_version *known)
{
    const chainsi_pod_version *said = &known->version;
    if (!said->tls)
        return;
    if (!chainsi_certificates_add(versions->certificates, &(chainsi_certificates_version){
                                                              .chain = said->chain,
                                                              .config_map = said->name,
                                                              .uid = said->uid,
                                                              .chain_label = said->chain_label,
                                                              .version_label = said->version_label,
                                                              .services = said->services,
                                                          }))
        chainsi_say("ConfigMap %s: its services can't be read, and get no certificates",
                    said->name);
}

/* Asking for it. */

/* Who waits for a step; the ConfigMap may be gone meanwhile, and so may all of this, as the registry isn't. */
typedef struct asker {
    const chainsi_registry *registry;
    char *chain, *version; /* owned */
    bool waits;            /* its deployment hasn't ended yet */
    struct asker *next;
} asker;

static asker *make_asker(const chainsi_pod_versions *versions, const char *chain,
                         const char *version)
{
    asker *it = chainsi_make(sizeof *it);
    it->registry = versions->registry;
    it->chain = chainsi_copy_text(chain);
    it->version = chainsi_copy_text(version);
    return it;
}

static void free_asker(asker *it)
{
    free(it->chain);
    free(it->version);
    free(it);
}

static void on_asked(void *user, chains_status status, const char *why, const chainsi_step *step)
{
    (void)step;
    asker *it = user;
    chainsi_pod_versions *versions = it->registry->pod_versions;
    chainsi_known_version *known =
        versions ? chainsi_pods_version(versions->pods, it->chain, it->version) : NULL;
    if (status != CHAINS_OK && known) {
        known->resumes = false;
        chainsi_say("%s version %s: %s", it->chain, it->version, why);
        chainsi_pods_annotate(versions->pods, known, "failed", why);
    }
    chainsi_pod_versions_review_later(versions);
    free_asker(it);
}

static void take_up(chainsi_known_version *known)
{
    free(known->taken);
    known->taken = chainsi_copy_text(known->version.requested);
}

static void refuse(const chainsi_pod_versions *versions, chainsi_known_version *known,
                   const char *why)
{
    take_up(known);
    known->resumes = false;
    chainsi_say("ConfigMap %s: %s", known->version.name, why);
    chainsi_pods_annotate(versions->pods, known, "failed", why);
}

/* False: not yet. */
static bool deploy(chainsi_pod_versions *versions, chainsi_known_version *known)
{
    char why[1024];
    chainsi_intent *intent = chainsi_intent_new(chainsi_step_deploy, true);
    chainsi_arena *arena = intent->step->arena;
    chainsi_api_deploy *asked = chainsi_arena_alloc(arena, sizeof *asked);
    if (!chainsi_pod_version_read_deploy(versions->pods, known, arena, asked, why, sizeof why)) {
        chainsi_intent_free(intent);
        refuse(versions, known, why);
        return true;
    }
    asker *waits = make_asker(versions, known->version.chain, known->version.version);
    intent->step->version = chainsi_arena_strdup(arena, known->version.version);
    intent->on_end = on_asked;
    intent->user = waits;
    chains_status status =
        chainsi_registry_deploy(versions->registry, asked, intent, why, sizeof why);
    if (status == CHAINS_ABORTED || status == CHAINS_UNAVAILABLE) {
        free_asker(waits);
        return false;
    }
    take_up(known);
    known->established = status == CHAINS_OK;
    chainsi_pods_annotate(versions->pods, known, "deploying", NULL);
    if (status != CHAINS_OK)
        on_asked(waits, status, why, NULL);
    return true;
}

/* It is there already, and somebody wants it to answer. */
static void promote(chainsi_pod_versions *versions, chainsi_known_version *known,
                    const chainsi_stored_version *stored)
{
    char why[1024];
    chainsi_intent *intent = chainsi_intent_new(chainsi_step_promote, true);
    chainsi_arena *arena = intent->step->arena;
    chainsi_api_deploy said;
    asker *waits = make_asker(versions, known->version.chain, known->version.version);
    intent->step->version = chainsi_arena_strdup(arena, stored->id);
    if (chainsi_pod_version_read_deploy(versions->pods, known, arena, &said, why, sizeof why))
        intent->step->canary = said.canary; /* as it is wanted this time */
    intent->on_end = on_asked;
    intent->user = waits;
    take_up(known);
    chainsi_pods_annotate(versions->pods, known, "deploying", NULL);
    chains_status status =
        chainsi_registry_ask(versions->registry, known->version.chain, stored->deploy.environment,
                             intent, why, sizeof why);
    if (status != CHAINS_OK)
        on_asked(waits, status, why, NULL);
}

/* Forgetting it. */

static void on_forgotten(void *user, chains_status status, const char *why,
                         const chainsi_step *step)
{
    (void)step;
    asker *it = user;
    chainsi_pod_versions *versions = it->registry->pod_versions;
    asker **at = versions ? &versions->forgetting : NULL;
    while (at && *at != it)
        at = &(*at)->next;
    if (at)
        *at = it->next;
    chainsi_pod_versions_review_later(versions);
    if (status != CHAINS_OK && status != CHAINS_NOT_FOUND)
        chainsi_say("%s version %s was deleted in the cluster, and isn't forgotten: %s", it->chain,
                    it->version, why);
    free_asker(it);
}

static bool is_of(const chainsi_deployment *deployment, const char *id)
{
    return deployment && !strcmp(deployment->options.id, id);
}

/* The deployment of it that is under way; NULL. */
static chainsi_deployment *find_starting(const chainsi_chain *chain, const char *id)
{
    for (const chainsi_environment *each = chain->environments; each; each = each->next)
        if (is_of(each->candidate, id) && each->state == CHAINSI_ENVIRONMENT_STARTING)
            return each->candidate;
    return NULL;
}

static void ask_to_forget(chainsi_chain *chain, asker *it)
{
    chainsi_intent *intent = chainsi_intent_new(chainsi_step_forget_version, true);
    intent->step->version = chainsi_arena_strdup(intent->step->arena, it->version);
    intent->on_end = on_forgotten;
    intent->user = it;
    chainsi_chain_forget_version(chain, intent);
}

/* One that is being deployed is given up before. */
static void forget(chainsi_pod_versions *versions, chainsi_chain *chain, const char *id)
{
    chainsi_deployment *starting = find_starting(chain, id);
    asker *it = make_asker(versions, chain->name, id);
    it->next = versions->forgetting;
    versions->forgetting = it;
    it->waits = starting != NULL;
    if (starting)
        chainsi_deployment_give_up(starting, "its ConfigMap was deleted in the cluster");
    else
        ask_to_forget(chain, it);
}

/* Taking it up. */

static void on_review(uv_timer_t *timer);

/* Those whose environment has given them up. */
static void review_forgetting(chainsi_pod_versions *versions)
{
    bool some = false;
    for (asker **at = &versions->forgetting; *at;) {
        asker *it = *at;
        chainsi_chain *chain =
            it->waits ? chainsi_registry_find(versions->registry,
                                              (chainsi_slice){ it->chain, strlen(it->chain) })
                      : NULL;
        if (it->waits && !chain) {
            *at = it->next;
            free_asker(it);
            continue;
        }
        if (it->waits && !find_starting(chain, it->version)) {
            it->waits = false;
            ask_to_forget(chain, it);
        }
        some = some || it->waits;
        at = &it->next;
    }
    if (some && !uv_is_active((uv_handle_t *)versions->review))
        uv_timer_start(versions->review, on_review, RETRY_MS, 0);
}

/* Whether all that is left of the version of that name is that there was one: it comes again. Forgets that. */
static bool forget_rest(chainsi_pod_versions *versions, const chainsi_known_version *known,
                        const chainsi_stored_version *stored)
{
    const char *name = known->version.chain;
    chainsi_chain *chain =
        chainsi_registry_find(versions->registry, (chainsi_slice){ name, strlen(name) });
    if (!chain || known->handled || stored->artefacts || *known->version.state)
        return false;
    forget(versions, chain, stored->id);
    return true;
}

/* What goes under this very name has to be forgotten before: it was deleted, and came again at once. Of what was there at
 * the beginning, what somebody has had to do with goes itself. */
static bool waits_for_end(const chainsi_pod_versions *versions, const chainsi_pod_version *said)
{
    const bool came = versions->begun || !*said->state;
    for (const chainsi_chain *each = versions->registry->chains; each && came; each = each->next)
        if (each->deleting && !strcmp(each->name, said->chain))
            return true;
    for (const asker *each = versions->forgetting; each; each = each->next)
        if (!strcmp(each->chain, said->chain) && !strcmp(each->version, said->version))
            return true;
    return false;
}

/* Of a state that was lost: what was under way begins when the version that answers does so again, of which it would take
 * the place otherwise. */
static bool waits_for_running(const chainsi_pod_versions *versions, const chainsi_pod_version *said)
{
    const chainsi_known_version *each = chainsi_pods_versions(versions->pods);
    bool waits = false;
    if (strcmp(said->state, "trying") != 0 && strcmp(said->state, "deploying") != 0)
        return false;
    for (; each && !waits; each = each->next) {
        chainsi_arena arena = { 0 };
        chainsi_stored_version stored;
        waits = each->resumes && !each->again && !strcmp(each->version.chain, said->chain) &&
                (!find_stored(versions, said->chain, each->version.version, &arena, &stored) ||
                 stored.state == CHAINSI_VERSION_STARTING);
        chainsi_arena_done(&arena);
    }
    return waits;
}

/* It is to be looked at again when it can be deployed. */
static void try_later(const chainsi_pod_versions *versions, chainsi_known_version *known)
{
    known->again = true;
    uv_timer_start(versions->review, on_review, RETRY_MS, 0);
}

static void set_right(const chainsi_pod_versions *versions, chainsi_known_version *known)
{
    chainsi_pod_names_set_right(versions->pods, chainsi_store_reader(versions->registry->store),
                                known);
}

static void on_version(void *user, chainsi_known_version *known)
{
    chainsi_pod_versions *versions = user;
    const chainsi_pod_version *said = &known->version;
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    char why[256];
    known->again = false;
    if (said->leaving || versions->registry->stopping || is_knatives(said))
        return;
    if (!known->handled)
        set_right(versions, known);
    /* Of two that say they are the same version the first one is, until it is gone. */
    if (chainsi_pods_version(versions->pods, said->chain, said->version) != known) {
        known->again = true;
        return;
    }
    if (!known->handled && waits_for_end(versions, said)) {
        try_later(versions, known);
        return;
    }
    if (!chainsi_pod_version_check_names(said, why, sizeof why)) {
        if (!known->handled)
            refuse(versions, known, why);
        known->handled = true;
        return;
    }
    certify(versions, known);
    const bool is_stored = find_stored(versions, said->chain, said->version, &arena, &stored);
    if (is_stored && forget_rest(versions, known, &stored)) {
        try_later(versions, known);
        chainsi_arena_done(&arena);
        return;
    }
    /* Once, as long as it is told of: a second word would end what the first one began. What a controller that has lost
     * its state finds as standing by, or failed, stays so until it is wanted. */
    const bool is_asked = *said->requested && strcmp(said->requested, said->handled) != 0 &&
                          (!known->taken || strcmp(said->requested, known->taken) != 0);
    const bool stands_by = !strcmp(said->state, "standing-by") || !strcmp(said->state, "failed");
    if (!is_stored && (is_asked || (!stands_by && !known->handled))) {
        known->resumes = !strcmp(said->state, "running");
        if (waits_for_running(versions, said) || !deploy(versions, known)) {
            try_later(versions, known);
            chainsi_arena_done(&arena);
            return;
        }
    } else if (is_stored && is_asked) {
        promote(versions, known, &stored);
    }
    known->established = known->established || is_stored;
    known->handled = known->handled || is_asked || !stands_by || is_stored;
    chainsi_arena_done(&arena);
    chainsi_pod_versions_review_later(versions);
}

/* Its end. */

static bool has_others(const chainsi_pod_versions *versions, const char *chain)
{
    for (const chainsi_known_version *each = chainsi_pods_versions(versions->pods); each;
         each = each->next)
        if (!strcmp(each->version.chain, chain) && !each->version.leaving &&
            !is_knatives(&each->version))
            return true;
    return false;
}

static void on_version_gone(void *user, const chainsi_known_version *known)
{
    chainsi_pod_versions *versions = user;
    const char *name = known->version.chain;
    chainsi_registry *registry = versions->registry;
    chainsi_certificates_remove(versions->certificates, known->version.name);
    chainsi_pod_versions_review_later(versions); /* another one may wait for its end */
    if (known->again)
        return; /* nothing has been made of it */
    chainsi_chain *chain = chainsi_registry_find(registry, (chainsi_slice){ name, strlen(name) });
    if (!chain || registry->stopping)
        return;
    if (!has_others(versions, name)) {
        chainsi_chain_delete(chain, NULL, NULL);
        return;
    }
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    if (find_stored(versions, name, known->version.version, &arena, &stored))
        forget(versions, chain, stored.id);
    chainsi_arena_done(&arena);
}

static bool has_objects(const chainsi_stored_version *stored)
{
    return stored->deploy.services.count && stored->deploy.services.items[0].object;
}

/* Those of a chain that went while nobody watched. What has no programs any more has no ConfigMap either, and what was
 * deployed to one machine never had one. */
static void forget_gone(chainsi_pod_versions *versions, chainsi_chain *chain)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_versions all = { 0 };
    bool some = false;
    if (chainsi_stored_version_list(chainsi_store_reader(versions->registry->store), chain->name, 0,
                                    CHAINSI_VERSIONS_KEPT, &arena, &all) != CHAINS_OK)
        all.count = 0;
    const bool others = has_others(versions, chain->name);
    for (size_t i = 0; i < all.count; i++) {
        const chainsi_stored_version *each = &all.items[i];
        const bool gone = has_objects(each) && each->artefacts &&
                          !chainsi_pods_version(versions->pods, chain->name, each->id);
        if (gone && others)
            forget(versions, chain, each->id);
        some = some || gone;
    }
    if (some && !others)
        chainsi_chain_delete(chain, NULL, NULL);
    chainsi_arena_done(&arena);
}

void chainsi_pod_versions_remove(chainsi_pod_versions *versions, const char *chain, int64_t number)
{
    if (!versions)
        return;
    chainsi_arena arena = { 0 };
    for (const chainsi_known_version *each = chainsi_pods_versions(versions->pods); each;
         each = each->next) {
        chainsi_stored_version stored;
        if (each->again || strcmp(each->version.chain, chain) != 0)
            continue;
        /* One that failed stays until whoever deployed it has seen why. */
        if (find_stored(versions, chain, each->version.version, &arena, &stored) &&
            stored.number == number && stored.state == CHAINSI_VERSION_READY)
            chainsi_pods_delete_version(versions->pods, each);
    }
    chainsi_arena_done(&arena);
}

void chainsi_pod_versions_remove_all(chainsi_pod_versions *versions, const char *chain)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    if (!versions)
        return;
    /* Not what comes after it, and waits for its end. */
    for (const chainsi_known_version *each = chainsi_pods_versions(versions->pods); each;
         each = each->next)
        if (!each->again && !strcmp(each->version.chain, chain) &&
            find_stored(versions, chain, each->version.version, &arena, &stored))
            chainsi_pods_delete_version(versions->pods, each);
    chainsi_arena_done(&arena);
}

/* What is told of them. */

typedef struct fate {
    const char *state, *message;
    bool runs; /* somebody has to do with its pods */
} fate;

/* In one environment; state NULL: it isn't of it. */
static fate find_fate(const chainsi_environment *environment, const char *id)
{
    if (is_of(environment->current, id))
        return (fate){ "running", NULL, true };
    if (is_of(environment->candidate, id) && environment->state == CHAINSI_ENVIRONMENT_TRYING)
        return (fate){ "trying", NULL, true };
    if (is_of(environment->candidate, id))
        return (fate){ "deploying", NULL, true };
    for (size_t i = 0; i < environment->retiring_count; i++)
        if (is_of(environment->retiring[i], id))
            return (fate){ NULL, NULL, true };
    return (fate){ 0 };
}

static fate find_stored_fate(const chainsi_stored_version *stored)
{
    static const char *const states[] = {
        [CHAINSI_VERSION_STARTING] = "deploying",
        [CHAINSI_VERSION_READY] = "standing-by",
        [CHAINSI_VERSION_FAILED] = "failed",
    };
    return (fate){ states[stored->state], stored->message, false };
}

/* Pods that nobody has to do with: of a controller that ended before it had scaled them to none. */
static void end_pods(const chainsi_pod_versions *versions, const chainsi_known_version *known,
                     chainsi_arena *arena)
{
    chainsi_pod_objects all;
    char why[1024];
    if (!chainsi_pod_objects_read(known, arena, &all, why, sizeof why))
        return;
    for (size_t i = 0; i < all.count; i++) {
        chainsi_pod_set *set = chainsi_pods_find(versions->pods, all.items[i].object);
        if (set->exists && set->replicas && !set->on_change &&
            chainsi_pod_version_owns(set, &known->version))
            chainsi_pods_scale(versions->pods, set, 0);
    }
}

static bool same(const char *one, const char *other)
{
    return !strcmp(one ? one : "", other ? other : "");
}

static void review_version(const chainsi_pod_versions *versions, chainsi_known_version *known)
{
    const chainsi_pod_version *said = &known->version;
    const chainsi_chain *chain = chainsi_registry_find(
        versions->registry, (chainsi_slice){ said->chain, strlen(said->chain) });
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    fate found = { 0 };
    if (!said->leaving && chain &&
        find_stored(versions, said->chain, said->version, &arena, &stored)) {
        bool runs = false;
        for (const chainsi_environment *each = chain->environments; each && !found.state;
             each = each->next) {
            found = find_fate(each, stored.id);
            runs = runs || found.runs;
        }
        if (!found.state)
            found = find_stored_fate(&stored);
        if (!runs && stored.state != CHAINSI_VERSION_STARTING)
            end_pods(versions, known, &arena);
    }
    if (found.state && (!same(found.state, said->state) || !same(found.message, said->message)))
        chainsi_pods_annotate(versions->pods, known, found.state, found.message);
    chainsi_arena_done(&arena);
}

static void on_review(uv_timer_t *timer)
{
    chainsi_pod_versions *versions = timer->data;
    if (!versions || versions->registry->stopping)
        return;
    for (chainsi_known_version *each = chainsi_pods_versions(versions->pods); each;
         each = each->next)
        if (each->again)
            on_version(versions, each);
    for (chainsi_known_version *each = chainsi_pods_versions(versions->pods); each;
         each = each->next)
        if (!each->again)
            review_version(versions, each);
    review_forgetting(versions);
}

void chainsi_pod_versions_review_later(chainsi_pod_versions *versions)
{
    if (versions && (!uv_is_active((uv_handle_t *)versions->review) ||
                     uv_timer_get_due_in(versions->review) > REVIEW_MS))
        uv_timer_start(versions->review, on_review, REVIEW_MS, 0);
}

chains_status chainsi_pod_versions_check_promotion(const chainsi_registry *registry,
                                                   const char *chain, const char *environment,
                                                   const char *version, char *why, size_t why_size)
{
    if (!registry->pod_versions)
        return CHAINS_OK;
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    chains_status status = CHAINS_OK;
    if (chainsi_stored_version_find(chainsi_store_reader(registry->store), chain, version, &arena,
                                    &stored) == CHAINS_OK &&
        strcmp(stored.deploy.environment, environment) != 0) {
        snprintf(why, why_size,
                 "the pods of version %s are made for '%s': deploy it for '%s' as well "
                 "(`chains deploy --target kubernetes --environment %s`)",
                 stored.id, stored.deploy.environment, environment, environment);
        status = CHAINS_FAILED_PRECONDITION;
    }
    chainsi_arena_done(&arena);
    return status;
}

/* Its beginning and end. */

chainsi_pod_versions *chainsi_pod_versions_new(chainsi_registry *registry,
                                               const chainsi_cluster *cluster)
{
    chainsi_pod_versions *versions = chainsi_make(sizeof *versions);
    versions->registry = registry;
    versions->pods = registry->supervisor->pods;
    versions->review = chainsi_timer_new(registry->supervisor->loop, versions);
    uv_unref((uv_handle_t *)versions->review);
    registry->pod_versions = versions;
    versions->certificates = chainsi_certificates_start(
        registry->supervisor->loop, &(chainsi_certificates_options){ .cluster = cluster,
                                                                     .on_identity = on_identity,
                                                                     .user = versions });
    registry->supervisor->identities = &versions->identities;
    for (chainsi_known_version *each = chainsi_pods_versions(versions->pods); each;
         each = each->next)
        set_right(versions, each);
    for (chainsi_chain *each = registry->chains; each; each = each->next)
        if (!each->deleting)
            forget_gone(versions, each);
    chainsi_pods_set_events(versions->pods, &(chainsi_pods_events){
                                                .on_version = on_version,
                                                .on_version_gone = on_version_gone,
                                                .user = versions,
                                            });
    versions->begun = true;
    chainsi_pod_versions_review_later(versions);
    return versions;
}

void chainsi_pod_versions_free(chainsi_pod_versions *versions)
{
    if (!versions)
        return;
    chainsi_certificates_stop(versions->certificates);
    chainsi_pods_set_events(versions->pods, &(chainsi_pods_events){ 0 });
    versions->registry->supervisor->identities = NULL;
    chainsi_pod_identities_done(&versions->identities);
    versions->registry->pod_versions = NULL;
    chainsi_handle_close(versions->review);
    while (versions->forgetting) {
        asker *it = versions->forgetting;
        versions->forgetting = it->next;
        if (it->waits)
            free_asker(it); /* the others are with the store */
    }
    free(versions);
}
