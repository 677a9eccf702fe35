/* What becomes of the state's times when people set their clock.
 *
 * The state notes how far the clock was from the time since the machine was started, and which start
 * that was. When it is found to be further off than CHAINSI_CLOCK_SLACK_MS, the clock was set: what has a
 * limit in the state, which are requests and canaries, moves along with it, so that they wait, expire, are
 * tried again and kept for as long as they should, and their times are told by the clock that holds now.
 * What is only told (events, versions, the history of replicas, but for until when it is kept) stays as it was written. A machine that
 * was started anew tells nothing of how its clock was before: nothing moves then. */
#ifndef CHAINSI_CONTROL_STATE_CLOCK_H
#define CHAINSI_CONTROL_STATE_CLOCK_H

#include "control/database.h"

enum {
    CHAINSI_CLOCK_SLACK_MS = 1000, /* clocks are also corrected little by little */
    CHAINSI_CLOCK_BOOT_TEXT = 128,
};

/* How the clock stands. */
typedef struct chainsi_clock_reading {
    char boot[CHAINSI_CLOCK_BOOT_TEXT]; /* this start of the machine; "": it can't be known */
    int64_t offset_ms;                  /* chainsi_wall_offset_ms */
    int64_t moved_ms;                   /* by how much the times of the state were moved */
    int64_t before_ms; /* chainsi_steady_offset_ms: to go back to when the change failed */
} chainsi_clock_reading;

chainsi_clock_reading chainsi_clock_read(void);
/* Whether the clock was set since this process has followed it. */
bool chainsi_clock_was_set(void);

/* A change (store.h), whose arguments are a reading: moves the times of the state if the clock was set,
 * and steady time (steady.h) with them. When it could not be kept, chainsi_clock_go_back. */
chains_status chainsi_clock_follow(chainsi_database *database, void *reading);
void chainsi_clock_go_back(const chainsi_clock_reading *reading);

#endif
