/* How the daemon of a home was started, in CHAINS_HOME/started: there from when it serves until it is told to
 * end. So it is found exactly when a daemon ended without that, killed or with its machine, and whoever needs the
 * daemon can start it again as it was. The environment isn't noted: it may hold secrets.
 *
 * Functions here block for as long as files take. */
#ifndef CHAINSI_CONTROL_START_NOTE_H
#define CHAINSI_CONTROL_START_NOTE_H

#include <stdbool.h>

#include "control/daemon_options.h"

typedef struct chainsi_start_note {
    bool managed;       /* by a service manager, whose business it is to start it again */
    const char **words; /* owned; for chainsd, ended by NULL */
    char *text;         /* owned; what they are in */
} chainsi_start_note;

/* Call it in the daemon's first process, without other threads: what a service manager (systemd) has told to
 * another process, as to a terminal that it started, is removed from the environment. */
void chainsi_start_note_begin(void);

/* Notes that a daemon with this environment serves with these options, at this port. False: errno. */
bool chainsi_start_note_write(const char *home, const chainsi_daemon_options *options, int port);
/* False: there is none that can be read. chainsi_start_note_done must be called in any case. */
bool chainsi_start_note_read(const char *home, chainsi_start_note *note);
void chainsi_start_note_done(chainsi_start_note *note);
void chainsi_start_note_forget(const char *home);

#endif
