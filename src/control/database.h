/* One connection to a database, SQLite in a file or PostgreSQL on a server, with the statements that were prepared on it, and rows as C
 * structs.
 *
 *   chainsi_statement find = chainsi_statement_begin(database, "SELECT * FROM chains WHERE name = :name");
 *   chainsi_statement_text(&find, ":name", name);
 *   if (chainsi_statement_next(&find))
 *       chainsi_statement_read(&find, &chainsi_stored_chain_type, arena, &chain);
 *   return chainsi_statement_end(&find);
 *
 * Steps may fail without being looked at: the first failure is kept, what follows it does nothing,
 * and chainsi_statement_end tells. A statement that was begun must be ended before the same text is
 * begun again, and before the function that began it returns: a reader that is open holds the whole
 * database's past.
 *
 * Structs are described by the tables of schema/type.h, so that one table serves the database and
 * the API. A column, or a parameter without its ':', is the field of the same name:
 *
 *   integers, bool     INTEGER            enums                    TEXT, the enumerator's name
 *   float, double      REAL               bytes                    BLOB
 *   strings            TEXT               JSON, structs, lists ... TEXT, as JSON
 *
 * In PostgreSQL these are bigint, double precision, bytea and text COLLATE "C": so both sort and compare
 * alike. Texts of statements are such that both understand them; where that can't be, both stand side by side
 * and chainsi_database_is_shared chooses.
 *
 * NULL is what an optional field has when it is absent. Columns without a field are passed over,
 * fields without a column are zero.
 *
 * A connection is used by one thread at a time. Every function may block for as long as the file
 * system does, or a server within the times of postgres.h. Failures are statuses with a sentence, chainsi_database_why:
 *
 *   RESOURCE_EXHAUSTED   the disk is full; what was written before is whole
 *   DATA_LOSS            the file is damaged, or no database
 *   ALREADY_EXISTS       a key is there already
 *   FAILED_PRECONDITION  another rule of the schema is broken (what is referred to does not exist)
 *   UNAVAILABLE          the file can't be read or written; the server can't be reached, or refuses
 *   UNKNOWN              of chainsi_database_commit alone: the connection broke, and what became of the
 *                        transaction can't be found out now
 *   ABORTED              of begin and commit alone: another process has become the writer (postgres.h)
 *   INTERNAL             our own mistake */
#ifndef CHAINSI_CONTROL_DATABASE_H
#define CHAINSI_CONTROL_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "schema/type.h"

typedef struct chainsi_database chainsi_database;

typedef enum chainsi_database_mode {
    CHAINSI_DATABASE_READ,  /* reading only */
    CHAINSI_DATABASE_WRITE, /* the file must exist */
    CHAINSI_DATABASE_MAKE,  /* it is made (0600) if it doesn't exist */
} chainsi_database_mode;

/* Whether a database is on a server: postgresql://user:password@host:port/database?options. */
bool chainsi_database_is_url(const char *place);
/* Opens the file, nothing is read yet; or connects to a server's database. NULL with a reason. */
chainsi_database *chainsi_database_open(const char *place, chainsi_database_mode mode, char *why,
                                        size_t why_size);
/* Makes the connection the one writer of a database on a server until it is closed (postgres.h). UNAVAILABLE if
 * another one is. Of a file: does nothing. */
chains_status chainsi_database_claim(chainsi_database *database);
/* Has the log and its index stay beside the file, empty, when the last connection is closed: a disk
 * that is full when the file is opened again may have no room to make them. */
void chainsi_database_keep_log(chainsi_database *database);
/* NULL is allowed. */
void chainsi_database_close(chainsi_database *database);

