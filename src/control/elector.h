/* `chainsd --kubernetes`: of several such processes, in as many pods, one leads. Each is an elector, which is a candidate for a
 * Lease (candidate.h) and runs the daemon (daemon.h) as its child for as long as it has that Lease:
 *
 *                       the Lease is ours                    the child has ended
 *   STANDS BY -------------------------------> LEADS ------------------------------> (ended)
 *       ^                                        |
 *       '---- the child is killed, and gone <----'  the Lease couldn't be renewed in time, or is another's
 *
 * The child's processes are a group, which is killed at once, before anybody else can have the Lease; and the kernel kills them
 * when the elector ends, however that comes about. SIGTERM and SIGINT are the child's, which ends in order while the Lease is
 * still renewed; then it is given up, so that another one leads at once.
 *
 * Probes are answered at a port of their own: /healthz and /livez always, /readyz where this one leads and its front
 * door answers. */
#ifndef CHAINSI_CONTROL_ELECTOR_H
#define CHAINSI_CONTROL_ELECTOR_H

#include "control/daemon_options.h"

#define CHAINSI_ELECTED_VERB "--elected" /* before the words of the child */

/* Runs until it is told to end or the child ends by itself; returns the exit status. name: what the process was
 * started as. Call it from the process's first thread, when there is no other. */
int chainsi_elector_run(const chainsi_daemon_options *options, const char *name);

#endif
