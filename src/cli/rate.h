/* How often something was called of late, and how long that took, in words. Pure. */
#ifndef CHAINSI_CLI_RATE_H
#define CHAINSI_CLI_RATE_H

#include <stdbool.h>

#include "base/arena.h"

/* As the daemon's API tells it; NULL: not known. All NULL: nobody counts. */
typedef struct chainsi_rate {
    const double *calls_per_s, *errors_per_s, *p50_ms, *p99_ms;
} chainsi_rate;

/* Of what has these fields as pointers: a Chainlet or an arrow of a graph. */
#define CHAINSI_RATE_OF(it_)                                                                       \
    ((chainsi_rate){ (it_)->calls_per_s, (it_)->errors_per_s, (it_)->p50_ms, (it_)->p99_ms })

/* "12", "0.3"; "-": not known. In arena, as the others. */
const char *chainsi_rate_calls(const chainsi_rate *rate, chainsi_arena *arena);
/* The share of calls that failed, "17 %"; "-" without calls. Nothing that is more than nothing looks like nothing. */
const char *chainsi_rate_failed(const chainsi_rate *rate, chainsi_arena *arena);
/* "1.23 ms"; "-": not known. */
const char *chainsi_rate_time(const double *ms, bool unicode, chainsi_arena *arena);
/* Whether any failed. */
bool chainsi_rate_has_failed(const chainsi_rate *rate);

/* "12 calls/s, 17 % failed"; NULL: not known. */
const char *chainsi_rate_count_words(const chainsi_rate *rate, chainsi_arena *arena);
/* "p50 1.23 ms, p99 4.5 ms"; NULL: none was timed. */
const char *chainsi_rate_time_words(const chainsi_rate *rate, chainsi_arena *arena);
/* Both; NULL: not known. */
const char *chainsi_rate_words(const chainsi_rate *rate, chainsi_arena *arena);

#endif
