#include "control/wishes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/handle.h"

enum {
    FIRST_PAUSE_MS = 200,
    LONGEST_PAUSE_MS = 10000,
};
#define PATIENCE_S 5.0

typedef struct wish {
    char *key, *path, *body; /* owned */
    const char *method, *type;
    bool gone_is_good, other_is_good;
    int64_t next_ns; /* when it is tried */
    int pause_ms;
    struct wish *next;
} wish;

typedef struct end {
    char *key, *why; /* owned */
    chains_status status;
    struct end *next;
} end;

struct chainsi_wishes {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    chainsi_cluster *cluster; /* owned; the thread's */
    wish *first;              /* owned; in order */
    size_t asking;            /* 1 while the thread asks */
    end *ends;                /* owned; that the loop doesn't know of yet, the last one first */
    bool stopping;
    uv_async_t *async; /* owned */
    void (*on_end)(void *user, const char *key, chains_status status, const char *why);
    void *user;
};

static void free_wish(wish *it)
{
    free(it->key);
    free(it->path);
    free(it->body);
    free(it);
}

/* The next that is due, taken out; NULL: none is, and *next_ns says when. */
static wish *take_due(chainsi_wishes *wishes, int64_t now_ns, int64_t *next_ns)
{
    *next_ns = CHAINSI_NEVER;
    for (wish **at = &wishes->first; *at; at = &(*at)->next) {
        wish *found = *at;
        if (found->next_ns <= now_ns) {
            *at = found->next;
            return found;
        }
        if (found->next_ns < *next_ns)
            *next_ns = found->next_ns;
    }
    return NULL;
}

static bool is_replaced(const chainsi_wishes *wishes, const wish *it)
{
    for (const wish *each = wishes->first; each; each = each->next)
        if (!strcmp(each->key, it->key))
            return true;
    return false;
}

static bool never_can_be(chains_status status)
{
    return status == CHAINS_INVALID_ARGUMENT || status == CHAINS_NOT_FOUND;
}

static void tell(chainsi_wishes *wishes, const wish *it, chains_status status, const char *why)
{
    end *told = chainsi_make(sizeof *told);
    told->key = chainsi_copy_text(it->key);
    told->why = chainsi_copy_text(why);
    told->status = status;
    told->next = wishes->ends;
    wishes->ends = told;
    uv_async_send(wishes->async);
}

/* Without the lock while it asks. */
static void carry_out(chainsi_wishes *wishes, wish *it, chainsi_cluster_answer *answer)
{
    wishes->asking = 1;
    pthread_mutex_unlock(&wishes->lock);
    chains_status status =
        chainsi_cluster_ask(wishes->cluster, it->method, it->path, it->type, it->body,
                            it->body ? strlen(it->body) : 0, PATIENCE_S, answer);
    if ((status == CHAINS_NOT_FOUND && it->gone_is_good) ||
        (status == CHAINS_ABORTED && it->other_is_good))
        status = CHAINS_OK;
    pthread_mutex_lock(&wishes->lock);
    wishes->asking = 0;
    tell(wishes, it, status, status == CHAINS_OK ? "" : answer->why);
    if (status == CHAINS_OK || never_can_be(status) || is_replaced(wishes, it)) {
        free_wish(it);
        return;
    }
    it->pause_ms = it->pause_ms ? 2 * it->pause_ms : FIRST_PAUSE_MS;
    if (it->pause_ms > LONGEST_PAUSE_MS)
        it->pause_ms = LONGEST_PAUSE_MS;
    it->next_ns = chainsi_now_ns() + it->pause_ms * CHAINSI_NS_PER_MS;
    wish **last = &wishes->first;
    while (*last)
        last = &(*last)->next;
    it->next = NULL;
    *last = it;
}

static void wait_until(chainsi_wishes *wishes, int64_t when_ns)
{
    if (when_ns == CHAINSI_NEVER) {
        pthread_cond_wait(&wishes->changed, &wishes->lock);
        return;
    }
    const struct timespec when = { .tv_sec = when_ns / 1000000000,
                                   .tv_nsec = when_ns % 1000000000 };
    pthread_cond_timedwait(&wishes->changed, &wishes->lock, &when);
}

