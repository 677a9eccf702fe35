/* What the daemon itself counts, for /metrics: calls through the front door, by chain and environment, and of
 * each Chainlet how long its processes took to start, by phase, and how they ended. Counted since this
 * process began. A chain that is gone takes its numbers with it. Meters that are NULL count nothing. Belongs
 * to the thread of the loop. */
#ifndef CHAINSI_CONTROL_METERS_H
#define CHAINSI_CONTROL_METERS_H

#include <chains.h>

#include "base/buffer.h"
#include "control/history.h"

/* Of a start. */
typedef enum chainsi_start_phase {
    CHAINSI_START_SPAWN, /* from when it was asked for until the keeper began with it */
    CHAINSI_START_READY, /* from then until it was ready: exec, loading, _new, and until that was seen */
    CHAINSI_START_PHASES,
} chainsi_start_phase;

typedef struct chainsi_meters chainsi_meters;

/* Never NULL. */
chainsi_meters *chainsi_meters_new(void);
/* NULL is allowed. */
void chainsi_meters_free(chainsi_meters *meters);

/* A call came to its end; environment: "versions" where a version was asked for. */
void chainsi_meters_call(chainsi_meters *meters, const char *chain, const char *environment,
                         chains_status status, int64_t ns);
void chainsi_meters_start(chainsi_meters *meters, const chainsi_history_place *place,
                          chainsi_start_phase phase, int64_t ns);
/* ending: a constant of store_history.h. */
void chainsi_meters_end(chainsi_meters *meters, const chainsi_history_place *place,
                        const char *ending);
void chainsi_meters_forget(chainsi_meters *meters, const char *chain);

/* Appends what was counted as Prometheus text: of the chains that shows says (NULL: of all). */
void chainsi_meters_write(const chainsi_meters *meters,
                          bool (*shows)(void *user, const char *chain), void *user,
                          chainsi_buffer *out);

#endif
