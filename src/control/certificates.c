/* The thread that looks after certificates, and what the loop tells it and is told.
 *
 * The loop's functions change a list of versions under a lock, and wake the thread. The thread copies what it needs of the
 * list before each round, and holds the lock at no time when it asks the cluster. */
#include "control/certificates.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/certificate_round.h"
#include "control/fields.h"
#include "control/handle.h"
#include "schema/json.h"

enum {
    LOOK_S = 60,       /* from one round to the next */
    MOST_REQUESTS = 5, /* a second: with many Secrets rounds are longer apart */
    AGAIN_S = 5,       /* after one that failed; doubled with each in a row */
    REQUEST_MS = 30000,
};

typedef struct kept_version {
    struct kept_version *next;
    chainsi_arena arena; /* of the texts of what follows */
    chainsi_round_version what;
} kept_version;

typedef struct kept_chain {
    struct kept_chain *next;
    chainsi_round_chain what;
} kept_chain;

typedef struct told_identity {
    struct told_identity *next;
    chainsi_front_identity what; /* owned texts */
} told_identity;

struct chainsi_certificates {
    chainsi_certificates_options options;
    chainsi_cluster *cluster; /* owned; the thread's */
    kept_chain *chains;       /* owned; the thread's */
    pthread_t thread;
    atomic_bool stopping;
    uv_async_t *told_async; /* owned */
    pthread_mutex_t mutex;  /* of what follows */
    pthread_cond_t woken;
    bool changed;
    kept_version *versions; /* owned */
    told_identity *told;    /* owned; oldest first */
};

/* services.json, as far as it is looked at. */
typedef struct service {
    const char *object;
} service;
typedef struct services {
    service *items;
    size_t count;
} services;
static const chainsi_field service_fields[] = { CHAINSI_FIELD_TEXT(service, object) };
static const chainsi_type service_type = CHAINSI_STRUCT_OF(service, service_fields);
static const chainsi_type services_type = CHAINSI_LIST_OF(services, &service_type);

/* Versions */

static void free_version(kept_version *version)
{
    chainsi_arena_done(&version->arena);
    free(version);
}

static kept_version **find_version(chainsi_certificates *it, const char *config_map)
{
    kept_version **at = &it->versions;
    while (*at && strcmp((*at)->what.owner.name, config_map) != 0)
        at = &(*at)->next;
    return at;
}

static chainsi_round_version copy_version(chainsi_arena *arena, const chainsi_round_version *from)
{
    chainsi_round_version to = {
        .chain = chainsi_arena_strdup(arena, from->chain),
        .chain_label = chainsi_arena_strdup(arena, from->chain_label),
        .version_label = chainsi_arena_strdup(arena, from->version_label),
        .owner = { "v1", "ConfigMap", chainsi_arena_strdup(arena, from->owner.name),
                   chainsi_arena_strdup(arena, from->owner.uid) },
        .object_count = from->object_count,
        .seen = from->seen,
    };
    const char **objects = chainsi_arena_array(arena, from->object_count + 1, sizeof *objects);
    for (size_t i = 0; i < from->object_count; i++)
        objects[i] = chainsi_arena_strdup(arena, from->objects[i]);
    to.objects = objects;
    return to;
}

