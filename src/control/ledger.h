/* What the processes of a chain count, put together: how often a second something was called of late, with
 * what share of errors, and how long it took; of each Chainlet, each edge between two and an environment's
 * clients.
 *
 * It is told of looks: at one moment each process says what it has counted since it began, and what came
 * since the look before is kept, for a window of a few seconds. A process that has gone took what it counted after
 * the last look with it, one that counts less than before has begun anew, and of one that missed looks that
 * share is taken that belongs to the last. So rates neither fall below zero nor jump.
 *
 * Knows no clock: times are nanoseconds of whoever tells them. Of one thread. */
#ifndef CHAINSI_CONTROL_LEDGER_H
#define CHAINSI_CONTROL_LEDGER_H

#include "control/counts.h"

enum {
    CHAINSI_LEDGER_WINDOW_S = 10, /* the longest that rates can be asked of */
    CHAINSI_LEDGER_LOOKS = 16,    /* that are kept: more than one a second must not come */
    CHAINSI_LEDGER_MOST = 4096,   /* subjects at once; others are left out */
};

typedef struct chainsi_ledger chainsi_ledger;

/* What was counted of one subject; a list. Read-only for others. */
typedef struct chainsi_ledger_page {
    chainsi_subject subject;
    struct chainsi_ledger_page *next;
} chainsi_ledger_page;

typedef struct chainsi_rates {
    double calls_per_s, errors_per_s, retries_per_s;
    double p50_ms, p99_ms, queue_p99_ms; /* NAN: nothing was timed */
} chainsi_rates;

/* From now_ns on all is known: of processes that begin later, what they have counted by the first look that
 * meets them counts. Never NULL. */
chainsi_ledger *chainsi_ledger_new(int64_t now_ns);
/* NULL is allowed. */
void chainsi_ledger_free(chainsi_ledger *ledger);

/* A look. since_ns: what comes out of it happened after that; at least the time of the look before counts. */
void chainsi_ledger_begin(chainsi_ledger *ledger, int64_t now_ns, int64_t since_ns);
/* What a process has counted since it began, at began_ns. source: its number, which is used again only after a
 * process has gone. */
void chainsi_ledger_add(chainsi_ledger *ledger, uint64_t source, int64_t began_ns,
                        const chainsi_counted *counted);
/* All that answered have been told of. What none has told of for long is forgotten. */
void chainsi_ledger_end(chainsi_ledger *ledger);

/* When the last look was; 0: there was none. */
int64_t chainsi_ledger_looked(const chainsi_ledger *ledger);
/* All that something was counted of by processes that are there, or were until a while ago. */
const chainsi_ledger_page *chainsi_ledger_pages(const chainsi_ledger *ledger);
/* How many replicas of a subject have become ready since the beginning. They are counted whole: a window that begins
 * or ends between two looks has a share of what came between them. */
uint64_t chainsi_ledger_starts(const chainsi_ledger *ledger, const chainsi_subject *subject);
/* Of a subject, in the window that ends at now_ns. All zero, and NAN: nothing came of it. */
chainsi_rates chainsi_ledger_rates(const chainsi_ledger *ledger, const chainsi_subject *subject,
                                   int64_t now_ns, double window_s);

#endif
