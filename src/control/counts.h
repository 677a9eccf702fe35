/* What processes count of calls, as numbers: out of what they say at /metrics (exposition.h), for those who
 * make rates of it. Pure. */
#ifndef CHAINSI_CONTROL_COUNTS_H
#define CHAINSI_CONTROL_COUNTS_H

#include <stdint.h>

#include "base/histogram.h"
#include "control/exposition.h"

/* Numbers that only grow, as long as a process lives. */
enum {
    CHAINSI_COUNT_CALLS,   /* that ended */
    CHAINSI_COUNT_ERRORS,  /* those that failed; who took back a call had no error */
    CHAINSI_COUNT_RETRIES, /* attempts after the first */
    CHAINSI_COUNT_STARTS,  /* replicas that became ready */
    CHAINSI_COUNT_TIMES,   /* a histogram: how long calls took, of those that were timed */
    CHAINSI_COUNT_BUCKETS = CHAINSI_HISTOGRAM_BOUNDS + 1,
    CHAINSI_COUNT_QUEUES =
        CHAINSI_COUNT_TIMES + CHAINSI_COUNT_BUCKETS, /* and how long they waited */
    CHAINSI_COUNTS = CHAINSI_COUNT_QUEUES + CHAINSI_COUNT_BUCKETS,
};

/* Whose calls. */
typedef struct chainsi_subject {
    const char *chain, *environment;
    const char *chainlet; /* "": of the clients of the environment */
    const char *callee;   /* that it calls; "": the calls that it gets */
} chainsi_subject;

typedef struct chainsi_counted {
    chainsi_subject subject;
    uint64_t counts[CHAINSI_COUNTS];
    struct chainsi_counted *next;
} chainsi_counted;

enum { CHAINSI_COUNTS_MOST_SUBJECTS = 256 /* that a process tells of; others are left out */ };

/* What a source says, in arena. Of whose chain and environment it is its labels tell, whatever it says itself; the
 * daemon's own has none, and says it. NULL: nothing. */
chainsi_counted *chainsi_counts_read(const chainsi_source *source, chainsi_arena *arena);

bool chainsi_subject_is(const chainsi_subject *subject, const chainsi_subject *other);

/* The time, in milliseconds, within which this share of the calls ended, interpolated in its bucket; NAN: there are
 * none. What took longer than all bounds took the largest. buckets: CHAINSI_COUNT_BUCKETS of them. */
double chainsi_counts_quantile(const double *buckets, double share);

#endif
