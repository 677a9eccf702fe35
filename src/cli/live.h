/* How often things are called, and how long it takes, from two looks at the daemon's /metrics: what was counted between them. Pure. */
#ifndef CHAINSI_CLI_LIVE_H
#define CHAINSI_CLI_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* What was counted of one thing. */
typedef struct chainsi_live_rate {
    double calls_per_s, failed_per_s; /* that ended; those that were cancelled didn't fail */
    double p50_ms, p99_ms;            /* -1: none was timed */
} chainsi_live_rate;

/* A look: what stood there at a time. */
typedef struct chainsi_live_look {
    chainsi_arena arena;
    int64_t at_ns;
    struct chainsi_live_sample *samples; /* by what they are */
    size_t count;
} chainsi_live_look;

/* Takes what /metrics said into an empty look; chainsi_live_look_done ends it. */
void chainsi_live_look_take(chainsi_live_look *look, const char *text, size_t size, int64_t at_ns);
void chainsi_live_look_done(chainsi_live_look *look);

/* What has been counted since an older look. A process that is new since then, or began anew, counts from its start. */
typedef struct chainsi_live {
    chainsi_arena arena;
    double seconds; /* between the looks; 0: there are no two */
    struct chainsi_live_sample
        *samples; /* whose texts are the newer look's, which must outlive this */
    size_t count;
} chainsi_live;

/* All zero if either is NULL. chainsi_live_done ends it. */
void chainsi_live_between(chainsi_live *live, const chainsi_live_look *old,
                          const chainsi_live_look *now);
void chainsi_live_done(chainsi_live *live);

/* What clients saw of an environment; of a Chainlet, whose times are without its queue; and of the calls of one by another. All zero with
 * times of -1 where nothing is known. */
chainsi_live_rate chainsi_live_front(const chainsi_live *live, const char *chain,
                                     const char *environment);
chainsi_live_rate chainsi_live_chainlet(const chainsi_live *live, const char *chain,
                                        const char *environment, const char *chainlet);
chainsi_live_rate chainsi_live_calls(const chainsi_live *live, const char *chain,
                                     const char *environment, const char *from, const char *to);

#endif