/* As it was opened; of a server's, what may be shown: without user and password. */
const char *chainsi_database_path(const chainsi_database *database);
/* Whether it is on a server, and statements are PostgreSQL's. */
bool chainsi_database_is_shared(const chainsi_database *database);
/* Whether its claim is lost for good: begin and commit are ABORTED. */
bool chainsi_database_is_overtaken(const chainsi_database *database);
/* Why the latest failure happened; "" before any. Lives until the next one. */
const char *chainsi_database_why(const chainsi_database *database);
/* Notes a failure with its sentence, and returns its status. */
chains_status chainsi_database_fail(chainsi_database *database, chains_status status,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Runs statements that give no rows and have no parameters. They aren't kept. */
chains_status chainsi_database_run(chainsi_database *database, const char *sql);
/* The integer that a statement without parameters gives; it isn't kept. */
chains_status chainsi_database_ask(chainsi_database *database, const char *sql, int64_t *number);
/* A transaction that writes: its begin and its end. Where begin fails, nothing is open; a commit that failed
 * has taken everything back, but for UNKNOWN. */
chains_status chainsi_database_begin(chainsi_database *database);
chains_status chainsi_database_commit(chainsi_database *database);
/* If one is open; the last failure's sentence stays. */
void chainsi_database_roll_back(chainsi_database *database);
/* Whether a transaction is open: SQLite ends one by itself after some failures, a server when the connection
 * breaks. */
bool chainsi_database_in_transaction(const chainsi_database *database);
/* How many rows the latest statement inserted, changed or deleted. */
int64_t chainsi_database_changes(const chainsi_database *database);
/* CHAINS_OK, or DATA_LOSS with what SQLite's quick_check says. Reads the whole file. A server looks after its
 * own: only whether it answers. */
chains_status chainsi_database_check(chainsi_database *database);
/* How many rows were looked at without an index, or sorted, by statements that are kept: for tests. Of a
 * server's nothing is known: 0. */
int64_t chainsi_database_scanned(const chainsi_database *database);
/* Has what runs on the connection fail soon (CANCELLED). The only function for other threads; the
 * connection must stay open meanwhile. Of a server's: does nothing. */
void chainsi_database_interrupt(chainsi_database *database);

/* A statement that runs. Lives on its user's stack; its members are this file's. */
typedef struct chainsi_statement {
    chainsi_database *database;
    void *handle;         /* the database's; NULL: it could not be prepared */
    chains_status status; /* of the first failure */
} chainsi_statement;

/* Takes a statement up; sql must be a constant of the program: it is prepared once and kept under its
 * address. */
chainsi_statement chainsi_statement_begin(chainsi_database *database, const char *sql);

/* Binds the parameter of that name, ':' included, until chainsi_statement_end; what is pointed to
 * must live as long. NULL is NULL. */
void chainsi_statement_text(chainsi_statement *statement, const char *name, const char *text);
void chainsi_statement_integer(chainsi_statement *statement, const char *name, int64_t number);
/* A time as text, time_text.h; and the present one, steady.h. */
void chainsi_statement_time(chainsi_statement *statement, const char *name, int64_t unix_ms);
void chainsi_statement_now(chainsi_statement *statement, const char *name);
void chainsi_statement_bytes(chainsi_statement *statement, const char *name, chains_bytes bytes);
/* Binds all parameters that are fields of the struct. */
void chainsi_statement_struct(chainsi_statement *statement, const chainsi_type *type,
                              const void *value);

/* Runs on to the next row. False at the end, and after a failure. */
bool chainsi_statement_next(chainsi_statement *statement);
/* Runs to the end. */
void chainsi_statement_finish(chainsi_statement *statement);
/* A column of the row, from 0; NULL is 0. */
int64_t chainsi_statement_column(const chainsi_statement *statement, int column);
/* A column as text in arena; NULL is NULL. */
const char *chainsi_statement_column_text(const chainsi_statement *statement, int column,
                                          chainsi_arena *arena);
/* The row as a struct, in arena. */
void chainsi_statement_read(chainsi_statement *statement, const chainsi_type *type,
                            chainsi_arena *arena, void *value);
/* All rows, as a list in arena; list is untouched on failure. */
void chainsi_statement_read_all(chainsi_statement *statement, const chainsi_type *list_type,
                                chainsi_arena *arena, void *list);

/* Reads the first row as a struct in arena, and ends the statement. NOT_FOUND, which has no sentence
 * yet, if there is none; value is untouched on failure. */
chains_status chainsi_statement_read_one(chainsi_statement *statement, const chainsi_type *type,
                                         chainsi_arena *arena, void *value);

/* Ends it. The status of the first failure, or CHAINS_OK. */
chains_status chainsi_statement_end(chainsi_statement *statement);
/* Runs it to its end, and ends it. */
chains_status chainsi_statement_run(chainsi_statement *statement);
/* The same; NOT_FOUND, which has no sentence yet, if it changed no row. */
chains_status chainsi_statement_change(chainsi_statement *statement);

#endif
