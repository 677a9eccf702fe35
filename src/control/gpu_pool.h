/* The machine's GPUs as a daemon gives them to its replicas (gpu.h), each to one at a time, from its start to its
 * end.
 *
 * They are looked for on a thread of the pool, when somebody asks for the first time, and then known for the
 * daemon's life: where no Chainlet asks, the driver is never touched. Devices are known by their numbers, which
 * a replica's note carries from one brain to the next. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_GPU_POOL_H
#define CHAINSI_CONTROL_GPU_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/arena.h"
#include "control/api.h"
#include "control/gpu.h"

/* Numbers of devices. */
typedef struct chainsi_gpu_set {
    uint64_t bits[CHAINSI_GPU_MOST / 64];
} chainsi_gpu_set;

typedef struct chainsi_gpu_pool chainsi_gpu_pool;

/* Somebody who waits until it is known what there is; embedded in its owner. */
typedef struct chainsi_gpu_waiter {
    void (*on_known)(struct chainsi_gpu_waiter *waiter); /* from the loop; it waits no longer */
    bool waits;
    struct chainsi_gpu_waiter *next; /* gpu_pool.c's */
} chainsi_gpu_waiter;

/* Nothing is looked for yet. sources is copied, its texts must live as long as the pool. Never NULL. */
chainsi_gpu_pool *chainsi_gpu_pool_new(uv_loop_t *loop, const chainsi_gpu_sources *sources);
/* Nobody may wait. A look that is under way ends by itself. NULL is allowed. */
void chainsi_gpu_pool_free(chainsi_gpu_pool *pool);

/* What was found; NULL: it isn't known yet. As long as the pool. */
const chainsi_gpus *chainsi_gpu_pool_known(const chainsi_gpu_pool *pool);
/* Waits until it is, and looks if nobody has. */
void chainsi_gpu_pool_await(chainsi_gpu_pool *pool, chainsi_gpu_waiter *waiter);
/* Waits no longer; does nothing for who doesn't. */
void chainsi_gpu_pool_leave(chainsi_gpu_pool *pool, chainsi_gpu_waiter *waiter);

/* Gives the owner, who has none, devices that are free; *set gets their numbers. Once they are known. False with a
 * reason as of chainsi_gpus_assign. */
bool chainsi_gpu_pool_take(chainsi_gpu_pool *pool, const chainsi_gpu_request *request,
                           chainsi_gpu_set *set, char *why, size_t why_size);
/* The owner has these, from a brain before this one. At any time. */
void chainsi_gpu_pool_recall(chainsi_gpu_pool *pool, const char *owner, const chainsi_gpu_set *set);
/* Takes back what the owner has. */
void chainsi_gpu_pool_release(chainsi_gpu_pool *pool, const char *owner);
/* Whether some Chainlet of the deployment asks for a GPU. */
bool chainsi_gpu_pool_is_asked(const chainsi_api_deploy *deploy);
/* Whether all replicas that it begins with could be given what they ask for, beside what others have: an update's
 * old version goes on meanwhile. Once they are known. False with a reason that says what there is, or who has it, and
 * what to do. */
bool chainsi_gpu_pool_check(const chainsi_gpu_pool *pool, const chainsi_api_deploy *deploy,
                            char *why, size_t why_size);
/* What is in the set, for people: "NVIDIA A10G (number 0)", or "number 0" before it is known. In arena. */
chains_string_list chainsi_gpu_pool_describe(const chainsi_gpu_pool *pool,
                                             const chainsi_gpu_set *set, chainsi_arena *arena);
/* As chainsi_gpus_environment: for an owner who has none, or a NULL one, the process sees none, known or not. */
size_t chainsi_gpu_pool_environment(const chainsi_gpu_pool *pool, const char *owner,
                                    chainsi_buffer *entries);

#endif
