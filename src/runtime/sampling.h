/* Which traces are recorded: all, as long as they are few, and a share of what is more. Decided where a
 * trace begins; the decision travels with it, so that a trace is recorded in all processes or in none. */
#ifndef CHAINSI_RUNTIME_SAMPLING_H
#define CHAINSI_RUNTIME_SAMPLING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CHAINSI_SAMPLING_RATE = 200,     /* traces a second that are all recorded */
    CHAINSI_SAMPLING_BURST = 200,    /* as many at once, after a second of silence */
    CHAINSI_SAMPLING_SHARE = 64,     /* of more, one in so many */
    CHAINSI_SAMPLING_SLOW_MS = 1000, /* a call that runs for so long is told of in any case */
};

/* A bucket of tokens, as the time at which it will be full again. All zero bytes: it is full. */
typedef struct chainsi_sampling {
    _Atomic int64_t full_ns;
} chainsi_sampling;

/* Whether a trace that begins now is recorded. low: a random number, the lower half of its id. A function
 * of the state, time and id alone. Any thread. */
bool chainsi_sampling_choose(chainsi_sampling *sampling, int64_t now_ns, uint64_t low);

#endif
