/* How a Chainlet did in the last hour: a point every five seconds. Points are packed to 20 bytes (three digits
 * of each number are right), and there is no memory for them as long as nothing happens to a Chainlet.
 *
 * Where no point was added nothing happened: no calls, and as many replicas as at the last. All zero bytes are one
 * that nothing is known of. Knows no clock, and is of one thread. */
#ifndef CHAINSI_CONTROL_SERIES_H
#define CHAINSI_CONTROL_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHAINSI_SERIES_STEP_S = 5, CHAINSI_SERIES_POINTS = 720 };

/* NAN: not known. */
typedef struct chainsi_point {
    double in_flight, waiting, ready, wanted;
    double calls_per_s, errors_per_s;
    double p50_ms, p99_ms, queue_p99_ms;
    double cold_starts; /* replicas that became ready since the point before */
} chainsi_point;

typedef struct chainsi_series {
    struct chainsi_packed_point *points; /* owned; a ring by slot; NULL: nothing happened */
    int64_t first,
        last; /* slots, so many steps since 1970; of the first point and the last one; 0: none */
    int64_t busy;           /* of the last at which something happened */
    uint16_t ready, wanted; /* at the last, packed */
} chainsi_series;

void chainsi_series_done(chainsi_series *series);
/* What holds at the end of a slot; one that comes before the last is left out, again the last one's is taken in
 * its place. */
void chainsi_series_add(chainsi_series *series, int64_t slot, const chainsi_point *point);
/* The point of a slot; all NAN: it isn't known, or not any more. */
chainsi_point chainsi_series_at(const chainsi_series *series, int64_t slot);

#endif
