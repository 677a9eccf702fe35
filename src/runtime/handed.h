/* Descriptors that the process was started with, by name, as sd_listen_fds(3) has it: LISTEN_FDS
 * descriptors from 3 on, named by LISTEN_FDNAMES, if LISTEN_PID is this process. A service gets
 *   calls            the listening socket of its calls
 *   probes           the one of its probes; without it the first serves both
 *   board            its own board (rpc/board.h)
 *   spans            the ring for what it tells of calls (runtime/spans.h)
 *   board.<c_name>   that of a dependency
 * Without names: calls, then probes. */
#ifndef CHAINSI_RUNTIME_HANDED_H
#define CHAINSI_RUNTIME_HANDED_H

#include <stdbool.h>

enum {
    CHAINSI_MOST_HANDED = 256,
    CHAINSI_EXIT_OVERDUE =
        124, /* status of a service whose calls still ran when .drain_timeout_s was over */
};

/* Takes them, makes them CLOEXEC, and clears the environment so that no child takes them for its
 * own. Once, before there are threads. False: nothing was handed to this process. */
bool chainsi_handed_take(void);
/* The first of that name, -1. It stays open; who uses it owns it. Any thread. */
int chainsi_handed_find(const char *name);
/* The board of the dependency with that C name, -1. */
int chainsi_handed_board(const char *c_name);

#endif
