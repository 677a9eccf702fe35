/* Who has which device, by number: what is known before the devices are. */
#include "control/gpu_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

/* What an owner has. */
typedef struct holding {
    char *owner; /* owned */
    chainsi_gpu_set set;
    struct holding *next;
} holding;

/* Looks once; it outlives a pool that is freed meanwhile. */
typedef struct look {
    uv_work_t request;
    chainsi_gpu_pool *pool; /* NULL: nobody wants to know any more */
    chainsi_gpu_sources sources;
    chainsi_gpus found;
} look;

struct chainsi_gpu_pool {
    uv_loop_t *loop; /* not owned */
    chainsi_gpu_sources sources;
    chainsi_gpus gpus; /* owned; once known */
    bool known;
    look *looking;               /* under way; NULL */
    chainsi_gpu_waiter *waiters; /* not owned */
    holding *holdings;           /* owned */
};

chainsi_gpu_pool *chainsi_gpu_pool_new(uv_loop_t *loop, const chainsi_gpu_sources *sources)
{
    chainsi_gpu_pool *pool = chainsi_make(sizeof *pool);
    pool->loop = loop;
    pool->sources = *sources;
    return pool;
}

static void remove_holding(holding **at)
{
    holding *gone = *at;
    *at = gone->next;
    free(gone->owner);
    free(gone);
}

void chainsi_gpu_pool_free(chainsi_gpu_pool *pool)
{
    if (!pool)
        return;
    if (pool->looking)
        pool->looking->pool = NULL;
    while (pool->holdings)
        remove_holding(&pool->holdings);
    chainsi_gpus_done(&pool->gpus);
    free(pool);
}

const chainsi_gpus *chainsi_gpu_pool_known(const chainsi_gpu_pool *pool)
{
    return pool->known ? &pool->gpus : NULL;
}

/* Looking. */

/* On a thread of the pool. */
static void find(uv_work_t *request)
{
    look *doing = (look *)request;
    chainsi_gpus_find(&doing->sources, &doing->found);
}

static void on_found(uv_work_t *request, int status)
{
    (void)status;
    look *done = (look *)request;
    chainsi_gpu_pool *pool = done->pool;
    if (!pool) {
        chainsi_gpus_done(&done->found);
        free(done);
        return;
    }
    pool->gpus = done->found;
    pool->known = true;
    pool->looking = NULL;
    free(done);
    while (pool->waiters) {
        chainsi_gpu_waiter *first = pool->waiters;
        pool->waiters = first->next;
        first->waits = false;
        first->on_known(first);
    }
}

void chainsi_gpu_pool_await(chainsi_gpu_pool *pool, chainsi_gpu_waiter *waiter)
{
    waiter->waits = true;
    waiter->next = NULL;
    chainsi_gpu_waiter **end = &pool->waiters;
    while (*end)
        end = &(*end)->next;
    *end = waiter;
    if (pool->looking)
        return;
    pool->looking = chainsi_make(sizeof *pool->looking);
    pool->looking->pool = pool;
    pool->looking->sources = pool->sources;
    uv_queue_work(pool->loop, &pool->looking->request, find, on_found);
}

void chainsi_gpu_pool_leave(chainsi_gpu_pool *pool, chainsi_gpu_waiter *waiter)
{
    if (!waiter->waits)
        return;
    waiter->waits = false;
    chainsi_gpu_waiter **at = &pool->waiters;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
}

/* Giving and taking. */

static bool has(const chainsi_gpu_set *set, unsigned number)
{
    return number < CHAINSI_GPU_MOST && set->bits[number / 64] >> number % 64 & 1;
}

/* An entry a device: who has it; NULL: it is free. To be freed. */
static const char **list_owners(const chainsi_gpu_pool *pool)
{
    const char **owners = chainsi_make((pool->gpus.count + 1) * sizeof *owners);
    for (const holding *each = pool->holdings; each; each = each->next)
        for (size_t i = 0; i < pool->gpus.count; i++)
            if (has(&each->set, pool->gpus.items[i].index))
                owners[i] = each->owner;
    return owners;
}

static void hold(chainsi_gpu_pool *pool, const char *owner, const chainsi_gpu_set *set)
{
    holding *added = chainsi_make(sizeof *added);
    added->owner = chainsi_copy_text(owner);
    added->set = *set;
    added->next = pool->holdings;
    pool->holdings = added;
}

bool chainsi_gpu_pool_take(chainsi_gpu_pool *pool, const chainsi_gpu_request *request,
                           chainsi_gpu_set *set, char *why, size_t why_size)
{
    const char **owners = list_owners(pool);
    bool given = chainsi_gpus_assign(&pool->gpus, owners, request, 1, why, why_size);
    if (given) {
        *set = (chainsi_gpu_set){ { 0 } };
        for (size_t i = 0; i < pool->gpus.count; i++) {
            unsigned number = pool->gpus.items[i].index;
            if (owners[i] == request->owner)
                set->bits[number / 64] |= UINT64_C(1) << number % 64;
        }
        hold(pool, request->owner, set);
    }
    free(owners);
    return given;
}

