/* When to start a process again that died: a pure function of what happened and of the time.
 *
 * The delay doubles with every death that follows another without a stable time between them, up to
 * a limit. After too many of those the process counts as failed: whoever calls it is told so, and
 * it is tried again only now and then. */
#ifndef CHAINSI_CONTROL_BACKOFF_H
#define CHAINSI_CONTROL_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHAINSI_DEATHS_KEPT = 16 };

/* How patient to be. Times in nanoseconds. */
typedef struct chainsi_backoff_policy {
    int64_t first_delay_ns;  /* after the first death */
    int64_t max_delay_ns;    /* at most */
    int64_t stable_ns;       /* ready for this long: what was before is forgiven */
    int64_t failed_delay_ns; /* until a failed one is tried again; 0: never */
    unsigned max_deaths;     /* in a row: then it has failed */
} chainsi_backoff_policy;

/* Of replicas that were ready once, and of those that a deployment starts for the first time. */
extern const chainsi_backoff_policy chainsi_backoff_running, chainsi_backoff_deploying;

/* One death. */
typedef struct chainsi_death {
    int64_t at_ns;   /* when it was noticed */
    int wait_status; /* as of waitpid() */
} chainsi_death;

/* What happened to one process so far. All zero at first. */
typedef struct chainsi_backoff {
    unsigned in_a_row;                         /* deaths without a stable time between them */
    uint64_t death_count;                      /* all */
    chainsi_death deaths[CHAINSI_DEATHS_KEPT]; /* the latest; the i-th at i % CHAINSI_DEATHS_KEPT */
} chainsi_backoff;

/* What to do now. */
typedef struct chainsi_backoff_decision {
    bool failed;      /* too many deaths in a row */
    int64_t delay_ns; /* until it is started again; CHAINSI_NEVER: never */
} chainsi_backoff_decision;

/* Notes a death at now_ns and decides. ready_ns: since when the process had been ready; -1: it never
 * was. */
chainsi_backoff_decision chainsi_backoff_note(chainsi_backoff *backoff,
                                              const chainsi_backoff_policy *policy, int64_t now_ns,
                                              int64_t ready_ns, int wait_status);
/* The latest death; NULL if there was none. Lives until the next one is noted. */
const chainsi_death *chainsi_backoff_last(const chainsi_backoff *backoff);

#endif
