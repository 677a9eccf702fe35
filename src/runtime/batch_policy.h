/* When a batch starts: pure functions of what waits, of the time and of the options. */
#ifndef CHAINSI_RUNTIME_BATCH_POLICY_H
#define CHAINSI_RUNTIME_BATCH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known where a slot is free for the next batch. */
typedef struct chainsi_batch_view {
    size_t waiting; /* calls that may be part of it */
    size_t
        in_flight; /* calls that are on their way through this process: started here or read, whether they
                         have begun or not, waiting, running or being answered */
    size_t max_size;  /* .batch.max_size */
    int64_t until_ns; /* the least of the waiting calls' patience */
} chainsi_batch_view;

/* Until when a call that came at arrival_ns waits for others: .batch.max_wait_us, but at most half
 * of the time that it has. deadline_ns may be CHAINSI_NEVER. */
int64_t chainsi_batch_patience(int64_t arrival_ns, int64_t deadline_ns, int64_t max_wait_ns);

/* Whether the batch starts now: it is full, nobody else is in flight who could join, or the
 * patience of a call is over. */
bool chainsi_batch_starts(const chainsi_batch_view *view, int64_t now_ns);

#endif
