/* Backups of CHAINS_HOME/state.db, made while it is written to:
 *
 *   state.backup.db     the newest that was found good
 *   state.backup.db.1   the one before
 *
 * A backup is a database of its own, of one moment, without a log beside it: to take it up is to copy
 * it to the place of state.db. state.backup.db is there at any moment once there was one, whatever
 * happens in the middle of making another. */
#ifndef CHAINSI_CONTROL_BACKUP_H
#define CHAINSI_CONTROL_BACKUP_H

#include "control/database.h"

/* Copies what the connection sees, checks the copy, and puts it in the place of the last backup, which
 * becomes the one before. Blocks for as long as that takes; needs room for two more databases.
 * Whatever fails, earlier backups stay. */
chains_status chainsi_backup_make(chainsi_database *database, const char *home);

/* Whether there is a backup. */
bool chainsi_backup_exists(const char *home);

/* What to tell people whose state.db can't be used: the last backup, of when it is, and the command
 * that takes it up; or that there is none. */
void chainsi_backup_advise(const char *home, char *text, size_t size);

#endif
