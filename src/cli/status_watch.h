/* `chains status --watch`. */
#ifndef CHAINSI_CLI_STATUS_WATCH_H
#define CHAINSI_CLI_STATUS_WATCH_H

#include "cli/daemon.h"
#include "cli/status_table.h"

/* Shows what is deployed, anew every so many seconds (0: as often as it is sensible), until somebody ends it: on a terminal a table on the
 * whole of it, elsewhere lines, or the API's JSON on a line each time. A daemon that goes away is looked for. daemon: one that was
 * found. Returns the exit status. */
int chainsi_status_watch(chainsi_daemon *daemon, const chainsi_status_filter *filter,
                         double every_s, bool json);

#endif
