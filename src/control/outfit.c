/* Taking what a start needs, one after the other, and giving it back. */
#include "control/outfit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/replica.h"

bool chainsi_outfit_can_be_taken(const chainsi_replica_options *options)
{
    return !options->gpu || chainsi_gpu_pool_known(options->supervisor->gpus);
}

/* Has the keeper hold the secrets that the next process gets; true, too, if it gets none. */
static bool take_secrets(const chainsi_replica_options *options, char *why, size_t why_size)
{
    chains_status status;
    if (!options->secrets_name)
        return true;
    int fd = chainsi_vault_open(options->supervisor->vault, options->chain, options->secrets,
                                &status, why, why_size);
    if (fd < 0)
        return false;
    chainsi_keeping_hold(options->supervisor->keeping, options->secrets_name, fd);
    close(fd);
    return true;
}

static bool take_gpus(chainsi_outfit *outfit, const chainsi_replica_options *options, char *why,
                      size_t why_size)
{
    char kind[CHAINSI_GPU_TEXT];
    chainsi_gpu_request request = { .owner = options->name, .kind = kind };
    if (!options->gpu)
        return true;
    if (!chainsi_gpu_read_request(options->gpu, kind, &request.count)) {
        snprintf(why, why_size, "'%s' says no GPUs", options->gpu);
        return false;
    }
    return chainsi_gpu_pool_take(options->supervisor->gpus, &request, &outfit->gpus, why, why_size);
}

static bool has_limits(const chainsi_replica_options *options)
{
    return options->limits.cpu > 0 || options->limits.memory_bytes;
}

/* What the keeper holds an entry of the group as. */
static const char *entry_name(const chainsi_replica_options *options, size_t index,
                              chainsi_arena *arena)
{
    return chainsi_arena_printf(arena, "%s/group%zu", options->name, index);
}

static bool take_group(chainsi_outfit *outfit, const chainsi_replica_options *options, char *why,
                       size_t why_size)
{
    if (!has_limits(options))
        return true;
    outfit->group = chainsi_limiter_make(options->supervisor->limiter, options->name,
                                         &options->limits, why, why_size);
    if (!outfit->group)
        return false;
    int fds[CHAINSI_CGROUPS_MOST_TREES];
    chainsi_arena arena = { 0 };
    size_t count = chainsi_cgroup_entries(outfit->group, fds);
    for (size_t i = 0; i < count; i++)
        chainsi_keeping_hold(options->supervisor->keeping, entry_name(options, i, &arena), fds[i]);
    chainsi_arena_done(&arena);
    return true;
}

bool chainsi_outfit_take(chainsi_outfit *outfit, const chainsi_replica_options *options, char *why,
                         size_t why_size)
{
    if (take_secrets(options, why, why_size) && take_gpus(outfit, options, why, why_size) &&
        take_group(outfit, options, why, why_size))
        return true;
    chainsi_outfit_give_back(outfit, options);
    return false;
}

void chainsi_outfit_add(const chainsi_outfit *outfit, const chainsi_replica_options *options,
                        chainsi_arena *arena, chainsi_order *order)
{
    chainsi_buffer entries = { 0 };
    size_t given = 0, count = chainsi_gpu_pool_environment(
                          options->supervisor->gpus, options->gpu ? options->name : NULL, &entries);
    while (order->environment[given])
        given++;
    const char **environment = chainsi_arena_array(arena, given + count + 1, sizeof *environment);
    memcpy(environment, order->environment, given * sizeof *environment);
    const char *next = chainsi_arena_copy(arena, entries.data, entries.size);
    for (size_t i = 0; i < count; i++, next += strlen(next) + 1)
        environment[given + i] = next;
    environment[given + count] = NULL;
    chainsi_buffer_done(&entries);
    order->environment = environment;

    int fds[CHAINSI_CGROUPS_MOST_TREES];
    order->group_count = outfit->group ? chainsi_cgroup_entries(outfit->group, fds) : 0;
    const char **groups = chainsi_arena_array(arena, order->group_count, sizeof *groups);
    for (size_t i = 0; i < order->group_count; i++)
        groups[i] = entry_name(options, i, arena);
    order->groups = groups;
}

void chainsi_outfit_settle(const chainsi_outfit *outfit, const chainsi_replica_options *options)
{
    int fds[CHAINSI_CGROUPS_MOST_TREES];
    chainsi_arena arena = { 0 };
    size_t count = outfit->group ? chainsi_cgroup_entries(outfit->group, fds) : 0;
    for (size_t i = 0; i < count; i++)
        chainsi_keeping_release(options->supervisor->keeping, entry_name(options, i, &arena));
    chainsi_arena_done(&arena);
}

void chainsi_outfit_recall_secrets(const chainsi_replica_options *options)
{
    chainsi_supervisor *supervisor = options->supervisor;
    int fd = options->secrets_name
                 ? chainsi_keeping_take(supervisor->keeping, options->secrets_name)
                 : -1;
    if (fd < 0)
        return;
    chainsi_vault_recall(supervisor->vault, fd);
    close(fd);
}

void chainsi_outfit_recall(chainsi_outfit *outfit, const chainsi_replica_options *options,
                           const chainsi_gpu_set *gpus)
{
    if (has_limits(options))
        outfit->group =
            chainsi_limiter_adopt(options->supervisor->limiter, options->name, &options->limits);
    outfit->gpus = *gpus;
    chainsi_gpu_pool_recall(options->supervisor->gpus, options->name, gpus);
}

void chainsi_outfit_give_back(chainsi_outfit *outfit, const chainsi_replica_options *options)
{
    if (outfit->group)
        chainsi_limiter_remove(options->supervisor->limiter, options->name, outfit->group);
    if (options->gpu)
        chainsi_gpu_pool_release(options->supervisor->gpus, options->name);
    *outfit = (chainsi_outfit){ 0 };
}
