/* Who of several daemons leads: the rules of a Lease (coordination.k8s.io/v1), as a pure function of what was read and of
 * time. No clock of another machine counts: who stands by measures, by its own, for how long the record hasn't changed.
 *
 *      sent           answered                          deadline            lease
 *   ----|----------------|---------------------------------|-----------------|------> the leader's time
 *       '-- from here on the leader counts --'             |                 |
 *                            '-- who stands by counts from when it has seen this record: later, so that
 *                                it can't take the lease before this point --'
 *
 * Between the deadline and the end of the lease is what the leader has to end what it runs. Times are of one clock that goes on
 * while the machine sleeps (chainsi_leadership_now_ns), in nanoseconds. */
#ifndef CHAINSI_CONTROL_LEADERSHIP_H
#define CHAINSI_CONTROL_LEADERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"

typedef struct chainsi_leadership_times {
    int64_t lease_ms;    /* a record that hasn't changed for so long is nobody's */
    int64_t deadline_ms; /* a leader that couldn't renew for so long leads no more */
    int64_t renew_ms;    /* how often it is renewed, or looked at */
} chainsi_leadership_times;

extern const chainsi_leadership_times chainsi_leadership_usual; /* 15 s, 10 s, 2 s */

enum { CHAINSI_LEADER_TEXT = 320 };

/* What a Lease says. Texts are "" where it says nothing. */
typedef struct chainsi_lease_record {
    char holder[CHAINSI_LEADER_TEXT];
    char renewed[64];  /* a text that is compared, never read as a time */
    char version[128]; /* of the object */
    int64_t duration_s;
    int64_t transitions;
} chainsi_lease_record;

/* What one candidate knows. All zero but identity and times at first. */
typedef struct chainsi_leadership {
    const char *identity; /* of no other process, ever */
    chainsi_leadership_times times;
    chainsi_lease_record seen;
    int64_t seen_ns; /* since when the record has been as it is; 0: none was seen */
    bool leads;
    int64_t renewed_ns; /* when the last request that made it so was sent */
} chainsi_leadership;

int64_t chainsi_leadership_now_ns(void);

/* Reads a Lease object. False: it is none. */
bool chainsi_lease_read(const char *json, size_t size, chainsi_lease_record *record);

/* Notes what was read at now_ns; NULL: there is no such Lease any more, which is a change, and doesn't end what it said. */
void chainsi_leadership_see(chainsi_leadership *it, const chainsi_lease_record *record,
                            int64_t now_ns);
/* Whether the Lease may be taken, or is its own. */
bool chainsi_leadership_may_take(const chainsi_leadership *it, int64_t now_ns);
/* A request that took or renewed it, sent at sent_ns, has succeeded, and this is what there is now. */
void chainsi_leadership_won(chainsi_leadership *it, const chainsi_lease_record *record,
                            int64_t sent_ns, int64_t now_ns);
/* Until when it leads, if nothing is renewed; 0: it doesn't. */
int64_t chainsi_leadership_end_ns(const chainsi_leadership *it);

/* The body of a request that takes or renews the Lease as it was seen (a merge patch, which somebody else's change makes
 * fail), or that makes it, or that gives it up. unix_ms: the time that it tells people. */
void chainsi_leadership_write_patch(const chainsi_leadership *it, int64_t unix_ms,
                                    chainsi_buffer *body);
void chainsi_leadership_write_new(const chainsi_leadership *it, const char *name, int64_t unix_ms,
                                  chainsi_buffer *body);
void chainsi_leadership_write_release(const chainsi_leadership *it, int64_t unix_ms,
                                      chainsi_buffer *body);

#endif
