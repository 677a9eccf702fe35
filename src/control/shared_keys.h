/* The keys that daemons which take turns at one state must have in common. Where CHAINS_KEYS_DIR names a folder, as
 * of a mounted Secret, they come from there:
 *
 *   token         32 hex digits
 *   webhook.key   32 hex digits
 *   secret.key    32 bytes
 *
 * and are copied into CHAINS_HOME (0600), where they are read from as ever. */
#ifndef CHAINSI_CONTROL_SHARED_KEYS_H
#define CHAINSI_CONTROL_SHARED_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* Copies them, if the folder is named; before anything reads them. Blocks for as long as files take. False with a
 * reason: one is missing or isn't a key, or the home has another secret.key, which is never replaced: what was sealed
 * with it would be lost. */
bool chainsi_shared_keys_take(const char *home, char *why, size_t why_size);

#endif
