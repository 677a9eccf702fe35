/* The schema of the state as the steps that lead to it: those of SQLite, and beside each that of PostgreSQL, with
 * the same tables and columns afterwards. The number of steps that a database has taken is its PRAGMA user_version,
 * or stands in the table `chainsd` of one on a server, with the mark of its last writer (postgres.h).
 *
 * A step that was released is never changed: what is to be otherwise is a step of its own at the
 * end. Each is taken in one transaction together with the number, so that a crash leaves a database
 * before or behind a step, never within. */
#ifndef CHAINSI_CONTROL_MIGRATIONS_H
#define CHAINSI_CONTROL_MIGRATIONS_H

#include "control/database.h"

/* Of the program's own: marks a file as state of chainsd (PRAGMA application_id). */
enum { CHAINSI_APPLICATION_ID = 0x43484e53 /* "CHNS" */ };

/* How many steps there are. */
enum { CHAINSI_MIGRATIONS = 11 };
extern const char *const chainsi_migrations[CHAINSI_MIGRATIONS];
extern const char *const chainsi_migrations_postgres[CHAINSI_MIGRATIONS];
/* Those of this database. */
const char *const *chainsi_migrations_of(const chainsi_database *database);

/* How many steps the database has taken; 0: it is empty. FAILED_PRECONDITION if it isn't chainsd's,
 * or if it has taken more than `count`: a newer program made it. */
chains_status chainsi_migrations_taken(chainsi_database *database, int count, int *taken);
/* Takes the steps that the database hasn't taken. On failure it is as the last step that succeeded
 * left it. */
chains_status chainsi_migrate(chainsi_database *database, const char *const *steps, int count);

#endif
