/* Where the state of a daemon is, by its environment:
 *
 *   CHAINS_STATE       postgresql://user:password@host:port/database?sslmode=...
 *   CHAINS_STATE_FILE  a file that holds such a URL, as a mounted Secret does
 *
 * With neither, or with nothing in them, it is in CHAINS_HOME/state.db. */
#ifndef CHAINSI_CONTROL_STATE_PLACE_H
#define CHAINSI_CONTROL_STATE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

enum { CHAINSI_STATE_URL_MOST = 4096 /* bytes */ };

/* Reads it; *url is NULL for state.db, else the caller's to free. Blocks for as long as a file takes. False with a
 * reason, which says nothing of what a URL holds: there are both, the file can't be read, it is no such URL. */
bool chainsi_state_place(char **url, char *why, size_t why_size);

/* Whether an entry of an environment, NAME=value, is not to be handed on to services: it may hold the password. */
bool chainsi_state_place_is_secret(const char *entry);

#endif
