#include "runtime/queue.h"

#include <stdint.h>

static int64_t at_least_one(int number)
{
    return number > 1 ? number : 1;
}

int chainsi_queue_most(const chains_config *config)
{
    if (!config)
        return CHAINSI_QUEUE_LEAST;
    if (config->max_queue < 0)
        return CHAINSI_QUEUE_MOST;
    if (config->max_queue > 0)
        return config->max_queue < CHAINSI_QUEUE_MOST ? config->max_queue : CHAINSI_QUEUE_MOST;
    int replicas = config->autoscaling.max_replicas;
    if (replicas < config->autoscaling.min_replicas)
        replicas = config->autoscaling.min_replicas;
    int64_t calls;
    if (__builtin_mul_overflow(at_least_one(config->concurrency),
                               at_least_one(config->batch.max_size), &calls) ||
        __builtin_mul_overflow(calls, 2 * at_least_one(replicas), &calls) ||
        calls > CHAINSI_QUEUE_MOST)
        return CHAINSI_QUEUE_MOST;
    return calls < CHAINSI_QUEUE_LEAST ? CHAINSI_QUEUE_LEAST : (int)calls;
}

int chainsi_queue_backlog(int most)
{
    return most - 1;
}
