/* Waiters: how a thread that waits is woken. Each thread has one eventfd, made when it first waits,
 * which it polls beside whatever else it waits for. */
#ifndef CHAINSI_RUNTIME_WAITER_H
#define CHAINSI_RUNTIME_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include <chains.h>

typedef struct chainsi_waiter chainsi_waiter;

/* The calling thread's. Lives as long as the thread. */
chainsi_waiter *chainsi_waiter_self(void);
/* Its descriptor: readable once it was woken. */
int chainsi_waiter_fd(const chainsi_waiter *waiter);
/* Wakes the thread from its next or present chainsi_waiter_wait. Any thread. */
void chainsi_waiter_wake(chainsi_waiter *waiter);
/* Wakes every thread that has a waiter: something was cancelled, and who is concerned finds out.
 * Any thread. */
void chainsi_waiters_wake_all(void);
/* Takes back all wakes so far, without waiting. */
void chainsi_waiter_clear(chainsi_waiter *waiter);
/* Blocks the calling thread until it is woken, ctx's caller hangs up, or deadline_ns has come. May
 * return early. */
void chainsi_waiter_wait(chainsi_waiter *waiter, const chains_ctx *ctx, int64_t deadline_ns);

#endif
