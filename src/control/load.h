/* A load for a simulation: how many calls come when, as one text.
 *
 *   LOAD   PART, or several joined by '+': their sum
 *   PART   RATE                              calls a second, always
 *          step:RATE,RATE@TIME,…             the first from the beginning, each other from its TIME
 *          burst:RATE@TIME/TIME,…            RATE more from a time on, for so long
 *          burst:CALLS@TIME,…                so many calls at one moment
 *          daily:RATE..RATE, …/TIME          a cosine from the lowest (at 0) to the highest rate and
 *                                            back in 24 hours, or in TIME
 *          trace:FILE                        lines of `time_s,calls_per_s` (a heading and lines that
 *                                            begin with # are passed over); each holds until the
 *                                            next, the last one for good
 *   RATE, CALLS   a number, 0 or more: 20, 0.5, 1e4
 *   TIME          seconds, or with a unit: 90, 250ms, 90s, 15m, 12h, 1d
 *
 * "daily:20..200+burst:500@13h/60s" is a day with a burst of a minute at one o'clock. Immutable once
 * made; any thread. */
#ifndef CHAINSI_CONTROL_LOAD_H
#define CHAINSI_CONTROL_LOAD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct chainsi_load chainsi_load;

/* Reads a load. NULL with a sentence in why where it can't be read; the caller frees it otherwise.
 * Reads files; blocks. */
chainsi_load *chainsi_load_read(const char *text, char *why, size_t why_size);
/* NULL is ignored. */
void chainsi_load_free(chainsi_load *load);

/* The calls that are expected from one time up to another; 0 <= from_s <= to_s. */
double chainsi_load_calls(const chainsi_load *load, double from_s, double to_s);
/* How long to look, in seconds: half an hour beyond the last change; to the end of a curve if nothing
 * changes later. */
double chainsi_load_length(const chainsi_load *load);
/* Reads a TIME, of which end is behind. False if there is none. */
bool chainsi_load_time(const char *text, double *seconds, const char **end);

#endif
