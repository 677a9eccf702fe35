#include "control/followers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/log.h"

typedef struct follower {
    chainsi_followers *all;
    chainsi_collection of;
    pthread_t thread;
    chainsi_cluster *cluster; /* owned; the thread's */
    char *path;               /* owned */
    char trouble[512];        /* under the lock */
} follower;

struct chainsi_followers {
    follower each[CHAINSI_COLLECTIONS];
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t some;
    chainsi_note *first, **last; /* owned; not told yet */
    uv_async_t *async;           /* owned */
    char trouble[512];
    void (*on_note)(void *user, chainsi_note *note);
    void *user;
};

static const char *const names[] = {
    [CHAINSI_PODS_OF_CHAINS] = "pods",
    [CHAINSI_DEPLOYMENTS_OF_CHAINS] = "deployments",
    [CHAINSI_VERSIONS_OF_CHAINS] = "versions",
};

static void free_note(chainsi_note *note)
{
    chainsi_arena_done(&note->arena);
    free(note);
}

/* The threads. */

static void add(follower *from, chainsi_note *note)
{
    chainsi_followers *all = from->all;
    note->of = from->of;
    pthread_mutex_lock(&all->lock);
    *all->last = note;
    all->last = &note->next;
    pthread_cond_signal(&all->some);
    pthread_mutex_unlock(&all->lock);
    uv_async_send(all->async);
}

static bool read_note(const follower *from, const char *object, size_t size, chainsi_note *note,
                      char *why, size_t why_size)
{
    switch (from->of) {
    case CHAINSI_PODS_OF_CHAINS:
        return chainsi_pod_read(object, size, &note->arena, &note->pod, why, why_size);
    case CHAINSI_DEPLOYMENTS_OF_CHAINS:
        return chainsi_pod_deployment_read(object, size, &note->arena, &note->deployment, why,
                                           why_size);
    case CHAINSI_VERSIONS_OF_CHAINS:
        return chainsi_pod_version_read(object, size, &note->arena, &note->version, why, why_size);
    case CHAINSI_COLLECTIONS:
        break;
    }
    return false;
}

static void on_object(void *user, bool gone, const char *object, size_t size)
{
    follower *from = user;
    char why[256] = "";
    chainsi_note *note = chainsi_make(sizeof *note);
    note->kind = gone ? CHAINSI_NOTE_GONE : CHAINSI_NOTE_OBJECT;
    if (read_note(from, object, size, note, why, sizeof why)) {
        add(from, note);
        return;
    }
    chainsi_say("one of the %s of chains can't be read: %s", names[from->of], why);
    free_note(note);
}

static void on_list(void *user, bool begin)
{
    chainsi_note *note = chainsi_make(sizeof *note);
    note->kind = begin ? CHAINSI_NOTE_LIST_BEGINS : CHAINSI_NOTE_LIST_ENDS;
    add(user, note);
}

static void on_trouble(void *user, const char *why)
{
    follower *from = user;
    chainsi_followers *all = from->all;
    pthread_mutex_lock(&all->lock);
    bool news = strcmp(from->trouble, why) != 0;
    snprintf(from->trouble, sizeof from->trouble, "%s", why);
    pthread_cond_signal(&all->some);
    pthread_mutex_unlock(&all->lock);
    if (news && *why)
        chainsi_say("the %s of chains can't be followed: %s", names[from->of], why);
    else if (news)
        chainsi_say("the %s of chains are followed again", names[from->of]);
}

static void *run(void *user)
{
    follower *from = user;
    chainsi_cluster_follow(from->cluster,
                           &(chainsi_cluster_watch){
                               .path = from->path,
                               .on_object = on_object,
                               .on_list = on_list,
                               .on_trouble = on_trouble,
                               .user = from,
                           },
                           &from->all->stop);
    return NULL;
}

/* The loop. */

