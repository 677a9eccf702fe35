/* The daemon: one loop with the front door, the chains and their processes. */
#ifndef CHAINSI_CONTROL_DAEMON_H
#define CHAINSI_CONTROL_DAEMON_H

enum { CHAINSI_DEFAULT_PORT = 8600 };

/* Serves the CHAINS_HOME of the environment on 127.0.0.1:port (0: any) until SIGTERM or SIGINT,
 * then lets running calls end, stops every child, and returns. A second signal kills them. Returns
 * the exit status: 0, or 1 after a message on stderr. */
int chainsi_daemon_run(int port);

#endif