static kept_version *new_version(const chainsi_certificates_version *version)
{
    kept_version *made = chainsi_make(sizeof *made);
    services read;
    if (chainsi_json_decode(&services_type, version->services, strlen(version->services),
                            &made->arena, &read, NULL) != CHAINS_OK) {
        free_version(made);
        return NULL;
    }
    const char **objects = chainsi_arena_array(&made->arena, read.count + 1, sizeof *objects);
    for (size_t i = 0; i < read.count; i++)
        objects[i] = read.items[i].object;
    chainsi_round_version what = {
        .chain = version->chain,
        .chain_label = version->chain_label,
        .version_label = version->version_label,
        .owner = { .name = version->config_map, .uid = version->uid },
        .objects = objects,
        .object_count = read.count,
    };
    made->what = copy_version(&made->arena, &what);
    return made;
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool is_same_version(const chainsi_round_version *a, const chainsi_round_version *b)
{
    bool same = a->object_count == b->object_count && !strcmp(a->chain, b->chain) &&
                !strcmp(a->owner.uid, b->owner.uid) &&
                is_same_text(a->chain_label, b->chain_label) &&
                is_same_text(a->version_label, b->version_label);
    for (size_t i = 0; same && i < a->object_count; i++)
        same = !strcmp(a->objects[i], b->objects[i]);
    return same;
}

static void wake(chainsi_certificates *it)
{
    it->changed = true;
    pthread_cond_signal(&it->woken);
}

bool chainsi_certificates_add(chainsi_certificates *it, const chainsi_certificates_version *version)
{
    kept_version *made = new_version(version), *old;
    if (!made)
        return false;
    pthread_mutex_lock(&it->mutex);
    kept_version **at = find_version(it, version->config_map);
    old = *at;
    if (old && is_same_version(&old->what, &made->what)) {
        old = made;
    } else {
        made->next = old ? old->next : NULL;
        *at = made;
        wake(it);
    }
    pthread_mutex_unlock(&it->mutex);
    if (old)
        free_version(old);
    return true;
}

void chainsi_certificates_remove(chainsi_certificates *it, const char *config_map)
{
    pthread_mutex_lock(&it->mutex);
    kept_version **at = find_version(it, config_map), *gone = *at;
    if (gone) {
        *at = gone->next;
        wake(it);
    }
    pthread_mutex_unlock(&it->mutex);
    if (gone)
        free_version(gone);
}

/* The thread */

static int64_t usual_now_s(void)
{
    return time(NULL);
}

static void free_identity(told_identity *told)
{
    free((char *)(uintptr_t)told->what.chain);
    free((char *)(uintptr_t)told->what.certificate);
    free((char *)(uintptr_t)told->what.key);
    free((char *)(uintptr_t)told->what.authorities);
    free(told);
}

static void tell(chainsi_certificates *it, const chainsi_round_chain *chain)
{
    told_identity *made = chainsi_make(sizeof *made), **at = &it->told;
    made->what = (chainsi_front_identity){
        chainsi_copy_text(chain->name),
        chainsi_copy_text(chain->front.certificate),
        chainsi_copy_text(chain->front.key),
        chainsi_copy_text(chain->front_bundle),
    };
    pthread_mutex_lock(&it->mutex);
    while (*at)
        at = &(*at)->next;
    *at = made;
    pthread_mutex_unlock(&it->mutex);
    uv_async_send(it->told_async);
}

static kept_chain *find_chain(chainsi_certificates *it, const char *name)
{
    kept_chain **at = &it->chains;
    while (*at && strcmp((*at)->what.name, name) != 0)
        at = &(*at)->next;
    if (!*at) {
        *at = chainsi_make(sizeof **at);
        (*at)->what.name = chainsi_copy_text(name);
    }
    return *at;
}

/* Versions in the order of their chains; the arena's. */
typedef struct snapshot {
    chainsi_round_version *items;
    size_t count, secrets;
} snapshot;

static int by_chain(const void *a, const void *b)
{
    const chainsi_round_version *one = a, *other = b;
    return strcmp(one->chain, other->chain);
}

static snapshot take_snapshot(chainsi_certificates *it, chainsi_arena *arena)
{
    snapshot taken = { 0 };
    pthread_mutex_lock(&it->mutex);
    it->changed = false;
    for (kept_version *at = it->versions; at; at = at->next)
        taken.count++;
    taken.items = chainsi_arena_array(arena, taken.count + 1, sizeof *taken.items);
    taken.count = 0;
    for (kept_version *at = it->versions; at; at = at->next) {
        taken.items[taken.count++] = copy_version(arena, &at->what);
        taken.secrets += at->what.object_count + 1;
        at->what.seen = true;
    }
    pthread_mutex_unlock(&it->mutex);
    if (taken.count)
        qsort(taken.items, taken.count, sizeof *taken.items, by_chain);
    return taken;
}

static bool has_chain(const snapshot *taken, const char *name)
{
    for (size_t i = 0; i < taken->count; i++)
        if (!strcmp(taken->items[i].chain, name))
            return true;
    return false;
}

/* A chain without versions is gone from the cluster, its authority with it. */
static void forget_chains(chainsi_certificates *it, const snapshot *taken)
{
    for (kept_chain **at = &it->chains; *at;) {
        kept_chain *chain = *at;
        if (taken && has_chain(taken, chain->what.name)) {
            at = &chain->next;
            continue;
        }
        *at = chain->next;
        chainsi_round_chain_done(&chain->what);
        free(chain);
    }
}

/* One round over all chains. *requests: what it has asked, about. False: not all is well. */
static bool look(chainsi_certificates *it, chainsi_round *round, size_t *requests)
{
    bool good = true;
    snapshot taken = take_snapshot(it, &round->arena);
    forget_chains(it, &taken);
    round->now_s = it->options.now_s();
    for (size_t from = 0, until; from < taken.count && !it->stopping; from = until) {
        bool front_changed;
        until = from;
        while (until < taken.count && !by_chain(&taken.items[from], &taken.items[until]))
            until++;
        kept_chain *chain = find_chain(it, taken.items[from].chain);
        good = chainsi_round_tend(round, &chain->what, taken.items + from, until - from,
                                  &front_changed) &&
               good;
        if (front_changed)
            tell(it, &chain->what);
    }
    *requests = taken.secrets;
    chainsi_arena_reset(&round->arena);
    return good;
}

/* Waits for so long, or until something has changed. False: it is to end. */
static bool wait_for_more(chainsi_certificates *it, double seconds)
{
    int64_t until_ns = chainsi_deadline_after_ms(chainsi_now_ns(), seconds * 1000);
    const struct timespec until = { (time_t)(until_ns / 1000000000), until_ns % 1000000000 };
    pthread_mutex_lock(&it->mutex);
    while (!it->stopping && !it->changed)
        if (pthread_cond_timedwait(&it->woken, &it->mutex, &until) == ETIMEDOUT)
            break;
    bool goes_on = !it->stopping;
    pthread_mutex_unlock(&it->mutex);
    return goes_on;
}

static void *run(void *user)
{
    chainsi_certificates *it = user;
    chainsi_round round = {
        .cluster = it->cluster,
        .name_space = chainsi_cluster_name_space(it->cluster),
        .authority_life_s = it->options.authority_life_s,
        .certificate_life_s = it->options.certificate_life_s,
    };
    double again_s = AGAIN_S, pause_s = it->options.look_s;
    while (wait_for_more(it, pause_s)) {
        size_t requests;
        const bool good = look(it, &round, &requests);
        pause_s = it->options.look_s;
        if (pause_s < (double)requests / MOST_REQUESTS)
            pause_s = (double)requests / MOST_REQUESTS;
        again_s = good ? AGAIN_S : 2 * again_s;
        if (!good && again_s / 2 < pause_s)
            pause_s = again_s / 2;
    }
    chainsi_arena_done(&round.arena);
    chainsi_cluster_answer_done(&round.answer);
    return NULL;
}

/* The loop */

static void on_told(uv_async_t *async)
{
    chainsi_certificates *it = async->data;
    if (!it)
        return;
    pthread_mutex_lock(&it->mutex);
    told_identity *told = it->told;
    it->told = NULL;
    pthread_mutex_unlock(&it->mutex);
    for (told_identity *next; told; told = next) {
        next = told->next;
        it->options.on_identity(it->options.user, &told->what);
        free_identity(told);
    }
}

chainsi_certificates *chainsi_certificates_start(uv_loop_t *loop,
                                                 const chainsi_certificates_options *options)
{
    chainsi_certificates *it = chainsi_make(sizeof *it);
    pthread_condattr_t attributes;
    it->options = *options;
    if (!it->options.look_s)
        it->options.look_s = LOOK_S;
    if (!it->options.authority_life_s)
        it->options.authority_life_s = CHAINSI_AUTHORITY_LIFE_S;
    if (!it->options.certificate_life_s)
        it->options.certificate_life_s = CHAINSI_CERTIFICATE_LIFE_S;
    if (!it->options.now_s)
        it->options.now_s = usual_now_s;
    it->cluster = chainsi_cluster_copy(options->cluster);
    chainsi_cluster_limit(it->cluster, REQUEST_MS, &it->stopping);
    it->told_async = chainsi_make(sizeof *it->told_async);
    it->told_async->data = it;
    uv_async_init(loop, it->told_async, on_told);
    uv_unref((uv_handle_t *)it->told_async);
    pthread_mutex_init(&it->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&it->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&it->thread, NULL, run, it) != 0)
        abort();
    return it;
}

void chainsi_certificates_stop(chainsi_certificates *it)
{
    if (!it)
        return;
    pthread_mutex_lock(&it->mutex);
    it->stopping = true;
    pthread_cond_signal(&it->woken);
    pthread_mutex_unlock(&it->mutex);
    pthread_join(it->thread, NULL);
    chainsi_handle_close(it->told_async);
    for (told_identity *told = it->told, *next; told; told = next) {
        next = told->next;
        free_identity(told);
    }
    for (kept_version *version = it->versions, *next; version; version = next) {
        next = version->next;
        free_version(version);
    }
    forget_chains(it, NULL);
    pthread_cond_destroy(&it->woken);
    pthread_mutex_destroy(&it->mutex);
    chainsi_cluster_close(it->cluster);
    free(it);
}