static void tell_all(chainsi_followers *all)
{
    pthread_mutex_lock(&all->lock);
    chainsi_note *first = all->first;
    all->first = NULL;
    all->last = &all->first;
    pthread_mutex_unlock(&all->lock);
    while (first) {
        chainsi_note *note = first;
        first = note->next;
        all->on_note(all->user, note);
        free_note(note);
    }
}

static void on_async(uv_async_t *async)
{
    if (async->data)
        tell_all(async->data);
}

void chainsi_followers_await(chainsi_followers *all, int timeout_ms)
{
    const int64_t until_ns = chainsi_now_ns() + timeout_ms * CHAINSI_NS_PER_MS;
    const struct timespec until = { .tv_sec = until_ns / 1000000000,
                                    .tv_nsec = until_ns % 1000000000 };
    pthread_mutex_lock(&all->lock);
    if (!all->first)
        pthread_cond_timedwait(&all->some, &all->lock, &until);
    pthread_mutex_unlock(&all->lock);
    tell_all(all);
}

const char *chainsi_followers_trouble(chainsi_followers *all, chainsi_collection of)
{
    pthread_mutex_lock(&all->lock);
    memcpy(all->trouble, all->each[of].trouble, sizeof all->trouble);
    pthread_mutex_unlock(&all->lock);
    return all->trouble;
}

static char *path_of(const chainsi_cluster *cluster, chainsi_collection of)
{
    static const char *const forms[] = {
        [CHAINSI_PODS_OF_CHAINS] = "/api/v1/namespaces/%s/pods?labelSelector=chains.dev%%2Fchain",
        [CHAINSI_DEPLOYMENTS_OF_CHAINS] =
            "/apis/apps/v1/namespaces/%s/deployments?labelSelector=chains.dev%%2Fchain",
        [CHAINSI_VERSIONS_OF_CHAINS] =
            "/api/v1/namespaces/%s/configmaps?labelSelector=chains.dev%%2Fkind%%3Dversion",
    };
    chainsi_buffer text = { 0 };
    const char *form = forms[of], *name_space = chainsi_cluster_name_space(cluster);
    for (const char *at = form; *at; at++) {
        if (at[0] != '%')
            chainsi_buffer_add_byte(&text, (uint8_t)*at);
        else if (*++at == 's')
            chainsi_buffer_add_text(&text, name_space);
        else
            chainsi_buffer_add_byte(&text, '%');
    }
    chainsi_buffer_add_byte(&text, 0);
    return (char *)text.data;
}

chainsi_followers *chainsi_followers_new(uv_loop_t *loop, const chainsi_cluster *cluster,
                                         void (*on_note)(void *user, chainsi_note *note),
                                         void *user)
{
    chainsi_followers *all = chainsi_make(sizeof *all);
    all->on_note = on_note;
    all->user = user;
    all->last = &all->first;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&all->some, &clock);
    pthread_condattr_destroy(&clock);
    all->async = chainsi_make(sizeof *all->async);
    uv_async_init(loop, all->async, on_async);
    uv_unref((uv_handle_t *)all->async);
    all->async->data = all;
    for (int i = 0; i < CHAINSI_COLLECTIONS; i++) {
        follower *each = &all->each[i];
        each->all = all;
        each->of = (chainsi_collection)i;
        each->cluster = chainsi_cluster_copy(cluster);
        each->path = path_of(cluster, each->of);
        if (pthread_create(&each->thread, NULL, run, each) != 0)
            abort();
    }
    return all;
}

void chainsi_followers_free(chainsi_followers *all)
{
    if (!all)
        return;
    atomic_store(&all->stop, true);
    for (int i = 0; i < CHAINSI_COLLECTIONS; i++) {
        pthread_join(all->each[i].thread, NULL);
        chainsi_cluster_close(all->each[i].cluster);
        free(all->each[i].path);
    }
    while (all->first) {
        chainsi_note *note = all->first;
        all->first = note->next;
        free_note(note);
    }
    chainsi_handle_close(all->async);
    pthread_cond_destroy(&all->some);
    pthread_mutex_destroy(&all->lock);
    free(all);
}
