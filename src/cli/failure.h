/* Why a verb with --json has failed, where it isn't the daemon that says so. */
#ifndef CHAINSI_CLI_FAILURE_H
#define CHAINSI_CLI_FAILURE_H

#include "chains.h"

/* Prints {"error": {"status", "message", "hint"}} on stderr, a line. message: as it is printed for people, a hint behind
 * "\n  hint: " or none. */
void chainsi_failure_print(chains_status status, const char *message);

#endif