void chainsi_gpu_pool_recall(chainsi_gpu_pool *pool, const char *owner, const chainsi_gpu_set *set)
{
    static const chainsi_gpu_set none;
    if (memcmp(set, &none, sizeof none) != 0)
        hold(pool, owner, set);
}

void chainsi_gpu_pool_release(chainsi_gpu_pool *pool, const char *owner)
{
    for (holding **at = &pool->holdings; *at;)
        if (!strcmp((*at)->owner, owner))
            remove_holding(at);
        else
            at = &(*at)->next;
}

static const chainsi_gpu *find_device(const chainsi_gpu_pool *pool, unsigned number)
{
    for (size_t i = 0; i < pool->gpus.count; i++)
        if (pool->gpus.items[i].index == number)
            return &pool->gpus.items[i];
    return NULL;
}

chains_string_list chainsi_gpu_pool_describe(const chainsi_gpu_pool *pool,
                                             const chainsi_gpu_set *set, chainsi_arena *arena)
{
    size_t count = 0;
    for (unsigned number = 0; number < CHAINSI_GPU_MOST; number++)
        count += has(set, number);
    chains_string_list list = { .items = chainsi_arena_array(arena, count, sizeof *list.items) };
    for (unsigned number = 0; list.count < count; number++) {
        if (!has(set, number))
            continue;
        const chainsi_gpu *gpu = find_device(pool, number);
        list.items[list.count++] =
            gpu ? chainsi_arena_printf(arena, "%s (number %u)", gpu->name, number)
                : chainsi_arena_printf(arena, "number %u", number);
    }
    return list;
}

/* Checking. */

bool chainsi_gpu_pool_is_asked(const chainsi_api_deploy *deploy)
{
    for (size_t i = 0; i < deploy->services.count; i++)
        if (deploy->services.items[i].gpu)
            return true;
    return false;
}

/* Whether somebody of that environment has some. */
static bool is_held_by(const chainsi_gpu_pool *pool, const char *prefix)
{
    for (const holding *each = pool->holdings; each; each = each->next)
        if (!strncmp(each->owner, prefix, strlen(prefix)))
            return true;
    return false;
}

/* How many of a service there are to be at once, before any call has come. */
static size_t count_first(const chainsi_api_service *service)
{
    return service->scaling.min_replicas > 1 ? (size_t)service->scaling.min_replicas : 1;
}

/* The requests of all replicas that a deployment begins with; *count gets how many. */
static chainsi_gpu_request *list_requests(const chainsi_api_deploy *deploy, chainsi_arena *arena,
                                          size_t *count)
{
    size_t most = 0;
    for (size_t i = 0; i < deploy->services.count; i++)
        most += count_first(&deploy->services.items[i]);
    chainsi_gpu_request *requests = chainsi_arena_array(arena, most, sizeof *requests);
    *count = 0;
    for (size_t i = 0; i < deploy->services.count; i++) {
        const chainsi_api_service *service = &deploy->services.items[i];
        char *kind = chainsi_arena_alloc(arena, CHAINSI_GPU_TEXT);
        size_t devices;
        if (!service->gpu || !chainsi_gpu_read_request(service->gpu, kind, &devices))
            continue;
        for (size_t k = 0; k < count_first(service); k++)
            requests[(*count)++] = (chainsi_gpu_request){
                .owner = k ? chainsi_arena_printf(arena, "%s (replica %zu)", service->name, k + 1)
                           : service->name,
                .kind = kind,
                .count = devices,
            };
    }
    return requests;
}

bool chainsi_gpu_pool_check(const chainsi_gpu_pool *pool, const chainsi_api_deploy *deploy,
                            char *why, size_t why_size)
{
    size_t count;
    chainsi_arena arena = { 0 };
    const char **owners = list_owners(pool);
    const chainsi_gpu_request *requests = list_requests(deploy, &arena, &count);
    bool can = chainsi_gpus_assign(&pool->gpus, owners, requests, count, why, why_size);
    const char *own = chainsi_arena_printf(&arena, "%s/%s/", deploy->chain, deploy->environment);
    size_t used = strlen(can ? "" : why);
    if (!can && is_held_by(pool, own))
        snprintf(why + used, why_size - used,
                 "; an update needs its GPUs beside those of the version that answers, which "
                 "`chains delete %s --environment %s` ends",
                 deploy->chain, deploy->environment);
    chainsi_arena_done(&arena);
    free(owners);
    return can;
}

size_t chainsi_gpu_pool_environment(const chainsi_gpu_pool *pool, const char *owner,
                                    chainsi_buffer *entries)
{
    static const chainsi_gpus none;
    if (!owner)
        return chainsi_gpus_environment(&none, NULL, "", entries);
    const char **owners = list_owners(pool);
    size_t count = chainsi_gpus_environment(&pool->gpus, owners, owner, entries);
    free(owners);
    return count;
}
