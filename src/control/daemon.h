/* The daemon: a keeper (keeper.h), which is the process that was started and that CHAINS_HOME/pid
 * names, and a brain (brain.h), its child. Either may be killed at any moment:
 *
 *   the brain   the keeper starts another one. Replicas and what waits for them don't notice; calls in flight
 *               through the front door are cut
 *   the keeper  replicas die with it. The brain still has the lock and the front door; it becomes a keeper by
 *               exec, which starts a brain, which starts what is deployed
 *   both        replicas die; whoever needs the daemon starts it again, as it was (start_note.h)
 *
 * What is sent elsewhere is carried by a third process, the brain's child, which is there only while it is
 * needed, and holds nothing (courier.h).
 *
 * One of them always holds the home's lock, as long as there is one of them: so no second daemon begins in
 * between. */
#ifndef CHAINSI_CONTROL_DAEMON_H
#define CHAINSI_CONTROL_DAEMON_H

#include <stdbool.h>

#include "control/daemon_options.h"

/* Serves the CHAINS_HOME of the environment until SIGTERM or SIGINT, then lets running calls end, stops
 * every child, and returns. A second signal kills them. With TLS, SIGHUP reads certificate and key again.
 * Returns the exit status: 0, or after a message on stderr 1, or 2 where the options can't be meant. name:
 * what the process was started as. */
int chainsi_daemon_run(const chainsi_daemon_options *options, const char *name);

/* The ways in which the daemon runs its own program again: `name --brain FDS` and `name --keeper FDS`, each
 * with the options behind it, and `name --courier` (courier.h). True if these are the arguments of one of them; *status is then the exit status. */
bool chainsi_daemon_run_part(int argc, char **argv, int *status);

#endif
