/* What a replica's process is fitted out with for one start, besides its sockets: secrets (vault.h), a group with
 * its limits (limiter.h), GPUs (gpu_pool.h). Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_OUTFIT_H
#define CHAINSI_CONTROL_OUTFIT_H

#include "control/command.h"
#include "control/gpu_pool.h"
#include "control/limiter.h"

struct chainsi_replica_options;

/* All zero: nothing. */
typedef struct chainsi_outfit {
    chainsi_cgroup *group; /* owned; NULL: it has no limits */
    chainsi_gpu_set gpus;
} chainsi_outfit;

/* Whether what it takes can be told now; else the GPUs have to be awaited. */
bool chainsi_outfit_can_be_taken(const struct chainsi_replica_options *options);
/* Takes all that the next process is to have, which nothing is taken for yet. False with a reason, and nothing is
 * taken. */
bool chainsi_outfit_take(chainsi_outfit *outfit, const struct chainsi_replica_options *options,
                         char *why, size_t why_size);
/* Puts it into an order that has all the rest, but secrets, which are a descriptor among others. Memory is arena's. */
void chainsi_outfit_add(const chainsi_outfit *outfit, const struct chainsi_replica_options *options,
                        chainsi_arena *arena, chainsi_order *order);
/* The order is given: what only the start needs goes. */
void chainsi_outfit_settle(const chainsi_outfit *outfit,
                           const struct chainsi_replica_options *options);

/* What was handed out to a process of an earlier brain must stay out of logs as before. */
void chainsi_outfit_recall_secrets(const struct chainsi_replica_options *options);
/* What a process of an earlier brain has; gpus as they were taken. */
void chainsi_outfit_recall(chainsi_outfit *outfit, const struct chainsi_replica_options *options,
                           const chainsi_gpu_set *gpus);
/* The process has ended. */
void chainsi_outfit_give_back(chainsi_outfit *outfit,
                              const struct chainsi_replica_options *options);

#endif