static void *run(void *user)
{
    chainsi_wishes *wishes = user;
    chainsi_cluster_answer answer = { 0 };
    pthread_mutex_lock(&wishes->lock);
    while (!wishes->stopping) {
        int64_t next_ns;
        wish *due = take_due(wishes, chainsi_now_ns(), &next_ns);
        if (due)
            carry_out(wishes, due, &answer);
        else
            wait_until(wishes, next_ns);
    }
    pthread_mutex_unlock(&wishes->lock);
    chainsi_cluster_answer_done(&answer);
    return NULL;
}

static void on_async(uv_async_t *async)
{
    chainsi_wishes *wishes = async->data;
    if (!wishes)
        return;
    pthread_mutex_lock(&wishes->lock);
    end *told = wishes->ends;
    wishes->ends = NULL;
    pthread_mutex_unlock(&wishes->lock);
    end *first = NULL; /* in order */
    while (told) {
        end *next = told->next;
        told->next = first;
        first = told;
        told = next;
    }
    while (first) {
        end *each = first;
        first = each->next;
        wishes->on_end(wishes->user, each->key, each->status, each->why);
        free(each->key);
        free(each->why);
        free(each);
    }
}

chainsi_wishes *chainsi_wishes_new(uv_loop_t *loop, const chainsi_cluster *cluster,
                                   void (*on_end)(void *user, const char *key, chains_status status,
                                                  const char *why),
                                   void *user)
{
    chainsi_wishes *wishes = chainsi_make(sizeof *wishes);
    wishes->on_end = on_end;
    wishes->user = user;
    wishes->cluster = chainsi_cluster_copy(cluster);
    wishes->async = chainsi_make(sizeof *wishes->async);
    uv_async_init(loop, wishes->async, on_async);
    uv_unref((uv_handle_t *)wishes->async);
    wishes->async->data = wishes;
    pthread_mutex_init(&wishes->lock, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&wishes->changed, &clock);
    pthread_condattr_destroy(&clock);
    if (pthread_create(&wishes->thread, NULL, run, wishes) != 0)
        abort();
    return wishes;
}

void chainsi_wishes_add(chainsi_wishes *wishes, const chainsi_wish *wanted)
{
    wish *it = chainsi_make(sizeof *it);
    it->key = chainsi_copy_text(wanted->key);
    it->path = chainsi_copy_text(wanted->path);
    it->body = chainsi_copy_text(wanted->body);
    it->method = wanted->method;
    it->type = wanted->type;
    it->gone_is_good = wanted->gone_is_good;
    it->other_is_good = wanted->other_is_good;
    pthread_mutex_lock(&wishes->lock);
    wish **at = &wishes->first;
    while (*at) {
        wish *before = *at;
        if (strcmp(before->key, it->key) != 0) {
            at = &before->next;
            continue;
        }
        *at = before->next;
        free_wish(before);
    }
    *at = it;
    pthread_cond_signal(&wishes->changed);
    pthread_mutex_unlock(&wishes->lock);
}

size_t chainsi_wishes_left(chainsi_wishes *wishes)
{
    pthread_mutex_lock(&wishes->lock);
    size_t left = wishes->asking;
    for (const wish *each = wishes->first; each; each = each->next)
        left++;
    pthread_mutex_unlock(&wishes->lock);
    return left;
}

void chainsi_wishes_free(chainsi_wishes *wishes)
{
    if (!wishes)
        return;
    pthread_mutex_lock(&wishes->lock);
    wishes->stopping = true;
    pthread_cond_signal(&wishes->changed);
    pthread_mutex_unlock(&wishes->lock);
    pthread_join(wishes->thread, NULL);
    while (wishes->first) {
        wish *it = wishes->first;
        wishes->first = it->next;
        free_wish(it);
    }
    while (wishes->ends) {
        end *told = wishes->ends;
        wishes->ends = told->next;
        free(told->key);
        free(told->why);
        free(told);
    }
    chainsi_handle_close(wishes->async);
    chainsi_cluster_close(wishes->cluster);
    pthread_cond_destroy(&wishes->changed);
    pthread_mutex_destroy(&wishes->lock);
    free(wishes);
}
