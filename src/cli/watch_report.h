/* What `chains watch` says: a line each time something happens, on stdout, with the time; or an object of JSON.
 * What compilers, diagnostics and logs say goes to stderr as it is; with JSON it is an event, too. */
#ifndef CHAINSI_CLI_WATCH_REPORT_H
#define CHAINSI_CLI_WATCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "chains.h"
#include "cli/capture.h"
#include "cli/options.h"

typedef struct chainsi_watch_report {
    bool json;
    const char *environment;
    int64_t saved_ns; /* when the change was seen; 0: there was none */
    int64_t built_ns; /* how long building took */
    char version[64]; /* that answers; "" if it isn't known */
    chainsi_capture said;
} chainsi_watch_report;

/* What others write to stderr between these is told as well: at the end, and before what is said meanwhile. */
void chainsi_watch_begin_hearing(chainsi_watch_report *report);
void chainsi_watch_end_hearing(chainsi_watch_report *report);

void chainsi_watch_say_watching(chainsi_watch_report *report, const char *folder);
void chainsi_watch_say_changed(chainsi_watch_report *report, const chainsi_words *files);
void chainsi_watch_say_not_built(chainsi_watch_report *report);
/* Without names: nothing had to be swapped. */
void chainsi_watch_say_swapped(chainsi_watch_report *report, const char *version,
                               const chains_string_list *chainlets);
/* reason: why it could not be swapped; NULL: nothing ran yet. */
void chainsi_watch_say_deployed(chainsi_watch_report *report, const char *version,
                                const char *reason);
/* chainlet, message: whose fault it is, and why; NULL: that has been said. */
void chainsi_watch_say_failed(chainsi_watch_report *report, const char *chainlet,
                              const char *message);
void chainsi_watch_say_ended(chainsi_watch_report *report);

#endif
