/* The journal of systemd, by its native protocol: a datagram a message, with fields.
 *
 * Where the service manager reads this process's stderr for the journal (JOURNAL_STREAM), what chainsd would say
 * there is sent with its level, and so is each line of a Chainlet, with whose it is:
 *
 *   MESSAGE, PRIORITY, SYSLOG_IDENTIFIER=chainsd, and of a Chainlet's line CHAINS_CHAIN, CHAINS_ENVIRONMENT,
 *   CHAINS_VERSION, CHAINS_CHAINLET, CHAINS_REPLICA, CHAINS_REQUEST_ID
 *
 * Nobody waits for a journal that doesn't keep up: what finds no room in its socket waits, 1 MiB of it, and is sent by
 * and by; what is beyond is lost, and a message says how many were. A process without a loop, which says little, waits
 * 40 ms instead. The socket is $CHAINS_JOURNAL_SOCKET, else /run/systemd/journal/socket. With a loop functions don't
 * block; they are for one thread. */
#ifndef CHAINSI_CONTROL_JOURNAL_H
#define CHAINSI_CONTROL_JOURNAL_H

#include <stdbool.h>

#include <uv.h>

#include "control/log_line.h"

/* Whether what is written to stderr goes to the journal. */
bool chainsi_journal_is_there(void);
/* From now on what finds no room is sent from this loop, whose life it doesn't prolong, until _end, which waits up to
 * a second for what is left. */
void chainsi_journal_begin(uv_loop_t *loop);
void chainsi_journal_end(void);
/* What the daemon says. False: it has to be said on stderr, there is no journal or no way to it. */
bool chainsi_journal_say(const char *text);
/* A line of a Chainlet's log. Does nothing without a journal. */
void chainsi_journal_tell(const chainsi_log_tag *tag, const chainsi_log_line *line);

#endif
